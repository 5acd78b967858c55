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
		g.bind(e.T.(edm.Primitive), e.Value)
	case *plan.Prop:
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
