package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// value writes e as a value.
func (g *generator) value(e plan.Expr) {
	switch e := e.(type) {
	case *plan.Const:
		if e.Null() {
			g.w("NULL")
			return
		}
		if enum, ok := e.T.(*edm.Enum); ok {
			g.bind(enum.Storage(), e.Value())
			return
		}
		v, from := e.Bound()
		g.bindFrom(e.T.(edm.Primitive), v, from)
	case *plan.Prop:
		if e.Prop.Minor {
			g.majorUnits(e.Var, e.Prop)
			return
		}
		if e.Prop.Nanos {
			g.micros(e.Var, e.Prop)
			return
		}
		g.column(e.Var, e.Prop)
	case *plan.Dyn:
		g.dynamic(e)
	case *plan.Call:
		g.call(e)
	case *plan.Case:
		g.caseOf(e)
	case *plan.Count:
		g.countRelated(e)
	case *plan.Single:
		g.single(e)
	case *plan.Compare, *plan.Logic, *plan.Not, *plan.In, *plan.Lambda, *plan.Found:
		g.exact(e)
	default:
		panic(unsupported(e))
	}
}

func (g *generator) caseOf(e *plan.Case) {
	g.w("CASE")
	for _, arm := range e.Arms {
		g.w(" WHEN ")
		g.cond(arm.When)
		g.w(" THEN ")
		if g.calculated(e) {
			g.argument(arm.Then)
		} else {
			g.value(arm.Then)
		}
		if t, ok := e.T.(edm.Primitive); ok && g.dialect == Postgres && arm.Then.Type() == edm.Null {
			g.w(casts[t])
		}
	}
	g.w(" END")
}

func (g *generator) countRelated(e *plan.Count) {
	v := e.Var
	if v.Values != nil {
		g.w("(SELECT count(*)")
		g.elements(v)
		if e.Filter != nil {
			g.w(" WHERE ")
			g.cond(e.Filter)
		}
		g.w(")")
		return
	}
	g.w("(SELECT count(*)")
	g.from(v)
	sep := " WHERE "
	if v.Nav != nil {
		g.w(sep)
		sep = " AND "
		g.column(v, v.Nav.Remote)
		g.w(" = ")
		g.column(v.Of, v.Nav.Local)
	}
	g.conds(sep, v.Access, e.Filter)
	g.w(")")
}

// conds writes those of the conditions that there are, sep before the first.
func (g *generator) conds(sep string, list ...plan.Expr) {
	for _, c := range list {
		if c != nil {
			g.w(sep)
			g.cond(c)
			sep = " AND "
		}
	}
}

// single writes a value of an entity that stands by itself.
func (g *generator) single(e *plan.Single) {
	g.w("(SELECT ")
	g.value(e.X)
	g.from(e.Var)
	g.conds(" WHERE ", e.Var.Where, e.Var.Access)
	g.w(")")
}

// elements writes the FROM of what v runs over: the elements of a JSON array,
// each in a column called value.
func (g *generator) elements(v *plan.Var) {
	g.w(" FROM ")
	if g.dialect == Postgres {
		g.w("jsonb_array_elements(CASE jsonb_typeof(")
		g.json(v.Values, "->")
		g.w(") WHEN 'array' THEN ")
		g.json(v.Values, "->")
		g.w(" END) WITH ORDINALITY ", g.name(v), "(value, place)")
		return
	}
	g.w("json_each(")
	g.json(v.Values, "->")
	g.w(") ", g.name(v))
}

// json writes the place of a value inside JSON. The last step is written by last:
// "->" gives JSON, "->>" the database's own value or text.
func (g *generator) json(e *plan.Dyn, last string) {
	if e.Column == nil {
		g.w(g.name(e.Var), ".value")
		if len(e.Path) == 0 && last == "->>" && g.dialect == Postgres {
			g.w(" #>> '{}'")
		}
	} else {
		g.column(e.Var, e.Column)
		if g.dialect == Postgres {
			g.w("::jsonb")
			if len(e.Path) == 0 && last == "->>" {
				g.w(" #>> '{}'")
			}
		}
	}
	for i, name := range e.Path {
		how := "->"
		if i == len(e.Path)-1 {
			how = last
		}
		g.w(" ", how, " ")
		g.bind(edm.String, name)
	}
}

// Patterns of text that reads as a number, an instant or a guid, the same as in
// package eval.
const (
	numberPattern  = `'^-?[0-9]{1,18}(\.[0-9]{1,18})?$'`
	instantPattern = `'^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])$'`
	guidPattern    = `'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'`
)

// instantOfText is the text x, which satisfies instantPattern, as an instant on
// PostgreSQL, where casting a date such as February 30 would fail the statement:
// days are added to the month's first, and must not leave the month.
const instantOfText = "CASE WHEN extract(month FROM ((substr(x, 1, 7) || '-01')::date + (substr(x, 9, 2)::int - 1))) = substr(x, 6, 2)::int" +
	" THEN (substr(x, 1, 7) || '-01' || substr(x, 11))::timestamptz + (substr(x, 9, 2)::int - 1) * interval '1 day' END"
