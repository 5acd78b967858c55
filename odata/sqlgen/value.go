package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// value writes e as a value.
func (g *generator) value(e plan.Expr) {
	switch e := e.(type) {
	case *plan.Const:
		if e.Value == nil {
			g.w("NULL")
			return
		}
		if enum, ok := e.T.(*edm.Enum); ok {
			g.bind(enum.Storage(), e.Value)
			return
		}
		g.bind(e.T.(edm.Primitive), e.Value)
	case *plan.Prop:
		if e.Prop.Minor {
			g.majorUnits(e.Var, e.Prop)
			return
		}
		g.column(e.Var, e.Prop)
	case *plan.Dyn:
		g.dynamic(e)
	case *plan.Call:
		functions[e.Func.Name](g, e.Args)
	case *plan.Count:
		g.countRelated(e)
	case *plan.Compare, *plan.Logic, *plan.Not, *plan.In, *plan.Lambda:
		g.exact(e)
	default:
		panic(unsupported(e))
	}
}

func (g *generator) countRelated(e *plan.Count) {
	v := e.Var
	g.w("(SELECT count(*)")
	g.from(v)
	g.w(" WHERE ")
	g.column(v, v.Nav.Remote)
	g.w(" = ")
	g.column(v.Of, v.Nav.Local)
	for _, c := range []plan.Expr{v.Access, e.Filter} {
		if c != nil {
			g.w(" AND ")
			g.cond(c)
		}
	}
	g.w(")")
}

// dynamic writes a dynamic property as a value of its type, null where the
// value stored is none.
func (g *generator) dynamic(e *plan.Dyn) {
	p := e.T.(edm.Primitive)
	if g.dialect == Postgres {
		g.dynamicPostgres(e, p)
		return
	}
	raw := func(how string) {
		g.column(e.Var, e.Var.Struct.Dynamic)
		g.w(" ", how, " ")
		g.bind(edm.String, e.Name)
	}
	g.w("CASE json_type(")
	raw("->")
	g.w(") ")
	switch {
	case p.IsNumeric():
		g.w("WHEN 'integer' THEN ")
		raw("->>")
		g.w(" WHEN 'real' THEN ")
		raw("->>")
		g.w(" WHEN 'text' THEN odata_number(")
		raw("->>")
		g.w(") END")
	case p == edm.Boolean:
		g.w("WHEN 'true' THEN 1 WHEN 'false' THEN 0 WHEN 'text' THEN CASE ")
		raw("->>")
		g.w(" WHEN 'true' THEN 1 WHEN 'false' THEN 0 END END")
	case p == edm.DateTimeOffset:
		g.w("WHEN 'text' THEN odata_instant(")
		raw("->>")
		g.w(") END")
	case p == edm.Guid:
		g.w("WHEN 'text' THEN lower(")
		raw("->>")
		g.w(") END")
	default:
		g.w("WHEN 'text' THEN ")
		raw("->>")
		g.w(" WHEN 'null' THEN NULL ELSE ")
		raw("->")
		g.w(" END")
	}
}

// Patterns of text that reads as a number, an instant or a guid, the same as in
// package eval.
const (
	numberPattern  = `'^-?[0-9]{1,18}(\.[0-9]{1,18})?$'`
	instantPattern = `'^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])$'`
	guidPattern    = `'^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'`
)

func (g *generator) dynamicPostgres(e *plan.Dyn, p edm.Primitive) {
	raw := func(how string) {
		g.column(e.Var, e.Var.Struct.Dynamic)
		g.w(" ", how, " ")
		g.bind(edm.String, e.Name)
	}
	cast := func(pattern, to string) {
		g.w("CASE WHEN ")
		raw("->>")
		g.w(" ~ ", pattern, " THEN (")
		raw("->>")
		g.w(")::", to, " END")
	}
	switch {
	case p.IsNumeric():
		g.w("CASE jsonb_typeof(")
		raw("->")
		g.w(") WHEN 'number' THEN (")
		raw("->>")
		g.w(")::numeric WHEN 'string' THEN ")
		cast(numberPattern, "numeric")
		g.w(" END")
	case p == edm.Boolean:
		g.w("CASE ")
		raw("->>")
		g.w(" WHEN 'true' THEN true WHEN 'false' THEN false END")
	case p == edm.DateTimeOffset:
		g.instantOf(raw)
	case p == edm.Guid:
		cast(guidPattern, "uuid")
	default:
		g.w("(")
		raw("->>")
		g.w(")")
	}
}

// instantOf writes text as an instant on PostgreSQL, where casting a date such
// as February 30 would fail the statement: days are added to the month's first,
// and must not leave the month.
func (g *generator) instantOf(raw func(how string)) {
	g.w("(SELECT CASE WHEN extract(month FROM ((substr(x, 1, 7) || '-01')::date + (substr(x, 9, 2)::int - 1))) = substr(x, 6, 2)::int")
	g.w(" THEN (substr(x, 1, 7) || '-01' || substr(x, 11))::timestamptz + (substr(x, 9, 2)::int - 1) * interval '1 day' END")
	g.w(" FROM (SELECT ")
	raw("->>")
	g.w(" AS x) s WHERE x ~ ", instantPattern, ")")
}
