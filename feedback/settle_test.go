package feedback

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

var manyWait = flag.Int("waiting", 3*settlePortion, "how many reports wait in TestManyWait")

// wait gives n leads to both sides, each of which reports a word on it that nobody
// has mapped. Routings of the sides are mixed in the order of their ids.
func (w *world) wait(t *testing.T, n int, word string) {
	t.Helper()
	id := func(begin, i string) string {
		text := fmt.Sprintf("('%s-0000-7000-8000-' || substr(CAST(1000000000000 + %s AS text), 2))", begin, i)
		if w.DB.Dialect() == store.Postgres {
			text += "::uuid"
		}
		return text
	}
	numbers := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)", n)
	both := fmt.Sprintf(" FROM n, (SELECT 0 AS k, %d AS customer, %d AS rule UNION ALL SELECT 1, %d, %d) s", w.acme.customer, w.acme.rule, w.zenith.customer, w.zenith.rule)
	if err := w.DB.Write(background, func(tx *gorm.DB) error {
		for _, q := range []string{
			"INSERT INTO leads (id, received_at, state) " + numbers + " SELECT " + id("01910000", "i") + ", ?, 'routed' FROM n",
			"INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, created_at) " + numbers +
				" SELECT " + id("01920000", "2 * i + k") + ", " + id("01910000", "i") + ", s.customer, s.rule, 1, 'delivered', ?" + both,
			"INSERT INTO feedback (id, routing_id, received_at, status, folded) " + numbers +
				" SELECT " + id("01930000", "2 * i + k") + ", " + id("01920000", "2 * i + k") + ", ?, '" + word + "', '" + word + "'" + both,
		} {
			if err := tx.Exec(q, w.Now()).Error; err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// waitingRouting is the routing that the side's report number i is on.
func (w *world) waitingRouting(s *side, i int) uuid.UUID {
	i *= 2
	if s == w.zenith {
		i++
	}
	return uuid.MustParse(fmt.Sprintf("01920000-0000-7000-8000-%012d", i))
}

func (w *world) unmappedOf(t *testing.T, s *side) (of UnmappedStatus) {
	t.Helper()
	for _, u := range w.unmapped(t) {
		if u.CustomerID == s.customer {
			of = u
		}
	}
	return of
}

// A word that very many wait with is answered for at once. The rest get their
// reason in portions, after a restart too; others report meanwhile; and what is
// newest is current, whatever came when.
func TestManyWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		many := *manyWait
		w.wait(t, many, "word")
		w.clock.advance(time.Minute)
		start := time.Now()
		w.mapTo(t, w.acme, "word", 7)
		t.Logf("mapped after %v", time.Since(start))
		// Half of the first portion was the other customer's.
		if u := w.unmappedOf(t, w.acme); u.Count != int64(many-settlePortion/2) || !u.Mapped {
			t.Fatalf("after mapping %+v", u)
		}
		first, last := w.waitingRouting(w.acme, 0), w.waitingRouting(w.acme, many-1)
		if c := w.current(t, first); c != (current{7, 7}) {
			t.Errorf("of the first portion: %+v", c)
		}
		if c := w.current(t, last); c != (current{}) {
			t.Errorf("of the last portion: %+v", c)
		}

		// On routings whose turn has not come: the word again, another reason later,
		// and another customer's, later too.
		newer, older := w.waitingRouting(w.acme, many-2), w.waitingRouting(w.acme, many-3)
		if f := w.say(t, w.acme, last, "Word", nil); f.ReasonID == nil || *f.ReasonID != 7 {
			t.Errorf("the word again: %+v", f)
		}
		before := w.Now().Add(-time.Hour)
		for _, f := range []Feedback{{RoutingID: newer, ReasonID: new(int32(3))}, {RoutingID: older, ReasonID: new(int32(3)), OccurredAt: &before}} {
			if err := w.Report(w.acme.asClient, &f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Report(w.zenith.asClient, &Feedback{RoutingID: w.waitingRouting(w.zenith, many-4), ReasonID: new(int32(9))}); err != nil {
			t.Fatal(err)
		}

		// Another start of the program goes on with it.
		again := New(db, w.Routing)
		again.Now = w.Now
		ctx, stop := context.WithCancel(background)
		ended := make(chan error)
		start = time.Now()
		go func() { ended <- again.Run(ctx) }()
		slowest, reports := time.Duration(0), 0
		deadline := time.Now().Add(time.Minute + time.Duration(many)*10*time.Millisecond)
		for w.unmappedOf(t, w.acme).Count > 0 && time.Now().Before(deadline) {
			begun := time.Now()
			if err := w.Report(w.zenith.asClient, &Feedback{RoutingID: w.waitingRouting(w.zenith, reports%many), ReasonID: new(int32(2)), OccurredAt: &before}); err != nil {
				t.Fatal(err)
			}
			slowest, reports = max(slowest, time.Since(begun)), reports+1
		}
		t.Logf("settled after %v, meanwhile %d reports, the slowest in %v", time.Since(start), reports, slowest)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if u := w.unmappedOf(t, w.acme); u.Count != 0 {
			t.Fatalf("left %+v", u)
		}
		for name, tt := range map[string]struct {
			id   uuid.UUID
			want current
		}{
			"the first":                      {first, current{7, 7}},
			"one between":                    {w.waitingRouting(w.acme, many/2), current{7, 7}},
			"the last, which got it again":   {last, current{7, 7}},
			"with a newer report meanwhile":  {newer, current{3, 3}},
			"with an older report meanwhile": {older, current{7, 7}},
			"another customer's is newer":    {w.waitingRouting(w.acme, many-4), current{7, 9}},
		} {
			if c := w.current(t, tt.id); c != tt.want {
				t.Errorf("%s: current %+v, want %+v", name, c, tt.want)
			}
		}
		if u := w.unmappedOf(t, w.zenith); u.Count != int64(many) || u.Mapped {
			t.Errorf("the other customer's %+v", u)
		}
		var left int64
		if err := db.Read(background).Raw("SELECT count(*) FROM settlings").Scan(&left).Error; err != nil || left != 0 {
			t.Errorf("%d words are still to be settled, %v", left, err)
		}
	})
}

// Whoever changes the map while a word is being settled has the last word.
func TestMapChangesWhileSettling(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		const many = 2 * settlePortion
		w.wait(t, many, "word")
		m := w.mapTo(t, w.acme, "word", 7)
		m.ReasonID = 8
		if err := w.UpdateStatusMap(asManager, m); err != nil {
			t.Fatal(err)
		}
		for i, want := range map[int]int32{0: 7, settlePortion/2 - 1: 7, settlePortion / 2: 8, many - 1: 0} {
			if c := w.current(t, w.waitingRouting(w.acme, i)); c != (current{want, want}) {
				t.Errorf("report %d: %+v, want %d", i, c, want)
			}
		}
		if err := w.DeleteStatusMap(asManager, m.ID); err != nil {
			t.Fatal(err)
		}
		for found := true; found; {
			var err error
			if found, err = w.settleNext(background); err != nil {
				t.Fatal(err)
			}
		}
		if c := w.current(t, w.waitingRouting(w.acme, many-1)); c != (current{}) {
			t.Errorf("after the word was taken out: %+v", c)
		}
		if u := w.unmappedOf(t, w.acme); u.Count == 0 || u.Mapped {
			t.Errorf("after the word was taken out: %+v", u)
		}
	})
}
