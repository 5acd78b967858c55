package plan

import "leadloop/odata/uri"

// Nested is what is shown of a part of a row: an entity that a query grouped by
// some properties of, or one of the structures that the row may have.
type Nested struct {
	Name string
	Var  *Var
	Show Projection
}

// nested shows the entities held in v's row, all or those chosen.
func (b *Binder) nested(v *Var, show *Projection, chosen map[string]bool) error {
	for _, n := range v.Struct.Navigation {
		if !n.Inline() || !show.All && !chosen[n.Name] {
			continue
		}
		in := &Var{Struct: n.Target, Of: v, Nav: n, Row: v}
		left := 0
		part, err := b.projection(in, &uri.Query{}, 0, &left)
		if err != nil {
			return err
		}
		show.Nested = append(show.Nested, Nested{n.Name, in, part})
	}
	return nil
}

// shapes shows rows of different structure. Options may name what is not in all
// of them.
func (b *Binder) shapes(v *Var, q *uri.Query, depth int, left *int) (Projection, error) {
	var show Projection
	plain := &Var{Struct: v.Struct, Row: v, hidden: v.hidden, unguarded: v.unguarded}
	unused := *left
	if _, err := b.projection(plain, q, depth, &unused); err != nil {
		return show, err
	}
	for _, x := range v.Shapes.Vars {
		part := *q
		part.Select, part.Expand = nil, nil
		for _, item := range q.Select {
			s := x.Struct
			dynamic := s.TakesDynamic(item.Name) && v.Struct.TakesDynamic(item.Name)
			if item.Name == "*" || x.Property(item.Name) != nil || s.Nav(item.Name) != nil || dynamic {
				part.Select = append(part.Select, item)
			}
		}
		for _, item := range q.Expand {
			if item.Name == "*" || x.Struct.Nav(item.Name) != nil {
				part.Expand = append(part.Expand, item)
			}
		}
		nothing := len(q.Select) > 0 && len(part.Select) == 0
		s, err := b.projection(x, &part, depth, left)
		if err != nil {
			return show, err
		}
		if nothing {
			s = Projection{Expand: s.Expand}
		}
		show.Shapes = append(show.Shapes, Nested{"", x, s})
	}
	return show, nil
}
