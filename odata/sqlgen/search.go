package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// found writes that the entity of v matches s. What has no NOT in it is one look
// into the index; FTS4 has no NOT by itself, so that stays outside.
func (g *generator) found(v *plan.Var, s uri.Search) {
	switch s := s.(type) {
	case *uri.SearchNot:
		g.w("NOT (")
		g.found(v, s.X)
		g.w(")")
		return
	case *uri.SearchLogic:
		if !positive(s) {
			g.w("(")
			g.found(v, s.L)
			g.w(" ", operators[s.Op], " ")
			g.found(v, s.R)
			g.w(")")
			return
		}
	}
	index := quoteName(searchTable(v.Struct.Table))
	g.column(v, v.Struct.Key[0])
	g.w(` IN (SELECT "key" FROM `, index, " WHERE ")
	if g.dialect == Postgres {
		g.match(s)
		g.w(")")
		return
	}
	fts := quoteName(searchTable(v.Struct.Table) + "_fts")
	g.w("docid IN (SELECT docid FROM ", fts, " WHERE ", fts, " MATCH ")
	g.bind(edm.String, liteMatch(s))
	g.w("))")
}

// match writes that the words of a row of PostgreSQL's index match s.
func (g *generator) match(s uri.Search) {
	g.w("words @@ ")
	g.bind(edm.String, postgresMatch(s))
	g.w("::tsquery")
}

// fewHits is how many entities a search may find for all of them to be looked at.
// To look through a million in their order until 50 of more than these are met
// takes about as long.
const fewHits = 2000

// searched returns the search that narrows r, and r without it, where that is to be
// written by fewOrMany; nil where not.
func (g *generator) searched(r *plan.Read) (f *plan.Found, rest *plan.Read) {
	if g.dialect != Postgres || r.Where == nil || r.Var.From != nil || r.Var.Of != nil {
		return nil, nil
	}
	others, conditions := *r, terms(r.Where, uri.And, nil)
	for i, x := range conditions {
		if f, ok := x.(*plan.Found); ok && f.Var == r.Var && positive(f.Query) {
			others.Where = plan.And(slices.Delete(conditions, i, i+1)...)
			return f, &others
		}
	}
	return nil, nil
}

// fewOrMany writes a query of one value: few, which looks at the array f.hits, where
// f finds few, and else many. PostgreSQL takes a beginning of a word for that of one
// row in 200 at least, and looks through all rows for what few have. So what is found
// is counted first, up to a number: are they few, nothing else is looked at, as every
// plan goes by the key for an array whose length it does not know. To gather what very
// many have takes long, so a thousandth of the rows is asked before; where 50 of those
// have it, f.hits is null.
func (g *generator) fewOrMany(f *plan.Found, few, many func()) {
	index, most := quoteName(searchTable(f.Var.Struct.Table)), strconv.Itoa(fewHits)
	g.w("WITH f AS MATERIALIZED (SELECT CASE WHEN (SELECT count(*) FROM ", index, " TABLESAMPLE SYSTEM (0.1) WHERE ")
	g.match(f.Query)
	g.w(`) < 50 THEN ARRAY(SELECT "key" FROM `, index, " WHERE ")
	g.match(f.Query)
	g.w(" LIMIT ", most, " + 1) END AS hits) SELECT CASE WHEN cardinality(f.hits) <= ", most, " THEN ")
	few()
	g.w(" ELSE ")
	many()
	g.w(" END FROM f")
}

// amongHits writes what r is read from and its conditions, with one more: that its
// entities are among f.hits.
func (g *generator) amongHits(r *plan.Read, paged bool) {
	g.from(r.Var)
	if g.where(r, paged) {
		g.w(" AND ")
	} else {
		g.w(" WHERE ")
	}
	g.column(r.Var, r.Var.Struct.Key[0])
	g.w(" = ANY (f.hits)")
}

// foundPage writes the page r, of what rest is and f finds, by its keys.
func (g *generator) foundPage(r *plan.Read, f *plan.Found, rest *plan.Read) {
	key, outer := r.Var.Struct.Key[0], g.name(r.Var)
	keys := func(write func()) func() {
		return func() {
			g.w("ARRAY(SELECT ")
			g.column(r.Var, key)
			write()
			g.orderBy(r)
			g.limit(r)
			g.w(")")
		}
	}
	g.from(r.Var)
	g.w(" WHERE ")
	g.column(r.Var, key)
	g.w(" = ANY ((")
	g.names[r.Var] = outer + "p"
	g.fewOrMany(f, keys(func() { g.amongHits(rest, true) }), keys(func() {
		g.from(r.Var)
		g.where(r, true)
	}))
	g.names[r.Var] = outer
	g.w(")", casts[key.Type.(edm.Primitive)], "[])")
	g.orderBy(r)
}

// foundCount writes the query that counts r, which is what rest is and f finds.
func (g *generator) foundCount(r *plan.Read, f *plan.Found, rest *plan.Read) {
	g.fewOrMany(f, func() {
		g.w("(SELECT count(*)")
		g.amongHits(rest, false)
		g.w(")")
	}, func() {
		g.w("(SELECT count(*)")
		g.from(r.Var)
		g.where(r, false)
		g.w(")")
	})
}

func positive(s uri.Search) bool {
	switch s := s.(type) {
	case *uri.SearchNot:
		return false
	case *uri.SearchLogic:
		return positive(s.L) && positive(s.R)
	}
	return true
}

// liteMatch is s as FTS4 has it.
func liteMatch(s uri.Search) string {
	if l, ok := s.(*uri.SearchLogic); ok {
		return "(" + liteMatch(l.L) + " " + operators[l.Op] + " " + liteMatch(l.R) + ")"
	}
	return alternatives(s.(*uri.SearchTerm), " OR ", func(words []string, prefix bool) string {
		text := `"` + strings.Join(words, " ")
		if prefix {
			text += "*"
		}
		return text + `"`
	})
}

// postgresMatch is s as the text of a tsquery.
func postgresMatch(s uri.Search) string {
	if l, ok := s.(*uri.SearchLogic); ok {
		op := " & "
		if l.Op == uri.Or {
			op = " | "
		}
		return "(" + postgresMatch(l.L) + op + postgresMatch(l.R) + ")"
	}
	return alternatives(s.(*uri.SearchTerm), " | ", func(words []string, prefix bool) string {
		text := "('" + strings.Join(words, "' <-> '") + "'"
		if prefix {
			text += ":*"
		}
		return text + ")"
	})
}

// alternatives writes what a term looks for: its words one after the other, the
// last of them the beginning of one unless the term is a phrase; and where it is a
// number, its digits without what stands between them.
func alternatives(t *uri.SearchTerm, or string, match func(words []string, prefix bool) string) string {
	words := t.Words()
	for i, w := range words {
		words[i] = strings.ReplaceAll(eval.Lower(w), "ς", "σ")
	}
	text := match(words, !t.Phrase)
	digits := strings.Join(words, "")
	if len(words) > 1 && len(digits) >= 4 && strings.Trim(digits, "0123456789") == "" {
		return "(" + text + or + match([]string{digits}, true) + ")"
	}
	return text
}
