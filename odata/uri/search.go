package uri

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Search is a node of a search expression (URL Conventions 4.01, section 5.1.8).
type Search interface {
	Pos() int
	String() string
	search()
}

type (
	// SearchTerm is a word, or a phrase that stood in double quotes.
	SearchTerm struct {
		At
		Text   string
		Phrase bool
	}

	// SearchNot is NOT X.
	SearchNot struct {
		At
		X Search
	}

	// SearchLogic is "L AND R" or "L OR R"; AND may be left out.
	SearchLogic struct {
		At
		Op   Op // And or Or
		L, R Search
	}
)

func (*SearchTerm) search()  {}
func (*SearchNot) search()   {}
func (*SearchLogic) search() {}

func (t *SearchTerm) String() string {
	if t.Phrase {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(t.Text) + `"`
	}
	return t.Text
}

func (n *SearchNot) String() string { return "NOT " + searchOperand(n.X, true) }

func (l *SearchLogic) String() string {
	if l.Op == Or {
		return l.L.String() + " OR " + l.R.String()
	}
	return searchOperand(l.L, false) + " AND " + searchOperand(l.R, false)
}

// searchOperand prints x, in parentheses where it binds weaker than AND, or than
// NOT.
func searchOperand(x Search, not bool) string {
	if l, ok := x.(*SearchLogic); ok && (not || l.Op == Or) {
		return "(" + x.String() + ")"
	}
	return x.String()
}

// Words are the runs of letters and digits in the term, which are what an index
// holds. There is at least one.
func (t *SearchTerm) Words() []string {
	return strings.FieldsFunc(t.Text, func(r rune) bool { return !isWordRune(r) })
}

// isWordRune reports whether r is part of a word in an index: letters, numbers,
// and the accents that may follow a letter.
func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || r >= 0x300 && r <= 0x331
}

// ParseSearch reads a whole search expression; what names the text in messages.
func ParseSearch(text, what string, limits Limits) (Search, error) {
	p, err := newParser(text, what, limits)
	if err != nil {
		return nil, err
	}
	s, err := p.search()
	if err != nil {
		return nil, err
	}
	return s, p.end()
}

// search reads a search expression, whose words are not tokens of the expression
// language: it goes over the text by itself, up to the end or to what closes the
// options it stands in.
func (p *parser) search() (Search, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	left, err := p.searchAnd()
	for err == nil && p.searchKeyword("OR") {
		var right Search
		if right, err = p.searchAnd(); err == nil {
			left = &SearchLogic{At(left.Pos()), Or, left, right}
		}
	}
	return left, err
}

func (p *parser) searchAnd() (Search, error) {
	left, err := p.searchTerm()
	for err == nil && (p.searchKeyword("AND") || p.searchGoesOn()) {
		var right Search
		if right, err = p.searchTerm(); err == nil {
			left = &SearchLogic{At(left.Pos()), And, left, right}
		}
	}
	return left, err
}

// searchGoesOn reports whether a further term follows without an AND.
func (p *parser) searchGoesOn() bool {
	word := p.searchWord()
	return word != "OR" && (word != "" || p.start < len(p.text) && (p.text[p.start] == '"' || p.text[p.start] == '('))
}

// searchWord is the word that begins where p.tok does, or "".
func (p *parser) searchWord() string {
	text := p.text[p.start:]
	end := strings.IndexFunc(text, func(r rune) bool {
		return r < utf8.RuneSelf && (isSpace(byte(r)) || strings.IndexByte(`"();`, byte(r)) >= 0)
	})
	if end < 0 {
		return text
	}
	return text[:end]
}

// skip goes on after n bytes from where p.tok starts.
func (p *parser) skip(n int) {
	p.tok = token{end: p.start + n}
	p.next()
}

func (p *parser) searchKeyword(word string) bool {
	if p.searchWord() != word {
		return false
	}
	p.skip(len(word))
	return true
}

func (p *parser) searchTerm() (Search, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.count(); err != nil {
		return nil, err
	}
	at := p.at()
	if p.searchKeyword("NOT") {
		x, err := p.searchTerm()
		return &SearchNot{at, x}, err
	}
	rest := p.text[p.start:]
	if strings.HasPrefix(rest, "(") {
		p.skip(1)
		x, err := p.search()
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	}
	t := &SearchTerm{At: at, Text: p.searchWord()}
	size := len(t.Text)
	if strings.HasPrefix(rest, `"`) {
		t.Phrase = true
		if t.Text, size = searchPhrase(rest); size == 0 {
			return nil, p.errorf("the quote opened here is not closed")
		}
	} else if t.Text == "AND" || t.Text == "OR" || size == 0 {
		return nil, p.errorf("expected a word or a phrase to search for")
	}
	if len(t.Words()) == 0 {
		return nil, p.errorf("%s has no letter or digit to search for", t)
	}
	p.skip(size)
	return t, nil
}

// searchPhrase reads a phrase in double quotes, where a backslash takes the next
// character as it is; size is 0 if it is not closed.
func searchPhrase(text string) (phrase string, size int) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), i + 1
		case '\\':
			i++
			if i == len(text) {
				return "", 0
			}
		}
		b.WriteByte(text[i])
	}
	return "", 0
}
