package odata

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
)

// prepared is a read whose statement is made: what it takes to answer any request
// of its shape, and nothing that is one request's own.
type prepared struct {
	target     *target // without its key and what it is related to
	page       *plan.Read
	format     format
	context    string // the context URL, below the service root
	dialect    sqlgen.Dialect
	statement  sqlgen.Statement // Lifted
	conditions *plan.Conditions
	size       int // bytes, about
}

// plans keeps the latest prepared reads by the keys of their shapes. It is two
// generations of maps in several parts: when the young one is full it becomes the
// old one, and what is asked for there becomes young again. So what is asked for
// often stays, and finding it takes no lock but a reader's.
type plans struct {
	seed         maphash.Seed
	parts        [planParts]plansPart
	most         int // plans of one generation of a part
	hits, misses atomic.Uint64
}

const (
	planParts = 8
	// planBytes is how much a plan may take on the average, mostPlanBytes at most.
	planBytes, mostPlanBytes = 8 << 10, 64 << 10
	// planVariants is how many plans there are for one shape: for callers with
	// different access, and literals that more than a value depends on.
	planVariants = 8
)

type plansPart struct {
	sync.RWMutex
	young, old generation
}

type generation struct {
	byKey        map[string][]*prepared
	count, bytes int
}

func newPlans(limit int) *plans {
	return &plans{seed: maphash.MakeSeed(), most: max(1, limit/planParts/2)}
}

func (p *plans) part(key []byte) *plansPart {
	return &p.parts[maphash.Bytes(p.seed, key)%planParts]
}

// find returns the plans for a shape, which must not be changed.
func (p *plans) find(key []byte) []*prepared {
	part := p.part(key)
	part.RLock()
	list, young := part.young.byKey[string(key)]
	if !young {
		list = part.old.byKey[string(key)]
	}
	part.RUnlock()
	if !young && list != nil {
		part.Lock()
		if list = part.old.byKey[string(key)]; list != nil {
			part.old.remove(string(key))
			part.put(string(key), list, p.most)
		} else {
			list = part.young.byKey[string(key)]
		}
		part.Unlock()
	}
	return list
}

// add keeps x for the shape of the key.
func (p *plans) add(key []byte, x *prepared) {
	if x.size += len(key); x.size > mostPlanBytes {
		return
	}
	part := p.part(key)
	part.Lock()
	defer part.Unlock()
	list := append([]*prepared{x}, part.young.byKey[string(key)]...)
	list = append(list, part.old.byKey[string(key)]...)
	part.young.remove(string(key))
	part.old.remove(string(key))
	part.put(string(key), list[:min(len(list), planVariants)], p.most)
}

// put makes list the plans for the key.
func (p *plansPart) put(key string, list []*prepared, most int) {
	if p.young.count >= most || p.young.bytes >= most*planBytes {
		p.old, p.young = p.young, generation{}
	}
	if p.young.byKey == nil {
		p.young.byKey = map[string][]*prepared{}
	}
	p.young.byKey[key] = list
	for _, x := range list {
		p.young.count++
		p.young.bytes += x.size
	}
}

func (g *generation) remove(key string) {
	for _, x := range g.byKey[key] {
		g.count--
		g.bytes -= x.size
	}
	delete(g.byKey, key)
}

// PlanStats tells how much the prepared plans of a service are and how often there
// was one for a read.
type PlanStats struct {
	Plans, Bytes int
	Hits, Misses uint64
}

// PlanStats returns the statistics since the service was made.
func (s *Service) PlanStats() PlanStats {
	if s.plans == nil {
		return PlanStats{}
	}
	return s.plans.stats()
}

func (p *plans) stats() PlanStats {
	st := PlanStats{Hits: p.hits.Load(), Misses: p.misses.Load()}
	for i := range p.parts {
		part := &p.parts[i]
		part.RLock()
		st.Plans += part.young.count + part.old.count
		st.Bytes += part.young.bytes + part.old.bytes
		part.RUnlock()
	}
	return st
}
