// Package sqlgen turns plans into SQL: one statement a read, whose rows are
// finished JSON objects. An expanded navigation property is a correlated
// sub-select inside the object, so a whole tree is one statement.
//
// SQLite connections need the functions that RegisterSQLite adds.
package sqlgen

import (
	"fmt"
	"slices"
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

// Statement is a statement ready to run. Its columns are: the entity, for JSON; its
// ETag, if the read wants the Tag; the count, if the read asks for it; and, if the
// read has More and the entity does not hold them, the order terms as text, for the
// next link.
type Statement struct {
	SQL  string
	Args []any

	from   []plan.Source // of Args, where a plan.Lifts keeps account of them
	layout layout        // of the entity; nil: it is JSON already
	terms  int           // order terms that the entity ends with
	omits  bool          // the entity's JSON loses the members that are null …
	keep   plan.Kept     // … but for these
}

// Lifted returns st without those of its arguments that another request of the
// same shape has its own values for.
func (st Statement) Lifted() Statement {
	args := slices.Clone(st.Args)
	for i, from := range st.from {
		if !from.Fixed() {
			args[i] = nil
		}
	}
	st.SQL, st.Args = strings.Clone(st.SQL), args
	return st
}

// Reads reports whether an argument of st comes from there.
func (st *Statement) Reads(from plan.Source) bool { return slices.Contains(st.from, from) }

// Size is how many bytes st takes, about.
func (st *Statement) Size() int {
	n := len(st.SQL) + len(st.Args)*80 + st.layout.size() // with their sources
	for _, arg := range st.Args {
		if text, ok := arg.(string); ok {
			n += len(text)
		}
	}
	return n
}

// For returns the arguments of st, which is Lifted, for the request that has the
// values v; false where one of them cannot be read.
func (st *Statement) For(d Dialect, v *plan.Values) ([]any, bool) {
	args := make([]any, len(st.Args))
	for i, from := range st.from {
		if from.Fixed() {
			args[i] = st.Args[i]
			continue
		}
		value, ok := v.Of(from)
		if !ok {
			return nil, false
		}
		args[i] = d.argument(value)
	}
	return args, true
}

// generator writes one statement.
type generator struct {
	dialect Dialect
	sql     strings.Builder
	args    []any
	sources []plan.Source
	names   map[*plan.Var]string
	style   plan.Style
	values  int    // names given to values inside JSON
	layout  layout // of the entity that the statement sends
	ending  int    // order terms at its end
}

func newGenerator(d Dialect) *generator {
	g := &generator{dialect: d, names: make(map[*plan.Var]string, 8)}
	g.sql.Grow(2 << 10) // the columns of one entity
	return g
}

func (g *generator) statement() Statement {
	return Statement{SQL: g.sql.String(), Args: g.args, from: g.sources, layout: g.layout, terms: g.ending}
}

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

// column writes a column of v, of a text that has translations the one that the
// caller reads.
func (g *generator) column(v *plan.Var, p *edm.Property) {
	own := g.name(v) + "." + quoteName(p.Column)
	if p.Texts == nil || len(v.Languages) == 0 {
		g.w(own)
		return
	}
	g.w("coalesce(")
	for _, language := range v.Languages {
		g.w(g.name(v), ".", quoteName(p.Texts.Column))
		g.per(` ->> '$."`+letters(language)+`"', `, " ->> '"+letters(language)+"', ")
	}
	g.w(own, ")")
}

// letters is a language's tag, without what no tag has.
func letters(language string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, language)
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
func (g *generator) bind(t edm.Primitive, v any) { g.bindFrom(t, v, plan.Source{}) }

// bindFrom writes a placeholder for v, which comes from there in each request.
func (g *generator) bindFrom(t edm.Primitive, v any, from plan.Source) {
	g.arg(g.dialect.argument(v), from)
	if g.dialect == Postgres {
		g.w("$", strconv.Itoa(len(g.args)), casts[t])
		return
	}
	g.w("?")
}

func (g *generator) arg(v any, from plan.Source) {
	g.args, g.sources = append(g.args, v), append(g.sources, from)
}

// argument is a value as it is bound.
func (d Dialect) argument(v any) any {
	switch x := v.(type) {
	case time.Time:
		return x.UTC().Format(InstantForm)
	case uuid.UUID:
		return x.String()
	case time.Duration:
		return x.Microseconds()
	case edm.DecimalValue:
		return d.decimal(x)
	}
	return v
}

// decimal is a decimal as a value to compare with columns of numbers.
func (dialect Dialect) decimal(d edm.DecimalValue) any {
	if dialect == Postgres {
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
