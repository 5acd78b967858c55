package odata

import (
	"reflect"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/uri"
)

// literals are the forms of the literals of the types that keys may have.
var literals = map[edm.Primitive]uri.LiteralKind{
	edm.Boolean: uri.BooleanLiteral, edm.String: uri.StringLiteral, edm.Guid: uri.GuidLiteral,
	edm.Int16: uri.IntegerLiteral, edm.Int32: uri.IntegerLiteral, edm.Int64: uri.IntegerLiteral,
	edm.Decimal: uri.DecimalLiteral, edm.Double: uri.DoubleLiteral,
	edm.Date: uri.DateLiteral, edm.TimeOfDay: uri.TimeOfDayLiteral,
	edm.DateTimeOffset: uri.DateTimeOffsetLiteral, edm.Duration: uri.DurationLiteral,
}

// keyArguments are the key of the entity v, as a URL would give it.
func keyArguments(s *edm.Struct, v reflect.Value) []uri.Argument {
	args := make([]uri.Argument, len(s.Key))
	for i, p := range s.Key {
		l := &uri.Literal{Kind: literals[p.Type.(edm.Primitive)]}
		if text, ok := p.Value(v).(string); ok {
			l.Text = text
		} else {
			var e payload.Encoder
			e.Value(p.Type, p.Field(v))
			l.Text = strings.Trim(string(e.Bytes()), `"`)
		}
		args[i] = uri.Argument{Name: p.Name, Value: l}
	}
	return args
}

// keyed sets the key properties of a new entity to what the address t gives,
// and returns their names.
func (q *request) keyed(t *target, entity any) (names []string, err error) {
	v := reflect.ValueOf(entity).Elem()
	for _, arg := range t.key {
		p := t.set.Type.Key[0]
		if arg.Name != "" {
			p = t.set.Type.Property(arg.Name)
		}
		value := arg.Value
		if a, ok := value.(*uri.Alias); ok {
			if value, err = uri.ParseExpr(q.query.Aliases[a.Name], "@"+a.Name, q.s.Limits.Expr); err != nil {
				return nil, err
			}
		}
		l, ok := value.(*uri.Literal)
		if !ok || !payload.Text(p, l.Text, p.Field(v)) {
			return nil, notFound(t)
		}
		names = append(names, p.Name)
	}
	return names, nil
}

// entityByID finds what an entity-id leads to, absolute or relative to the
// service root (Protocol 4.01, section 4.1). It must be one of want's entities.
func (q *request) entityByID(id string, want *edm.Struct) (*target, error) {
	bad := fault.Newf(fault.Invalid, "%q is not the id of an entity of type %s", id, want.Name)
	t, err := q.locate(id)
	if err != nil || t.set.Type != want {
		return nil, bad
	}
	return t, nil
}

// byID reads the entity that an entity-id in the body leads to. One that is not
// there, or that the caller may not see, is Invalid.
func (c *changes) byID(nav *edm.Navigation, id string) (any, error) {
	t, err := c.q.entityByID(id, nav.Target)
	if err != nil {
		return nil, err
	}
	entity, err := c.q.fetch(t)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, fault.Newf(fault.Invalid, "there is no entity %s", id)
	}
	return entity, err
}

// known reads the entity that o stands for, by its id or its key.
func (c *changes) known(x *set, o *payload.Object) (any, error) {
	entity, identified, err := c.find(x, o)
	if err == nil && entity == nil {
		if identified {
			return nil, fault.Newf(fault.Invalid, "%s has no entity with this key", x.Name)
		}
		return nil, fault.New(fault.Invalid, "it needs the entity's id or key")
	}
	return entity, err
}

// find reads the entity that o identifies, by its id or its key. Entity is nil
// where there is none, or none that the caller may see.
func (c *changes) find(x *set, o *payload.Object) (entity any, identified bool, err error) {
	control, err := o.Control()
	if err != nil {
		return nil, false, err
	}
	keyed := reflect.New(x.Type.GoType).Elem()
	given := 0
	for _, p := range x.Type.Key {
		value, ok := o.Member(p.Name)
		if !ok {
			continue
		}
		given++
		if err := c.q.decoder(payload.Create, nil).Property(value, p, p.Field(keyed)); err != nil {
			return nil, false, err
		}
	}
	t := &target{set: x, single: true, key: keyArguments(x.Type, keyed)}
	switch {
	case control.ID != "":
		if t, err = c.q.entityByID(control.ID, x.Type); err != nil {
			return nil, true, err
		}
	case given < len(x.Type.Key):
		return nil, false, nil
	}
	entity, err = c.q.fetch(t)
	if fault.CodeOf(err) == fault.NotFound {
		return nil, true, nil
	}
	if err == nil && control.ID != "" && given == len(x.Type.Key) && payload.KeyPath(x.Type, keyed) != payload.KeyPath(x.Type, reflect.ValueOf(entity).Elem()) {
		err = fault.New(fault.Invalid, "the id and the key are those of two entities")
	}
	return entity, true, err
}
