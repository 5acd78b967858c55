package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// aggregate plans one item of aggregate(…) for the groups of g.
func (a *applier) aggregate(g *Group, item uri.AggregateItem, added []*edm.Property) (*Aggregate, error) {
	p, err := a.alias(g.Of.Var, item.Aliased, item.Method != "", added)
	if err != nil {
		return nil, err
	}
	x := &Aggregate{Prop: p, Method: Method(item.Method), If: a.where, Over: g.Feeds[0]}
	if item.Method == "" {
		x.Method, p.Type, p.Nullable = CountAll, edm.Decimal, false
		if c, ok := item.X.(*uri.Count); ok {
			if c.Filter != nil {
				return nil, a.notServed(c, "a filter in an aggregated $count")
			}
			if x.Over, err = a.counted(g, c); err != nil {
				return nil, err
			}
		}
	} else if err = a.operand(g, x, item); err == nil {
		err = a.method(x, item)
	}
	if err != nil {
		return nil, err
	}
	x.Input = a.property("", nil)
	return x, nil
}

// counted is the feed whose entities path/$count counts.
func (a *applier) counted(g *Group, c *uri.Count) (*Feed, error) {
	path := steps(c.X)
	if path == nil {
		return nil, a.errorf(c, "%s is not a path", c.X)
	}
	f, v, last, err := a.reach(g, path)
	switch {
	case err != nil:
		return nil, err
	case last != nil && v.Property(last.Name) == nil:
		return nil, a.errorf(last, "%s has no navigation property %q", v.Struct.Name, last.Name)
	case last != nil, v.Row != nil:
		return nil, a.notServed(c, "counting "+c.X.String())
	}
	return f, nil
}

// operand binds what is aggregated. A path alone is followed over collections,
// and each entity on its end counts once; any other expression is evaluated for
// each instance (section 3.2.1.1).
func (a *applier) operand(g *Group, x *Aggregate, item uri.AggregateItem) (err error) {
	path := steps(item.X)
	if path == nil || path[0].Name == "$it" {
		x.X, err = a.Bind(item.X, g.Of.Var, "$apply", a.aliases, nil)
		return err
	}
	var v *Var
	var last *uri.Name
	if x.Over, v, last, err = a.reach(g, path); err != nil {
		return err
	}
	switch {
	case last != nil:
		x.X, err = a.Bind(last, v, "$apply", a.aliases, nil)
		return err
	case item.Method != string(CountDistinct):
		return a.errorf(item, "%s does not apply to %s", item.Method, v.Struct)
	case v.Row != nil:
		return a.notServed(item, "countdistinct over an entity that was grouped by")
	}
	x.X = &Prop{item.At, v, v.Struct.Key[0]}
	return nil
}

// reach follows a path to its last entity, v, and returns the feed of those and
// the name left of the path, that of a property, or nil.
func (a *applier) reach(g *Group, path []*uri.Name) (f *Feed, v *Var, last *uri.Name, err error) {
	v = g.Of.Var
	n, text := prefix(v.Struct, path)
	if n < len(path)-1 {
		return nil, nil, nil, a.errorf(path[n+1], "%s cannot be followed further", path[n].Name)
	}
	if n < len(path) {
		last = path[n]
	}
	for _, f := range g.Feeds[1:] {
		if f.text == text {
			return f, f.Target, last, nil
		}
	}
	f = &Feed{text: text, Repeats: v.repeats}
	for _, name := range path[:n] {
		nav := v.Struct.Nav(name.Name)
		if nav.Many {
			f.Repeats = f.Repeats || !nav.Local.Key || len(v.Struct.Key) > 1
			if v, err = a.over(v, nav); err == nil {
				f.Path = append(f.Path, v)
			}
		} else {
			f.Repeats = true
			v, err = a.follow(v, name)
		}
		if err != nil {
			return nil, nil, nil, err
		}
	}
	if v.row() == g.Of.Var {
		return g.Feeds[0], v, last, nil
	}
	f.Target = v
	g.Feeds = append(g.Feeds, f)
	return f, v, last, nil
}

// prefix counts the names of path, from s, that are navigation properties.
func prefix(s *edm.Struct, path []*uri.Name) (n int, text string) {
	for n < len(path) {
		nav := s.Nav(path[n].Name)
		if nav == nil {
			break
		}
		text += nav.Name + "/"
		s = nav.Target
		n++
	}
	return n, text
}

// method checks that the method applies to x's type and gives x its own.
func (a *applier) method(x *Aggregate, item uri.AggregateItem) error {
	if p, ok := x.X.(*Prop); ok && p.Prop.JSON {
		return a.errorf(item, "%s does not apply to %s", x.Method, p.Type())
	}
	numeric := x.Method == Sum || x.Method == Average
	if x.X.Type() == edm.Untyped && x.Method != CountDistinct {
		// A dynamic property is taken as a number.
		x.X = convert(x.X, edm.Decimal)
	}
	if x.Method == CountDistinct {
		x.X = number(x.X)
	}
	t, ok := x.X.Type().(edm.Primitive)
	unordered := []edm.Primitive{edm.Boolean, edm.Binary, edm.Duration}
	switch {
	case !ok, t == edm.Null, numeric && !t.IsNumeric(), (x.Method == Min || x.Method == Max) && slices.Contains(unordered, t):
		return a.errorf(item, "%s does not apply to %s", x.Method, x.X.Type())
	case x.Method == CountDistinct:
		t = edm.Decimal // section 3.2.1.3.5
		x.Prop.Nullable = false
	case x.Method == Average:
		t = edm.Double
	case x.Method == Sum && t.IsInteger():
		t = edm.Int64
	}
	x.Prop.Type = t
	return nil
}
