package sqlgen

import (
	"strconv"
	"strings"

	"leadloop/odata/edm"
)

// The columns of a change log beside those of edm.ChangeLog.Past. A log's
// number is, on SQLite, that of the change: there is one writer at a time, so
// changes are numbered as they are committed. On PostgreSQL it is that of the
// transaction, as a later commit may have the earlier sequence number. The mask
// is null for what was not there before.
//
// The first row tells of no change: its number is that of the last change
// forgotten. That of a new log is beyond all numbers of one that was dropped.
const (
	logNumber   = `"n"`
	logSequence = `"seq"` // PostgreSQL only: tells changes of one transaction apart
	logMask     = `"mask"`
	logTime     = `"at"`
)

// CreateChangeLog returns the statements that create the change log l and the
// triggers that fill it.
func CreateChangeLog(d Dialect, l *edm.ChangeLog) []string {
	table := quoteName(l.Past.Table)
	lines := []string{"    " + logNumber + " integer PRIMARY KEY", "    " + logMask + " integer", "    " + logTime + " integer NOT NULL DEFAULT (unixepoch())"}
	if d == Postgres {
		lines = []string{
			"    " + logNumber + " xid8 NOT NULL DEFAULT pg_current_xact_id()", "    " + logSequence + " bigint GENERATED ALWAYS AS IDENTITY",
			"    " + logMask + " bigint", "    " + logTime + " timestamptz NOT NULL DEFAULT now()",
		}
	}
	for _, p := range l.Past.Properties {
		lines = append(lines, "    "+quoteName(p.Column)+" "+columnType(d, p))
	}
	if d == Postgres {
		lines = append(lines, "    PRIMARY KEY ("+logNumber+", "+logSequence+")")
	}
	list := []string{
		"CREATE TABLE " + table + " (\n" + strings.Join(lines, ",\n") + "\n)",
	}
	if d == Postgres {
		list = append(list, "INSERT INTO "+table+" DEFAULT VALUES")
	} else {
		list = append(list, "INSERT INTO "+table+" ("+logNumber+") VALUES (unixepoch() * 1000)")
	}
	for _, t := range triggers(l) {
		list = append(list, t.create(d)...)
	}
	return list
}

// DropChangeLog returns the statements that undo those of CreateChangeLog.
func DropChangeLog(d Dialect, l *edm.ChangeLog) []string {
	var list []string
	for _, t := range triggers(l) {
		if d == Postgres {
			list = append(list, "DROP TRIGGER "+quoteName(t.name)+" ON "+quoteName(t.table), "DROP FUNCTION "+quoteName(t.name)+"()")
		} else {
			list = append(list, "DROP TRIGGER "+quoteName(t.name))
		}
	}
	return append(list, "DROP TABLE "+quoteName(l.Past.Table))
}

// columnTypes are the types of columns by what they keep, where that is not
// text: on SQLite and on PostgreSQL.
var columnTypes = map[edm.Type][2]string{
	edm.Boolean: {"integer", "boolean"}, edm.Int16: {"integer", "bigint"}, edm.Int32: {"integer", "bigint"}, edm.Int64: {"integer", "bigint"},
	edm.Double: {"real", "double precision"}, edm.Decimal: {"numeric", "numeric"}, edm.Binary: {"blob", "bytea"},
	edm.Date: {"text", "date"}, edm.TimeOfDay: {"text", "time"}, edm.DateTimeOffset: {"text", "timestamptz"}, edm.Guid: {"text", "uuid"},
}

func columnType(d Dialect, p *edm.Property) string {
	types, ok := columnTypes[p.Type]
	switch {
	case !ok && d == Postgres:
		return `text COLLATE "C"`
	case !ok:
		return "text"
	case d == Postgres:
		return types[1]
	}
	return types[0]
}

// trigger is a trigger that writes to a change log.
type trigger struct {
	name, table, event, when string
	actions                  []string
}

