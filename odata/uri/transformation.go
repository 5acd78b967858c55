package uri

import (
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// unserved are the transformations of the specification that are not served.
var unserved = map[string]bool{
	"topsum": true, "toppercent": true, "bottomsum": true, "bottompercent": true, "join": true, "outerjoin": true,
	"nest": true, "addnested": true, "ancestors": true, "descendants": true, "traverse": true, "expand": true,
}

// transformations reads a sequence of transformations.
func (p *parser) transformations() (s []Transformation, err error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	for {
		if p.applied++; p.applied > p.limits.Transformations {
			return nil, p.errorf("more than %d transformations (limit Transformations)", p.limits.Transformations)
		}
		t, err := p.transformation()
		if err != nil {
			return nil, err
		}
		s = append(s, t)
		if !p.tok.is("/") {
			return s, nil
		}
		p.next()
	}
}

func (p *parser) transformation() (Transformation, error) {
	at := p.at()
	if p.tok.kind != tokenName {
		return nil, p.unexpected("a transformation")
	}
	name := p.tok.text
	if unserved[name] || strings.Contains(name, ".") {
		return nil, p.notServed(at, "the transformation "+name)
	}
	read, known := transformationReaders[name]
	if !known && name != "identity" {
		return nil, Errorf(p.what, at, "there is no transformation %q", name)
	}
	if name == "search" {
		return p.searchText(at)
	}
	p.next()
	if name == "identity" {
		return &ApplyIdentity{at}, nil
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	t, err := read(p, at)
	if err != nil {
		return nil, err
	}
	return t, p.expect(")")
}

func (p *parser) notServed(at At, what string) error {
	return fault.Newf(fault.NotImplemented, "%s, position %d: %s is not served", p.what, at, what).At(p.what)
}

// transformationReaders read what stands in the parentheses.
var transformationReaders map[string]func(p *parser, at At) (Transformation, error)

// The table refers to methods that refer to the table.
func init() {
	topCount := func(bottom bool) func(p *parser, at At) (Transformation, error) {
		return func(p *parser, at At) (Transformation, error) { return p.topCount(at, bottom) }
	}
	top := func(skip bool) func(p *parser, at At) (Transformation, error) {
		return func(p *parser, at At) (Transformation, error) {
			n, err := p.number()
			if err != nil {
				return nil, err
			}
			return &ApplyTop{at, skip, *n}, nil
		}
	}
	transformationReaders = map[string]func(p *parser, at At) (Transformation, error){
		"search":      nil, // reads its own parentheses
		"topcount":    topCount(false),
		"bottomcount": topCount(true),
		"top":         top(false),
		"skip":        top(true),
		"groupby":     (*parser).groupBy,
		"concat":      (*parser).concat,
		"filter": func(p *parser, at At) (Transformation, error) {
			x, err := p.expr(0)
			return &ApplyFilter{at, x}, err
		},
		"orderby": func(p *parser, at At) (Transformation, error) {
			items, err := p.orderBy()
			return &ApplyOrderBy{at, items}, err
		},
		"compute": func(p *parser, at At) (Transformation, error) {
			items, err := commaList(p, (*parser).aliased)
			return &ApplyCompute{at, items}, err
		},
		"aggregate": func(p *parser, at At) (Transformation, error) {
			items, err := commaList(p, (*parser).aggregateItem)
			return &ApplyAggregate{at, items}, err
		},
	}
}

// commaList reads one item or more.
func commaList[T any](p *parser, read func(*parser) (T, error)) (items []T, err error) {
	for {
		item, err := read(p)
		if err != nil {
			return nil, err
		}
		if len(items) >= p.limits.Items {
			return nil, p.tooMany()
		}
		items = append(items, item)
		if !p.tok.is(",") {
			return items, nil
		}
		p.next()
	}
}

// keyword takes the word w, which stands between white space.
func (p *parser) keyword(w string) error {
	if p.tok.kind != tokenName || p.tok.text != w || !p.spaced {
		return p.unexpected(strconv.Quote(w))
	}
	p.next()
	return nil
}

// alias reads "as Alias". An alias is a simple identifier (CSDL 4.01, section
// 17.2).
func (p *parser) alias() (string, error) {
	if err := p.keyword("as"); err != nil {
		return "", err
	}
	name := p.tok.text
	if p.tok.kind != tokenName || strings.Contains(name, ".") || !p.spaced {
		return "", p.unexpected("an alias")
	}
	if len([]rune(name)) > 128 {
		return "", p.errorf("an alias of more than 128 characters")
	}
	p.next()
	return name, nil
}

func (p *parser) aliased() (a Aliased, err error) {
	a.At = p.at()
	if a.X, err = p.expr(0); err == nil {
		a.Alias, err = p.alias()
	}
	return a, err
}

func (p *parser) aggregateItem() (i AggregateItem, err error) {
	i.At = p.at()
	if i.X, err = p.expr(0); err != nil {
		return i, err
	}
	if !counts(i.X) || p.tok.kind == tokenName && p.tok.text == "with" {
		if err = p.keyword("with"); err != nil {
			return i, err
		}
		if i.Method, err = p.method(); err != nil {
			return i, err
		}
	}
	if p.tok.kind == tokenName && p.tok.text == "from" {
		return i, p.notServed(p.at(), "the keyword from")
	}
	i.Alias, err = p.alias()
	return i, err
}

// counts reports whether x is $count, or a path that ends in it.
func counts(x Expr) bool {
	switch x := x.(type) {
	case *Name:
		return x.Name == "$count"
	case *Count:
		return true
	}
	return false
}

// methods are the standard aggregation methods.
var methods = map[string]bool{"sum": true, "min": true, "max": true, "average": true, "countdistinct": true}

func (p *parser) method() (string, error) {
	name := p.tok.text
	switch {
	case p.tok.kind != tokenName:
		return "", p.unexpected("an aggregation method")
	case strings.Contains(name, "."):
		return "", p.notServed(p.at(), "the aggregation method "+name)
	case !methods[name]:
		return "", p.errorf("there is no aggregation method %q", name)
	}
	p.next()
	return name, nil
}

func (p *parser) topCount(at At, bottom bool) (Transformation, error) {
	t := &ApplyTopCount{At: at, Bottom: bottom}
	if p.tok.is("$") {
		return nil, p.notServed(p.at(), "$these")
	}
	tok, start := p.tok, p.start
	n, err := p.number()
	if err == nil && *n == 0 {
		p.tok, p.start = tok, start
		err = p.unexpected("a whole number of at least 1")
	}
	if err == nil && p.tok.operator() != 0 {
		err = p.notServed(p.at(), "an expression as the number")
	}
	if err == nil {
		t.N = *n
		err = p.expect(",")
	}
	if err == nil {
		t.X, err = p.expr(0)
	}
	return t, err
}

func (p *parser) groupBy(at At) (Transformation, error) {
	t := &ApplyGroupBy{At: at}
	err := p.expect("(")
	if err == nil {
		t.Paths, err = commaList(p, (*parser).groupingPath)
	}
	if err == nil {
		err = p.expect(")")
	}
	if err == nil && p.tok.is(",") {
		p.next()
		t.Sequence, err = p.transformations()
	}
	return t, err
}

// groupingPath reads a path of names.
func (p *parser) groupingPath() (Expr, error) {
	at := p.at()
	if p.tok.kind != tokenName {
		return nil, p.unexpected("a property")
	}
	if name := p.tok.text; name == "rollup" || name == "rolluprecursive" {
		return nil, p.notServed(at, name)
	}
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	for step := x; ; {
		switch s := step.(type) {
		case *Name:
			return x, nil
		case *Member:
			step = s.X
		default:
			return nil, Errorf(p.what, at, "only a path of properties can be grouped by, not %s", x)
		}
	}
}

func (p *parser) concat(at At) (Transformation, error) {
	sequences, err := commaList(p, (*parser).transformations)
	if err == nil && len(sequences) < 2 {
		err = p.unexpected(`","`)
	}
	return &ApplyConcat{at, sequences}, err
}

// searchText reads search(…). What is in the parentheses is text of its own
// grammar, in which quotes hide parentheses.
func (p *parser) searchText(at At) (Transformation, error) {
	p.next()
	if !p.tok.is("(") {
		return nil, p.unexpected(`"("`)
	}
	depth, quote := 0, byte(0)
	for i := p.start; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				t := &ApplySearch{at, strings.TrimSpace(p.text[p.tok.end:i])}
				if t.Text == "" {
					return nil, p.errorf("a search expression is needed")
				}
				p.tok, p.start = token{kind: tokenPunct, end: i + 1, text: ")"}, i
				p.next()
				return t, nil
			}
		}
	}
	return nil, p.errorf("the parenthesis opened here is not closed")
}
