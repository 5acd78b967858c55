package edm

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// ChangeLog describes the table in which triggers note every change of the
// entities of one type: which entity it was and, of its past, as much as it
// takes to say who was allowed to see it.
type ChangeLog struct {
	Entity *Struct
	// Past is what is kept of a changed entity: its key and Kept. Its Table is the
	// log.
	Past *Struct
	Kept []Kept
}

// Kept is a property that a ChangeLog keeps. Over a collection it belongs to the
// related entities, and each of them that comes or goes is a change, too.
type Kept struct {
	Past *Property   // in the log
	Nav  *Navigation // nil: Of is a property of the entity itself
	Of   *Property
}

// Through is the bit of a change that came about through a related entity.
const Through int64 = 1 << 62

// The bit of the ETag, which changes with all else, and how many bits the other
// columns share.
const (
	etagBit    int64 = 1 << 61
	columnBits       = 61
)

// NewChangeLog describes the change log of s. Keep names properties of s, or of
// entities one navigation property away as "Nav/Name".
func NewChangeLog(s *Struct, keep []string) (*ChangeLog, error) {
	l := &ChangeLog{Entity: s, Past: &Struct{Namespace: s.Namespace, Name: s.Name, Table: s.Table + "_changes"}}
	for _, p := range s.Key {
		if !p.plain() {
			return nil, fmt.Errorf("%s: its key is not of a primitive type", s.Name)
		}
		past := *p
		l.Past.Key = append(l.Past.Key, &past)
		l.Past.Properties = append(l.Past.Properties, &past)
	}
	for _, path := range keep {
		if err := l.keep(path); err != nil {
			return nil, fmt.Errorf("%s: keep %s: %w", s.Name, path, err)
		}
	}
	l.Past.index()
	for _, k := range l.Kept {
		if nav := l.Kept[0].Nav; k.Nav != nav && (k.Many() || l.Kept[0].Many()) {
			return nil, fmt.Errorf("%s: what is kept over a collection can only be kept by itself", s.Name)
		}
	}
	return l, nil
}

func (l *ChangeLog) keep(path string) error {
	k := Kept{}
	of, name := l.Entity, path
	if step, rest, found := strings.Cut(path, "/"); found {
		if k.Nav = of.Nav(step); k.Nav == nil {
			return fmt.Errorf("%s has no navigation property %q", of.Name, step)
		}
		if k.Nav.Many && (len(of.Key) != 1 || k.Nav.Local != of.Key[0]) {
			return fmt.Errorf("%s does not refer to the key of %s", step, of.Name)
		}
		of, name = k.Nav.Target, rest
	}
	if k.Of = of.Property(name); k.Of == nil || k.Of.Column == "" || !k.Of.plain() {
		return fmt.Errorf("%s has no property %q of a primitive type in a column of its own", of.Name, name)
	}
	past := *k.Of
	past.Nullable, past.Key = true, false
	k.Past = &past
	for _, p := range l.Past.Properties {
		if p.Name == past.Name || p.Column == past.Column {
			return fmt.Errorf("%q is kept already", past.Name)
		}
	}
	l.Kept = append(l.Kept, k)
	l.Past.Properties = append(l.Past.Properties, k.Past)
	return nil
}

func (p *Property) plain() bool {
	_, primitive := p.Type.(Primitive)
	return primitive && !p.JSON
}

// Many reports whether k is kept of the entities of a collection.
func (k Kept) Many() bool { return k.Nav != nil && k.Nav.Many }

// Keeps reports whether the log keeps the property p of what nav leads to.
func (l *ChangeLog) Keeps(nav *Navigation, p *Property) bool {
	for _, k := range l.Kept {
		if k.Nav == nav && (k.Of == p || p == nav.Remote) {
			return true
		}
	}
	return false
}

// Bit is the bit that a change of the property p of the entity sets. It goes by
// the column's name, so that it stays when the model grows; columns may share
// one.
func (l *ChangeLog) Bit(p *Property) int64 {
	if l.Entity.ETag != nil && p.Column == l.Entity.ETag.Column {
		return etagBit
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.Column)) // never fails
	return 1 << (h.Sum32() % columnBits)
}

// Columns are the properties whose changes the log tells apart: all that have a
// column of their own, but for the key.
func (l *ChangeLog) Columns() []*Property {
	var list []*Property
	for _, p := range l.Entity.Properties {
		if p.Column != "" && !p.Key {
			list = append(list, p)
		}
	}
	if l.Entity.Dynamic != nil {
		list = append(list, l.Entity.Dynamic)
	}
	return list
}
