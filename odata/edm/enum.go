package edm

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Enumerated is implemented by Go types, over a string or an integer kind, that
// are enumeration types. A string is stored as the member's name, an integer as
// its value. Inside a column of JSON an integer kind is a plain number.
type Enumerated interface{ ODataEnum() []Member }

// Flagged is implemented by Go types over an integer kind whose values are
// combinations of members, each of them one bit.
type Flagged interface{ ODataFlags() []Member }

// Member is a member of an enumeration type.
type Member struct {
	Name        string
	Value       int64
	Description string
}

// Enum is an enumeration type (CSDL 4.01, section 8).
type Enum struct {
	Namespace, Name string
	Flags           bool
	Members         []Member
	Underlying      Primitive
	Text            bool // held as the member's name, not its value
	GoType          reflect.Type
}

func (e *Enum) String() string { return e.Namespace + "." + e.Name }
func (*Enum) isType()          {}

// Storage is the primitive type of what the column holds.
func (e *Enum) Storage() Primitive {
	if e.Text {
		return String
	}
	return Int64
}

// Parse reads a value as payloads and literals write it: a member's name, with
// flags several between commas, or the number. What it returns is of the
// Storage type.
func (e *Enum) Parse(text string) (value any, ok bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if !e.Text {
			return n, true
		}
		for _, m := range e.Members {
			if m.Value == n {
				return m.Name, true
			}
		}
	}
	if e.Text {
		return text, e.member(text) != nil
	}
	if !e.Flags {
		m := e.member(text)
		if m == nil {
			return nil, false
		}
		return m.Value, true
	}
	var sum int64
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if m := e.member(name); m != nil {
			sum |= m.Value
			continue
		}
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil, false
		}
		sum |= n
	}
	return sum, true
}

// Value is m as a value of the Storage type.
func (e *Enum) Value(m Member) any {
	if e.Text {
		return m.Name
	}
	return m.Value
}

// Number is the underlying value of a value of the Storage type.
func (e *Enum) Number(value any) (n int64, ok bool) {
	switch v := value.(type) {
	case int64:
		return v, true
	case string:
		if m := e.member(v); m != nil {
			return m.Value, true
		}
	}
	return 0, false
}

func (e *Enum) member(name string) *Member {
	for i := range e.Members {
		if e.Members[i].Name == name {
			return &e.Members[i]
		}
	}
	return nil
}

// Format writes a value of the Storage type as payloads do. A number that has
// no members is written as it is.
func (e *Enum) Format(value any) string {
	n, ok := value.(int64)
	if !ok {
		return fmt.Sprint(value)
	}
	var names []string
	left := n
	for _, m := range e.Members {
		switch {
		case m.Value == n:
			return m.Name
		case e.Flags && m.Value != 0 && n&m.Value == m.Value:
			names = append(names, m.Name)
			left &^= m.Value
		}
	}
	if len(names) == 0 || left != 0 {
		return strconv.FormatInt(n, 10)
	}
	return strings.Join(names, ",")
}

var integerTypes = map[reflect.Kind]reflect.Type{
	reflect.Int8: reflect.TypeFor[int8](), reflect.Uint8: reflect.TypeFor[uint8](), reflect.Int16: reflect.TypeFor[int16](),
	reflect.Int32: reflect.TypeFor[int32](), reflect.Int64: reflect.TypeFor[int64](), reflect.Int: reflect.TypeFor[int64](),
}

func isEnum(t reflect.Type) bool {
	v := reflect.Zero(t).Interface()
	_, enumerated := v.(Enumerated)
	_, flagged := v.(Flagged)
	return enumerated || flagged
}

// enum declares the enumeration type of a Go type, or returns nil if it is none.
func (b *Builder) enum(t reflect.Type) (Type, error) {
	if e := b.enums[t]; e != nil {
		return e, nil
	}
	e := &Enum{Namespace: b.model.Namespace, Name: t.Name(), GoType: t, Underlying: Int32, Text: t.Kind() == reflect.String}
	switch v := reflect.Zero(t).Interface().(type) {
	case Enumerated:
		e.Members = v.ODataEnum()
	case Flagged:
		e.Members, e.Flags = v.ODataFlags(), true
	default:
		return nil, nil
	}
	integer := integerTypes[t.Kind()]
	switch {
	case len(e.Members) == 0:
		return nil, fmt.Errorf("the enumeration type %s has no members", t)
	case e.Text && e.Flags, !e.Text && integer == nil:
		return nil, fmt.Errorf("the enumeration type %s cannot be a %s", t, t.Kind())
	case e.Text:
		e.number()
	default:
		underlying, err := b.scalar(integer)
		if err != nil {
			return nil, err
		}
		e.Underlying = underlying.(Primitive)
	}
	b.enums[t] = e
	b.model.Enums = append(b.model.Enums, e)
	return e, nil
}

// number gives the members of an enumeration held as text their places as
// values, unless it says which they have.
func (e *Enum) number() {
	e.Members = append([]Member(nil), e.Members...)
	for i := range e.Members {
		if e.Members[i].Value != 0 {
			return
		}
	}
	for i := range e.Members {
		e.Members[i].Value = int64(i)
	}
}
