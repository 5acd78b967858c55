package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

var operators = map[uri.Op]string{
	uri.Eq: "=", uri.Ne: "<>", uri.Gt: ">", uri.Ge: ">=", uri.Lt: "<", uri.Le: "<=", uri.And: "AND", uri.Or: "OR",
}

// cond writes e as a condition, where null counts as false: the form that lets
// the databases use their indexes.
func (g *generator) cond(e plan.Expr) {
	switch e := e.(type) {
	case *plan.Logic:
		g.logic(e.Op, terms(e, e.Op, nil), g.cond)
	case *plan.Compare:
		g.compare(e)
	case *plan.In:
		g.in(e)
	case *plan.Lambda:
		g.lambda(e)
	case *plan.Found:
		g.found(e.Var, e.Query)
	default:
		g.value(e)
	}
}

// exact writes e, of type Boolean, as a value with OData's null logic: a
// comparison is never null, and "not" of null is null.
func (g *generator) exact(e plan.Expr) {
	switch e := e.(type) {
	case *plan.Logic:
		g.logic(e.Op, terms(e, e.Op, nil), g.exact)
	case *plan.Not:
		g.w("(NOT ")
		g.exact(e.X)
		g.w(")")
	case *plan.Compare, *plan.In, *plan.Lambda, *plan.Found:
		g.w("((")
		g.cond(e)
		g.w(") IS TRUE)")
	default:
		g.value(e)
	}
}

// terms appends to list what e joins by op.
func terms(e plan.Expr, op uri.Op, list []plan.Expr) []plan.Expr {
	if l, ok := e.(*plan.Logic); ok && l.Op == op {
		return terms(l.R, op, terms(l.L, op, list))
	}
	return append(list, e)
}

// logic joins terms by op. It halves them, as SQLite bounds the depth of
// expressions and a chain of operators is as deep as it is long.
func (g *generator) logic(op uri.Op, list []plan.Expr, write func(plan.Expr)) {
	if len(list) == 1 {
		write(list[0])
		return
	}
	half := len(list) / 2
	g.w("(")
	g.logic(op, list[:half], write)
	g.w(" ", operators[op], " ")
	g.logic(op, list[half:], write)
	g.w(")")
}

func (g *generator) compare(e *plan.Compare) {
	l, r := e.L, e.R
	if isNull(l) {
		l, r = r, l
	}
	if isNull(r) {
		g.compareNull(e.Op, l)
		return
	}
	switch {
	case g.compareMinor(e):
		return
	case g.calculated(l) || g.calculated(r):
		g.compareDecimals(e)
		return
	}
	g.w("(")
	g.operand(l)
	g.w(" ", g.operator(e.Op, l, r), " ")
	g.operand(r)
	g.w(")")
}

// operator is the operator that compares l and r as OData does, where null is a
// value like others.
func (g *generator) operator(op uri.Op, l, r plan.Expr) string {
	switch {
	case op == uri.Eq && plan.Nullable(l) && plan.Nullable(r):
		return "IS NOT DISTINCT FROM"
	case op == uri.Ne && (plan.Nullable(l) || plan.Nullable(r)):
		return "IS DISTINCT FROM"
	}
	return operators[op]
}

// compareDecimals compares exactly what SQLite holds as text.
func (g *generator) compareDecimals(e *plan.Compare) {
	g.w("(odata_compare(")
	g.argument(e.L)
	g.w(", ")
	g.argument(e.R)
	g.w(") ")
	switch e.Op {
	case uri.Ne: // true also where one side alone is null
		g.w("IS NOT 0 AND NOT (")
		g.argument(e.L)
		g.w(" IS NULL AND ")
		g.argument(e.R)
		g.w(" IS NULL))")
	case uri.Eq:
		g.w("IS 0 OR (")
		g.argument(e.L)
		g.w(" IS NULL AND ")
		g.argument(e.R)
		g.w(" IS NULL))")
	default:
		g.w(operators[e.Op], " 0)")
	}
}

func isNull(x plan.Expr) bool {
	c, ok := x.(*plan.Const)
	return ok && c.Null()
}

// compareNull writes the comparison of x with null.
func (g *generator) compareNull(op uri.Op, x plan.Expr) {
	_, constant := x.(*plan.Const)
	switch {
	case op != uri.Eq && op != uri.Ne:
		g.w("(1 = 0)")
	case constant && isNull(x) == (op == uri.Eq):
		g.w("(1 = 1)")
	case constant:
		g.w("(1 = 0)")
	default:
		g.w("(")
		g.value(x)
		if op == uri.Eq {
			g.w(" IS NULL)")
		} else {
			g.w(" IS NOT NULL)")
		}
	}
}

