package sqlgen

import (
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// postgres are the overloads of package plan by ID: $0, $1 and $2 stand for the
// arguments. Where the result would be out of range it is null, as in package
// eval.
var postgres = map[string]string{
	"contains":         "(strpos($0, $1) > 0)",
	"startswith":       "starts_with($0, $1)",
	"endswith":         "(right($0, length($1)) = $1)",
	"concat":           "($0 || $1)",
	"length":           "length($0)::bigint",
	"indexof":          "(strpos($0, $1) - 1)::bigint",
	"substring":        "(SELECT substr(s, (CASE WHEN n < 0 THEN greatest(length(s) + n, 0) ELSE least(n, length(s)) END + 1)::int) FROM (SELECT $0 AS s, $1 AS n) q)",
	"substring_length": "(SELECT substr(s, (CASE WHEN n < 0 THEN greatest(length(s) + n, 0) ELSE least(n, length(s)) END + 1)::int, greatest(least(m, length(s)), 0)::int) FROM (SELECT $0 AS s, $1 AS n, $2 AS m) q)",
	"tolower":          `lower($0 COLLATE "und-x-icu")`,
	"toupper":          `upper($0 COLLATE "und-x-icu")`,
	"trim":             `btrim($0, E'\t\n\v\f\r ')`,

	"year": "extract(year from $0 AT TIME ZONE 'UTC')::bigint", "month": "extract(month from $0 AT TIME ZONE 'UTC')::bigint", "day": "extract(day from $0 AT TIME ZONE 'UTC')::bigint",
	"hour": "extract(hour from $0 AT TIME ZONE 'UTC')::bigint", "minute": "extract(minute from $0 AT TIME ZONE 'UTC')::bigint", "second": "trunc(extract(second from $0))::bigint",
	"year_date": "substr($0, 1, 4)::bigint", "month_date": "substr($0, 6, 2)::bigint", "day_date": "substr($0, 9, 2)::bigint",
	"hour_time": "substr($0, 1, 2)::bigint", "minute_time": "substr($0, 4, 2)::bigint", "second_time": "substr($0, 7, 2)::bigint",
	"fractionalseconds":      "(extract(second from $0) % 1)",
	"fractionalseconds_time": "('0' || substr($0, 9))::numeric",
	"date":                   "to_char($0 AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
	"time":                   "to_char($0 AT TIME ZONE 'UTC', 'HH24:MI:SS.US')",
	"totaloffsetminutes":     "CASE WHEN $0 IS NOT NULL THEN 0::bigint END",
	"totalseconds":           "($0 / 1000000.0)",
	"mindatetime":            "'0001-01-01T00:00:00Z'::timestamptz",
	"maxdatetime":            "'9999-12-31T23:59:59.999999Z'::timestamptz",

	"round_decimal": "round(($0)::numeric)", "floor_decimal": "floor(($0)::numeric)", "ceiling_decimal": "ceil(($0)::numeric)",
	"round_double": "round(($0)::numeric)::float8", "floor_double": "floor(($0)::float8)", "ceiling_double": "ceil(($0)::float8)",

	"add_int": "(SELECT " + wholeNumber + " FROM (SELECT ($0)::numeric + $1 AS n) q)",
	"sub_int": "(SELECT " + wholeNumber + " FROM (SELECT ($0)::numeric - $1 AS n) q)",
	"mul_int": "(SELECT " + wholeNumber + " FROM (SELECT ($0)::numeric * $1 AS n) q)",
	"div_int": "(SELECT " + wholeNumber + " FROM (SELECT div(($0)::numeric, nullif(($1)::numeric, 0)) AS n) q)",
	"mod_int": "(($0)::numeric % nullif(($1)::numeric, 0))::bigint",
	"neg_int": "(SELECT " + wholeNumber + " FROM (SELECT -($0)::numeric AS n) q)",

	"add_decimal": "(($0)::numeric + ($1)::numeric)", "sub_decimal": "(($0)::numeric - ($1)::numeric)", "mul_decimal": "(($0)::numeric * ($1)::numeric)",
	"div_decimal": "round(($0)::numeric * 1.00000000000000000000 / nullif(($1)::numeric, 0), 18)",
	"mod_decimal": "(($0)::numeric % nullif(($1)::numeric, 0))", "neg_decimal": "(-($0)::numeric)",
	"add_double": "(($0)::float8 + ($1)::float8)", "sub_double": "(($0)::float8 - ($1)::float8)", "mul_double": "(($0)::float8 * ($1)::float8)",
	"div_double": "(($0)::float8 / nullif(($1)::float8, 0))", "mod_double": "(($0)::numeric % nullif(($1)::numeric, 0))::float8",
	"neg_double": "(-($0)::float8)",

	"add_instant": "($0 + $1 * interval '1 microsecond')", "sub_instant": "($0 - $1 * interval '1 microsecond')",
	"between":  "(extract(epoch from ($0) - ($1)) * 1000000)::bigint",
	"add_date": "to_char(($0)::date + $1 * interval '1 microsecond', 'YYYY-MM-DD')", "sub_date": "to_char(($0)::date - $1 * interval '1 microsecond', 'YYYY-MM-DD')",
	"add_duration": "($0 + $1)", "sub_duration": "($0 - $1)", "neg_duration": "(-$0)",
	"mul_duration": "round($0 * ($1)::numeric)::bigint", "mul_by_duration": "round(($0)::numeric * $1)::bigint",
	"div_duration": "round($0 / nullif(($1)::numeric, 0))::bigint",

	"int_text": "($0)::text", "decimal_text": "trim_scale(($0)::numeric)::text", "double_text": "($0)::text", "boolean_text": "($0)::text",
	"date_text": "($0)", "time_text": "($0)", "guid_text": "($0)::text", "duration_text": pgDurationText,
	"instant_text": `to_char($0 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
	"text_int":     "(SELECT CASE WHEN s ~ '^[+-]?[0-9]{1,18}$' THEN s::bigint END FROM (SELECT $0 AS s) q)",
	"decimal_int":  "(SELECT " + wholeNumber + " FROM (SELECT trunc(($0)::numeric) AS n) q)",
	"double_int":   "(SELECT " + wholeNumber + " FROM (SELECT trunc(($0)::numeric) AS n) q)",
	"int_decimal":  "($0)::numeric", "double_decimal": "(SELECT CASE WHEN n NOT IN ('NaN', 'Infinity', '-Infinity') THEN n::text::numeric END FROM (SELECT ($0)::float8 AS n) q)",
	"text_decimal": "(SELECT CASE WHEN s ~ " + numberPattern + " THEN s::numeric END FROM (SELECT $0 AS s) q)",
	"text_double":  "(SELECT CASE WHEN s ~ " + numberPattern + " THEN s::float8 END FROM (SELECT $0 AS s) q)",
	"text_boolean": "(CASE $0 WHEN 'true' THEN true WHEN 'false' THEN false END)",
	"text_guid":    "(SELECT CASE WHEN s ~ " + guidPattern + " THEN s::uuid END FROM (SELECT $0 AS s) q)",
	"text_instant": "(SELECT " + instantOfText + " FROM (SELECT $0 AS x) s WHERE x ~ " + instantPattern + ")",
	"has":          "(($0 & $1) = $1)",
	"underlying":   "$0",
	"double":       "($0)::float8",
	"date_instant": "(($0)::timestamp AT TIME ZONE 'UTC')",
}

// wholeNumber is n as a bigint where it fits.
const wholeNumber = "CASE WHEN n BETWEEN -9223372036854775808 AND 9223372036854775807 THEN n::bigint END"

// lite are the overloads that SQLite has itself, which is faster than calling
// back; the others are functions that RegisterSQLite adds.
var lite = map[string]string{
	"contains":   "(instr($0, $1) > 0)",
	"startswith": "(substr($0, 1, length($1)) = $1)",
	"endswith":   "(substr($0, length($0) - length($1) + 1) = $1)",
	"concat":     "($0 || $1)",
	"length":     "length($0)",
	"indexof":    "(instr($0, $1) - 1)",
	"trim":       "trim($0, char(9,10,11,12,13,32))",
	"year":       "CAST(substr($0, 1, 4) AS INTEGER)",
	"month":      "CAST(substr($0, 6, 2) AS INTEGER)",
	"day":        "CAST(substr($0, 9, 2) AS INTEGER)",
	"hour":       "CAST(substr($0, 12, 2) AS INTEGER)",
	"minute":     "CAST(substr($0, 15, 2) AS INTEGER)",
	"second":     "CAST(substr($0, 18, 2) AS INTEGER)",
	"date":       "substr($0, 1, 10)",
	"time":       "substr($0, 12, 15)",
	"double":     "CAST($0 AS REAL)",
	"has":        "(($0 & $1) = $1)",
	"underlying": "$0",
}

// call writes a call of a canonical function or operator.
func (g *generator) call(e *plan.Call) {
	if e.Func.ID == "matchespattern" && g.dialect == Postgres {
		g.w("(")
		g.value(e.Args[0])
		g.w(" ~ ")
		pattern, _ := e.Args[1].(*plan.Const).Value().(string)
		g.bind(edm.String, postgresPattern(pattern))
		g.w(")")
		return
	}
	switch {
	case e.Func.OverCollections():
		g.overCollections(e)
		return
	case e.Func.ID == "same":
		g.same(e)
		return
	}
	if template, ok := g.template(e.Func.ID); ok {
		g.fill(template, e.Args)
		return
	}
	g.w("odata_", e.Func.ID, "(")
	for i, arg := range e.Args {
		if i > 0 {
			g.w(", ")
		}
		g.argument(arg)
	}
	g.w(")")
}

func (g *generator) template(id string) (string, bool) {
	if g.dialect == Postgres {
		t, ok := postgres[id]
		return t, ok
	}
	t, ok := lite[id]
	return t, ok
}

// fill writes a template with its arguments put in.
func (g *generator) fill(template string, args []plan.Expr) {
	for {
		text, rest, found := strings.Cut(template, "$")
		g.w(text)
		if !found || rest == "" || rest[0] < '0' || rest[0] > '2' {
			if found { // the end of a pattern
				g.w("$")
				template = rest
				continue
			}
			return
		}
		g.value(args[rest[0]-'0'])
		template = rest[1:]
	}
}

// argument writes an argument of a registered function. A decimal constant goes
// as text, which keeps it exact.
func (g *generator) argument(e plan.Expr) {
	if c, ok := e.(*plan.Const); ok && c.Type() == edm.Decimal {
		if d, ok := c.Value().(edm.DecimalValue); ok {
			g.bind(edm.String, d.String())
			return
		}
	}
	g.value(e)
}

// Decimals are exact on both databases. PostgreSQL has a type for them. On
// SQLite a column in minor units is a whole number; anything else is the text of
// the number, which functions and a collation of RegisterSQLite calculate with.

// calculated reports whether SQLite holds e as the text of a decimal.
func (g *generator) calculated(e plan.Expr) bool {
	switch e := e.(type) {
	case *plan.Single:
		return g.calculated(e.X)
	case *plan.Call, *plan.Case, *plan.Prop:
		return g.dialect == SQLite && e.Type() == edm.Decimal
	}
	return false
}
