package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// dynamic writes a dynamic property as a value of its type, null where the
// value stored is none. It reads values as package eval does.
func (g *generator) dynamic(e *plan.Dyn) {
	t, ok := e.T.(edm.Primitive)
	if !ok {
		t = edm.Untyped
	}
	if g.dialect == Postgres {
		g.dynamicPostgres(e, t)
	} else {
		g.dynamicSQLite(e, t)
	}
}

// write writes a template, in which @ stands for the property's JSON and # for
// its text.
func (g *generator) write(e *plan.Dyn, template string) {
	start := 0
	for i := range len(template) {
		switch template[i] {
		case '@':
			g.w(template[start:i])
			g.json(e, "->")
		case '#':
			g.w(template[start:i])
			g.json(e, "->>")
		default:
			continue
		}
		start = i + 1
	}
	g.w(template[start:])
}

// The forms of dynamic properties on SQLite, by type. @ stands for the property's
// JSON, # for its text.
const (
	liteNumber  = "CASE json_type(@) WHEN 'integer' THEN # WHEN 'real' THEN # WHEN 'text' THEN odata_number(#) END"
	liteInteger = "CASE json_type(@) WHEN 'integer' THEN # END"
	liteBoolean = "CASE json_type(@) WHEN 'true' THEN 1 WHEN 'false' THEN 0 WHEN 'text' THEN CASE # WHEN 'true' THEN 1 WHEN 'false' THEN 0 END END"
	liteInstant = "CASE json_type(@) WHEN 'text' THEN odata_instant(#) END"
	liteGuid    = "CASE json_type(@) WHEN 'text' THEN odata_guid(#) END"
	liteDate    = "CASE WHEN json_type(@) = 'text' AND # GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN # END"
	liteText    = "CASE json_type(@) WHEN 'text' THEN # WHEN 'integer' THEN @ WHEN 'real' THEN odata_decimal(@) WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' END"
)

func (g *generator) dynamicSQLite(e *plan.Dyn, t edm.Primitive) {
	if e.Column == nil && len(e.Path) == 0 {
		g.element(e, t)
		return
	}
	switch {
	case t == edm.Untyped:
		g.write(e, "(#)")
	case t == edm.Double:
		g.write(e, "CAST("+liteNumber+" AS REAL)")
	case t.IsInteger():
		g.write(e, liteInteger)
	case t.IsNumeric():
		g.write(e, liteNumber)
	case t == edm.Boolean:
		g.write(e, liteBoolean)
	case t == edm.DateTimeOffset:
		g.write(e, liteInstant)
	case t == edm.Guid:
		g.write(e, liteGuid)
	case t == edm.Date:
		g.write(e, liteDate)
	default:
		g.write(e, liteText)
	}
}

// The forms of dynamic properties on PostgreSQL. Casts stand behind patterns, as
// one that fails would fail the statement.
//
// A JSON number may have more digits than a Double: one that is not a whole
// number is rounded to it, so that it compares as on SQLite and in Go. Up to 15
// characters there is nothing to round.
const (
	pgNumber = "CASE jsonb_typeof(@) WHEN 'number' THEN CASE WHEN length(#) <= 15 THEN (#)::numeric ELSE (" +
		"SELECT CASE WHEN n = trunc(n) AND n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN n WHEN abs(n) < 5e-324 THEN 0 WHEN abs(n) < 1.79e308 THEN n::float8::text::numeric END" +
		" FROM (SELECT (#)::numeric AS n) s) END" +
		` WHEN 'string' THEN CASE WHEN # ~ '^-?([0-9]{1,18}|[0-9]{1,9}[.][0-9]{1,6})$' THEN (#)::numeric END END`
	pgInteger = "CASE WHEN jsonb_typeof(@) = 'number' AND # ~ '^-?[0-9]{1,19}$' THEN CASE WHEN (#)::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN (#)::bigint END END"
	pgBoolean = "CASE # WHEN 'true' THEN true WHEN 'false' THEN false END"
	pgGuid    = "CASE WHEN # ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN (#)::uuid END"
	pgDate    = "CASE WHEN # ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN # END"
	pgText    = "CASE WHEN jsonb_typeof(@) NOT IN ('object', 'array') THEN # END"

	// Casting a date such as February 30 would fail: days are added to the
	// month's first, and must not leave the month. Fractions are cut to
	// microseconds, where the cast would round them.
	pgInstant = "(SELECT CASE WHEN v BETWEEN '0001-01-01T00:00:00Z' AND '9999-12-31T23:59:59.999999Z' THEN v END FROM (" +
		"SELECT CASE WHEN extract(month FROM ((substr(x, 1, 7) || '-01')::date + (substr(x, 9, 2)::int - 1))) = substr(x, 6, 2)::int" +
		" THEN (substr(x, 1, 7) || '-01' || regexp_replace(substr(x, 11), '([.][0-9]{6})[0-9]+', '\\1'))::timestamptz + (substr(x, 9, 2)::int - 1) * interval '24 hours' END AS v" +
		" FROM (SELECT # AS x) s WHERE x ~ '^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?([Zz]|[+-](0[0-9]|1[0-4]):[0-5][0-9])$') s)"
)

func (g *generator) dynamicPostgres(e *plan.Dyn, t edm.Primitive) {
	switch {
	case t == edm.Untyped:
		g.write(e, "(#)")
	case t == edm.Double:
		g.write(e, "("+pgNumber+")::float8")
	case t.IsInteger():
		g.write(e, pgInteger)
	case t.IsNumeric():
		g.write(e, pgNumber)
	case t == edm.Boolean:
		g.write(e, pgBoolean)
	case t == edm.DateTimeOffset:
		g.write(e, pgInstant)
	case t == edm.Guid:
		g.write(e, pgGuid)
	case t == edm.Date:
		g.write(e, pgDate)
	default:
		g.write(e, pgText)
	}
}

// element writes an element of a collection of primitive values on SQLite, where
// json_each has made it a value of the database's own already.
func (g *generator) element(e *plan.Dyn, t edm.Primitive) {
	value := g.name(e.Var) + ".value"
	switch {
	case t == edm.DateTimeOffset:
		g.w("odata_instant(", value, ")")
	case t == edm.Guid:
		g.w("odata_guid(", value, ")")
	case t == edm.String:
		g.w("CASE ", g.name(e.Var), ".type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE ", value, " END")
	default:
		g.w(value)
	}
}
