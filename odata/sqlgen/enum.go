package sqlgen

import (
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

func isEnum(p *edm.Property) bool {
	_, ok := p.Type.(*edm.Enum)
	return ok
}

// memberNames writes a property of an enumeration type as JSON shows it: the
// names of members (JSON Format 4.01, section 7.1), as edm.Enum's Format does.
func (g *generator) memberNames(v *plan.Var, p *edm.Property) {
	e := p.Type.(*edm.Enum)
	if e.Text {
		g.column(v, p)
		return
	}
	g.w("CASE ")
	g.column(v, p)
	for _, m := range e.Members {
		g.w(" WHEN ", strconv.FormatInt(m.Value, 10), " THEN ", quoteText(m.Name))
	}
	g.w(" ELSE ")
	if e.Flags {
		g.flags(v, p, e)
	} else {
		g.w("CAST(")
		g.column(v, p)
		g.w(" AS TEXT)")
	}
	g.w(" END")
}

// flags writes the names of the members that a combination holds, or its number
// where it holds other bits.
func (g *generator) flags(v *plan.Var, p *edm.Property, e *edm.Enum) {
	var all int64
	for _, m := range e.Members {
		all |= m.Value
	}
	g.w("CASE WHEN (")
	g.column(v, p)
	g.w(" & ~", strconv.FormatInt(all, 10), ") <> 0 OR ")
	g.column(v, p)
	g.w(" = 0 THEN CAST(")
	g.column(v, p)
	g.w(" AS TEXT) ELSE substr(")
	first := true
	for _, m := range e.Members {
		if m.Value == 0 {
			continue
		}
		if !first {
			g.w(" || ")
		}
		first = false
		bits := strconv.FormatInt(m.Value, 10)
		g.w("CASE WHEN (")
		g.column(v, p)
		g.w(" & ", bits, ") = ", bits, " THEN ", quoteText(","+m.Name), " ELSE '' END")
	}
	g.w(", 2) END")
}

// lastPlace is one unit of the last place of a Decimal. PostgreSQL multiplies
// by it exactly, where it would round a quotient.
func lastPlace(p *edm.Property) string { return "0." + strings.Repeat("0", p.Scale-1) + "1" }

// majorUnits writes a Decimal that is held in minor units as the number it is.
func (g *generator) majorUnits(v *plan.Var, p *edm.Property) {
	g.major(p, func() { g.column(v, p) })
}

// majorJSON writes it as JSON shows it, with all places of its scale.
func (g *generator) majorJSON(v *plan.Var, p *edm.Property) {
	if g.dialect == Postgres {
		g.quoted(edm.Decimal, func() {
			g.w("(")
			g.column(v, p)
			g.w(" * ", lastPlace(p), ")")
		})
		return
	}
	number, end := "json(", ")"
	if g.style.Quotes(edm.Decimal) {
		number, end = "", ""
	}
	g.w("CASE WHEN ")
	g.column(v, p)
	g.w(" IS NOT NULL THEN ", number, "CASE WHEN ")
	g.column(v, p)
	g.w(" < 0 THEN '-' ELSE '' END || printf('%d.%0", strconv.Itoa(p.Scale), "d', abs(")
	g.column(v, p)
	g.w(" / ", perUnit(p), "), abs(")
	g.column(v, p)
	g.w(" % ", perUnit(p), "))", end, " END")
}

// perUnit is how many minor units make one.
func perUnit(p *edm.Property) string { return "1" + strings.Repeat("0", p.Scale) }
