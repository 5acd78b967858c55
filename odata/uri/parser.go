package uri

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"leadloop/odata/fault"
)

// object takes a JSON object.
func (p *parser) object() (Expr, error) {
	if p.depth+nesting(p.tok.text) > p.limits.Depth {
		return nil, p.errorf("nested deeper than %d (limit Depth)", p.limits.Depth)
	}
	o := &Object{At: p.at(), Text: p.tok.text}
	p.next()
	return o, nil
}

func isRoot(x Expr) bool {
	n, ok := x.(*Name)
	return ok && n.Name == "$root"
}

// parser reads one text from left to right, one token ahead.
type parser struct {
	text    string
	what    string // what is parsed, for messages: "$filter"
	limits  Limits
	tok     token
	start   int  // byte offset of tok
	spaced  bool // white space came before tok
	depth   int
	nodes   int
	listed  int // elements of lists
	applied int // transformations

	numbered *int // literals counted so far, of a Shape; nil: they are not counted

	binaries Slab[Binary]
	literals Slab[Literal]
	names    Slab[Name]

	// Characters counted so far, where not every byte is one: positions are asked for
	// in rising order.
	manyBytes                  bool
	countedBytes, countedChars int
}

func newParser(text, what string, limits Limits) (p parser, err error) {
	p = parser{text: text, what: what, limits: limits.OrDefault()}
	terms := 1 + len(text)/20 // "Name eq 'value' and"
	p.binaries.Expect(2*terms - 1)
	p.literals.Expect(terms)
	p.names.Expect(terms)
	if len(text) > p.limits.Length {
		return p, fault.Newf(fault.Invalid, "%s is longer than %d bytes (limit Length)", what, p.limits.Length).At(what)
	}
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return p, fault.Newf(fault.Invalid, "%s is not valid UTF-8 text", what).At(what)
	}
	p.manyBytes = utf8.RuneCountInString(text) < len(text)
	p.next()
	return p, nil
}

// next reads the next token into p.tok, passing over white space.
func (p *parser) next() {
	p.start = skipSpace(p.text, p.tok.end)
	p.spaced = p.start > p.tok.end
	p.tok = scan(p.text, p.start)
	p.countLiteral()
}

// at is the position of the token read last.
func (p *parser) at() At {
	if !p.manyBytes {
		return At(p.start + 1)
	}
	if p.start < p.countedBytes {
		p.countedBytes, p.countedChars = 0, 0
	}
	p.countedChars += utf8.RuneCountInString(p.text[p.countedBytes:p.start])
	p.countedBytes = p.start
	return At(p.countedChars + 1)
}

func (p *parser) errorf(format string, args ...any) error {
	return Errorf(p.what, p.at(), format, args...)
}

// Errorf returns the Invalid fault for the text called what, about position at.
func Errorf(what string, at At, format string, args ...any) error {
	return fault.Newf(fault.Invalid, "%s, position %d: %s", what, at, fmt.Sprintf(format, args...)).At(what)
}

// unexpected says what stands where want should.
func (p *parser) unexpected(want string) error {
	switch p.tok.kind {
	case tokenEnd:
		return p.errorf("expected %s, but the text ends here", want)
	case tokenBad:
		return p.errorf("%s", p.tok.text)
	}
	return p.errorf("expected %s, found %q", want, p.text[p.start:p.tok.end])
}

func (p *parser) end() error {
	if p.tok.kind != tokenEnd {
		return p.unexpected("an operator or the end")
	}
	return nil
}

// expect takes the punctuation c.
func (p *parser) expect(c string) error {
	if !p.tok.is(c) {
		return p.unexpected(fmt.Sprintf("%q", c))
	}
	p.next()
	return nil
}

// enter counts a level of nesting; leave uncounts it, unless an error ends it all.
func (p *parser) enter() error {
	p.depth++
	if p.depth > p.limits.Depth {
		return p.errorf("nested deeper than %d (limit Depth)", p.limits.Depth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func (p *parser) count() error {
	p.nodes++
	if p.nodes > p.limits.Nodes {
		return p.errorf("more than %d operators and operands (limit Nodes)", p.limits.Nodes)
	}
	return nil
}
