package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// Durations are calculated with in microseconds.

// pgDurationText writes the microseconds $0 as plan.DurationText does.
const pgDurationText = "(SELECT CASE WHEN n IS NOT NULL THEN CASE WHEN n < 0 THEN '-P' ELSE 'P' END || CASE WHEN d > 0 THEN d || 'D' ELSE '' END ||" +
	" CASE WHEN r > 0 OR d = 0 THEN 'T' || trim_scale(r / 1000000.0)::text || 'S' ELSE '' END END" +
	" FROM (SELECT n, abs(n) / 86400000000 AS d, abs(n) % 86400000000 AS r FROM (SELECT $0 AS n) a) b)"

// micros writes a property that is held in nanoseconds.
func (g *generator) micros(v *plan.Var, p *edm.Property) {
	g.w("(")
	g.column(v, p)
	g.w(" / 1000)")
}
