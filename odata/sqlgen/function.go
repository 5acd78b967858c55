package sqlgen

import "leadloop/odata/plan"

// functions write the canonical functions of package plan. Text is compared by
// code point and case mapping is Unicode's full one, on both databases.
var functions map[string]func(g *generator, args []plan.Expr)

// The table refers to methods that refer to the table.
func init() {
	functions = map[string]func(g *generator, args []plan.Expr){
		"contains": func(g *generator, a []plan.Expr) {
			g.either("(instr($0, $1) > 0)", "(strpos($0, $1) > 0)", a)
		},
		"startswith": func(g *generator, a []plan.Expr) {
			g.either("(substr($0, 1, length($1)) = $1)", "starts_with($0, $1)", a)
		},
		"endswith": func(g *generator, a []plan.Expr) {
			g.either("(substr($0, length($0) - length($1) + 1) = $1)", "(right($0, length($1)) = $1)", a)
		},
		"concat":  func(g *generator, a []plan.Expr) { g.either("($0 || $1)", "($0 || $1)", a) },
		"length":  func(g *generator, a []plan.Expr) { g.either("length($0)", "length($0)", a) },
		"tolower": func(g *generator, a []plan.Expr) { g.either("odata_lower($0)", `lower($0 COLLATE "und-x-icu")`, a) },
		"toupper": func(g *generator, a []plan.Expr) { g.either("odata_upper($0)", `upper($0 COLLATE "und-x-icu")`, a) },
		"trim": func(g *generator, a []plan.Expr) {
			g.either("trim($0, char(9,10,11,12,13,32))", `btrim($0, E'\t\n\v\f\r ')`, a)
		},
		"year":   part("year", 1, 4),
		"month":  part("month", 6, 2),
		"day":    part("day", 9, 2),
		"hour":   part("hour", 12, 2),
		"minute": part("minute", 15, 2),
		"date": func(g *generator, a []plan.Expr) {
			g.either("substr($0, 1, 10)", "to_char($0 AT TIME ZONE 'UTC', 'YYYY-MM-DD')", a)
		},
		"$double": func(g *generator, a []plan.Expr) { g.either("CAST($0 AS REAL)", "($0)::float8", a) },
	}
}

// part writes a part of an instant: by name on PostgreSQL, on SQLite by its
// place in InstantForm.
func part(name string, from, length int) func(g *generator, args []plan.Expr) {
	digit := func(n int) string { return string(rune('0'+n/10)) + string(rune('0'+n%10)) }
	lite := "CAST(substr($0, " + digit(from) + ", " + digit(length) + ") AS INTEGER)"
	return func(g *generator, a []plan.Expr) {
		g.either(lite, "extract("+name+" from $0 AT TIME ZONE 'UTC')::bigint", a)
	}
}

// either writes the dialect's template, with $0 and $1 standing for arguments.
func (g *generator) either(lite, postgres string, args []plan.Expr) {
	template := lite
	if g.dialect == Postgres {
		template = postgres
	}
	start := 0
	for i := 0; i+1 < len(template); i++ {
		if template[i] != '$' {
			continue
		}
		g.w(template[start:i])
		g.value(args[template[i+1]-'0'])
		start = i + 2
	}
	g.w(template[start:])
}
