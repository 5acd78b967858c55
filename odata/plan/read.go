package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Read is one read: the entities Var stands for, those that satisfy Where and
// that the caller may see, in Order.
type Read struct {
	Var   *Var
	Link  *Link // the entities are those related to another one
	Where Expr
	Order []Order
	// After holds what Order's expressions gave in the row that this page
	// follows, nil for null; a nil slice is the first page.
	After  []any
	Offset int
	Top    *int // entities at most, over this page and those after it; nil: no limit
	Limit  int  // entities of this page; negative: no limit
	More   bool // entities past Limit make a further page: one more row is fetched
	Count  bool // the number of entities, whatever page
	Show   Projection

	base *Read // see Base
}

// Base is the read of the set itself: r, unless $apply made r the read of a
// Relation.
func (r *Read) Base() *Read {
	if r.base != nil {
		return r.base
	}
	return r
}

// Link narrows a Read to what Nav leads to from the one entity Parent reads.
type Link struct {
	Nav    *edm.Navigation
	Parent *Read
}

// Order is one term of the order.
type Order struct {
	X    Expr
	Desc bool
}

// Projection is what is shown of an entity.
type Projection struct {
	All      bool // no $select, or one with "*"
	Props    []*edm.Property
	Dynamic  bool     // every dynamic property
	Dynamics []string // or these
	ETag     bool
	Types    bool // computed properties say their type where JSON does not
	Expand   []Expand
	Nested   []Nested // entities held in the same row
	Shapes   []Nested // not nil: one of these is shown instead, see Shapes
}

// Expand is an expanded navigation property.
type Expand struct {
	Name string
	Read *Read
}

// Collection plans the read of the entities v stands for under the options q.
// It checks the access to v's set.
func (b *Binder) Collection(v *Var, q *uri.Query) (*Read, error) {
	if err := b.guard(v); err != nil {
		return nil, err
	}
	left := b.Limits.Expands
	r, err := b.related(v, q, 0, &left)
	if err != nil {
		return nil, err
	}
	if q.SkipToken != "" {
		err = r.resume(q.SkipToken)
		r.page(b.Limits.PageSize)
	}
	return r, err
}

// page cuts r to pages of size entities.
func (r *Read) page(size int) {
	r.More = r.Top == nil || *r.Top > size
	r.Limit = size
	if !r.More {
		r.Limit = *r.Top
	}
}

// related plans a collection at a depth of $expand; left counts the
// expanded navigation properties still allowed.
func (b *Binder) related(v *Var, q *uri.Query, depth int, left *int) (*Read, error) {
	r := &Read{Var: v, Limit: -1, Count: q.Count}
	var err error
	if len(q.Apply) > 0 {
		var applied *Read
		if applied, r.base, err = b.transformed(v, q.Apply, q.Aliases); err != nil {
			return nil, err
		}
		v = applied.Var
		r.Var, r.Where = v, applied.Where
	}
	if q.Filter != nil {
		where, err := b.Bind(q.Filter, v, "$filter", q.Aliases, edm.Boolean)
		if err != nil {
			return nil, err
		}
		r.Where = And(r.Where, where)
	}
	if r.Order, err = b.order(v, q); err != nil {
		return nil, err
	}
	if q.Skip != nil {
		r.Offset = *q.Skip
	}
	r.Top = q.Top
	if depth == 0 {
		r.page(b.Limits.PageSize)
	} else if r.Top != nil {
		r.Limit = *r.Top
	}
	r.Show, err = b.projection(v, q, depth, left)
	return r, err
}

// Entity plans the read of the one entity of v's set that where singles out.
func (b *Binder) Entity(v *Var, where Expr, q *uri.Query) (*Read, error) {
	for _, option := range q.Names() {
		if option != "$select" && option != "$expand" && option != "$format" {
			return nil, fault.Newf(fault.Invalid, "%s does not apply to a single entity", option).At(option)
		}
	}
	if err := b.guard(v); err != nil {
		return nil, err
	}
	left := b.Limits.Expands
	show, err := b.projection(v, q, 0, &left)
	return &Read{Var: v, Where: where, Limit: 1, Show: show}, err
}

// order binds $orderby and appends the key, so that the order is total.
func (b *Binder) order(v *Var, q *uri.Query) ([]Order, error) {
	if most := b.Limits.OrDefault().OrderBy; len(q.OrderBy) > most {
		return nil, fault.Newf(fault.Invalid, "$orderby has more than %d terms (limit OrderBy)", most).At("$orderby")
	}
	terms, err := b.terms(v, q.OrderBy, "$orderby", q.Aliases)
	if err != nil {
		return nil, err
	}
	terms = append(terms, v.Order...)
	ordered := map[*edm.Property]bool{}
	for _, o := range terms {
		if p, ok := o.X.(*Prop); ok && p.Var.row() == v.row() {
			ordered[p.Prop] = true
		}
	}
	for _, o := range v.key() {
		if !ordered[o.X.(*Prop).Prop] {
			terms = append(terms, o)
		}
	}
	return terms, nil
}

