package uri

import (
	"strings"
	"unicode/utf8"
)

// Shape is a read's path and query without the values of its literals: requests
// of one shape have the same syntax, but for the texts of their literals. Only
// literals of the path and of $filter are taken out, and the $skiptoken; all else is
// in the Key as it stands.
type Shape struct {
	// Key tells shapes apart. In it a NUL, which no text may hold, comes before the
	// kind of a literal taken out and before the end of a piece of text.
	Key []byte
	// Literals are those of the path and of $filter, in their order, which is what
	// Literal.N counts.
	Literals []Slot
	// Token is the $skiptoken; "": there is none.
	Token string

	inPath int // how many of Literals are in the path
}

// Slot is a literal of a Shape.
type Slot struct {
	Kind   LiteralKind
	Text   string
	Lifted bool // not in the Key
}

// NewShape returns the shape of a path relative to the service root and a query,
// both still percent-encoded; nil where they have none that is worth knowing. The
// Key begins with head.
func NewShape(head []byte, path, query string, limits Limits) *Shape {
	if len(path)+len(query) > min(mostShape, limits.OrDefault().Length) || strings.IndexByte(query, 0) >= 0 {
		return nil
	}
	s := &Shape{Key: head}
	path = trimPath(path)
	for part := range strings.SplitSeq(path, "/") {
		text, err := pathText(part)
		if err != nil || !s.text(text, '/') {
			return nil
		}
	}
	s.inPath = len(s.Literals)
	for pair := range strings.SplitSeq(query, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		if tokenOption(name) && s.Token == "" {
			token, err := optionText(raw)
			if err != nil || token == "" {
				return nil
			}
			s.Token = token
			s.Key = append(append(s.Key, name...), '=', 0, '&')
			continue
		}
		if !liftedOption(name) {
			s.Key = append(append(s.Key, pair...), 0, '&')
			continue
		}
		text, err := optionText(raw)
		s.Key = append(append(s.Key, name...), '=')
		if err != nil || !s.text(text, '&') {
			return nil
		}
	}
	return s
}

// mostShape is how long a path and query may be together: what is longer is rare,
// and costs more to read than to tell whether it was there before.
const mostShape = 4 << 10

// liftedOption reports whether the literals of the option of that name, as the
// URL has it, are taken out.
func liftedOption(name string) bool {
	return name == "$filter" || name == "%24filter" || name == "filter"
}

// tokenOption reports whether the option of that name is the $skiptoken.
func tokenOption(name string) bool {
	return name == "$skiptoken" || name == "%24skiptoken" || name == "skiptoken"
}

// text adds a piece of decoded text, up to what ends it; false where it is none of
// the language, or holds a text of another one, as searches are.
func (s *Shape) text(text string, end byte) bool {
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 || strings.Contains(text, "$count(") {
		return false
	}
	done := 0
	for at := 0; ; {
		at = skipSpace(text, at)
		tok := scan(text, at)
		switch tok.kind {
		case tokenBad:
			return false
		case tokenEnd:
			s.Key = append(append(s.Key, text[done:]...), 0, end)
			return true
		case tokenLiteral:
			kind := LiteralKind(tok.of)
			l := Slot{kind, tok.text, lifts(kind, tok.text)}
			if l.Lifted {
				s.Key = append(append(s.Key, text[done:at]...), 0, 'a'+byte(kind))
				done = tok.end
			}
			s.Literals = append(s.Literals, l)
		}
		at = tok.end
	}
}

// lifts reports whether literals of a kind are taken out. The type of those that
// are follows from the kind alone: an integer of more digits might be a Decimal.
func lifts(kind LiteralKind, text string) bool {
	switch kind {
	case IntegerLiteral:
		return len(text) <= 18
	case StringLiteral, DecimalLiteral, DateLiteral, TimeOfDayLiteral, DateTimeOffsetLiteral, GuidLiteral:
		return true
	}
	return false
}

// ParsePath is ParsePath for the path that s is of; its literals are numbered. S
// may be nil.
func (s *Shape) ParsePath(raw string, limits Limits) ([]Segment, error) {
	if s == nil {
		return ParsePath(raw, limits)
	}
	return parsePath(raw, limits, new(int))
}

// ParseQuery is ParseQuery for the query that s is of, likewise.
func (s *Shape) ParseQuery(raw string, limits Limits) (*Query, error) {
	if s == nil {
		return ParseQuery(raw, limits)
	}
	n := s.inPath
	return parseQuery(raw, limits, &n)
}

// numberLiterals makes the parser count the literals that it reads, in n.
func (p *parser) numberLiterals(n *int) {
	p.numbered = n
	p.countLiteral()
}

// countLiteral counts the token at hand, if it is a literal that is to be counted.
func (p *parser) countLiteral() {
	if p.numbered != nil && p.tok.kind == tokenLiteral {
		*p.numbered++
	}
}

// literalNumber is the number of the literal at hand, 0 where they are not counted.
func (p *parser) literalNumber() int32 {
	if p.numbered == nil {
		return 0
	}
	return int32(*p.numbered)
}
