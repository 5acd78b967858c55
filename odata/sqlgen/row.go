package sqlgen

import "leadloop/odata/plan"

// Rows returns the statement that reads the columns of the entities of r, by
// their names, r.Limit of them at most. Lock keeps others from changing these
// rows until the transaction ends, as an update would; SQLite has one writer at a
// time and needs none.
func Rows(d Dialect, r *plan.Read, lock bool) Statement {
	g := newGenerator(d)
	g.w("SELECT ", g.name(r.Var), ".*")
	g.from(r.Var)
	g.where(r, false)
	g.orderBy(r)
	g.limit(r)
	if lock && d == Postgres {
		g.w(" FOR NO KEY UPDATE OF ", g.name(r.Var))
	}
	return g.statement()
}
