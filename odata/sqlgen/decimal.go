package sqlgen

import (
	"math"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// exactly writes e, which is calculated, as text that has one form for a number
// and sorts as numbers do.
func (g *generator) exactly(e plan.Expr) {
	g.w("odata_exact(")
	g.argument(e)
	g.w(") COLLATE odata_number")
}

// major writes a number of minor units of p as the number it is.
func (g *generator) major(p *edm.Property, units func()) {
	if g.dialect == Postgres {
		g.w("trim_scale(")
		units()
		g.w(" * ", lastPlace(p), ")")
		return
	}
	g.w("odata_major(")
	units()
	g.w(", ", strconv.Itoa(p.Scale), ")")
}

// decimalJSON writes a Decimal that a query computed as JSON shows it, which may
// be as text.
func (g *generator) decimalJSON(column func()) {
	if g.dialect == Postgres {
		g.quoted(edm.Decimal, func() {
			g.w("trim_scale((")
			column()
			g.w(")::numeric)")
		})
		return
	}
	if g.style.Quotes(edm.Decimal) {
		g.quoted(edm.Decimal, column)
		return
	}
	g.w("CASE typeof(")
	column()
	g.w(") WHEN 'text' THEN json(")
	column()
	g.w(") ELSE ")
	column()
	g.w(" END")
}

// swapped are the operators with their sides exchanged.
var swapped = map[uri.Op]uri.Op{
	uri.Eq: uri.Eq, uri.Ne: uri.Ne, uri.Gt: uri.Lt, uri.Ge: uri.Le, uri.Lt: uri.Gt, uri.Le: uri.Ge,
}

// compareMinor writes a comparison over columns in minor units as one of whole
// numbers, which an index on them serves; false if e is none that it knows.
func (g *generator) compareMinor(e *plan.Compare) bool {
	op, p, x := e.Op, minor(e.L), e.R
	if p == nil {
		op, p, x = swapped[op], minor(e.R), e.L
	}
	if p == nil {
		return false
	}
	if c, ok := x.(*plan.Const); ok {
		if d, ok := decimalOf(c); ok {
			g.w("(")
			g.minorThan(p, op, d)
			g.w(")")
			return true
		}
	}
	other := minor(x)
	if other == nil || other.Prop.Scale != p.Prop.Scale {
		return false
	}
	g.w("(")
	g.column(p.Var, p.Prop)
	g.w(" ", g.operator(op, p, other), " ")
	g.column(other.Var, other.Prop)
	g.w(")")
	return true
}

// decimalOf is the number c stands for, if it is a whole one or a Decimal.
func decimalOf(c *plan.Const) (d edm.DecimalValue, ok bool) {
	switch v := c.Value().(type) {
	case int64:
		return edm.DecimalOf(v), true
	case edm.DecimalValue:
		return v, true
	}
	return d, false
}

// minorThan writes the comparison of a column in minor units with d.
func (g *generator) minorThan(p *plan.Prop, op uri.Op, d edm.DecimalValue) {
	units := d.Shift(p.Prop.Scale)
	if !units.IsInt() { // between two values that the column can have
		switch op {
		case uri.Eq:
			g.w("1 = 0")
			return
		case uri.Ne:
			g.w("1 = 1")
			return
		case uri.Lt:
			op = uri.Le
		case uri.Ge:
			op = uri.Gt
		}
		units = units.Floor()
	}
	name := operators[op]
	if op == uri.Ne && plan.Nullable(p) {
		name = "IS DISTINCT FROM"
	}
	g.column(p.Var, p.Prop)
	g.w(" ", name, " ")
	g.units(units)
}

// units binds a whole number of minor units. One that no column can hold is
// replaced by what compares alike.
func (g *generator) units(d edm.DecimalValue) {
	n, ok := d.Int64()
	switch {
	case ok:
		g.bind(edm.Int64, n)
	case g.dialect == Postgres:
		g.bind(edm.Decimal, d)
	default:
		g.bind(edm.Double, math.Copysign(math.MaxFloat64, float64(d.Cmp(edm.DecimalOf(0)))))
	}
}

// inDecimals writes the start of "e.X in (…)", and which values of the list it
// writes how; false if e is not over what is held in minor units or calculated.
func (g *generator) inDecimals(e *plan.In) (x func(), value func(*plan.Const), list []*plan.Const, ok bool) {
	p := minor(e.X)
	if p == nil && !g.calculated(e.X) {
		return nil, nil, nil, false
	}
	for _, c := range e.List {
		d, number := decimalOf(c)
		if c.Null() || number && (p == nil || d.Shift(p.Prop.Scale).IsInt()) {
			list = append(list, c)
		}
	}
	if p == nil {
		text := func(c *plan.Const) {
			d, _ := decimalOf(c)
			g.bind(edm.String, d.String())
		}
		return func() { g.exactly(e.X) }, text, list, true
	}
	units := func(c *plan.Const) {
		d, _ := decimalOf(c)
		g.units(d.Shift(p.Prop.Scale))
	}
	return func() { g.column(p.Var, p.Prop) }, units, list, true
}

// aggregateMinor writes an aggregate of a column of minor units of p.
func (g *generator) aggregateMinor(method plan.Method, p *edm.Property, input func()) {
	switch method {
	case plan.Sum:
		if g.dialect == Postgres {
			g.major(p, func() { g.w("sum("); input(); g.w(")") })
			return
		}
		// Its parts cannot pass the range of whole numbers.
		g.w("odata_sum_major(sum(")
		input()
		g.w(" / 1000000000), sum(")
		input()
		g.w(" % 1000000000), ", strconv.Itoa(p.Scale), ")")
	case plan.Average:
		g.per("(CAST(odata_sum_major(sum(", "(sum(")
		input()
		if g.dialect == SQLite {
			g.w(" / 1000000000), sum(")
			input()
			g.w(" % 1000000000), 0) AS REAL) / nullif(count(")
		} else {
			g.w(")::float8 / nullif(count(")
		}
		input()
		g.w("), 0) / 1", strings.Repeat("0", p.Scale), ".0)")
	default:
		g.major(p, func() { g.w(string(method), "("); input(); g.w(")") })
	}
}

// aggregateExactly writes an aggregate of decimals, which SQLite holds as text. The
// average is the exact sum through how many there are.
func (g *generator) aggregateExactly(method plan.Method, input func()) {
	switch method {
	case plan.Sum:
		g.w("odata_sum(")
		input()
		g.w(")")
	case plan.Average:
		g.per("(CAST(odata_sum(", "(sum(")
		input()
		g.per(") AS REAL) / nullif(count(", ")::float8 / nullif(count(")
		input()
		g.w("), 0))")
	default:
		g.w(string(method), "(odata_exact(")
		input()
		g.w(") COLLATE odata_number)")
	}
}

// minor returns x as a property held in minor units, or nil.
func minor(x plan.Expr) *plan.Prop {
	if p, ok := x.(*plan.Prop); ok && p.Prop.Minor {
		return p
	}
	return nil
}
