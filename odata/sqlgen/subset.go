package sqlgen

import (
	"encoding/json"
	"strconv"

	"leadloop/odata/plan"
)

// pgCollections are the functions of collections on PostgreSQL, of the arrays a and b.
var pgCollections = map[string]string{
	"hassubset":       pgSubset,
	"hassubsequence":  pgSubsequence,
	"contains_list":   pgIndex + " IS NOT NULL",
	"startswith_list": "jsonb_array_length(b) <= jsonb_array_length(a) AND " + pgHere("0"),
	"endswith_list":   "jsonb_array_length(b) <= jsonb_array_length(a) AND " + pgHere("jsonb_array_length(a) - jsonb_array_length(b)"),
	"indexof_list":    "coalesce(" + pgIndex + ", -1)::bigint",
	"length_list":     "jsonb_array_length(a)::bigint",
}

// pgIndex is where the elements of b first follow each other in a.
var pgIndex = "(SELECT min(p) FROM generate_series(0, jsonb_array_length(a) - jsonb_array_length(b)) p WHERE " + pgHere("p") + ")"

// pgHere says whether the elements of b follow each other in a from place on.
func pgHere(place string) string {
	return "NOT EXISTS (SELECT 1 FROM jsonb_array_elements(b) WITH ORDINALITY y(v, o) WHERE a -> (" + place + " + o - 1)::int IS DISTINCT FROM v)"
}

// Whether the elements of the array b are among those of a, each as often, or in a
// in the same order, as package eval has it.
const (
	pgSubset = "NOT EXISTS (SELECT 1 FROM jsonb_array_elements(b) y(v) GROUP BY v" +
		" HAVING count(*) > (SELECT count(*) FROM jsonb_array_elements(a) x(v) WHERE x.v = y.v))"
	// One element of b after the other is sought behind where the last was found.
	pgSubsequence = "(WITH RECURSIVE m(i, p) AS (SELECT 0, 0::bigint UNION ALL" +
		" SELECT i + 1, (SELECT min(o) FROM jsonb_array_elements(a) WITH ORDINALITY x(v, o) WHERE o > p AND v = b -> i)" +
		" FROM m WHERE i < jsonb_array_length(b) AND p IS NOT NULL) SELECT bool_and(p IS NOT NULL) FROM m)"
)

// overCollections writes a call of a function of collections.
func (g *generator) overCollections(e *plan.Call) {
	if g.dialect == SQLite {
		g.w("odata_", e.Func.ID, "(")
		comma := g.sep()
		for _, arg := range e.Args {
			comma()
			g.array(arg)
		}
		g.w(")")
		return
	}
	second := e.Args[len(e.Args)-1]
	g.w("(SELECT CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN ", pgCollections[e.Func.ID], " END FROM (SELECT ")
	g.array(e.Args[0])
	g.w(" AS a, ")
	g.array(second)
	g.w(" AS b) q)")
}

// same writes that two structured values are equal.
func (g *generator) same(e *plan.Call) {
	if g.dialect == SQLite {
		g.w("odata_same(")
		g.structured(e.Args[0])
		g.w(", ")
		g.structured(e.Args[1])
		g.w(")")
		return
	}
	g.w("(jsonb_strip_nulls(coalesce(")
	g.structured(e.Args[0])
	g.w(", 'null')) = jsonb_strip_nulls(coalesce(")
	g.structured(e.Args[1])
	g.w(", 'null')))")
}

// structured writes a structured value as JSON.
func (g *generator) structured(x plan.Expr) {
	switch d, ok := x.(*plan.Dyn); {
	case !ok:
		g.list(x.(*plan.Const))
	case plan.IsCollection(x):
		g.array(x)
	default:
		g.w("(")
		g.json(d, "->")
		g.w(")")
	}
}

// array writes a collection of values as a JSON array. What is none is null, but
// a collection that was never set is empty.
func (g *generator) array(x plan.Expr) {
	d, ok := x.(*plan.Dyn)
	if !ok {
		g.list(x.(*plan.Const))
		return
	}
	if g.dialect == SQLite {
		if !plan.IsCollection(x) {
			g.json(d, "->")
			return
		}
		g.w("coalesce(nullif(")
		g.json(d, "->")
		g.w(", 'null'), '[]')")
		return
	}
	g.w("CASE jsonb_typeof(")
	g.json(d, "->")
	g.w(") WHEN 'array' THEN ")
	g.json(d, "->")
	if plan.IsCollection(x) {
		g.w(" ELSE '[]'::jsonb")
	}
	g.w(" END")
}

// list binds a list of constants, or an object, as JSON.
func (g *generator) list(c *plan.Const) {
	if c.Null() {
		g.per("NULL", "NULL::jsonb")
		return
	}
	text, _ := json.Marshal(c.Value()) // values of literals always marshal
	g.arg(string(text), plan.Source{})
	g.per("?", "$"+strconv.Itoa(len(g.args))+"::jsonb")
}
