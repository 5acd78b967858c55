package plan

import (
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// casts reports whether name, in a path after p, casts to the type that p has
// already (URL Conventions 4.01, section 4.11). No type is derived from another,
// so there is no other cast.
func (b *Binder) casts(p place, name string, at uri.At) (bool, error) {
	if strings.IndexByte(name, '.') < 0 || b.Model == nil || !strings.HasPrefix(name, b.Model.Namespace+".") || b.Model.Type(name) == nil {
		return false, nil
	}
	if t := p.typeOf(); t == nil || t.String() != name {
		return false, b.notServed(int(at), "the cast to "+name)
	}
	return true, nil
}

// typeOf is the structured type of what p leads to, or of each element of it; nil
// if there is none.
func (p place) typeOf() edm.Type {
	var t edm.Type
	switch {
	case p.dyn != nil:
		t = p.dyn.T
	case p.v.Struct == nil:
		return nil
	case p.name == "":
		return p.v.Struct
	case p.v.Struct.Nav(p.name) != nil:
		return p.v.Struct.Nav(p.name).Target
	case p.v.Property(p.name) != nil:
		t = p.v.Property(p.name).Type
	}
	if c, many := t.(edm.Collection); many {
		t = c.Of
	}
	return t
}
