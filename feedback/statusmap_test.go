package feedback

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// mapTo maps a status of a side, which must work.
func (w *world) mapTo(t testing.TB, s *side, status string, reason int32) *StatusMap {
	t.Helper()
	m := StatusMap{CustomerID: s.customer, Status: status, ReasonID: reason}
	if err := w.CreateStatusMap(asManager, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// say reports a status on a routing.
func (w *world) say(t testing.TB, s *side, id uuid.UUID, status string, at *time.Time) Feedback {
	t.Helper()
	f := Feedback{RoutingID: id, Status: &status, OccurredAt: at}
	if err := w.Report(s.asClient, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func (w *world) unmapped(t testing.TB) (all []UnmappedStatus) {
	t.Helper()
	if err := w.DB.Read(background).Order("customer_id, status").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheirOwnWords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ids := w.newRouting(t, w.acme, w.zenith)
		w.mapTo(t, w.acme, "Closed  Won", 7)
		w.mapTo(t, w.acme, "נסגר", 8)
		w.mapTo(t, w.zenith, "closed won", 9)
		tests := []struct {
			name, status string
			side         int
			want         int32
		}{
			{"as it was mapped", "Closed  Won", 0, 7},
			{"in another case", "CLOSED won", 0, 7},
			{"with other white space", " closed\u00a0won\n", 0, 7},
			{"with a mark of direction", "\u200fנסגר\u200e", 0, 8},
			{"another customer's meaning", "Closed Won", 1, 9},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				side := []*side{w.acme, w.zenith}[tt.side]
				f := w.say(t, side, ids[tt.side], tt.status, nil)
				if f.ReasonID == nil || *f.ReasonID != tt.want || *f.Status != tt.status {
					t.Errorf("reason %v, status %q", f.ReasonID, *f.Status)
				}
				if c := w.current(t, ids[tt.side]); c.routing != tt.want {
					t.Errorf("current %+v", c)
				}
				w.clock.advance(time.Minute)
			})
		}
	})
}

func TestStatusAndReason(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		w.mapTo(t, w.acme, "won", 7)
		report := func(status string, reason *int32) (Feedback, error) {
			f := Feedback{RoutingID: id, ReasonID: reason, Status: &status}
			err := w.Report(w.acme.asClient, &f)
			return f, err
		}
		if f, err := report("won", new(int32(7))); err != nil || *f.ReasonID != 7 || *f.Status != "won" {
			t.Errorf("both that agree: %+v, %v", f, err)
		}
		if f, err := report("who knows", new(int32(7))); err != nil || *f.ReasonID != 7 {
			t.Errorf("a reason beside an unknown word: %+v, %v", f, err)
		}
		if f, err := report(" \u200f", new(int32(3))); err != nil || f.Status != nil {
			t.Errorf("an empty status beside a reason: %+v, %v", f, err)
		}
		_, err := report("won", new(int32(8)))
		if e := wantFault(t, err, fault.Invalid, "Status"); !strings.Contains(e.Message, `"won" stands for reason 7, not 8`) {
			t.Errorf("message %q", e.Message)
		}
		_, err = report(" ", nil)
		wantFault(t, err, fault.Invalid, "ReasonID")
		_, err = report(strings.Repeat("x", 201), nil)
		wantFault(t, err, fault.Invalid, "Status")
		_, err = report("a\x00", nil)
		wantFault(t, err, fault.Invalid, "Status")
	})
}

func TestTheSameStatusAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		at := w.Now().Add(-time.Hour)
		for _, status := range []string{"on hold", "won"} {
			first := w.say(t, w.acme, id, status, &at)
			w.clock.advance(time.Minute)
			again := w.say(t, w.acme, id, strings.ToUpper(status), &at)
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("%s (-first +again):\n%s", status, diff)
			}
		}
		// Mapped to one reason, both stay what they were: two reports at one time.
		w.mapTo(t, w.acme, "on hold", 4)
		w.mapTo(t, w.acme, "won", 4)
		if again := w.say(t, w.acme, id, "won", &at); again.ReasonID == nil || *again.ReasonID != 4 {
			t.Errorf("after it was mapped: %+v", again)
		}
		if n := w.count(t); n != 2 {
			t.Errorf("%d reports, want 2", n)
		}
	})
}

func TestUnknownWordsWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ids := w.newRouting(t, w.acme, w.zenith)
		begun := w.Now()
		if f := w.say(t, w.acme, ids[0], "Parked", nil); f.ReasonID != nil {
			t.Errorf("reason %d", *f.ReasonID)
		}
		w.clock.advance(time.Hour)
		w.say(t, w.acme, ids[0], "parked", nil)
		w.say(t, w.acme, ids[0], "Odd", nil)
		w.say(t, w.zenith, ids[1], "Parked", nil)
		want := []UnmappedStatus{
			{CustomerID: w.acme.customer, Status: "Odd", Count: 1, FirstAt: w.Now(), LastAt: w.Now()},
			{CustomerID: w.acme.customer, Status: "Parked", Count: 2, FirstAt: begun, LastAt: w.Now()},
			{CustomerID: w.zenith.customer, Status: "Parked", Count: 1, FirstAt: w.Now(), LastAt: w.Now()},
		}
		if diff := cmp.Diff(want, w.unmapped(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if c := w.current(t, ids[0]); c != (current{}) {
			t.Errorf("current %+v before anybody knows what it means", c)
		}
		w.mapTo(t, w.acme, "PARKED", 4)
		if diff := cmp.Diff([]UnmappedStatus{want[0], want[2]}, w.unmapped(t)); diff != "" {
			t.Errorf("after mapping (-want +got):\n%s", diff)
		}
		if c := w.current(t, ids[0]); c != (current{4, 4}) {
			t.Errorf("current %+v", c)
		}
		if c := w.current(t, ids[1]); c != (current{0, 4}) {
			t.Errorf("the other customer's: %+v", c)
		}
	})
}

// Whatever is mapped when, in the end the newest report is current: as if all had
// been known from the start.
func TestMappingLaterIsAsMappingBefore(t *testing.T) {
	type report struct {
		side   int
		status string // a digit: that reason
		hours  int    // when it occurred; 0: by arrival
	}
	tests := []struct {
		name       string
		reports    []report
		acme, both int32 // what is current on acme's routing, and on the lead
	}{
		{"the only one", []report{{0, "a", 0}}, 5, 5},
		{"older than a known one", []report{{0, "a", -3}, {0, "1", -2}}, 1, 1},
		{"newer than a known one", []report{{0, "1", -3}, {0, "a", -2}}, 5, 5},
		{"the newest of several", []report{{0, "a", -3}, {0, "b", -1}, {0, "a", -2}}, 6, 6},
		{"an unknown one is still newer", []report{{0, "a", -3}, {0, "z", -1}}, 5, 5},
		{"another customer is newer", []report{{0, "a", -3}, {1, "2", -1}}, 5, 2},
		{"another customer is older", []report{{1, "2", -3}, {0, "a", -1}}, 5, 5},
		{"another customer's same word waits", []report{{0, "a", -3}, {1, "a", -1}}, 5, 5},
		{"at one time, the later arrival", []report{{0, "a", -1}, {0, "b", -1}}, 6, 6},
		{"at one time as a known one before", []report{{0, "1", -1}, {0, "a", -1}}, 5, 5},
		{"at one time as a known one after", []report{{0, "a", -1}, {0, "1", -1}}, 1, 1},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, tt := range tests {
			for _, order := range []string{"before", "ab", "ba", "whole"} {
				t.Run(tt.name+"/"+order, func(t *testing.T) {
					w := newWorld(t, db)
					ids := w.newRouting(t, w.acme, w.zenith)
					reasons := map[string]int32{"a": 5, "b": 6}
					if order == "before" {
						w.mapTo(t, w.acme, "a", 5)
						w.mapTo(t, w.acme, "b", 6)
					}
					noon := w.Now()
					for _, r := range tt.reports {
						f := Feedback{RoutingID: ids[r.side], Status: &r.status}
						if r.status <= "9" {
							f.Status, f.ReasonID = nil, new(int32(r.status[0]-'0'))
						}
						if r.hours != 0 {
							f.OccurredAt = new(noon.Add(time.Duration(r.hours) * time.Hour))
						}
						if err := w.Report([]*side{w.acme, w.zenith}[r.side].asClient, &f); err != nil {
							t.Fatal(err)
						}
						w.clock.advance(time.Second)
					}
					switch order {
					case "ab", "ba":
						for _, status := range strings.Split(order, "") {
							w.mapTo(t, w.acme, status, reasons[status])
						}
					case "whole":
						if _, err := w.SetStatusMap(asManager, w.acme.customer, Statuses{"a": int64(5), "b": "Quote sent"}); err != nil {
							t.Fatal(err)
						}
					}
					if c := w.current(t, ids[0]); c != (current{tt.acme, tt.both}) {
						t.Errorf("current %+v, want %d and %d", c, tt.acme, tt.both)
					}
				})
			}
		}
	})
}

