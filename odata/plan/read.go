package plan

import (
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
	// follows; a nil slice is the first page.
	After  []Place
	Offset int
	Top    *int // entities at most, over this page and those after it; nil: no limit
	Limit  int  // entities of this page; negative: no limit
	More   bool // entities past Limit make a further page: one more row is fetched
	Count  bool // the number of entities, whatever page
	Show   Projection
	Next   *Next // of an expanded collection: where its next page is
	Style  Style
	Tag    bool // the ETag is wanted by itself too
	// Changes says that only what has changed is read; nil: whatever there is.
	Changes *Changes

	mark  string // of the query, in skip tokens
	about string // what mark is about, beside the query
	base  *Read  // see Base
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

// Place is what a term of the order gave in a row, nil for null, and where that comes
// from in each request.
type Place struct {
	Value any
	From  Source
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
	Computed []Computed
	Inner    map[*edm.Property]*Inner // where not the whole value is shown
	Navs     []string                 // navigation properties in $select
	ETag     bool
	Types    bool // computed properties say their type where JSON does not
	Expand   []Expand
	Nested   []Nested // entities held in the same row
	Shapes   []Nested // not nil: one of these is shown instead, see Shapes
	Ref      bool     // the entity's id alone
}

// Collection plans the read of the entities v stands for under the options q,
// which are about those of them that satisfy the conditions of the path, filters.
// It checks the access to v's set.
func (b *Binder) Collection(v *Var, q *uri.Query, filters ...uri.Expr) (*Read, error) {
	if err := b.guard(v); err != nil {
		return nil, err
	}
	scope := b.about(v)
	input := &Read{Var: v, Limit: -1}
	for _, f := range filters {
		x, err := scope.Bind(f, v, "$filter", q.Aliases, edm.Boolean)
		if err != nil {
			return nil, err
		}
		input.Where = And(input.Where, x)
	}
	left := scope.Limits.Expands
	r, err := scope.related(input, q, 0, &left)
	if err != nil {
		return nil, err
	}
	if len(filters) > 0 {
		b.Lifts.refuse() // the mark goes with the values of their literals
		for _, f := range filters {
			r.about += "/" + f.String()
		}
		r.mark = mark(r.about, q)
	}
	if q.SkipToken != "" {
		err = r.resume(q.SkipToken, b.Lifts)
		r.page(b.Limits.PageSize)
	}
	r.Style = b.Style
	return r, err
}

// about returns b for a request that is about what v stands for.
func (b *Binder) about(v *Var) *Binder {
	scope := b.scope(v, b.what, b.aliases)
	scope.it = v
	return &scope
}

// page cuts r to pages of size entities.
func (r *Read) page(size int) {
	r.More = r.Top == nil || *r.Top > size
	r.Limit = size
	if !r.More {
		r.Limit = *r.Top
	}
}

// related plans the read of what of input the options q ask for, at a depth of
// $expand; left counts the expanded navigation properties still allowed.
func (b *Binder) related(input *Read, q *uri.Query, depth int, left *int) (*Read, error) {
	v := input.Var
	r := &Read{Var: v, Where: input.Where, Limit: -1, Count: q.Count, mark: mark(v.Struct.Name, q), about: v.Struct.Name}
	var err error
	if len(q.Apply) > 0 {
		outer, scope := b.it, *b
		scope.it = nil // $it is an instance of what each transformation has
		b = &scope
		var applied *Read
		if applied, r.base, err = b.transformed(input, q.Apply, q.Aliases); err != nil {
			return nil, err
		}
		v = applied.Var
		r.Var, r.Where = v, applied.Where
		if b.it = v; depth > 0 {
			b.it = outer
		}
	}
	if err := b.compute(v, q); err != nil {
		return nil, err
	}
	if q.Filter != nil {
		where, err := b.Bind(q.Filter, v, "$filter", q.Aliases, edm.Boolean)
		if err != nil {
			return nil, err
		}
		r.Where = And(r.Where, where)
	}
	if q.Search != nil {
		found, err := b.Search(v, q.Search, "$search")
		if err != nil {
			return nil, err
		}
		r.Where = And(r.Where, found)
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
	} else {
		r.page(b.Limits.ExpandPageSize)
	}
	r.Show, err = b.projection(v, q, depth, left)
	return r, err
}

// Entity plans the read of the one entity of v's set that where singles out.
func (b *Binder) Entity(v *Var, where Expr, q *uri.Query) (*Read, error) {
	for _, option := range q.Names() {
		if !ofOne[option] {
			return nil, fault.Newf(fault.Invalid, "%s does not apply to a single entity", option).At(option)
		}
	}
	if err := b.guard(v); err != nil {
		return nil, err
	}
	scope := b.about(v)
	if err := scope.compute(v, q); err != nil {
		return nil, err
	}
	left := scope.Limits.Expands
	show, err := scope.projection(v, q, 0, &left)
	return &Read{Var: v, Where: where, Limit: 1, Show: show, Style: b.Style}, err
}

// ofOne are the options that apply to a single entity.
var ofOne = map[string]bool{"$select": true, "$expand": true, "$compute": true, "$format": true, "$schemaversion": true}

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
		x = number(x)
		if t, primitive := x.Type().(edm.Primitive); !primitive || t == edm.Binary {
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

// Page returns what there is to know of the page of r once its statement is made:
// no expression, nothing of the caller's. Order has the length that it had.
func (r *Read) Page() *Read {
	return &Read{Order: make([]Order, len(r.Order)), Offset: r.Offset, Top: r.Top, Limit: r.Limit, More: r.More, Count: r.Count, mark: r.mark, about: r.about}
}

// Under returns r, a Page, for a request of the same shape with the options q.
func (r *Read) Under(q *uri.Query) *Read {
	page := *r
	page.mark = mark(r.about, q)
	return &page
}
