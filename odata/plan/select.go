package plan

import (
	"maps"
	"slices"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Inner is what is shown of a complex value, or of the elements of a collection
// of values, where that is not all.
type Inner struct {
	Value   *Dyn     // the complex value or the collection
	Each    *Read    // which elements of a collection, in which order; nil: Value is none
	Element *Dyn     // what Each runs over
	Members []Member // of the complex value, or of each element; nil: all of it
}

// Member is one property of a complex value.
type Member struct {
	Name  string
	Value *Dyn
	Inner *Inner // nil: the whole value
}

// selection is the tree that the paths of $select make: Label of Parts/Label is
// below Parts, and so it is where $select=Label is an option of Parts.
type selection struct {
	at      uri.At
	name    string
	whole   bool // selected by itself
	options *uri.Query
	below   []*selection
}

// add puts an item below s. Each path may have options once.
func (s *selection) add(item *uri.SelectItem) error {
	for _, name := range append([]string{item.Name}, item.Path...) {
		i := slices.IndexFunc(s.below, func(x *selection) bool { return x.name == name })
		if i < 0 {
			s.below = append(s.below, &selection{at: item.At, name: name})
			i = len(s.below) - 1
		}
		s = s.below[i]
	}
	if item.Options.Given == nil {
		s.whole = true
		return nil
	}
	if s.options != nil {
		return uri.Errorf("$select", item.At, "%s has options twice", s.name)
	}
	s.options = &item.Options
	s.whole = s.whole || len(item.Options.Select) == 0
	return s.addAll(item.Options.Select)
}

func (s *selection) addAll(items []uri.SelectItem) error {
	for i := range items {
		if err := s.add(&items[i]); err != nil {
			return err
		}
	}
	return nil
}

// uncast takes out of the paths below s the casts to t, the type that s or its elements
// have already (URL Conventions 4.01, section 4.11).
func (s *selection) uncast(t edm.Type) error {
	if c, many := t.(edm.Collection); many {
		t = c.Of
	}
	of, structured := t.(*edm.Struct)
	if !structured {
		return nil
	}
	name := of.String()
	for {
		i := slices.IndexFunc(s.below, func(x *selection) bool { return x.name == name })
		if i < 0 {
			return nil
		}
		cast := s.below[i]
		if cast.whole || cast.options != nil {
			return uri.Errorf("$select", cast.at, "%s is a type: name a property of it", name)
		}
		s.below = slices.Delete(s.below, i, i+1)
		if err := s.merge(cast.below); err != nil {
			return err
		}
	}
}

// merge adds more below s.
func (s *selection) merge(more []*selection) error {
	for _, x := range more {
		i := slices.IndexFunc(s.below, func(y *selection) bool { return y.name == x.name })
		if i < 0 {
			s.below = append(s.below, x)
			continue
		}
		y := s.below[i]
		if x.options != nil && y.options != nil {
			return uri.Errorf("$select", x.at, "%s has options twice", x.name)
		}
		if y.whole = y.whole || x.whole; x.options != nil {
			y.options = x.options
		}
		if err := y.merge(x.below); err != nil {
			return err
		}
	}
	return nil
}

// projection resolves $select and $expand.
func (b *Binder) projection(v *Var, q *uri.Query, depth int, left *int) (Projection, error) {
	s := v.Struct
	if v.Shapes != nil {
		return b.shapes(v, q, depth, left)
	}
	show := Projection{ETag: v.ETag() != nil, Types: true}
	all := len(q.Select) == 0
	var tree selection
	if err := tree.addAll(q.Select); err != nil {
		return show, err
	}
	if err := tree.uncast(s); err != nil {
		return show, err
	}
	chosen := map[*edm.Property]bool{}
	inline := map[string]bool{}
	computed := map[string]bool{}
	for _, item := range tree.below {
		p := v.Property(item.name)
		switch {
		case item.name == "*":
			all = true
		case p != nil:
			chosen[p] = true
			if err := b.inner(v, p, item, q.Aliases, &show); err != nil {
				return show, err
			}
			continue
		case v.Computes(item.name):
			computed[item.name] = true
		case s.Nav(item.name) != nil: // its value is shown by $expand only, or else inline
			inline[item.name] = true
			show.Navs = append(show.Navs, item.name)
		default:
			dynamic, err := b.selected(s, item)
			if err != nil {
				return show, err
			}
			if dynamic {
				show.Dynamics = append(show.Dynamics, item.name)
			}
		}
		if len(item.below) > 0 || item.options != nil {
			return show, fault.Newf(fault.NotImplemented, "$select, position %d: a path into %s is not served", item.at, item.name).At("$select")
		}
	}
	for _, p := range s.Properties {
		if chosen[p] || all && v.Property(p.Name) != nil {
			show.Props = append(show.Props, p)
		}
	}
	for _, c := range v.computed {
		if all || computed[c.Name] {
			show.Computed = append(show.Computed, c)
		}
	}
	show.All = all
	if all {
		show.Dynamic, show.Dynamics = s.Open && s.Only == nil, s.Only
	}
	if err := b.nested(v, &show, inline); err != nil {
		return show, err
	}
	// The context URL lists what an aggregation has left.
	show.All = all && !s.Transient
	return show, b.expand(v, &show, q, depth, left)
}

// selected says what a name that is no property is: a dynamic property, or an
// operation, which selects nothing that is shown.
func (b *Binder) selected(s *edm.Struct, item *selection) (dynamic bool, err error) {
	switch {
	case b.Model != nil && strings.HasPrefix(item.name, b.Model.Namespace+"."):
		return false, b.qualified("$select", item.at, item.name)
	case s.TakesDynamic(item.name) && !strings.HasPrefix(item.name, "$"):
		return true, nil
	}
	return false, uri.Errorf("$select", item.at, "%s has no property %q", s.Name, item.name)
}

// qualified says what a qualified name in an item of $select or $expand is: an
// operation or all of a namespace, or a type, but not that which is there already.
func (b *Binder) qualified(what string, at uri.At, name string) error {
	namespace, short := name[:strings.LastIndexByte(name, '.')], name[strings.LastIndexByte(name, '.')+1:]
	if b.Model != nil && namespace == b.Model.Namespace {
		if b.Model.Type(short) != nil {
			return uri.Errorf(what, at, "what stands before it is no %s, and no type is derived from another", name)
		}
		operation := func(op *edm.Operation) bool { return op.Name == short }
		if short == "*" || slices.ContainsFunc(b.Model.Operations, operation) {
			return nil
		}
	}
	return uri.Errorf(what, at, "there is no type or operation %q", name)
}

// inner resolves what is shown of the property p where it has nested options or
// paths into it.
func (b *Binder) inner(v *Var, p *edm.Property, item *selection, aliases map[string]string, show *Projection) error {
	if item.options == nil && (item.whole || len(item.below) == 0) {
		return nil
	}
	if !p.JSON {
		return uri.Errorf("$select", item.at, "%s has no members and takes no options", p.Name)
	}
	in, err := b.innerOf(&Dyn{typed{item.at, p.Type}, v, p, nil}, item, aliases)
	if err != nil {
		return err
	}
	if show.Inner == nil {
		show.Inner = map[*edm.Property]*Inner{}
	}
	show.Inner[p] = in
	return nil
}

func (b *Binder) innerOf(d *Dyn, item *selection, aliases map[string]string) (*Inner, error) {
	in := &Inner{Value: d}
	if err := item.uncast(d.T); err != nil {
		return nil, err
	}
	if item.options != nil {
		aliases = inside(aliases, item.options.Aliases)
	}
	element := d
	if c, many := d.T.(edm.Collection); many {
		each := &Var{Of: d.Var, Values: d}
		each.Struct, _ = c.Of.(*edm.Struct)
		element = &Dyn{typed{d.At, c.Of}, each, nil, nil}
		in.Element = element
		var err error
		if in.Each, err = b.elements(each, item, aliases); err != nil {
			return nil, err
		}
	} else if item.options != nil {
		for _, option := range item.options.Names() {
			if option != "$select" {
				return nil, uri.Errorf("$select", item.at, "%s does not apply to %s, which is no collection", option, item.name)
			}
		}
	}
	if item.whole {
		return in, nil
	}
	for _, sub := range item.below {
		m, err := b.member(element, sub, aliases)
		if err != nil {
			return nil, err
		}
		if m == nil { // all of it
			in.Members = nil
			return in, nil
		}
		in.Members = append(in.Members, *m)
	}
	return in, nil
}

// inside are the parameter aliases that hold inside an item that has some of its
// own.
func inside(outer, own map[string]string) map[string]string {
	if len(own) == 0 {
		return outer
	}
	all := make(map[string]string, len(outer)+len(own))
	maps.Copy(all, outer)
	maps.Copy(all, own)
	return all
}

// member resolves one selected property of the complex value d; nil is "*".
func (b *Binder) member(d *Dyn, sub *selection, aliases map[string]string) (*Member, error) {
	switch {
	case sub.name == "*":
		return nil, nil
	case strings.Contains(sub.name, "."):
		if err := b.qualified("$select", sub.at, sub.name); err != nil {
			return nil, err
		}
		return nil, fault.Newf(fault.NotImplemented, "$select, position %d: %s here is not served", sub.at, sub.name).At("$select")
	}
	scope := *b
	scope.what = "$select"
	x, err := scope.into(d, sub.name, sub.at)
	if err != nil {
		return nil, err
	}
	m := &Member{Name: sub.name, Value: x.dyn}
	if sub.options != nil || !sub.whole && len(sub.below) > 0 {
		m.Inner, err = b.innerOf(x.dyn, sub, aliases)
	}
	return m, err
}

// elements plans which elements of a collection of values are shown.
func (b *Binder) elements(v *Var, item *selection, aliases map[string]string) (*Read, error) {
	r := &Read{Var: v, Limit: -1}
	q := item.options
	if q == nil {
		return r, nil
	}
	for _, option := range []string{"$search", "$compute", "$expand", "$levels"} {
		if q.Given[option] {
			return nil, fault.Newf(fault.NotImplemented, "$select, position %d: %s inside $select is not served", item.at, option).At("$select")
		}
	}
	var err error
	if q.Filter != nil {
		if r.Where, err = b.Bind(q.Filter, v, "$filter", aliases, edm.Boolean); err != nil {
			return nil, err
		}
	}
	for _, o := range q.OrderBy {
		x, err := b.Bind(o.X, v, "$orderby", aliases, nil)
		if err != nil {
			return nil, err
		}
		if t, primitive := x.Type().(edm.Primitive); !primitive || t == edm.Binary {
			return nil, uri.Errorf("$orderby", uri.At(x.Pos()), "%s has no order", x.Type())
		}
		r.Order = append(r.Order, Order{x, o.Desc})
	}
	r.Count = q.Count
	if q.Skip != nil {
		r.Offset = *q.Skip
	}
	if q.Top != nil {
		r.Limit = *q.Top
	}
	return r, nil
}