func (t trigger) create(d Dialect) []string {
	name, when := quoteName(t.name), ""
	body := "    " + strings.Join(t.actions, ";\n    ") + ";\n"
	on := " " + t.event + " ON " + quoteName(t.table) + " FOR EACH ROW"
	if d == SQLite {
		if t.when != "" {
			when = " WHEN " + t.when
		}
		return []string{"CREATE TRIGGER " + name + on + when + " BEGIN\n" + body + "END"}
	}
	if t.when != "" {
		when = " WHEN (" + t.when + ")"
	}
	gives := "NULL"
	if strings.HasPrefix(t.event, "BEFORE") {
		gives = "OLD"
	}
	return []string{
		"CREATE FUNCTION " + name + "() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n" + body + "    RETURN " + gives + ";\nEND $$",
		"CREATE TRIGGER " + name + on + when + " EXECUTE FUNCTION " + name + "()",
	}
}

// triggers are those of the log, on the entity's table and on those of what is
// kept through navigation properties.
func triggers(l *edm.ChangeLog) []trigger {
	g := logger{l}
	table := l.Entity.Table
	prefix := l.Past.Table + "_"
	var moved, names []string
	for _, k := range l.Entity.Key {
		names = append(names, quoteName(k.Column))
		moved = append(moved, differs(quoteName(k.Column)))
	}
	list := []trigger{
		{prefix + "insert", table, "AFTER INSERT", "", []string{g.appears("NEW")}},
		{prefix + "update", table, "AFTER UPDATE", "", []string{g.note(g.mask(), "OLD")}},
		{prefix + "rename", table, "AFTER UPDATE OF " + strings.Join(names, ", "), strings.Join(moved, " OR "), []string{g.note("-1", "OLD"), g.appears("NEW")}},
		{prefix + "delete", table, "AFTER DELETE", "", []string{g.note("-1", "OLD")}},
	}
	seen := map[*edm.Navigation]bool{}
	for _, k := range l.Kept {
		if k.Nav != nil && !seen[k.Nav] {
			seen[k.Nav] = true
			list = append(list, g.through(k.Nav, prefix+strings.ToLower(k.Nav.Name)+"_")...)
		}
	}
	return list
}

func differs(column string) string {
	return "OLD." + column + " IS DISTINCT FROM NEW." + column
}

// logger writes the actions of the triggers of one log.
type logger struct{ *edm.ChangeLog }

// insert writes a row of the log: the mask, the key's columns, the kept ones.
func (g logger) insert(values string) string {
	columns := []string{logMask}
	for _, p := range g.Past.Properties {
		columns = append(columns, quoteName(p.Column))
	}
	return "INSERT INTO " + quoteName(g.Past.Table) + " (" + strings.Join(columns, ", ") + ") " + values
}

// appears notes that the entity of a row is there now.
func (g logger) appears(row string) string {
	values := []string{"NULL"}
	for _, p := range g.Entity.Key {
		values = append(values, row+"."+quoteName(p.Column))
	}
	for range g.Kept {
		values = append(values, "NULL")
	}
	return g.insert("VALUES (" + strings.Join(values, ", ") + ")")
}

// note notes how the entity of a row was.
func (g logger) note(mask, row string) string {
	values := []string{mask}
	for _, p := range g.Entity.Key {
		values = append(values, row+"."+quoteName(p.Column))
	}
	for _, k := range g.Kept {
		switch {
		case k.Nav == nil:
			values = append(values, row+"."+quoteName(k.Of.Column))
		case k.Many():
			values = append(values, "NULL") // noted as those come and go
		default:
			values = append(values, "(SELECT "+quoteName(k.Of.Column)+" FROM "+quoteName(k.Nav.Target.Table)+
				" WHERE "+quoteName(k.Nav.Remote.Column)+" = "+row+"."+quoteName(k.Nav.Local.Column)+")")
		}
	}
	return g.insert("VALUES (" + strings.Join(values, ", ") + ")")
}

