package uri

import (
	"net/url"
	"strings"

	"leadloop/odata/fault"
)

// Segment is one segment of a resource path, with the key predicate or the
// arguments in its parentheses.
type Segment struct {
	Name   string
	Parens bool // parentheses were given, maybe empty
	Args   []Argument
}

// Argument is a value in a segment's parentheses; Name is "" for the single
// value of a key without its name.
type Argument struct {
	Name  string
	Value Expr
}

// ParsePath reads a resource path relative to the service root, still
// percent-encoded. The root itself gives no segments. What does not parse is
// NotFound, as no resource has that address.
func ParsePath(raw string, limits Limits) ([]Segment, error) { return parsePath(raw, limits, nil) }

func trimPath(raw string) string { return strings.TrimSuffix(strings.TrimPrefix(raw, "/"), "/") }

// pathText decodes a segment.
func pathText(part string) (string, error) { return url.PathUnescape(part) }

func parsePath(raw string, limits Limits, numbered *int) ([]Segment, error) {
	raw = trimPath(raw)
	if raw == "" {
		return nil, nil
	}
	var segments []Segment
	for part := range strings.SplitSeq(raw, "/") {
		if most := limits.OrDefault().Items; len(segments) >= most {
			return nil, fault.Newf(fault.Invalid, "the path has more than %d segments (limit Items)", most)
		}
		text, err := pathText(part)
		if err != nil || text == "" {
			return nil, fault.Newf(fault.NotFound, "no resource has the address %q", raw)
		}
		p, err := newParser(text, "path", limits)
		if err != nil {
			return nil, err
		}
		if numbered != nil {
			p.numberLiterals(numbered)
		}
		s, err := p.segment()
		if err == nil {
			err = p.end()
		}
		if err != nil && strings.HasPrefix(text, "$filter(") {
			return nil, err
		}
		if err != nil {
			return nil, fault.Newf(fault.NotFound, "no resource has the address %q (%s)", raw, err.(*fault.Error).Message)
		}
		segments = append(segments, s)
	}
	return segments, nil
}

func (p *parser) segment() (s Segment, err error) {
	if s.Name, err = p.name(); err != nil || !p.tok.is("(") {
		return s, err
	}
	s.Parens = true
	s.Args, err = p.arguments()
	return s, err
}

// arguments reads what stands in parentheses: a key or arguments.
func (p *parser) arguments() (args []Argument, err error) {
	args = []Argument{}
	p.next()
	for !p.tok.is(")") {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		arg, err := p.argument()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	p.next()
	return args, nil
}

func (p *parser) argument() (a Argument, err error) {
	if p.tok.kind == tokenName && scan(p.text, skipSpace(p.text, p.tok.end)).is("=") {
		a.Name = p.tok.text
		p.next()
		p.next()
	}
	a.Value, err = p.expr(0)
	return a, err
}

// KeyText writes s as a string in the key predicate of a canonical URL: quoted,
// and percent-encoded but for the unreserved characters and the quotes.
func KeyText(s string) string {
	const hex = "0123456789ABCDEF"
	b := append(make([]byte, 0, len(s)+2), '\'')
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || strings.IndexByte("-._~", c) >= 0:
			b = append(b, c)
		case c == '\'':
			b = append(b, "''"...)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(append(b, '\''))
}
