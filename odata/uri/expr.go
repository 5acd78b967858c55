package uri

import (
	"strings"

	"leadloop/odata/fault"
)

// ParseExpr reads a whole expression. What names the text in messages, like
// "$filter". Faults are Invalid and give the position.
func ParseExpr(text, what string, limits Limits) (Expr, error) {
	p, err := newParser(text, what, limits)
	if err != nil {
		return nil, err
	}
	e, err := p.expr(0)
	if err != nil {
		return nil, err
	}
	return e, p.end()
}

// operator returns the binary operator that t names, or 0.
func (t token) operator() Op {
	if t.kind != tokenName {
		return 0
	}
	return Op(t.of)
}

// expr reads an expression whose operators bind at least as strongly as min.
func (p *parser) expr(min uint8) (Expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for {
		op := p.tok.operator()
		if op == 0 || power[op] < min {
			p.leave()
			return left, nil
		}
		if err := p.count(); err != nil {
			return nil, err
		}
		at := At(left.Pos())
		p.next()
		var right Expr
		if op == In && p.tok.is("(") {
			right, err = p.list()
		} else {
			right, err = p.expr(power[op] + 1)
		}
		if err != nil {
			return nil, err
		}
		b := p.binaries.New()
		b.At, b.Op, b.L, b.R = at, op, left, right // faster than to copy a Binary
		left = b
	}
}

// operand reads what stands between operators.
func (p *parser) operand() (Expr, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	at := p.at()
	switch {
	case p.tok.kind == tokenLiteral:
		l := p.literals.New()
		*l = Literal{At: at, N: p.literalNumber(), Kind: LiteralKind(p.tok.of), Text: p.tok.text}
		p.next()
		return l, nil
	case p.tok.is("("):
		p.next()
		e, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	case p.tok.is("-"):
		p.next()
		x, err := p.expr(power[Neg])
		return &Unary{At: at, Op: Neg, X: x}, err
	case p.tok.kind == tokenName && len(p.tok.text) == len("not") && strings.EqualFold(p.tok.text, "not") && p.startsOperand():
		p.next()
		x, err := p.expr(power[Not])
		return &Unary{At: at, Op: Not, X: x}, err
	case p.tok.is("@"):
		p.next()
		if p.tok.kind != tokenName {
			return nil, p.unexpected("the name of a parameter alias")
		}
		a := &Alias{At: at, Name: p.tok.text}
		p.next()
		return a, nil
	case p.tok.is("$"), p.tok.kind == tokenName:
		return p.path(at)
	case p.tok.is("["):
		return p.array()
	case p.tok.kind == tokenObject:
		return p.object()
	}
	return nil, p.unexpected("an expression")
}

// startsOperand reports whether an operand may begin right after p.tok, which
// tells "not X" from a property called not.
func (p *parser) startsOperand() bool {
	start := skipSpace(p.text, p.tok.end)
	after := scan(p.text, start)
	if start == p.tok.end {
		return after.is("(")
	}
	return after.kind != tokenEnd && after.operator() == 0
}

// list reads the list of an "in", without counting its elements as nodes.
func (p *parser) list() (Expr, error) {
	l := &List{At: p.at()}
	p.next()
	nodes := p.nodes
	for !p.tok.is(")") {
		if len(l.Items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		if p.listed++; p.listed > p.limits.List {
			return nil, p.errorf("more than %d elements of lists (limit List)", p.limits.List)
		}
		p.nodes = nodes
		item, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, item)
	}
	p.next()
	return l, nil
}