func TestStatusMapValidation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		m := w.mapTo(t, w.acme, "won", 7)
		tests := []struct {
			name   string
			change func(*StatusMap)
			code   fault.Code
			target string
		}{
			{"no customer", func(m *StatusMap) { m.CustomerID = 0 }, fault.Invalid, "CustomerID"},
			{"unknown customer", func(m *StatusMap) { m.CustomerID = 99 }, fault.Invalid, "CustomerID"},
			{"no status", func(m *StatusMap) { m.Status = "" }, fault.Invalid, "Status"},
			{"nothing to see", func(m *StatusMap) { m.Status = " \u200f" }, fault.Invalid, "Status"},
			{"long status", func(m *StatusMap) { m.Status = strings.Repeat("x", 201) }, fault.Invalid, "Status"},
			{"not text", func(m *StatusMap) { m.Status = "a\x00b" }, fault.Invalid, "Status"},
			{"no reason", func(m *StatusMap) { m.ReasonID = 0 }, fault.Invalid, "ReasonID"},
			{"unknown reason", func(m *StatusMap) { m.ReasonID = 999 }, fault.Invalid, "ReasonID"},
			{"there already", func(m *StatusMap) { m.Status = " WON " }, fault.Conflict, "Status"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				m := StatusMap{CustomerID: w.acme.customer, Status: "lost", ReasonID: 8}
				tt.change(&m)
				wantFault(t, w.CreateStatusMap(asManager, &m), tt.code, tt.target)
			})
		}
		wantFault(t, w.CreateStatusMap(asViewer, &StatusMap{CustomerID: w.acme.customer, Status: "x", ReasonID: 1}), fault.Forbidden, "")
		wantFault(t, w.UpdateStatusMap(w.acme.asClient, m), fault.Forbidden, "")
		wantFault(t, w.DeleteStatusMap(asViewer, m.ID), fault.Forbidden, "")
		wantFault(t, w.DeleteStatusMap(asManager, 999), fault.NotFound, "")
		stale := *m
		m.ReasonID = 6
		if err := w.UpdateStatusMap(asManager, m); err != nil || m.Version != 2 {
			t.Errorf("version %d, %v", m.Version, err)
		}
		wantFault(t, w.UpdateStatusMap(asManager, &stale), fault.PreconditionFailed, "")
		stale.ID = 999
		wantFault(t, w.UpdateStatusMap(asManager, &stale), fault.NotFound, "")
		if err := w.DeleteStatusMap(asManager, m.ID); err != nil {
			t.Error(err)
		}
	})
}

// Changing what a word stands for reaches those that wait; the others stay.
func TestChangedStatusMap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ids := append(w.newRouting(t, w.acme), w.newRouting(t, w.acme)...)
		m := w.mapTo(t, w.acme, "old word", 7)
		w.say(t, w.acme, ids[0], "old word", nil)
		w.say(t, w.acme, ids[1], "new word", nil)
		m.Status, m.ReasonID = "New Word", 8
		if err := w.UpdateStatusMap(asManager, m); err != nil {
			t.Fatal(err)
		}
		if a, b := w.current(t, ids[0]), w.current(t, ids[1]); a != (current{7, 7}) || b != (current{8, 8}) {
			t.Errorf("current %+v and %+v", a, b)
		}
	})
}

// A reason that is retired takes no reports by a status either, until it returns.
func TestRetiredReasonOfAMap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		r := Reason{Name: "Too far", Category: "negative", Active: true}
		if err := w.CreateReason(asManager, &r); err != nil {
			t.Fatal(err)
		}
		w.mapTo(t, w.acme, "far", r.ID)
		if e := wantFault(t, w.DeleteReason(asManager, r.ID), fault.Conflict, ""); !strings.Contains(e.Message, "status map") {
			t.Errorf("message %q", e.Message)
		}
		set := func(active bool) {
			t.Helper()
			r.Active = active
			if err := w.UpdateReason(asManager, &r); err != nil {
				t.Fatal(err)
			}
		}
		set(false)
		if f := w.say(t, w.acme, id, "far", nil); f.ReasonID != nil {
			t.Errorf("reason %d", *f.ReasonID)
		}
		if all := w.unmapped(t); len(all) != 1 || all[0].Status != "far" {
			t.Errorf("waiting %+v", all)
		}
		set(true)
		if c := w.current(t, id); c != (current{r.ID, r.ID}) {
			t.Errorf("current %+v", c)
		}
	})
}

