package odata

import (
	"fmt"
	"sync"
	"testing"

	"leadloop/odata/sqlgen"
)

// TestPlansAreBounded: however many shapes there are, the plans kept are about as
// many as they may be, and those that are asked for stay.
func TestPlansAreBounded(t *testing.T) {
	const limit, shapes = 1000, 100_000
	p := newPlans(limit)
	wanted := []byte("wanted")
	p.add(wanted, &prepared{size: 100})
	for i := range shapes {
		p.add(fmt.Appendf(nil, "shape %d", i), &prepared{size: 300, statement: sqlgen.Statement{SQL: "SELECT 1"}})
		if i%10 == 0 && len(p.find(wanted)) != 1 {
			t.Fatalf("after %d shapes what is asked for is gone", i)
		}
	}
	if st := p.stats(); st.Plans > limit+limit/10 || st.Plans < limit/3 || st.Bytes > limit*planBytes {
		t.Errorf("%+v", st)
	}
	for i := range shapes {
		p.add(fmt.Appendf(nil, "large %d", i), &prepared{size: mostPlanBytes - 100})
	}
	if st := p.stats(); st.Bytes > limit*planBytes+2*planParts*mostPlanBytes || st.Plans == 0 {
		t.Errorf("large ones: %+v", st)
	}
	before := p.stats()
	p.add([]byte("too large"), &prepared{size: mostPlanBytes})
	if p.find([]byte("too large")) != nil || p.stats() != before {
		t.Error("one that is too large was kept")
	}
	for i := range 100 {
		p.add(wanted, &prepared{size: i})
	}
	if list := p.find(wanted); len(list) != planVariants || list[0].size != 99+len(wanted) {
		t.Errorf("%d plans of one shape", len(list))
	}
}

// TestPlansAtOnce has plans found and added by many at once.
func TestPlansAtOnce(t *testing.T) {
	p := newPlans(20)
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			for i := range 2000 {
				key := fmt.Appendf(nil, "shape %d", (i*7+n)%60)
				want := string(key)
				for _, x := range p.find(key) {
					if x.context != want {
						t.Errorf("%s: found %s", want, x.context)
					}
				}
				p.add(key, &prepared{context: want, size: 10})
			}
		})
	}
	wait.Wait()
	if st := p.stats(); st.Plans < 0 || st.Bytes < 0 || st.Plans > 20*planVariants+planParts*planVariants {
		t.Errorf("%+v", st)
	}
}