// array reads a JSON array of strings, numbers, true, false and null, as the value
// of a parameter alias may be.
func (p *parser) array() (Expr, error) {
	l := &List{At: p.at(), JSON: true}
	for p.next(); !p.tok.is("]"); {
		if len(l.Items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		if len(l.Items) >= p.limits.List {
			return nil, p.errorf("a list of more than %d elements (limit List)", p.limits.List)
		}
		switch p.tok.kind {
		case tokenLiteral:
			l.Items = append(l.Items, &Literal{At: p.at(), N: p.literalNumber(), Kind: LiteralKind(p.tok.of), Text: p.tok.text})
		case tokenObject:
			o, err := p.object()
			if err != nil {
				return nil, err
			}
			l.Items = append(l.Items, o)
			continue
		default:
			return nil, p.unexpected("a value")
		}
		p.next()
	}
	p.next()
	return l, nil
}

// path reads a member path or a function call.
func (p *parser) path(at At) (Expr, error) {
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	var x Expr
	if p.tok.is("(") && !p.spaced {
		x, err = p.call(at, name)
	} else {
		n := p.names.New()
		*n = Name{At: at, Name: name}
		x = n
	}
	for err == nil && p.tok.is("/") {
		p.next()
		if err = p.count(); err == nil {
			x, err = p.member(x)
		}
	}
	return x, err
}

// name reads an identifier, or $identifier.
func (p *parser) name() (string, error) {
	start, dollar := p.start, p.tok.is("$")
	if dollar {
		p.next()
	}
	if p.tok.kind != tokenName || dollar && p.spaced {
		return "", p.unexpected("a name")
	}
	name := p.text[start:p.tok.end]
	p.next()
	return name, nil
}

// member reads what follows a slash.
func (p *parser) member(x Expr) (Expr, error) {
	at := p.at()
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	called := p.tok.is("(") && !p.spaced
	switch {
	case called && strings.EqualFold(name, "any"):
		return p.lambda(x, at, false)
	case called && strings.EqualFold(name, "all"):
		return p.lambda(x, at, true)
	case name == "$count":
		return p.countOf(x, at, called)
	case strings.HasPrefix(name, "$"):
		return nil, Errorf(p.what, at, "%s cannot stand here", name)
	case called && isRoot(x):
		key, err := p.arguments()
		return &Entity{At: At(x.Pos()), Set: name, Key: key}, err
	case called:
		return nil, fault.Newf(fault.NotImplemented, "%s, position %d: bound functions in expressions are not served", p.what, at).At(p.what)
	}
	return &Member{At: at, X: x, Name: name}, nil
}

func (p *parser) lambda(x Expr, at At, all bool) (Expr, error) {
	l := &Lambda{At: at, X: x, All: all}
	p.next()
	if !all && p.tok.is(")") {
		p.next()
		return l, nil
	}
	if p.tok.kind != tokenName {
		return nil, p.unexpected("the name of a range variable")
	}
	l.Var = p.tok.text
	p.next()
	err := p.expect(":")
	if err == nil {
		l.Body, err = p.expr(0)
	}
	if err == nil {
		err = p.expect(")")
	}
	return l, err
}

// countOf reads the options that may follow $count.
func (p *parser) countOf(x Expr, at At, called bool) (Expr, error) {
	c := &Count{At: at, X: x}
	if !called {
		return c, nil
	}
	given := map[string]bool{}
	for first := true; first || p.tok.is(";"); first = false {
		p.next()
		option, err := p.optionName()
		if err != nil {
			return nil, err
		}
		if given[option] {
			return nil, p.errorf("%s is given twice", option)
		}
		given[option] = true
		switch option {
		case "$filter":
			c.Filter, err = p.expr(0)
		case "$search":
			c.Search, err = p.search()
		default:
			err = Errorf(p.what, at, "%s cannot stand inside $count", option)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, p.expect(")")
}

func (p *parser) call(at At, name string) (Expr, error) {
	c := newCall(at, name)
	p.next()
	for !p.tok.is(")") {
		if len(c.Args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		arg, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		c.Args = append(c.Args, arg)
		// The arms of a case are pairs (URL Conventions 4.01, section 5.1.1.11).
		if p.tok.is(":") && strings.EqualFold(name, "case") {
			p.next()
			if arg, err = p.expr(0); err != nil {
				return nil, err
			}
			c.Args = append(c.Args, arg)
		}
	}
	p.next()
	return c, nil
}
