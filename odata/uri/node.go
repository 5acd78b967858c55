// Package uri reads the text of OData URLs (OData URL Conventions 4.01 and its
// ABNF): resource paths, query options and expressions. It turns text into
// syntax and needs no model: whether a name exists, and of what type it is, is
// the business of package plan.
//
// Expression nodes are a sealed set of structs, told apart by type switch. Each
// knows the position of its first character in the text, and its String gives
// text that parses to an equal tree.
package uri

import "strings"

// Expr is a node of an expression.
type Expr interface {
	// Pos is the 1-based position, in characters, in the text parsed.
	Pos() int
	String() string
	expr()
}

// At is the position of a node, embedded in every node.
type At int32

// Pos returns the position.
func (a At) Pos() int { return int(a) }

// LiteralKind says what form a literal was written in.
type LiteralKind uint8

// The forms of literals.
const (
	NullLiteral LiteralKind = iota
	BooleanLiteral
	IntegerLiteral
	DecimalLiteral // with a fraction
	DoubleLiteral  // with an exponent, INF, NaN
	StringLiteral
	DateLiteral
	TimeOfDayLiteral
	DateTimeOffsetLiteral
	DurationLiteral
	GuidLiteral
	BinaryLiteral
	GeoLiteral
	EnumLiteral // with its type's name: see Literal.Enum
)

type (
	// Literal is a primitive literal. Text is its value: without quotes,
	// prefix and escapes, except of a GeoLiteral or an EnumLiteral, which keep
	// them.
	Literal struct {
		At
		N    int32 // its number among the literals of a Shape, from 1; 0: it is in none
		Kind LiteralKind
		Text string
	}

	// Name is the first segment of a member path: a property, a range
	// variable, or $it, $this, $root.
	Name struct {
		At
		Name string
	}

	// Member is a further segment: X/Name.
	Member struct {
		At
		X    Expr
		Name string
	}

	// Entity is $root/Set(Key), an entity of the service whatever the expression
	// speaks of.
	Entity struct {
		At
		Set string
		Key []Argument
	}

	// Alias is a parameter alias, @Name.
	Alias struct {
		At
		Name string
	}

	// Call calls a function, by its name or its qualified name.
	Call struct {
		At
		Func string
		Args []Expr
	}

	// Unary is "not X" or "-X".
	Unary struct {
		At
		Op Op
		X  Expr
	}

	// Binary is "L op R".
	Binary struct {
		At
		Op   Op
		L, R Expr
	}

	// Object is a JSON object, as it was written.
	Object struct {
		At
		Text string
	}

	// List is the parenthesised list on the right of "in", or a JSON array.
	List struct {
		At
		Items []Expr
		JSON  bool
	}

	// Lambda is X/any(Var:Body) or X/all(Var:Body); any() has no Body.
	Lambda struct {
		At
		X    Expr
		All  bool
		Var  string
		Body Expr
	}

	// Count is X/$count, where the collection may be narrowed by a filter and a
	// search.
	Count struct {
		At
		X      Expr
		Filter Expr
		Search Search
	}
)

func (*Literal) expr() {}
func (*Name) expr()    {}
func (*Member) expr()  {}

func (*Entity) expr() {}

func (*Alias) expr()  {}
func (*Call) expr()   {}
func (*Unary) expr()  {}
func (*Binary) expr() {}
func (*List) expr()   {}

func (*Object) expr() {}

func (*Lambda) expr() {}
func (*Count) expr()  {}

// Op is an operator.
type Op uint8

// The operators, from the weakest to the strongest.
const (
	_ Op = iota
	Or
	And
	Eq
	Ne
	Gt
	Ge
	Lt
	Le
	Add
	Sub
	Mul
	Div
	DivBy
	Mod
	Has
	In
	Not
	Neg
)

var opNames = [...]string{
	Or: "or", And: "and", Eq: "eq", Ne: "ne", Gt: "gt", Ge: "ge", Lt: "lt", Le: "le", Add: "add", Sub: "sub",
	Mul: "mul", Div: "div", DivBy: "divby", Mod: "mod", Has: "has", In: "in", Not: "not", Neg: "-",
}

func (o Op) String() string { return opNames[o] }

// power is how strongly a binary operator binds (URL Conventions 4.01, section
// 5.1.1.16, operator precedence).
var power = [...]uint8{
	Or: 1, And: 2, Eq: 3, Ne: 3, Gt: 4, Ge: 4, Lt: 4, Le: 4, Add: 5, Sub: 5,
	Mul: 6, Div: 6, DivBy: 6, Mod: 6, Not: 7, Neg: 7, Has: 8, In: 8,
}

func (l *Literal) String() string {
	switch l.Kind {
	case StringLiteral:
		return Quote(l.Text)
	case DurationLiteral:
		return "duration" + Quote(l.Text)
	case BinaryLiteral:
		return "binary" + Quote(l.Text)
	}
	return l.Text
}

// Enum is the qualified name of an EnumLiteral's type, and its value.
func (l *Literal) Enum() (typeName, value string) {
	typeName, value, _ = strings.Cut(l.Text, "'")
	return typeName, strings.ReplaceAll(strings.TrimSuffix(value, "'"), "''", "'")
}

// Quote writes s as a string literal.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (n *Name) String() string   { return n.Name }
func (m *Member) String() string { return m.X.String() + "/" + m.Name }
func (a *Alias) String() string  { return "@" + a.Name }
func (c *Call) String() string   { return c.Func + "(" + join(c.Args) + ")" }

func (e *Entity) String() string {
	key := make([]string, len(e.Key))
	for i, k := range e.Key {
		key[i] = k.Value.String()
		if k.Name != "" {
			key[i] = k.Name + "=" + key[i]
		}
	}
	return "$root/" + e.Set + "(" + strings.Join(key, ",") + ")"
}

func (o *Object) String() string { return o.Text }

func (l *List) String() string {
	if l.JSON {
		return "[" + join(l.Items) + "]"
	}
	return "(" + join(l.Items) + ")"
}

func (u *Unary) String() string {
	if u.Op == Neg {
		x := operand(u.X, power[Neg])
		if isDigit(x[0]) || strings.HasPrefix(x, "INF") {
			return "- " + x // not one negative literal
		}
		return "-" + x
	}
	return "not " + operand(u.X, power[Not])
}

func (b *Binary) String() string {
	// Operators of one strength associate to the left, so the right operand
	// needs parentheses where it is of the same strength.
	return operand(b.L, power[b.Op]) + " " + b.Op.String() + " " + operand(b.R, power[b.Op]+1)
}

// operand prints x, in parentheses if it binds weaker than min.
func operand(x Expr, min uint8) string {
	var p uint8 = 9
	switch x := x.(type) {
	case *Binary:
		p = power[x.Op]
	case *Unary:
		p = power[x.Op]
	}
	if p < min {
		return "(" + x.String() + ")"
	}
	return x.String()
}

func (l *Lambda) String() string {
	name := "any"
	if l.All {
		name = "all"
	}
	if l.Body == nil {
		return l.X.String() + "/" + name + "()"
	}
	return l.X.String() + "/" + name + "(" + l.Var + ":" + l.Body.String() + ")"
}

func (c *Count) String() string {
	var options []string
	if c.Filter != nil {
		options = append(options, "$filter="+c.Filter.String())
	}
	if c.Search != nil {
		options = append(options, "$search="+c.Search.String())
	}
	if options == nil {
		return c.X.String() + "/$count"
	}
	return c.X.String() + "/$count(" + strings.Join(options, ";") + ")"
}

func join(list []Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = e.String()
	}
	return strings.Join(parts, ",")
}
