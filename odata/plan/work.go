package plan

import (
	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// work is what a Binder shares among all it binds: counts of what that has cost so
// far, as the parser bounds each text by itself, while parameter aliases and
// several options add up; and the nodes that expressions have most of.
type work struct {
	unlimited            bool // of an access predicate
	nodes, listed, steps int

	consts   uri.Slab[Const]
	props    uri.Slab[Prop]
	compares uri.Slab[Compare]
	logics   uri.Slab[Logic]
}

// expect prepares for the nodes of e, a chain of terms.
func (w *work) expect(e uri.Expr) {
	terms := 1
	for {
		chain, ok := e.(*uri.Binary)
		if !ok || chain.Op != uri.And && chain.Op != uri.Or {
			break
		}
		terms++
		e = chain.L
	}
	w.consts.Expect(terms + terms/4) // some terms are two, in parentheses
	w.props.Expect(terms + terms/4)
	w.compares.Expect(terms)
	w.logics.Expect(terms)
}

func (w *work) constant(at uri.At, t edm.Type, value any) *Const {
	c := w.consts.New()
	c.At, c.T, c.value = at, t, value // field by field, which is faster than to copy a Const
	return c
}

func (w *work) prop(at uri.At, v *Var, p *edm.Property) *Prop {
	x := w.props.New()
	*x = Prop{at, v, p}
	return x
}

func (w *work) compare(at uri.At, op uri.Op, l, r Expr) *Compare {
	x := w.compares.New()
	x.At, x.Op, x.L, x.R = at, op, l, r
	return x
}

func (w *work) logic(at uri.At, op uri.Op, l, r Expr) *Logic {
	x := w.logics.New()
	x.At, x.Op, x.L, x.R = at, op, l, r
	return x
}