// mask writes the bits of the columns that an update changed.
func (g logger) mask() string {
	bits := map[int64][]string{}
	var order []int64
	for _, p := range g.Columns() {
		b := g.Bit(p)
		if bits[b] == nil {
			order = append(order, b)
		}
		c := quoteName(p.Column)
		if p.JSON {
			// PostgreSQL's type json knows no equality.
			bits[b] = append(bits[b], "CAST(OLD."+c+" AS text) IS DISTINCT FROM CAST(NEW."+c+" AS text)")
		} else {
			bits[b] = append(bits[b], differs(c))
		}
	}
	terms := []string{"0"}
	for _, b := range order {
		terms = append(terms, "CASE WHEN "+strings.Join(bits[b], " OR ")+" THEN "+strconv.FormatInt(b, 10)+" ELSE 0 END")
	}
	return strings.Join(terms, "\n        | ")
}

// through are the triggers on what nav leads to.
func (g logger) through(nav *edm.Navigation, prefix string) []trigger {
	remote := quoteName(nav.Remote.Column)
	columns, changed := []string{}, []string{}
	for _, k := range g.Kept {
		if k.Nav == nav {
			columns = append(columns, quoteName(k.Of.Column))
			changed = append(changed, differs(quoteName(k.Of.Column)))
		}
	}
	table := nav.Target.Table
	if !nav.Many {
		past := g.related(nav)
		return []trigger{
			{prefix + "update", table, "AFTER UPDATE OF " + strings.Join(columns, ", "), strings.Join(changed, " OR "), []string{past}},
			{prefix + "delete", table, "BEFORE DELETE", "", []string{past}},
		}
	}
	columns, changed = append(columns, remote), append(changed, differs(remote))
	went, came := g.member("OLD", nav, strconv.FormatInt(edm.Through, 10)), g.member("NEW", nav, "NULL")
	return []trigger{
		{prefix + "insert", table, "AFTER INSERT", "", []string{came}},
		{prefix + "update", table, "AFTER UPDATE OF " + strings.Join(columns, ", "), strings.Join(changed, " OR "), []string{went, came}},
		{prefix + "delete", table, "AFTER DELETE", "", []string{went}},
	}
}

// member notes of the entity that a member of the collection nav refers to that
// the member went, or came.
func (g logger) member(row string, nav *edm.Navigation, mask string) string {
	refers := row + "." + quoteName(nav.Remote.Column)
	values := []string{mask, refers}
	for _, k := range g.Kept {
		if mask == "NULL" {
			values = append(values, mask)
		} else {
			values = append(values, row+"."+quoteName(k.Of.Column))
		}
	}
	return g.insert("SELECT " + strings.Join(values, ", ") + " WHERE " + refers + " IS NOT NULL")
}

// related notes how the entities were that refer to what nav leads to.
func (g logger) related(nav *edm.Navigation) string {
	values := []string{strconv.FormatInt(edm.Through, 10)}
	for _, p := range g.Entity.Key {
		values = append(values, quoteName(p.Column))
	}
	for _, k := range g.Kept {
		switch k.Nav {
		case nav:
			values = append(values, "OLD."+quoteName(k.Of.Column))
		case nil:
			values = append(values, quoteName(k.Of.Column))
		default:
			values = append(values, "(SELECT "+quoteName(k.Of.Column)+" FROM "+quoteName(k.Nav.Target.Table)+" x WHERE x."+
				quoteName(k.Nav.Remote.Column)+" = e."+quoteName(k.Nav.Local.Column)+")")
		}
	}
	return g.insert("SELECT " + strings.Join(values, ", ") + " FROM " + quoteName(g.Entity.Table) + " e WHERE e." +
		quoteName(nav.Local.Column) + " = OLD." + quoteName(nav.Remote.Column))
}
