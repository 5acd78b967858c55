// Package sqlgen turns plans into SQL: one statement a read, whose rows are
// finished JSON objects. An expanded navigation property is a correlated
// sub-select inside the object, so a whole tree is one statement.
//
// SQLite connections need the functions that RegisterSQLite adds.
package sqlgen

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// Dialect is the database's SQL.
type Dialect string

// The dialects; the values are GORM's names for them.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Statement is a statement ready to run. Its columns are: the entity as JSON
// text; its ETag, if the read wants the Tag; the count, if the read asks for it; and, if the read has More, the
// order terms as text, for the next link.
type Statement struct {
	SQL  string
	Args []any
}

// generator writes one statement.
type generator struct {
	dialect Dialect
	sql     strings.Builder
	args    []any
	names   map[*plan.Var]string
	style   plan.Style
	values  int // names given to values inside JSON
}

func newGenerator(d Dialect) *generator {
	g := &generator{dialect: d, names: make(map[*plan.Var]string, 8)}
	g.sql.Grow(2 << 10) // the columns of one entity
	return g
}

func (g *generator) statement() Statement { return Statement{g.sql.String(), g.args} }

func (g *generator) w(parts ...string) {
	for _, p := range parts {
		g.sql.WriteString(p)
	}
}

// name gives a range variable its table alias.
func (g *generator) name(v *plan.Var) string {
	for v.Row != nil {
		v = v.Row
	}
	n, ok := g.names[v]
	if !ok {
		n = "t" + strconv.Itoa(len(g.names))
		g.names[v] = n
	}
	return n
}

// column writes a column of v.
func (g *generator) column(v *plan.Var, p *edm.Property) {
	g.w(g.name(v), ".", quoteName(p.Column))
}

// quoteName quotes an identifier.
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteText quotes a text literal. Only names of the model are written so;
// what comes from a request is bound.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// casts are the PostgreSQL types of bound values: without a cast the server
// would guess them from the context. Dates and times of day are text of fixed
// width, as instants are on SQLite. Dates are text of fixed width, as instants
// are on SQLite.
var casts = map[edm.Primitive]string{
	edm.Boolean: "::boolean", edm.String: "::text", edm.SByte: "::bigint", edm.Byte: "::bigint", edm.Int16: "::bigint", edm.Int32: "::bigint", edm.Int64: "::bigint",
	edm.Decimal: "::numeric", edm.Single: "::float8", edm.Double: "::float8", edm.Date: "::text", edm.TimeOfDay: "::text",
	edm.DateTimeOffset: "::timestamptz", edm.Guid: "::uuid", edm.Duration: "::bigint",
	edm.Binary: "::bytea",
}

// InstantForm is how instants are kept on SQLite and shown on both databases:
// fixed width, so that text sorts as time does.
const InstantForm = "2006-01-02T15:04:05.000000Z"

// bind writes a placeholder for v, a value of type t.
func (g *generator) bind(t edm.Primitive, v any) {
	switch x := v.(type) {
	case time.Time:
		v = x.UTC().Format(InstantForm)
	case uuid.UUID:
		v = x.String()
	case time.Duration:
		v = x.Microseconds()
	case edm.DecimalValue:
		v = g.decimal(x)
	}
	g.args = append(g.args, v)
	if g.dialect == Postgres {
		g.w("$", strconv.Itoa(len(g.args)), casts[t])
		return
	}
	g.w("?")
}

// decimal is a decimal as a value to compare with columns of numbers.
func (g *generator) decimal(d edm.DecimalValue) any {
	if g.dialect == Postgres {
		return d.String()
	}
	if n, ok := d.Int64(); ok && d.IsInt() {
		return n
	}
	return d.Float64()
}

// unsupported is a plan that this package should know and does not: a
// programming error, as the binder lets nothing else through.
func unsupported(x any) string { return fmt.Sprintf("sqlgen: unsupported %T", x) }
