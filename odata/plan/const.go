package plan

import (
	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

func newConst(at uri.At, t edm.Type, value any) *Const { return &Const{typed{at, t}, value, nil} }

// Value is the value, for who decides by it.
func (c *Const) Value() any {
	if c.from != nil {
		c.from.look(c.value)
	}
	return c.value
}

// Bound is the value, for who does nothing with it but bind it to a statement, and
// where it comes from in each request; the zero Source says that it is always this
// one.
func (c *Const) Bound() (any, Source) {
	if c.from == nil {
		return c.value, Source{}
	}
	return c.value, c.from.Source
}

// Fixed reports whether a Source is none: the value is the same in each request.
func (s Source) Fixed() bool { return s.from == 0 }

// Null reports whether the value is null. What differs from request to request
// never is.
func (c *Const) Null() bool { return c.from == nil && c.value == nil }

// isText reports whether the value is text, which read may read as something
// else. What is lifted may be so if its type's values are kept as they are written.
func (c *Const) isText() bool {
	if c.from != nil {
		return c.T == edm.String || c.T == edm.Date
	}
	_, ok := c.value.(string)
	return ok
}

// read reads the text of c as a value of type t; date says that it is a date,
// which is read as an instant. Nil: it is none.
func (c *Const) read(t edm.Primitive, date bool) Expr {
	text := c.value.(string)
	if date {
		text += midnight
	}
	v, ok := Parse(t, text)
	if !ok {
		c.Value()
		return nil
	}
	return &Const{typed{c.At, t}, v, c.from.reading(t, date)}
}

// float is the value of a Double.
func (c *Const) float() (f float64, ok bool) {
	if c.from != nil && !isDouble(c) {
		return 0, false
	}
	f, ok = c.Value().(float64)
	return f, ok
}
