package server

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"
)

// heapMost is by how much the heap may grow while all leads are read in one
// answer.
const heapMost = 64 << 20

// stream compares reading all leads in one answer, in time and in memory.
func (b *bench) stream(t *testing.T) {
	h := b.byHand()
	r := reading{
		name: fmt.Sprintf("GET Leads, %d in one answer", benchLeads), path: "/odata/Leads", mark: `"ID":`,
		ways: []way{
			{name: "leadloop", handler: b.withPages(benchLeads)},
			{name: "database/sql, structs, encoding/json", handler: b.behind(h.everyLead()), expected: 1},
		},
	}
	b.contest(t, r).run(t, t.Output())
	for i, w := range r.ways {
		g := watch(func() { b.do(w.handler, http.MethodGet, r.path, b.asStaff(), nil, http.StatusOK) })
		fmt.Fprintf(t.Output(), "%-38s %-38s %10.1f MB   of heap at most, %.1f MB of the process\n", "", w.name, g.heap/1e6, g.process/1e6)
		if i == 0 && g.heap > heapMost {
			t.Errorf("%s: the heap grew by %.1f MB", r.name, g.heap/1e6)
		}
	}
}

// growth is by how many bytes memory grew at most.
type growth struct {
	heap    float64 // of Go, what waits to be collected with it
	process float64 // resident, SQLite's with it; 0 where the system does not tell
}

// watch runs f and watches the memory meanwhile.
func watch(f func()) growth {
	runtime.GC()
	debug.FreeOSMemory()
	heap, process := heapSize(), residentSize()
	most := growth{heap, process}
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			most.heap, most.process = max(most.heap, heapSize()), max(most.process, residentSize())
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	f()
	close(done)
	<-watched
	return growth{most.heap - heap, most.process - process}
}

func heapSize() float64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}

// residentSize is what Linux says the process holds.
func residentSize() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return float64(pages * os.Getpagesize())
}