// terms binds the items of what, an order.
func (b *Binder) terms(v *Var, items []uri.OrderItem, what string, aliases map[string]string) ([]Order, error) {
	var terms []Order
	for _, item := range items {
		x, err := b.Bind(item.X, v, what, aliases, nil)
		if err != nil {
			return nil, err
		}
		if _, primitive := x.Type().(edm.Primitive); !primitive {
			return nil, uri.Errorf(what, uri.At(x.Pos()), "%s has no order", x.Type())
		}
		if _, constant := x.(*Const); constant {
			continue // it orders nothing
		}
		if x.Type() == edm.Untyped {
			// A dynamic property may hold numbers in some rows and text in others.
			terms = append(terms, Order{convert(x, edm.Decimal), item.Desc})
			x = convert(x, edm.String)
		}
		terms = append(terms, Order{x, item.Desc})
	}
	return terms, nil
}

// projection resolves $select and $expand.
func (b *Binder) projection(v *Var, q *uri.Query, depth int, left *int) (Projection, error) {
	s := v.Struct
	if v.Shapes != nil {
		return b.shapes(v, q, depth, left)
	}
	show := Projection{ETag: s.ETag != nil && !slices.Contains(v.hidden, s.ETag.Name), Types: true}
	all := len(q.Select) == 0
	chosen := map[*edm.Property]bool{}
	inline := map[string]bool{}
	for _, item := range q.Select {
		p := v.Property(item.Name)
		switch {
		case item.Name == "*":
			all = true
		case p != nil:
			chosen[p] = true
		case s.Nav(item.Name) != nil: // shown by $expand only, or else inline
			inline[item.Name] = true
		case s.TakesDynamic(item.Name):
			if !slices.Contains(show.Dynamics, item.Name) {
				show.Dynamics = append(show.Dynamics, item.Name)
			}
		default:
			return show, uri.Errorf("$select", item.At, "%s has no property %q", s.Name, item.Name)
		}
	}
	for _, p := range s.Properties {
		if chosen[p] || all && v.Property(p.Name) != nil {
			show.Props = append(show.Props, p)
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

func (b *Binder) expand(v *Var, show *Projection, q *uri.Query, depth int, left *int) error {
	if len(q.Expand) > 0 && depth >= b.Limits.ExpandDepth {
		return fault.Newf(fault.Invalid, "$expand nests deeper than %d (limit ExpandDepth)", b.Limits.ExpandDepth).At("$expand")
	}
	seen := map[*edm.Navigation]bool{}
	items := q.Expand
	if len(items) == 0 {
		items = v.Expand
	}
	for _, item := range items {
		navs := v.Struct.Navigation
		if item.Name != "*" {
			nav := v.Struct.Nav(item.Name)
			if nav == nil {
				return uri.Errorf("$expand", item.At, "%s has no navigation property %q", v.Struct.Name, item.Name)
			}
			if seen[nav] {
				return uri.Errorf("$expand", item.At, "%s is expanded twice", item.Name)
			}
			navs = []*edm.Navigation{nav}
		}
		for _, nav := range navs {
			if seen[nav] || nav.Inline() {
				continue
			}
			seen[nav] = true
			if *left--; *left < 0 {
				return fault.Newf(fault.Invalid, "$expand has more than %d navigation properties (limit Expands)", b.Limits.Expands).At("$expand")
			}
			r, err := b.expanded(v, nav, &item, q.Aliases, depth, left)
			if err != nil {
				return err
			}
			show.Expand = append(show.Expand, Expand{nav.Name, r})
		}
	}
	return nil
}

func (b *Binder) expanded(v *Var, nav *edm.Navigation, item *uri.ExpandItem, aliases map[string]string, depth int, left *int) (*Read, error) {
	options := item.Options
	options.Aliases = aliases
	if !nav.Many {
		for _, option := range options.Names() {
			if option != "$select" && option != "$expand" {
				return nil, uri.Errorf("$expand", item.At, "%s does not apply to %s, a single entity", option, nav.Name)
			}
		}
	}
	target, err := b.over(v, nav)
	if err != nil {
		return nil, err
	}
	return b.related(target, &options, depth+1, left)
}
