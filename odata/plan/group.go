package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// grouping gathers the structure of grouped instances: at the root that of the
// input type, inside that of an entity some of whose properties are grouped by.
type grouping struct {
	of         *edm.Struct
	key        []*edm.Property // of the inside alone: whether there is an entity
	properties []*edm.Property
	navigation []*edm.Navigation
	inside     map[string]*grouping // by navigation property
	order      []string             // of inside
	dynamic    Object
}

// groupBy plans groupby(…). What its sequence does to each group is rewritten
// into transformations of the whole: an aggregate becomes that of the groups,
// what tops each group ranks the rows of it.
func (a *applier) groupBy(r *Read, t *uri.ApplyGroupBy) (*Read, error) {
	if len(t.Sequence) == 0 {
		return a.group(r, t, t.Paths, nil)
	}
	for i, step := range t.Sequence {
		rest := t.Sequence[i+1:]
		switch step := step.(type) {
		case *uri.ApplyAggregate:
			return a.grouped(r, t, t.Sequence[:i], step, rest)
		case *uri.ApplyGroupBy:
			if i > 0 {
				return nil, a.notServed(step, "groupby after other transformations inside groupby")
			}
			paths := append(t.Paths[:len(t.Paths):len(t.Paths)], step.Paths...)
			inner := &uri.ApplyGroupBy{At: t.At, Paths: paths, Sequence: step.Sequence}
			return a.afterGroup(inner, r, rest)
		case *uri.ApplyConcat:
			if i > 0 || len(rest) > 0 {
				return nil, a.notServed(step, "concat together with other transformations inside groupby")
			}
			c := &uri.ApplyConcat{At: step.At}
			for _, s := range step.Sequences {
				c.Sequences = append(c.Sequences, []uri.Transformation{&uri.ApplyGroupBy{At: t.At, Paths: t.Paths, Sequence: s}})
			}
			return a.concat(r, c)
		}
	}
	return a.ranked(r, t)
}

// afterGroup plans the groups of t and what follows inside each of them.
func (a *applier) afterGroup(t *uri.ApplyGroupBy, r *Read, rest []uri.Transformation) (*Read, error) {
	if err := a.perRow(rest); err != nil {
		return nil, err
	}
	r, err := a.groupBy(r, t)
	if err != nil {
		return nil, err
	}
	return a.sequence(r, rest)
}

// perRow checks that list does to a group what it does to each of its rows.
func (a *applier) perRow(list []uri.Transformation) error {
	for _, t := range list {
		switch t.(type) {
		case *uri.ApplyFilter, *uri.ApplyIdentity, *uri.ApplyCompute, *uri.ApplyOrderBy:
		default:
			return a.notServed(t, t.String()+" at this place inside groupby")
		}
	}
	return nil
}

// grouped plans groupby(…,before/aggregate(…)/rest). A filter before it leaves
// an aggregate fewer instances, yet the group stands even if none is left.
func (a *applier) grouped(r *Read, t *uri.ApplyGroupBy, before []uri.Transformation, agg *uri.ApplyAggregate, rest []uri.Transformation) (*Read, error) {
	if err := a.perRow(before); err != nil {
		return nil, err
	}
	if err := a.perRow(rest); err != nil {
		return nil, err
	}
	r = a.open(r)
	var where Expr
	for _, step := range before {
		var err error
		switch step := step.(type) {
		case *uri.ApplyFilter:
			var x Expr
			x, err = a.Bind(step.X, r.Var, "$apply", a.aliases, edm.Boolean)
			where = And(where, x)
		case *uri.ApplyCompute:
			if where != nil {
				return nil, a.notServed(step, "compute after filter inside groupby")
			}
			r, err = a.compute(r, step.Items)
		}
		if err != nil {
			return nil, err
		}
	}
	a.where = where
	r, err := a.group(r, t, t.Paths, agg.Items)
	a.where = nil
	if err != nil {
		return nil, err
	}
	return a.sequence(r, rest)
}

