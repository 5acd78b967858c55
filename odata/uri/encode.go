package uri

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Encode writes the query options as the query part of a URL, percent-encoded:
// parsed, it gives an equal Query. Parameter aliases go along; $skip, $skiptoken
// and $format do not, as a link to a further page has its own.
func (q *Query) Encode() string { return q.EncodeWith("$it") }

// EncodeWith writes it in place of $it.
func (q *Query) EncodeWith(it string) string {
	var parts []string
	for _, o := range q.options() {
		if o.name != "$skip" {
			parts = append(parts, o.name+"="+escape(withIt(o.value, it)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Aliases)) {
		parts = append(parts, "@"+escape(name)+"="+escape(withIt(q.Aliases[name], it)))
	}
	return strings.Join(parts, "&")
}

// withIt is an option's text with another text in place of $it.
func withIt(text, it string) string {
	if !strings.Contains(text, "$it") {
		return text
	}
	return replaced(text, func(at int) (end int) {
		if tok := scan(text, at); tok.kind == tokenName && tok.text == "it" {
			return tok.end
		}
		return 0
	}, it)
}

// WithoutEntities is an option's text with $it in place of every $root/Set(key).
func WithoutEntities(text string) string {
	if !strings.Contains(text, "$root/") {
		return text
	}
	return replaced(text, func(at int) (end int) {
		for _, want := range []tokenKind{tokenName, tokenPunct, tokenName} { // root / Set
			tok := scan(text, at)
			if tok.kind != want {
				return 0
			}
			at = tok.end
		}
		if !scan(text, at).is("(") {
			return 0
		}
		for depth := 0; at < len(text); {
			tok := scan(text, skipSpace(text, at))
			at = tok.end
			if tok.is("(") {
				depth++
			} else if tok.is(")") {
				if depth--; depth == 0 {
					return at
				}
			}
		}
		return len(text) // not closed: nothing that follows is looked at again
	}, "$it")
}

// replaced is text with another text in place of what begins with a $ and goes on
// to the end that found gives for what comes after that; 0: it is not replaced.
func replaced(text string, found func(at int) (end int), by string) string {
	var b strings.Builder
	done := 0
	for at := 0; at < len(text); {
		start := skipSpace(text, at)
		tok := scan(text, start)
		at = max(tok.end, start+1)
		if !tok.is("$") {
			continue
		}
		if end := found(tok.end); end > 0 {
			b.WriteString(text[done:start] + by)
			done, at = end, end
		}
	}
	return b.String() + text[done:]
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// String writes what decides which entities come in which order: two requests
// for pages of one collection agree in it.
func (q *Query) String() string {
	var parts []string
	for _, o := range q.options() {
		switch o.name {
		case "$apply", "$filter", "$search", "$compute", "$orderby":
			parts = append(parts, o.name+"="+o.value)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.Aliases)) {
		parts = append(parts, "@"+name+"="+q.Aliases[name])
	}
	return strings.Join(parts, "&")
}

type option struct{ name, value string }

// options are the options given, as text.
func (q *Query) options() []option {
	var list []option
	add := func(given bool, name string, value func() string) {
		if given {
			list = append(list, option{name, value()})
		}
	}
	number := func(n *int) func() string { return func() string { return strconv.Itoa(*n) } }
	add(len(q.Apply) > 0, "$apply", func() string { return sequence(q.Apply) })
	add(q.Filter != nil, "$filter", func() string { return q.Filter.String() })
	add(q.Search != nil, "$search", func() string { return q.Search.String() })
	add(len(q.Compute) > 0, "$compute", func() string { return joined(q.Compute) })
	add(len(q.OrderBy) > 0, "$orderby", func() string { return joined(q.OrderBy) })
	add(len(q.Select) > 0, "$select", func() string { return joined(q.Select) })
	add(len(q.Expand) > 0, "$expand", func() string { return joined(q.Expand) })
	add(q.Top != nil, "$top", number(q.Top))
	add(q.Skip != nil, "$skip", number(q.Skip))
	add(q.Count, "$count", func() string { return "true" })
	add(q.Levels != 0, "$levels", func() string {
		if q.Levels == MaxLevels {
			return "max"
		}
		return strconv.Itoa(q.Levels)
	})
	return list
}

func joined[T interface{ String() string }](items []T) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = item.String()
	}
	return strings.Join(parts, ",")
}

func (i ComputeItem) String() string { return i.X.String() + " as " + i.Name }

func (i SelectItem) String() string { return itemText(i.Name, i.Path, &i.Options) }
func (i ExpandItem) String() string { return itemText(i.Name, i.Path, &i.Options) }

func itemText(name string, path []string, q *Query) string {
	text := strings.Join(append([]string{name}, path...), "/")
	var parts []string
	for _, o := range q.options() {
		parts = append(parts, o.name+"="+o.value)
	}
	for _, name := range slices.Sorted(maps.Keys(q.Aliases)) {
		parts = append(parts, "@"+name+"="+q.Aliases[name])
	}
	if len(parts) == 0 {
		return text
	}
	return text + "(" + strings.Join(parts, ";") + ")"
}
