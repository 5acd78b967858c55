package eval

import (
	"reflect"
	"regexp"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// dynamic finds a value inside JSON and takes it as the type wanted.
func (c *compiler) dynamic(e *plan.Dyn) closure {
	find := c.find(e)
	p, primitive := e.T.(edm.Primitive)
	if !primitive {
		return find
	}
	as := dynamicAs(p)
	return func(f *frame) any {
		if v := find(f); v != nil {
			return as(v)
		}
		return nil
	}
}

func (c *compiler) find(e *plan.Dyn) closure {
	path := e.Path
	switch {
	case e.Column == nil:
		i := c.elements[e.Var]
		return func(f *frame) any { return walk(f.elements[i], path) }
	case e.Column == e.Var.Struct.Dynamic:
		return func(f *frame) any { return walk(f.record.dynamic[path[0]], path[1:]) }
	}
	i := e.Column.Index
	return func(f *frame) any { return walk(f.record.values[i], path) }
}

// walk follows a path into maps and structs; nil where it leads nowhere.
func walk(v any, path []string) any {
	for _, name := range path {
		x := reflect.ValueOf(v)
		for x.Kind() == reflect.Pointer {
			x = x.Elem()
		}
		switch x.Kind() {
		case reflect.Map:
			x = x.MapIndex(reflect.ValueOf(name))
		case reflect.Struct:
			x = x.FieldByName(name)
		default:
			return nil
		}
		if !x.IsValid() {
			return nil
		}
		v = x.Interface()
	}
	if v == nil {
		return nil
	}
	if x := reflect.ValueOf(v); x.Kind() == reflect.Pointer {
		if x.IsNil() {
			return nil
		}
		v = x.Elem().Interface()
	}
	return plain(v)
}

// dynamicAs returns how a value inside JSON is taken as one of type t.
func dynamicAs(t edm.Primitive) func(any) any {
	switch {
	case t == edm.Untyped:
		return func(v any) any { return v }
	case t.IsInteger():
		return func(v any) any {
			n, _ := Number(v).(int64)
			if n == 0 && Number(v) != int64(0) {
				return nil
			}
			return n
		}
	case t == edm.Double || t == edm.Single:
		return func(v any) any {
			if n := Number(v); n != nil {
				return double(n)
			}
			return nil
		}
	case t.IsNumeric():
		return Number
	case t == edm.Boolean:
		return func(v any) any {
			switch v {
			case true, "true":
				return true
			case false, "false":
				return false
			}
			return nil
		}
	case t == edm.Date:
		return func(v any) any {
			if s, ok := v.(string); ok && dateShape.MatchString(s) {
				return s
			}
			return nil
		}
	case t == edm.String:
		return func(v any) any {
			switch v.(type) {
			case map[string]any, []any:
				return nil
			}
			return Text(v)
		}
	}
	return func(v any) any {
		switch v := v.(type) {
		case string:
			if x, ok := plan.Parse(t, v); ok {
				return x
			}
		case time.Time, uuid.UUID:
			return v
		}
		return nil
	}
}

// dateShape is the form of dates, which compare as the text they are.
var dateShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