// ranked plans a groupby whose sequence keeps instances as they are. What is
// first in each group is found by the number of its row there.
func (a *applier) ranked(r *Read, t *uri.ApplyGroupBy) (*Read, error) {
	r = a.open(r)
	keys := &grouping{of: r.Var.Struct}
	g := &Group{}
	for _, path := range t.Paths {
		if err := a.key(g, keys, r.Var, path, steps(path)); err != nil {
			return nil, err
		}
	}
	r = a.derive(r, g.Keys...)
	r.Var.Expand = keys.expand()
	for _, step := range t.Sequence {
		var err error
		switch step := step.(type) {
		case *uri.ApplyTop:
			if step.Skip {
				r = a.rank(r, g.Keys, uri.Gt, step.N)
			} else {
				r = a.rank(r, g.Keys, uri.Le, step.N)
			}
		case *uri.ApplyTopCount:
			if r, err = a.topCount(r, step); err == nil {
				r = a.rank(r, g.Keys, uri.Le, step.N)
				r.Order = nil
			}
		default:
			r, err = a.transform(r, step)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// rank narrows r to the rows whose number in their group compares so with n.
func (a *applier) rank(r *Read, keys []Column, op uri.Op, n int) *Read {
	by := make([]Expr, len(keys))
	for i, k := range keys {
		by[i] = &Prop{Var: r.Var, Prop: k.Prop}
	}
	r = a.derive(r)
	rows := r.Var.From.(*Rows)
	rows.Rank, rows.By = a.property("", edm.Int64), by
	r.Where = &Compare{Op: op, L: &Prop{Var: r.Var, Prop: rows.Rank}, R: newConst(0, edm.Int64, int64(n))}
	return r
}

// expand is what grouping by g shows of related entities.
func (g *grouping) expand() []uri.ExpandItem {
	var items []uri.ExpandItem
	for _, n := range g.navigation {
		items = append(items, uri.ExpandItem{Name: n.Name})
	}
	for _, name := range g.order {
		if n := g.of.Nav(name); n.Inline() {
			continue
		}
		in := g.inside[name]
		item := uri.ExpandItem{Name: name, Options: uri.Query{Expand: in.expand()}}
		for _, p := range in.properties {
			item.Options.Select = append(item.Options.Select, uri.SelectItem{Name: p.Name})
		}
		for _, d := range in.dynamic.Names {
			item.Options.Select = append(item.Options.Select, uri.SelectItem{Name: d})
		}
		items = append(items, item)
	}
	return items
}

// group plans a group for each combination of what paths lead to, with the
// aggregates items. Without paths it is one, even of nothing.
func (a *applier) group(r *Read, t uri.Transformation, paths []uri.Expr, items []uri.AggregateItem) (*Read, error) {
	r = a.open(r)
	g := &Group{Of: r, Feeds: []*Feed{{}}}
	keys := &grouping{of: r.Var.Struct}
	for _, path := range paths {
		if err := a.key(g, keys, r.Var, path, steps(path)); err != nil {
			return nil, err
		}
	}
	var added []*edm.Property
	for _, item := range items {
		x, err := a.aggregate(g, item, slices.Concat(keys.properties, added))
		if err != nil {
			return nil, err
		}
		g.Aggregates, added = append(g.Aggregates, x), append(added, x.Prop)
	}
	if _, named := r.Var.From.(*Shared); len(g.Feeds) > 1 && r.Var.From != nil && !named {
		g.With = a.shared(r.Var.From)
		r.Var.From = g.With
	}
	s := a.structure(g, keys)
	s = s.Derive(s.Key, append(s.Properties, added...), s.Navigation)
	v := &Var{Struct: s, From: g, unguarded: r.Var.unguarded, reads: r.Var.reads * len(g.Feeds)}
	for _, n := range keys.navigation {
		v.Expand = append(v.Expand, uri.ExpandItem{Name: n.Name})
	}
	return &Read{Var: v, Limit: -1}, a.bounded(v, t)
}

// shared gives a relation a name, so that it can be read more than once.
func (a *applier) shared(of Relation) *Shared {
	return &Shared{"with" + a.property("", nil).Column, of}
}

// steps are the names of a grouping path, and where they stand.
func steps(path uri.Expr) []*uri.Name {
	switch x := path.(type) {
	case *uri.Name:
		return []*uri.Name{x}
	case *uri.Member:
		if before := steps(x.X); before != nil {
			return append(before, &uri.Name{At: x.At, Name: x.Name})
		}
	}
	return nil
}

// key adds to g the grouping by a path from v, whose names are left, and to
// keys the structure it gives.
func (a *applier) key(g *Group, keys *grouping, v *Var, path uri.Expr, left []*uri.Name) error {
	step, left := left[0], left[1:]
	if nav := v.Struct.Nav(step.Name); nav != nil {
		return a.navigationKey(g, keys, v, path, step, left)
	}
	if len(left) > 0 {
		return a.errorf(step, "%s has no navigation property %q", v.Struct.Name, step.Name)
	}
	p := v.Property(step.Name)
	switch {
	case p == nil && v.Struct.TakesDynamic(step.Name):
		for _, name := range keys.dynamic.Names {
			if name == step.Name {
				return nil
			}
		}
		text := a.property("", edm.String)
		keys.dynamic.Names = append(keys.dynamic.Names, step.Name)
		keys.dynamic.Keys = append(keys.dynamic.Keys, text)
		x, err := a.Bind(step, v, "$apply", a.aliases, nil)
		g.Keys = append(g.Keys, Column{text, x})
		return err
	case p == nil:
		return a.errorf(step, "%s has no property %q", v.Struct.Name, step.Name)
	case p.JSON:
		return a.notServed(step, "grouping by "+p.Type.String())
	}
	for _, k := range keys.properties {
		if k.Name == p.Name {
			return nil // given twice
		}
	}
	x := &Prop{step.At, v, p}
	k := hold(a.property(p.Name, nil), x)
	k.Nullable, k.MaxLength, k.Dynamic = Nullable(x), p.MaxLength, p.Dynamic
	keys.properties = append(keys.properties, k)
	g.Keys = append(g.Keys, Column{k, x})
	return nil
}

// navigationKey goes on from v over a navigation property, or groups by the
// entity it leads to.
func (a *applier) navigationKey(g *Group, keys *grouping, v *Var, path uri.Expr, step *uri.Name, left []*uri.Name) error {
	nav := v.Struct.Nav(step.Name)
	if nav.Many {
		return a.errorf(step, "%s is a collection and cannot be grouped by", step.Name)
	}
	for _, n := range keys.navigation {
		if n.Name == nav.Name {
			return a.errorf(step, "%s is grouped by twice", step.Name)
		}
	}
	if keys.inside[nav.Name] != nil && len(left) == 0 {
		return a.errorf(step, "%s is grouped by twice", step.Name)
	}
	to, err := a.follow(v, step)
	if err != nil {
		return err
	}
	if len(left) == 0 && !nav.Inline() {
		k := a.property("", nav.Remote.Type)
		g.Keys = append(g.Keys, Column{k, &Prop{step.At, to, nav.Remote}})
		n := *nav
		n.Local, n.Inverse = k, false
		keys.navigation = append(keys.navigation, &n)
		return nil
	}
	in := keys.inside[nav.Name]
	if in == nil {
		in = &grouping{of: to.Struct, key: []*edm.Property{a.property("", edm.Boolean)}}
		if keys.inside == nil {
			keys.inside = map[string]*grouping{}
		}
		keys.inside[nav.Name] = in
		keys.order = append(keys.order, nav.Name)
		g.Keys = append(g.Keys, Column{in.key[0], present(step.At, to)})
	}
	if len(left) > 0 {
		return a.key(g, in, to, path, left)
	}
	for _, name := range to.Struct.Names() {
		if err := a.key(g, in, to, path, []*uri.Name{{At: step.At, Name: name}}); err != nil {
			return err
		}
	}
	return nil
}

// present is true where there is an entity v, else null.
func present(at uri.At, v *Var) Expr {
	if v.Row != nil {
		return &Prop{at, v, v.Struct.Key[0]}
	}
	return &Present{at, v}
}

// structure makes the type of the groups.
func (a *applier) structure(g *Group, keys *grouping) *edm.Struct {
	s := *keys.of
	s.Transient, s.ETag, s.Open, s.Only, s.Dynamic = true, nil, false, nil, nil
	if len(keys.dynamic.Names) > 0 {
		object := keys.dynamic
		object.Prop = a.property("", nil)
		object.Prop.JSON = true
		g.Objects = append(g.Objects, object)
		s.Open, s.Only, s.Dynamic = true, object.Names, object.Prop
	}
	navigation := keys.navigation
	for _, name := range keys.order {
		navigation = append(navigation, &edm.Navigation{Name: name, Target: a.structure(g, keys.inside[name])})
	}
	key := keys.key
	if keys.key == nil {
		for _, k := range g.Keys {
			key = append(key, k.Prop)
		}
	}
	return s.Derive(key, keys.properties, navigation)
}
