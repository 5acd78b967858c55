package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// concat plans concat(…). The rows of its parts get the columns of all of them,
// one that says which part a row is of, for the order, and one that says which
// structure it has, for what it shows.
func (a *applier) concat(r *Read, t *uri.ApplyConcat) (*Read, error) {
	r = a.derive(r)
	c := &Concat{With: a.shared(r.Var.From)}
	reads := 0
	m := &merger{applier: a}
	for _, s := range t.Sequences {
		part, err := a.sequence(again(r, c.With), s)
		if err != nil {
			return nil, err
		}
		part = a.open(part)
		if part.Var.Shapes == nil {
			a.shapes++
			part.Var.shape = a.shapes
		}
		c.Parts = append(c.Parts, part)
		m.add(part.Var.Struct)
		reads += part.Var.reads
	}
	place, shape := a.property("", edm.Int64), a.property("", edm.Int64)
	place.Nullable, shape.Nullable = false, false
	s, err := m.merge(t)
	if err != nil {
		return nil, err
	}
	c.Struct = s.Derive(append([]*edm.Property{place}, s.Key...), s.Properties, s.Navigation)
	v := &Var{Struct: c.Struct, From: c, hidden: r.Var.hidden, unguarded: r.Var.unguarded, repeats: true, reads: reads}
	next := &Read{Var: v, Limit: -1, Order: []Order{{&Prop{Var: v, Prop: place}, false}}}
	v.Shapes = &Shapes{Prop: shape}
	for i, part := range c.Parts {
		v.Shapes.add(v, part.Var, m.maps[i])
		for _, o := range a.source(c, i, part, m.maps[i], place, shape) {
			next.Order = append(next.Order, Order{&Prop{Var: v, Prop: o.X.(*Prop).Prop}, o.Desc})
		}
	}
	for i, s := range c.Sources { // later parts have brought columns
		c.Sources[i] = append(s, make([]Expr, len(c.Columns)-len(s))...)
	}
	return next, a.bounded(v, t)
}

// again returns a further read of what is shared.
func again(r *Read, with *Shared) *Read {
	v := *r.Var
	v.From, v.Joins = with, nil
	v.Shapes = r.Var.Shapes.over(&v, func(s *edm.Struct) *edm.Struct { return s })
	next := &Read{Var: &v, Limit: -1}
	for _, o := range r.Order {
		next.Order = append(next.Order, Order{&Prop{Var: &v, Prop: o.X.(*Prop).Prop}, o.Desc})
	}
	return next
}

// source adds to c what the i-th part gives its columns, and returns the order
// of the part in them.
func (a *applier) source(c *Concat, i int, part *Read, m map[*edm.Property]*edm.Property, place, shape *edm.Property) []Order {
	row := make([]Expr, len(c.Columns))
	set := func(p *edm.Property, x Expr) {
		n := slices.Index(c.Columns, p)
		if n < 0 {
			c.Columns, row, n = append(c.Columns, p), append(row, nil), len(row)
		}
		row[n] = x
	}
	set(place, newConst(0, edm.Int64, int64(i)))
	if s := part.Var.Shapes; s != nil {
		set(shape, &Prop{Var: part.Var, Prop: s.Prop})
	} else {
		set(shape, newConst(0, edm.Int64, int64(part.Var.shape)))
	}
	for _, p := range part.Var.Struct.Columns() {
		set(m[p], &Prop{Var: part.Var, Prop: p})
	}
	var order []Order
	for _, o := range part.Order {
		p := hold(a.property("", nil), o.X)
		set(p, o.X)
		order = append(order, Order{&Prop{Prop: p}, o.Desc})
	}
	c.Sources = append(c.Sources, row)
	return order
}

// add adds the shapes of a part: its own, where its rows have several.
func (s *Shapes) add(v, part *Var, m map[*edm.Property]*edm.Property) {
	parts := []*Var{part}
	if part.Shapes != nil {
		parts = part.Shapes.Vars
	}
	for _, x := range parts {
		s.Vars = append(s.Vars, &Var{
			Struct: mapped(x.Struct, m), Row: v, Expand: x.Expand, hidden: x.hidden, unguarded: x.unguarded, shape: x.shape,
		})
	}
}

// merger makes one type of those of the parts of a concatenation. Maps give for
// each part what its properties became.
type merger struct {
	*applier
	structs []*edm.Struct
	maps    []map[*edm.Property]*edm.Property
}

func (m *merger) add(s *edm.Struct) {
	m.structs = append(m.structs, s)
	m.maps = append(m.maps, map[*edm.Property]*edm.Property{})
}

// merge returns the type. What two parts give in different ways, a related
// entity and some of its properties, cannot be spoken of afterwards.
func (m *merger) merge(t *uri.ApplyConcat) (*edm.Struct, error) {
	s := *m.structs[0]
	s.ETag, s.Open, s.Only, s.Dynamic, s.Transient = nil, false, []string{}, nil, true
	properties, err := m.properties(t)
	if err != nil {
		return nil, err
	}
	m.dynamic(&s)
	navigation, err := m.navigation(t)
	if err != nil {
		return nil, err
	}
	var key []*edm.Property
	for i, part := range m.structs {
		for _, p := range part.Columns() {
			if m.maps[i][p] == nil {
				m.everywhere(p, nullable(p))
			}
		}
		for _, k := range part.Key {
			if k = m.maps[i][k]; !slices.Contains(key, k) {
				key = append(key, k)
			}
		}
	}
	return s.Derive(key, properties, navigation), nil
}

