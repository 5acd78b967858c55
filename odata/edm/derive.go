package edm

import "slices"

// Derive returns a structured type like s but with other properties: what a
// query that computes or groups makes of s. Key is what its instances differ in.
func (s *Struct) Derive(key, properties []*Property, navigation []*Navigation) *Struct {
	d := *s
	d.Key, d.Properties, d.Navigation = key, properties, navigation
	d.byName = make(map[string]*Property, len(properties))
	for _, p := range properties {
		d.byName[p.Name] = p
	}
	d.navs = make(map[string]*Navigation, len(navigation))
	for _, n := range navigation {
		d.navs[n.Name] = n
	}
	return &d
}

// Columns returns the properties that are held in columns of s's table: the
// declared ones, where dynamic ones are kept, the key, what navigation starts
// from and what is inline.
func (s *Struct) Columns() []*Property {
	var list []*Property
	add := func(properties ...*Property) {
		for _, p := range properties {
			if p != nil && p.Column != "" && !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	add(s.Key...)
	add(s.Properties...)
	add(s.Dynamic)
	for _, n := range s.Navigation {
		if n.Inline() {
			add(n.Target.Columns()...)
		} else {
			add(n.Local)
		}
	}
	return list
}

// Names are the names of s's properties, navigation properties and, where they
// are known, dynamic properties.
func (s *Struct) Names() []string {
	names := slices.Clone(s.Only)
	for _, p := range s.Properties {
		names = append(names, p.Name)
	}
	for _, n := range s.Navigation {
		names = append(names, n.Name)
	}
	return names
}

// TakesDynamic reports whether instances may have a dynamic property of that
// name.
func (s *Struct) TakesDynamic(name string) bool {
	return s.Open && !s.Declares(name) && (s.Only == nil || slices.Contains(s.Only, name))
}

// Inline reports whether n leads to what is held in the same row: the entity
// that a query grouped by some properties of.
func (n *Navigation) Inline() bool { return n.Local == nil }