func TestWholeStatusMap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		set := func(m Statuses) (Statuses, error) { return w.SetStatusMap(asManager, w.acme.customer, m) }
		w.mapTo(t, w.zenith, "won", 1)
		kept := w.mapTo(t, w.acme, "Won", 7)
		w.mapTo(t, w.acme, "gone", 8)
		got, err := set(Statuses{"Won": int64(7), "לא ענה": "לא ענה", "hold": "call LATER", "bad": "9", "n": 3.0})
		want := Statuses{"Won": int32(7), "לא ענה": int32(3), "hold": int32(4), "bad": int32(9), "n": int32(3)}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		var stored StatusMap
		if err := db.Read(background).Take(&stored, kept.ID).Error; err != nil || stored.Version != 1 {
			t.Errorf("what did not change is %+v, %v", stored, err)
		}
		if theirs, err := w.StatusMap(w.zenith.asClient, w.zenith.customer); err != nil || len(theirs) != 1 {
			t.Errorf("the other's: %v, %v", theirs, err)
		}
		_, err = w.StatusMap(w.zenith.asClient, w.acme.customer)
		wantFault(t, err, fault.NotFound, "")

		far := Reason{Name: "Sold", Category: "positive", Active: true} // a second one of that name
		if err := w.CreateReason(asManager, &far); err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			given  Statuses
			target string
			says   string
		}{
			"unknown id":    {Statuses{"x": int64(999)}, "Map/x", "1 (Received), 2 (Contacted)"},
			"unknown name":  {Statuses{"x": "Nope"}, "Map/x", `there is no reason "Nope"`},
			"ambiguous":     {Statuses{"x": "sold"}, "Map/x", "several reasons"},
			"not a reason":  {Statuses{"x": true}, "Map/x", "neither"},
			"half a reason": {Statuses{"x": 1.5}, "Map/x", "neither"},
			"no word":       {Statuses{" ": int64(1)}, "Map/ ", "shows nothing"},
			"twice":         {Statuses{"x": int64(1), "X ": int64(2)}, "Map/x", "the same status"},
		} {
			t.Run(name, func(t *testing.T) {
				_, err := set(tt.given)
				if e := wantFault(t, err, fault.Invalid, tt.target); !strings.Contains(e.Message, tt.says) {
					t.Errorf("message %q", e.Message)
				}
			})
		}
		if now, err := w.StatusMap(asViewer, w.acme.customer); err != nil || len(now) != 5 {
			t.Errorf("after refusals: %v, %v", now, err)
		}
		_, err = w.SetStatusMap(asViewer, w.acme.customer, nil)
		wantFault(t, err, fault.Forbidden, "")
		_, err = w.SetStatusMap(asManager, 99, nil)
		wantFault(t, err, fault.Invalid, "CustomerID")
		if now, err := set(nil); err != nil || len(now) != 0 {
			t.Errorf("emptied: %v, %v", now, err)
		}
	})
}

// However reports and the mapping meet, none is left waiting.
func TestMappingWhileReportsArrive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		const clients, words = 8, 10
		var ids []uuid.UUID
		for range clients {
			ids = append(ids, w.newRouting(t, w.acme)...)
		}
		var all sync.WaitGroup
		for _, id := range ids {
			all.Go(func() {
				for i := range words {
					status := fmt.Sprint("word ", i)
					if err := w.Report(w.acme.asClient, &Feedback{RoutingID: id, Status: &status}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			for i := range words {
				m := StatusMap{CustomerID: w.acme.customer, Status: fmt.Sprint("word ", i), ReasonID: int32(i%3) + 1}
				if err := w.CreateStatusMap(asManager, &m); err != nil {
					t.Error(err)
				}
			}
		})
		all.Wait()
		if left := w.unmapped(t); len(left) != 0 {
			t.Errorf("waiting though mapped: %+v", left)
		}
		if n := w.count(t); n != clients*words {
			t.Errorf("%d reports", n)
		}
	})
}