// operand writes a side of a comparison: text compares by code point on both
// databases, whatever the collation of the column.
func (g *generator) operand(x plan.Expr) {
	g.value(x)
	if t := x.Type(); g.dialect == Postgres && (t == edm.String || t == edm.Date || t == edm.TimeOfDay) {
		g.w(` COLLATE "C"`)
	}
}

// ordered writes an order term.
func (g *generator) ordered(x plan.Expr) {
	switch p := minor(x); {
	case p != nil:
		g.column(p.Var, p.Prop)
	case g.calculated(x):
		g.exactly(x)
	default:
		g.operand(x)
	}
}

func (g *generator) in(e *plan.In) {
	null, written := false, 0
	x, value, list, ok := g.inDecimals(e)
	if !ok {
		x, value, list = func() { g.value(e.X) }, func(c *plan.Const) { g.value(c) }, e.List
	}
	g.w("(")
	for _, c := range list {
		if c.Null() {
			null = true
			continue
		}
		if written == 0 {
			x()
			g.w(" IN (")
		} else {
			g.w(", ")
		}
		value(c)
		written++
	}
	if written > 0 {
		g.w(")")
	}
	if null {
		if written > 0 {
			g.w(" OR ")
		}
		g.value(e.X)
		g.w(" IS NULL")
	} else if written == 0 {
		g.w("1 = 0")
	}
	g.w(")")
}

// lambda writes any as a semi-join by key where its body speaks of nothing
// outside: then the database may start from the related rows, which is what
// makes a customer's few rows among many cheap to find. All is: none that fails.
func (g *generator) lambda(e *plan.Lambda) {
	v := e.Var
	if e.All {
		g.w("(")
		defer g.w(" IS NOT TRUE)")
	}
	if v.Values != nil {
		g.w("EXISTS (SELECT 1")
		g.elements(v)
		g.lambdaBody(e, " WHERE ")
		g.w(")")
		return
	}
	if v.Nav == nil {
		g.w("EXISTS (SELECT 1")
		g.from(v)
		g.conds(" WHERE ", v.Access)
		g.lambdaBody(e, map[bool]string{true: " AND ", false: " WHERE "}[v.Access != nil])
		g.w(")")
		return
	}
	correlated := refersOutside(e.Body, v) || refersOutside(v.Access, v)
	if correlated {
		g.w("EXISTS (SELECT 1")
	} else {
		g.column(v.Of, v.Nav.Local)
		g.w(" IN (SELECT ")
		g.column(v, v.Nav.Remote)
	}
	g.from(v)
	g.w(" WHERE ")
	g.column(v, v.Nav.Remote)
	if correlated {
		g.w(" = ")
		g.column(v.Of, v.Nav.Local)
	} else {
		g.w(" IS NOT NULL")
	}
	if v.Access != nil {
		g.w(" AND ")
		g.cond(v.Access)
	}
	g.lambdaBody(e, " AND ")
	g.w(")")
}

// lambdaBody writes the condition on the elements; of all, that it fails.
func (g *generator) lambdaBody(e *plan.Lambda, sep string) {
	switch {
	case e.Body == nil:
	case e.All:
		g.w(sep)
		g.exact(e.Body)
		g.w(" IS NOT TRUE")
	default:
		g.w(sep)
		g.cond(e.Body)
	}
}

// refersOutside reports whether e speaks of a range variable that is not v or
// reached from v.
func refersOutside(e plan.Expr, v *plan.Var) bool {
	within := func(x *plan.Var) bool {
		for ; x != nil; x = x.Of {
			if x == v {
				return true
			}
		}
		return false
	}
	outside := false
	plan.Walk(e, func(e plan.Expr) {
		switch e := e.(type) {
		case *plan.Prop:
			outside = outside || !within(e.Var)
		case *plan.Dyn:
			outside = outside || !within(e.Var)
		case *plan.Found:
			outside = outside || !within(e.Var)
		case *plan.Lambda:
			outside = outside || !within(e.Var) || refersOutside(e.Var.Access, v)
		case *plan.Count:
			outside = outside || !within(e.Var) || refersOutside(e.Var.Access, v)
		}
	})
	return outside
}
