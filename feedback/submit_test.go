package feedback

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// submit submits and fails on an error of the whole.
func (w *world) submit(t testing.TB, side *side, items ...Item) []Outcome {
	t.Helper()
	done, err := w.SubmitItems(side.asClient, items)
	if err != nil || len(done) != len(items) {
		t.Fatalf("%d outcomes, %v", len(done), err)
	}
	return done
}

func TestSubmitKeepsTheGoodOnes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		own, foreign, unknown := w.newRouting(t, w.acme)[0], w.newRouting(t, w.zenith)[0], uuid.New()
		at := "2026-03-01T10:00:00Z"
		done := w.submit(t, w.acme,
			Item{"RoutingID": own.String(), "ReasonID": int64(2), "OccurredAt": at},
			Item{"RoutingID": foreign.String(), "ReasonID": int64(2)},
			Item{"RoutingID": unknown.String(), "ReasonID": int64(2)},
			Item{"RoutingID": "7", "ReasonID": int64(2)},
			Item{"RoutingID": own.String(), "ReasonID": "Sold"},
			Item{"RoutingID": own.String()},
			Item{"RoutingID": own.String(), "ReasonID": int64(999)},
			Item{"RoutingID": own.String(), "ReasonID": int64(2), "Secret": "x"},
			Item{"RoutingID": own.String(), "ReasonID": int64(2), "Comment": []any{"x"}},
			Item{"RoutingID": own.String(), "ReasonID": "2", "OccurredAt": at, "Comment": "again"},
			Item{"RoutingID": own.String(), "ReasonID": float64(7), "Comment": " ", "ExternalID": int64(17), "Amount": 1250.5, "Currency": "ils"},
		)
		want := []struct {
			code   fault.Code
			target string
		}{
			{},
			{fault.NotFound, "RoutingID"},
			{fault.NotFound, "RoutingID"},
			{fault.Invalid, "RoutingID"},
			{fault.Invalid, "ReasonID"},
			{fault.Invalid, "ReasonID"},
			{fault.Invalid, "ReasonID"},
			{fault.Invalid, "Secret"},
			{fault.Invalid, "Comment"},
			{},
			{},
		}
		for i, x := range want {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				if x.code != "" {
					wantFault(t, done[i].Err, x.code, x.target)
				} else if done[i].Err != nil {
					t.Error(done[i].Err)
				}
			})
		}
		if !done[9].Known || done[9].Feedback.ID != done[0].Feedback.ID || done[9].Feedback.Comment != nil {
			t.Errorf("the same again: %+v", done[9])
		}
		last := done[10].Feedback
		if last.Comment != nil || *last.ExternalID != "17" || *last.Amount != 12_505_000 || *last.Currency != "ILS" {
			t.Errorf("%+v", last)
		}
		var stored Feedback
		if err := db.Read(background).Take(&stored, "id = ?", last.ID).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(last, stored); diff != "" {
			t.Errorf("(-answered +stored):\n%s", diff)
		}
		if n := w.count(t); n != 2 {
			t.Errorf("%d reports stored, want 2", n)
		}
		if got := w.current(t, own); got != (current{7, 7}) {
			t.Errorf("current %+v", got)
		}
	})
}

// A report that comes again beside the first one counts where that stands.
func TestTheSameTwiceInOneSubmission(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		report := func(reason int) Item {
			return Item{"RoutingID": id.String(), "ReasonID": int64(reason), "OccurredAt": "2026-03-01T10:00:00Z"}
		}
		done := w.submit(t, w.acme, report(2), report(1), report(2))
		if !done[2].Known || done[2].Feedback.ID != done[0].Feedback.ID {
			t.Errorf("%+v", done[2])
		}
		if got := w.current(t, id); got != (current{1, 1}) {
			t.Errorf("current %+v, want 1", got)
		}
	})
}

func TestSubmitIsBounded(t *testing.T) {
	w := newWorld(t, storetest.Open(t, store.SQLite))
	_, err := w.SubmitItems(w.acme.asClient, make([]Item, MaxReports+1))
	wantFault(t, err, fault.TooLarge, "Items")
	_, err = w.SubmitItems(asViewer, make([]Item, 1))
	wantFault(t, err, fault.Forbidden, "-")
	if done, err := w.SubmitItems(w.acme.asClient, nil); err != nil || len(done) != 0 {
		t.Errorf("nothing at all: %v, %v", done, err)
	}
}

