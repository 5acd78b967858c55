package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Search binds a search for entities that v stands for (Protocol 4.01, section
// 11.2.6.6); what names it in messages. It is served where v's set has an index,
// to callers who may see all that is in it.
func (b *Binder) Search(v *Var, s uri.Search, what string) (Expr, error) {
	if v.Struct == nil || len(v.Struct.Search) == 0 || b.setOf(v) == nil {
		name := "a collection of values"
		if v.Struct != nil {
			name = v.Struct.Name
		}
		return nil, fault.Newf(fault.NotImplemented, "%s, position %d: $search over %s is not served, as it has no index", what, s.Pos(), name).At(what)
	}
	for _, p := range v.Struct.Search {
		if v.Property(p.Name) == nil {
			return nil, fault.Newf(fault.Forbidden, "%s cannot be searched, as it holds properties that you may not see", v.Struct.Name).At(what)
		}
	}
	return &Found{boolean{uri.At(s.Pos())}, v, s}, nil
}

// setOf is the set of the entities that v stands for, also where a query has
// given them more properties; nil where they are entities no more.
func (b *Binder) setOf(v *Var) *edm.EntitySet {
	for _, set := range b.Model.Sets {
		if set.Type == v.Struct || set.Type.Table == v.Struct.Table && !v.Struct.Transient && slices.Equal(set.Type.Key, v.Struct.Key) {
			return set
		}
	}
	return nil
}
