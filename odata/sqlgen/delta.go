package sqlgen

import (
	"strconv"
	"time"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// Marks returns the statement that tells where the change log l stands: the
// first number that a change may have which cannot be seen yet, the number after
// the last that can, that of the last change forgotten, and those in between of
// changes that cannot be seen, as text with commas (null if it is not known).
//
// On PostgreSQL that is what a snapshot is made of. A standby does not know what
// is in flight.
func Marks(d Dialect, l *edm.ChangeLog) Statement {
	log := quoteName(l.Past.Table)
	if d == Postgres {
		// Numbers from before the database was moved to this server do not count.
		return Statement{SQL: "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint, " +
			"coalesce((SELECT l." + logNumber + "::text::bigint FROM " + log + " l WHERE l." + logNumber + " < pg_snapshot_xmax(s) ORDER BY l." + logNumber + " LIMIT 1), 0), " +
			"CASE WHEN NOT pg_is_in_recovery() THEN (SELECT coalesce(string_agg(x::text, ','), '') FROM pg_snapshot_xip(s) x) END " +
			"FROM pg_current_snapshot() s"}
	}
	last := "(SELECT max(" + logNumber + ") FROM " + log + ") + 1"
	return Statement{SQL: "SELECT " + last + ", " + last + ", (SELECT min(" + logNumber + ") FROM " + log + "), ''"}
}

// Changes returns the statement that goes through the changes r.Changes asks
// for. Its columns are: the entity as JSON text, null where it is to be removed;
// whether it is gone; the place of the change in the log, as two numbers; and the
// entity's key, as text. An entity comes as often as it was changed, always as it
// is now.
func Changes(d Dialect, r *plan.Read) Statement {
	g, c := newGenerator(d), r.Changes
	g.style = r.Style
	log := g.name(c.Past)
	g.w("SELECT CASE WHEN ")
	g.visible(r)
	g.w(" THEN ")
	g.object(r.Var, &r.Show)
	g.w(" END, ")
	g.column(r.Var, r.Var.Struct.Key[0])
	g.w(" IS NULL, ", log, ".", logNumber)
	if d == Postgres {
		g.w("::text::bigint, ", log, ".", logSequence)
	} else {
		g.w(", 0")
	}
	for _, k := range c.Past.Struct.Key {
		g.w(", ")
		g.text(&plan.Prop{Var: c.Past, Prop: k})
	}
	g.w(" FROM ", quoteName(c.Past.Struct.Table), " ", log)
	g.joinEntity(r)
	g.joins(r.Var)
	g.whereChanged(r, log)
	g.w(" ORDER BY ", log, ".", logNumber)
	if d == Postgres {
		g.w(", ", log, ".", logSequence)
	}
	g.limit(r)
	return g.statement()
}

// joinEntity joins the entity of a change. PostgreSQL is kept from joining all
// entities with all changes before it takes the first few of them.
func (g *generator) joinEntity(r *plan.Read) {
	table, v := quoteName(r.Var.Struct.Table), g.name(r.Var)
	on := " ON "
	if g.dialect == Postgres {
		g.w(" LEFT JOIN LATERAL (SELECT * FROM ", table, " ", v)
		on = " WHERE "
	} else {
		g.w(" LEFT JOIN ", table, " ", v)
	}
	for i, k := range r.Changes.Past.Struct.Key {
		g.w([]string{on, " AND "}[min(i, 1)])
		g.column(r.Var, r.Var.Struct.Key[i])
		g.w(" = ")
		g.column(r.Changes.Past, k)
	}
	if g.dialect == Postgres {
		g.w(" OFFSET 0) ", v, " ON true")
	}
}

// visible writes the condition that the entity of a change belongs to the result.
func (g *generator) visible(r *plan.Read) {
	g.accessible(r)
	if r.Where != nil {
		g.w(" AND ")
		g.cond(r.Where)
	}
}

// accessible writes the condition that the entity of a change is there and that
// the caller may see it.
func (g *generator) accessible(r *plan.Read) {
	g.column(r.Var, r.Var.Struct.Key[0])
	g.w(" IS NOT NULL")
	if r.Var.Access != nil {
		g.w(" AND ")
		g.cond(r.Var.Access)
	}
}

// whereChanged writes which changes are of interest: those of entities that
// belong to the result, and those by which others may have left it. Of the
// latter the caller must have been allowed to know.
func (g *generator) whereChanged(r *plan.Read, log string) {
	c := r.Changes
	g.w(" WHERE ", log, ".", logNumber, " >= ")
	g.number(c.Since.From)
	g.w(" AND ", log, ".", logNumber, " < ")
	g.number(c.Before)
	if c.After != nil {
		g.w(" AND ")
		g.past(*c.After, log)
	}
	if c.Since.Known > c.Since.From {
		g.w(" AND (", log, ".", logNumber, " >= ")
		g.number(c.Since.Known)
		for _, n := range c.Since.Flight {
			g.w(" OR ", log, ".", logNumber, " = ")
			g.number(n)
		}
		g.w(")")
	}
	g.w(" AND (", log, ".", logMask, " IS NULL OR ", log, ".", logMask, " & ", strconv.FormatInt(c.Shown, 10), " <> 0) AND (")
	g.visible(r)
	g.w(" OR ", log, ".", logMask, " & ", strconv.FormatInt(c.Matter, 10), " <> 0")
	if c.Was != nil {
		g.w(" AND (")
		g.accessible(r)
		g.w(" OR ")
		g.cond(c.Was)
		g.w(")")
	}
	g.w(")")
}

// past writes the condition that a change comes after another.
func (g *generator) past(c plan.Change, log string) {
	if g.dialect == SQLite {
		g.w(log, ".", logNumber, " > ")
		g.number(c.N)
		return
	}
	g.w("(", log, ".", logNumber, ", ", log, ".", logSequence, ") > (")
	g.number(c.N)
	g.w(", ")
	g.bind(edm.Int64, c.Seq)
	g.w(")")
}

// number writes a number of the log.
func (g *generator) number(n int64) {
	if g.dialect == SQLite {
		g.bind(edm.Int64, n)
		return
	}
	g.bind(edm.String, strconv.FormatInt(n, 10))
	g.w("::xid8")
}

// forgetAtOnce bounds what one statement of Forget drops.
const forgetAtOnce = "10000"

// Forget returns the statement that drops from the change log l what was noted
// before an instant, but for the last of it (the log's first row tells how far
// it has forgotten) and not too much at once.
func Forget(d Dialect, l *edm.ChangeLog, before time.Time) Statement {
	g, log := newGenerator(d), quoteName(l.Past.Table)
	g.w("DELETE FROM ", log, " WHERE ", logNumber, " < (SELECT ", logNumber, " FROM (SELECT ", logNumber, ", ", logTime, " FROM ", log,
		" ORDER BY ", logNumber, " LIMIT ", forgetAtOnce, ") oldest WHERE ", logTime, " < ")
	if d == Postgres {
		g.bind(edm.DateTimeOffset, before)
		g.w(" AND ", logNumber, " < pg_snapshot_xmin(pg_current_snapshot())")
	} else {
		g.bind(edm.Int64, before.Unix())
	}
	g.w(" ORDER BY ", logNumber, " DESC LIMIT 1)")
	return g.statement()
}