// everywhere makes p become q in all parts that have it.
func (m *merger) everywhere(p, q *edm.Property) {
	for i, part := range m.structs {
		if slices.Contains(part.Columns(), p) {
			m.maps[i][p] = q
		}
	}
}

func nullable(p *edm.Property) *edm.Property {
	n := *p
	n.Nullable = true
	return &n
}

// properties merges those of one name.
func (m *merger) properties(t *uri.ApplyConcat) ([]*edm.Property, error) {
	var merged []*edm.Property
	for i, s := range m.structs {
		for _, p := range s.Properties {
			if m.maps[i][p] != nil {
				continue
			}
			one := p
			for _, other := range m.structs {
				q, ok := other.Property(p.Name), true
				switch q {
				case p:
				case nil:
					one = nullable(one)
				default:
					one, ok = m.union(one, q)
				}
				if !ok {
					return nil, m.errorf(t, "%s is %s in one part and %s in another", p.Name, p.Type, q.Type)
				}
			}
			for k, other := range m.structs {
				if q := other.Property(p.Name); q != nil {
					m.maps[k][q] = one
				}
			}
			merged = append(merged, one)
		}
	}
	return merged, nil
}

// union returns a property that holds the values of both.
func (m *merger) union(p, q *edm.Property) (*edm.Property, bool) {
	if p.JSON || q.JSON {
		return nil, false
	}
	t := p.Type
	if t != q.Type {
		pt, ok1 := p.Type.(edm.Primitive)
		qt, ok2 := q.Type.(edm.Primitive)
		if !ok1 || !ok2 || !pt.IsNumeric() || !qt.IsNumeric() {
			return nil, false
		}
		t = max(pt, qt) // integers, then Decimal, then Double
	}
	u := m.property(p.Name, t)
	u.Dynamic = p.Dynamic || q.Dynamic
	if p.Minor && q.Minor && p.Scale == q.Scale {
		u.Minor, u.Scale = true, p.Scale
	}
	return u, true
}

// dynamic merges where dynamic properties are kept.
func (m *merger) dynamic(s *edm.Struct) {
	var one *edm.Property
	for _, part := range m.structs {
		switch {
		case part.Dynamic == nil:
		case one == nil:
			one = nullable(part.Dynamic)
		case one.Column != part.Dynamic.Column:
			one = m.property("", nil)
			one.JSON = true
		}
	}
	for i, part := range m.structs {
		if part.Dynamic == nil {
			continue
		}
		m.maps[i][part.Dynamic] = one
		s.Open, s.Dynamic = true, one
		if part.Only == nil {
			s.Only = nil
		} else if s.Only != nil {
			s.Only = append(s.Only, part.Only...)
		}
	}
}

// navigation merges the navigation properties of one name.
func (m *merger) navigation(t *uri.ApplyConcat) ([]*edm.Navigation, error) {
	var merged []*edm.Navigation
	seen := map[string]bool{}
	for _, s := range m.structs {
		for _, n := range s.Navigation {
			if seen[n.Name] {
				continue
			}
			seen[n.Name] = true
			one, err := m.oneNavigation(t, n)
			if err != nil {
				return nil, err
			}
			if one != nil {
				merged = append(merged, one)
			}
		}
	}
	return merged, nil
}

// oneNavigation merges those called like n, or returns nil where they differ.
func (m *merger) oneNavigation(t *uri.ApplyConcat, n *edm.Navigation) (*edm.Navigation, error) {
	inside := &merger{applier: m.applier}
	one := *n
	if !n.Inline() {
		one.Local = nullable(n.Local)
	}
	for i, s := range m.structs {
		other := s.Nav(n.Name)
		switch {
		case other == nil:
			continue
		case other.Inline() != n.Inline():
			return nil, nil
		case n.Inline():
			inside.structs, inside.maps = append(inside.structs, other.Target), append(inside.maps, m.maps[i])
			continue
		}
		switch known := m.maps[i][other.Local]; {
		case known == nil: // a hidden column
			m.maps[i][other.Local] = one.Local
		case one.Local.Column != known.Column:
			return nil, nil
		default:
			one.Local = known
		}
	}
	var err error
	if n.Inline() {
		one.Target, err = inside.inline(t)
	}
	return &one, err
}

// inline merges types of what is held in the same row. Whether there is an
// entity is one column for all of them.
func (m *merger) inline(t *uri.ApplyConcat) (*edm.Struct, error) {
	present := m.property("", edm.Boolean)
	for i, s := range m.structs {
		m.maps[i][s.Key[0]] = present
	}
	return m.merge(t)
}

// mapped returns s with its properties replaced as m says.
func mapped(s *edm.Struct, m map[*edm.Property]*edm.Property) *edm.Struct {
	properties := make([]*edm.Property, 0, len(s.Properties))
	for _, p := range s.Properties {
		if n := m[p]; n != nil {
			properties = append(properties, n)
		} else {
			properties = append(properties, p)
		}
	}
	key := make([]*edm.Property, 0, len(s.Key))
	for _, k := range s.Key {
		key = append(key, m[k])
	}
	navigation := make([]*edm.Navigation, 0, len(s.Navigation))
	for _, n := range s.Navigation {
		c := *n
		if n.Inline() {
			c.Target = mapped(n.Target, m)
		} else {
			c.Local = m[n.Local]
		}
		navigation = append(navigation, &c)
	}
	d := s.Derive(key, properties, navigation)
	if s.ETag != nil {
		d.ETag = m[s.ETag]
	}
	if s.Dynamic != nil {
		d.Dynamic = m[s.Dynamic]
	}
	return d
}
