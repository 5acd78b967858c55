package sqlgen

import (
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
		g.w("words @@ ")
		g.bind(edm.String, postgresMatch(s))
		g.w("::tsquery)")
		return
	}
	fts := quoteName(searchTable(v.Struct.Table) + "_fts")
	g.w("docid IN (SELECT docid FROM ", fts, " WHERE ", fts, " MATCH ")
	g.bind(edm.String, liteMatch(s))
	g.w("))")
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
