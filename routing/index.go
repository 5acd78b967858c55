package routing

import (
	"math"
	"slices"
	"sort"

	"leadloop/odata/eval"
)

// index finds the rules that a lead may satisfy without running the condition of
// every rule. A rule whose condition cannot hold unless, say, City is 'Haifa' is
// looked up by the lead's City. Each rule is filed under one term of its
// condition: of its equalities the one that tells most rules apart, else a range
// of numbers, else under none, and is then looked at for each lead.
type index struct {
	equal  []*equalIndex
	ranges []*rangeIndex
	rest   []int32 // positions in ruleSet.rules, as all of these
}

type equalIndex struct {
	operand *eval.Program
	rules   map[any][]int32
}

// newIndex files the rules.
func newIndex(rules []*liveRule) *index {
	x := &index{}
	crowd := crowding(rules)
	equal, ranges := map[string]*equalIndex{}, map[string]*rangeIndex{}
	for i, r := range rules {
		position := int32(i)
		if t := r.equality(crowd); t != nil {
			e := equal[t.Name]
			if e == nil {
				e = &equalIndex{operand: t.Operand, rules: map[any][]int32{}}
				equal[t.Name], x.equal = e, append(x.equal, e)
			}
			for _, key := range distinct(t.Keys) {
				e.rules[key] = append(e.rules[key], position)
			}
			continue
		}
		if t := r.span(); t != nil {
			n := ranges[t.Name]
			if n == nil {
				n = &rangeIndex{operand: t.Operand}
				ranges[t.Name], x.ranges = n, append(x.ranges, n)
			}
			n.add(position, t.Low, t.High)
			continue
		}
		x.rest = append(x.rest, position)
	}
	for _, n := range x.ranges {
		n.build()
	}
	return x
}

type termKey struct {
	name string
	key  any
}

// crowding counts how many rules could be filed under each key of each term.
func crowding(rules []*liveRule) map[termKey]int {
	crowd := map[termKey]int{}
	for _, r := range rules {
		for _, t := range r.terms() {
			for _, key := range t.Keys {
				crowd[termKey{t.Name, key}]++
			}
		}
	}
	return crowd
}

func (r *liveRule) terms() []eval.Term {
	if r.plan == nil {
		return nil
	}
	return r.plan.terms
}

// equality is the term with keys that the rule shares with the fewest others.
func (r *liveRule) equality(crowd map[termKey]int) *eval.Term {
	var best *eval.Term
	least := math.MaxInt
	terms := r.terms()
	for i, t := range terms {
		most := 0
		for _, key := range t.Keys {
			most = max(most, crowd[termKey{t.Name, key}])
		}
		if len(t.Keys) > 0 && most < least {
			best, least = &terms[i], most
		}
	}
	return best
}

// span is the narrowest of the ranges that the condition sets, each operand's
// bounds taken together.
func (r *liveRule) span() *eval.Term {
	var all []eval.Term
	for _, t := range r.terms() {
		if len(t.Keys) > 0 {
			continue
		}
		i := slices.IndexFunc(all, func(x eval.Term) bool { return x.Name == t.Name })
		if i < 0 {
			all = append(all, t)
			continue
		}
		all[i].Low, all[i].High = max(all[i].Low, t.Low), min(all[i].High, t.High)
	}
	var best *eval.Term
	for i := range all {
		if best == nil || all[i].High-all[i].Low < best.High-best.Low {
			best = &all[i]
		}
	}
	return best
}

func distinct(keys []any) []any {
	seen := make(map[any]bool, len(keys))
	return slices.DeleteFunc(slices.Clone(keys), func(key any) bool {
		twice := seen[key]
		seen[key] = true
		return twice
	})
}

// find gives the positions of all rules whose condition may hold, in order.
func (x *index) find(record *eval.Record) []int32 {
	found := slices.Clone(x.rest)
	for _, e := range x.equal {
		found = append(found, e.rules[eval.Key(e.operand.Value(record))]...)
	}
	for _, n := range x.ranges {
		if v, ok := eval.Key(n.operand.Value(record)).(float64); ok {
			found = n.find(found, v)
		}
	}
	slices.Sort(found)
	return found
}

// rangeIndex finds the ranges that hold a number: a segment tree over the cells
// that the ends of all ranges cut the numbers into. Cell 2i+1 is the i-th end
// itself, and cell 2i what lies before it.
type rangeIndex struct {
	operand *eval.Program
	added   []numberRange
	ends    []float64
	nodes   [][]int32
}

type numberRange struct {
	position  int32
	low, high float64
}

func (n *rangeIndex) add(position int32, low, high float64) {
	if low <= high { // else no number satisfies both
		n.added = append(n.added, numberRange{position, low, high})
		n.ends = append(n.ends, low, high)
	}
}

func (n *rangeIndex) build() {
	slices.Sort(n.ends)
	n.ends = slices.Compact(n.ends)
	cells := 2*len(n.ends) + 1
	n.nodes = make([][]int32, 2*cells)
	for _, r := range n.added {
		// The nodes that cover the cells from low to high, and no others.
		for l, h := n.cell(r.low)+cells, n.cell(r.high)+cells+1; l < h; l, h = l/2, h/2 {
			if l%2 == 1 {
				n.nodes[l] = append(n.nodes[l], r.position)
				l++
			}
			if h%2 == 1 {
				h--
				n.nodes[h] = append(n.nodes[h], r.position)
			}
		}
	}
	n.added = nil
}

// cell is the one that v lies in.
func (n *rangeIndex) cell(v float64) int {
	i := sort.SearchFloat64s(n.ends, v)
	if i < len(n.ends) && n.ends[i] == v {
		return 2*i + 1
	}
	return 2 * i
}

// find appends the positions of the ranges that hold v.
func (n *rangeIndex) find(found []int32, v float64) []int32 {
	if math.IsNaN(v) {
		return found
	}
	for i := n.cell(v) + len(n.nodes)/2; i > 0; i /= 2 {
		found = append(found, n.nodes[i]...)
	}
	return found
}
