package plan

import "leadloop/odata/edm"

// Changes makes a Read one of what has changed: it goes through a change log,
// and gives what each entity in it is now, or that it is to be removed.
type Changes struct {
	Log  *edm.ChangeLog
	Past *Var // what the log kept
	// Was says of Past whether the caller was allowed to see the entity; nil: yes.
	Was Expr
	// Shown are the bits of the properties the caller may see: other changes are
	// none to them. Matter are those that can make an entity leave the result.
	Shown, Matter int64
	// Apart says that the coming and going of related entities matters only where
	// Was holds of them.
	Apart  bool
	Since  Since
	Before int64   // the number after the last that is looked at
	After  *Change // the last change looked at; nil at the start
}

// Since is a moment in the life of a change log. The log's numbers from From on
// may be of later changes; of them those under Known that are not in Flight are
// of earlier ones. What the numbers count is the back end's affair.
type Since struct {
	From   int64   `json:"f"`
	Known  int64   `json:"k"`
	Flight []int64 `json:"i,omitempty"`
}

// Change is a place in a change log.
type Change struct{ N, Seq int64 }

// Track prepares r, the plan of a whole entity set, for its changes to be
// followed. Changes is nil where they cannot be told exactly: where the filter
// or the caller's access goes by what the log does not keep, so that entities
// would appear without a change, or nobody could say which of the removed ones
// the caller ever saw.
func (b *Binder) Track(r *Read, log *edm.ChangeLog) (*Changes, error) {
	c := &Changes{Log: log, Past: Root(log.Past), Shown: edm.Through, Matter: -1}
	for _, p := range log.Columns() {
		if p == log.Entity.Dynamic || r.Var.Property(p.Name) != nil {
			c.Shown |= log.Bit(p)
		}
	}
	var access Predicate
	if b.Access != nil {
		var err error
		if access, err = b.Access(b.Model.SetOf(r.Var.Struct)); err != nil {
			return nil, err
		}
	}
	filtered, ok1 := c.reads(r.Where, r.Var)
	guarded, ok2 := c.reads(r.Var.Access, r.Var)
	if !ok1 || !ok2 {
		return nil, nil
	}
	if r.Where != nil {
		c.Matter = filtered | guarded
	}
	if access.Expr == "" {
		return c, nil
	}
	c, err := b.was(c, access)
	if c != nil && err == nil {
		c.Apart = log.Many() && c.Was != nil && filtered&edm.Through == 0
	}
	return c, err
}

// was binds what an access predicate says of the past.
func (b *Binder) was(c *Changes, access Predicate) (*Changes, error) {
	given := access.Was != ""
	if given {
		access.Expr = access.Was
	}
	var err error
	b.Lifts.refuse()
	c.Was, err = b.predicate(access, 0, c.Past)
	if err != nil && !given {
		return nil, nil // it speaks of what is not kept
	}
	return c, err
}

// reads gives the bits of the changes that may change what e gives. Ok is false
// where the log does not have all of them.
func (c *Changes) reads(e Expr, root *Var) (bits int64, ok bool) {
	r := reading{c: c, root: root, ok: true}
	Walk(e, r.node)
	return r.bits, r.ok
}

// reading gathers what an expression depends on.
type reading struct {
	c    *Changes
	root *Var
	bits int64
	ok   bool
}

func (r *reading) node(e Expr) {
	switch e := e.(type) {
	case *Const, *Compare, *Logic, *Not, *In, *Call: // so do their parts
	case *Prop:
		r.property(e.Var, e.Prop)
	case *Dyn:
		r.property(e.Var, nil)
	case *Lambda:
		r.collection(e.Var)
	case *Count:
		r.collection(e.Var)
	default:
		r.bits |= -1 &^ edm.Through // on any of the entity's columns
	}
}

// property notes a property of v, nil for one inside JSON.
func (r *reading) property(v *Var, p *edm.Property) {
	switch {
	case v == r.root && p != nil:
		r.bits |= r.c.Log.Bit(p)
		if p.Texts != nil {
			r.bits |= r.c.Log.Bit(p.Texts)
		}
	case v == r.root:
		for _, column := range r.c.Log.Columns() {
			if column.JSON {
				r.bits |= r.c.Log.Bit(column)
			}
		}
	case v.Nav == nil && v.Of != nil: // an element of a collection of values
		r.property(v.Of, nil)
	case v.Nav == nil || v.Of != r.root || v.Access != nil || p == nil || !r.c.Log.Keeps(v.Nav, p):
		r.ok = false
	default:
		r.bits |= edm.Through | r.c.Log.Bit(v.Nav.Local)
	}
}

// collection notes that it matters what v runs over.
func (r *reading) collection(v *Var) {
	if v.Nav == nil {
		r.property(v, nil)
	} else {
		r.property(v, v.Nav.Remote)
	}
}