// A thousand at once, over many routings and statuses, are as they were sent, and
// the same thousand again are those.
func TestSubmitAThousand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		for i := range 5 {
			m := StatusMap{CustomerID: w.acme.customer, Status: fmt.Sprint("stage ", i), ReasonID: int32(i + 1)}
			if err := w.CreateStatusMap(asManager, &m); err != nil {
				t.Fatal(err)
			}
		}
		var ids []uuid.UUID
		for range 40 {
			ids = append(ids, w.newRouting(t, w.acme, w.zenith)[0])
		}
		var items []Item
		for i := range MaxReports {
			item := Item{"RoutingID": ids[i%len(ids)].String(), "OccurredAt": w.Now().Add(-time.Duration(i) * time.Minute).Format(time.RFC3339)}
			switch i % 3 {
			case 0:
				item["ReasonID"] = int64(i%12 + 1)
			default:
				item["Status"] = fmt.Sprint("Stage  ", i%7) // two of them are not mapped
			}
			items = append(items, item)
		}
		first := w.submit(t, w.acme, items...)
		waiting := 0
		for i, o := range first {
			switch {
			case o.Err != nil || o.Known:
				t.Fatalf("item %d: %+v", i, o)
			case o.Feedback.ReasonID == nil:
				waiting++
			}
		}
		if waiting == 0 || w.count(t) != MaxReports {
			t.Errorf("%d wait of %d", waiting, w.count(t))
		}
		w.clock.advance(time.Minute)
		for i, o := range w.submit(t, w.acme, items...) {
			if diff := cmp.Diff(first[i].Feedback, o.Feedback); diff != "" || !o.Known {
				t.Fatalf("item %d again (-first +again):\n%s", i, diff)
			}
		}
		if n := w.count(t); n != MaxReports {
			t.Errorf("%d reports stored", n)
		}
	})
}

// However reports are put in order and cut into submissions, the current feedback
// is that of the newest by the customers' time, and of those of one time the one
// that came last; a report sent again changes nothing.
func TestCurrentInAnyOrder(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		checkFew(t, 25, func(r *rapid.T) {
			w.clock.now = noon
			ids := w.newRouting(t, w.acme, w.zenith)
			sides := []*side{w.acme, w.zenith}
			type newest struct {
				at     time.Time
				reason int32
			}
			var routing [2]newest
			var lead newest
			seen := map[string]bool{}
			type sent struct {
				side   int
				reason int32
				at     *time.Time
			}
			reports := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) sent {
				s := sent{side: rapid.IntRange(0, 1).Draw(r, "side"), reason: rapid.Int32Range(1, 11).Draw(r, "reason")}
				if hours := rapid.IntRange(-4, 4).Draw(r, "hours"); hours != 4 {
					s.at = new(noon.Add(time.Duration(hours) * time.Hour)) // ties are likely
				}
				return s
			}), 1, 12).Draw(r, "reports")
			for len(reports) > 0 {
				n := rapid.IntRange(1, len(reports)).Draw(r, "together")
				side := reports[0].side
				if i := slices.IndexFunc(reports[:n], func(s sent) bool { return s.side != side }); i >= 0 {
					n = i
				}
				var list []Feedback
				for _, s := range reports[:n] {
					list = append(list, Feedback{RoutingID: ids[side], ReasonID: &s.reason, OccurredAt: s.at})
					at := w.clock.now
					if s.at != nil {
						at = *s.at
						key := fmt.Sprint(side, s.reason, at)
						if seen[key] {
							continue
						}
						seen[key] = true
					}
					if !at.Before(routing[side].at) {
						routing[side] = newest{at, s.reason}
					}
					if !at.Before(lead.at) {
						lead = newest{at, s.reason}
					}
				}
				done, err := w.Submit(sides[side].asClient, list)
				for _, o := range done {
					if o.Err != nil {
						r.Fatal(o.Err)
					}
				}
				if err != nil {
					r.Fatal(err)
				}
				reports = reports[n:]
				w.clock.advance(30 * time.Minute)
			}
			for i, id := range ids {
				want := current{routing[i].reason, lead.reason}
				if got := w.current(t, id); got != want {
					r.Errorf("side %d: current %+v, want %+v", i, got, want)
				}
			}
		})
	})
}

// checkFew is rapid.Check with few inputs: each of them takes long.
func checkFew(t *testing.T, n int, f func(*rapid.T)) {
	t.Helper()
	const name = "rapid.checks"
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = flag.Set(name, before) }()
	rapid.Check(t, f)
}

func TestHowLateFeedbackMayCome(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		if err := w.limit(w.acme, 30*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		early := Feedback{RoutingID: id, ReasonID: new(int32(2)), OccurredAt: new(w.Now())}
		w.clock.advance(30 * 24 * time.Hour)
		if err := w.Report(w.acme.asClient, &early); err != nil {
			t.Fatalf("at the very end: %v", err)
		}
		w.clock.advance(time.Microsecond)
		late := Feedback{RoutingID: id, ReasonID: new(int32(7))}
		e := wantFault(t, w.Report(w.acme.asClient, &late), fault.Conflict, "RoutingID")
		if want := "feedback on this lead is taken for 30 days after its delivery, which was until 2026-03-31T12:00:00Z"; e.Message != want {
			t.Errorf("message %q, want %q", e.Message, want)
		}
		again := Feedback{RoutingID: id, ReasonID: new(int32(2)), OccurredAt: early.OccurredAt}
		if err := w.Report(w.acme.asClient, &again); err != nil || again.ID != early.ID {
			t.Errorf("a report that was in time, sent again: %+v, %v", again, err)
		}
		if err := w.Report(asManager, &late); err != nil {
			t.Errorf("staff are not bound: %v", err)
		}
		// The time counts from the delivery, where there was one.
		other := w.newRouting(t, w.acme)[0]
		w.clock.advance(31 * 24 * time.Hour)
		if err := w.exec("UPDATE routings SET delivered_at = ? WHERE id = ?", w.Now(), other); err != nil {
			t.Fatal(err)
		}
		if err := w.Report(w.acme.asClient, &Feedback{RoutingID: other, ReasonID: new(int32(7))}); err != nil {
			t.Error(err)
		}
	})
}
