package feedback

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestReport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		jerusalem := time.FixedZone("", 2*60*60)
		occurred := time.Date(2026, 3, 1, 13, 0, 0, 999, jerusalem)
		got := Feedback{
			ID: uuid.New(), RoutingID: id, ReasonID: new(int32(3)), Comment: new("לא ענה"), OccurredAt: &occurred, ConnectionID: new(uuid.New()),
			ExternalID: new("006-1"), ExternalLink: new("https://crm.example.com/leads/1?x=ג"), Owner: new("דנה"),
		}
		given := got.ID
		if err := w.Report(w.acme.asClient, &got); err != nil {
			t.Fatal(err)
		}
		want := Feedback{
			ID: got.ID, RoutingID: id, ReasonID: new(int32(3)), Comment: new("לא ענה"), OccurredAt: new(time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)),
			ReceivedAt: w.Now(), ExternalID: new("006-1"), ExternalLink: new("https://crm.example.com/leads/1?x=ג"), Owner: new("דנה"),
			ConnectionID: &w.acme.connection,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("reported (-want +got):\n%s", diff)
		}
		var stored Feedback
		if err := db.Read(background).Take(&stored).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, stored); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if got.ID == given || got.ID.Version() != 7 {
			t.Errorf("ID %v, want a UUIDv7 of our own", got.ID)
		}
		if c := w.current(t, id); c != (current{3, 3}) {
			t.Errorf("current feedback %+v", c)
		}
		byStaff := Feedback{RoutingID: id, ReasonID: new(int32(7))}
		w.clock.advance(time.Hour)
		if err := w.Report(asManager, &byStaff); err != nil || byStaff.ConnectionID != nil {
			t.Errorf("a report by staff: %+v, %v", byStaff, err)
		}
	})
}

func TestWhoMayReport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		unscoped := store.ActorOf(w.acme.asClient)
		unscoped.Scopes = []string{"leads:read"}
		report := func(f Feedback) func(*testing.T) error {
			return func(*testing.T) error { return w.Report(w.zenith.asClient, &f) }
		}
		tests := []struct {
			name string
			call func(*testing.T) error
			code fault.Code
		}{
			{"nobody", func(*testing.T) error { return w.Report(background, &Feedback{RoutingID: id, ReasonID: new(int32(3))}) }, fault.Unauthorized},
			{"a viewer", func(*testing.T) error { return w.Report(asViewer, &Feedback{RoutingID: id, ReasonID: new(int32(3))}) }, fault.Forbidden},
			{"without the scope", func(*testing.T) error {
				return w.Report(actor(unscoped), &Feedback{RoutingID: id, ReasonID: new(int32(3))})
			}, fault.Forbidden},
			{"another customer", report(Feedback{RoutingID: id, ReasonID: new(int32(3))}), fault.NotFound},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { wantFault(t, tt.call(t), tt.code, "-") })
		}
		if n := w.count(t); n != 0 {
			t.Errorf("%d reports stored", n)
		}
	})
}

// What is somebody else's looks exactly like what is not there.
func TestForeignRoutingIsUnknown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		foreign, unknown := w.newRouting(t, w.acme)[0], uuid.New()
		variants := map[string]func(*Feedback){
			"plain":          func(*Feedback) {},
			"unknown reason": func(f *Feedback) { f.ReasonID = new(int32(999)) },
			"bad link":       func(f *Feedback) { f.ExternalLink = new("x") },
		}
		for name, change := range variants {
			t.Run(name, func(t *testing.T) {
				answer := func(id uuid.UUID) *fault.Error {
					f := Feedback{RoutingID: id, ReasonID: new(int32(3))}
					change(&f)
					var e *fault.Error
					if err := w.Report(w.zenith.asClient, &f); !errors.As(err, &e) {
						t.Fatalf("error %v, want a fault", err)
					}
					e = e.At(e.Target)
					e.Message = strings.ReplaceAll(e.Message, id.String(), "<id>")
					return e
				}
				if diff := cmp.Diff(answer(unknown), answer(foreign)); diff != "" {
					t.Errorf("(-unknown +foreign):\n%s", diff)
				}
			})
		}
	})
}

func TestReportValidation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		retired := Reason{Name: "Old", Category: "negative"}
		if err := w.CreateReason(asManager, &retired); err != nil {
			t.Fatal(err)
		}
		in := func(d time.Duration) *time.Time { at := w.Now().Add(d); return &at }
		tests := []struct {
			name   string
			change func(*Feedback)
			target string
			says   string
		}{
			{"no routing", func(f *Feedback) { f.RoutingID = uuid.Nil }, "RoutingID", "required"},
			{"no reason", func(f *Feedback) { f.ReasonID = new(int32(0)) }, "ReasonID", "required; the valid ones are 1 (Received), 2 (Contacted), 3 (No answer)"},
			{"unknown reason", func(f *Feedback) { f.ReasonID = new(int32(999)) }, "ReasonID", "no reason 999; the valid ones are 1 (Received), 2 (Contacted)"},
			{"negative reason", func(f *Feedback) { f.ReasonID = new(int32(-1)) }, "ReasonID", "no reason -1"},
			{"inactive reason", func(f *Feedback) { f.ReasonID = &retired.ID }, "ReasonID", "no longer in use"},
			{"far future", func(f *Feedback) { f.OccurredAt = in(24*time.Hour + time.Microsecond) }, "OccurredAt", "24 hours"},
			{"no time at all", func(f *Feedback) { f.OccurredAt = &time.Time{} }, "OccurredAt", "2000"},
			{"long comment", func(f *Feedback) { f.Comment = new(strings.Repeat("x", 10001)) }, "Comment", "longer"},
			{"NUL", func(f *Feedback) { f.Comment = new("a\x00b") }, "Comment", "not text"},
			{"not UTF-8", func(f *Feedback) { f.Owner = new("\xff") }, "Owner", "not text"},
			{"long id", func(f *Feedback) { f.ExternalID = new(strings.Repeat("x", 201)) }, "ExternalID", "longer"},
			{"script as link", func(f *Feedback) { f.ExternalLink = new("javascript:alert(1)") }, "ExternalLink", "http://"},
			{"no host", func(f *Feedback) { f.ExternalLink = new("https:///x") }, "ExternalLink", "http://"},
			{"relative link", func(f *Feedback) { f.ExternalLink = new("/leads/1") }, "ExternalLink", "http://"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := Feedback{RoutingID: id, ReasonID: new(int32(3))}
				tt.change(&f)
				e := wantFault(t, w.Report(w.acme.asClient, &f), fault.Invalid, tt.target)
				if !strings.Contains(e.Message, tt.says) || strings.Contains(e.Message, "(Old),") {
					t.Errorf("message %q, want it to say %q", e.Message, tt.says)
				}
			})
		}
		if n := w.count(t); n != 0 {
			t.Errorf("%d reports stored", n)
		}
		ahead := Feedback{RoutingID: id, ReasonID: new(int32(3)), OccurredAt: in(24 * time.Hour)}
		if err := w.Report(w.acme.asClient, &ahead); err != nil {
			t.Errorf("a clock 24 hours ahead: %v", err)
		}
	})
}

func TestTheNewestIsCurrent(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // when the first arrives; each further one an hour later
	at := func(hours int) *time.Time { t := noon.Add(time.Duration(hours) * time.Hour); return &t }
	type report struct {
		reason   int32
		occurred *time.Time
	}
	tests := []struct {
		name    string
		reports []report
		want    int32
	}{
		{"one", []report{{1, nil}}, 1},
		{"by arrival", []report{{1, nil}, {2, nil}}, 2},
		{"in order", []report{{1, at(-3)}, {2, at(-2)}}, 2},
		{"out of order", []report{{2, at(-2)}, {1, at(-3)}}, 2},
		{"late report of the past", []report{{2, nil}, {1, at(-1)}}, 2},
		{"arrival beats the past", []report{{1, at(-1)}, {2, nil}}, 2},
		{"from the future", []report{{1, at(5)}, {2, nil}}, 1},
		{"equal times: the later arrival", []report{{1, at(-1)}, {2, at(-1)}}, 2},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				w := newWorld(t, db)
				id := w.newRouting(t, w.acme)[0]
				for _, r := range tt.reports {
					if err := w.Report(w.acme.asClient, &Feedback{RoutingID: id, ReasonID: &r.reason, OccurredAt: r.occurred}); err != nil {
						t.Fatal(err)
					}
					w.clock.advance(time.Hour)
				}
				if got := w.current(t, id); got != (current{tt.want, tt.want}) {
					t.Errorf("current %+v, want %d", got, tt.want)
				}
			})
		}
	})
}

// A lead that went to two customers shows the newest of both.
func TestTwoCustomersOneLead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ids := w.newRouting(t, w.acme, w.zenith)
		now, before := w.Now(), w.Now().Add(-time.Hour)
		if err := w.Report(w.zenith.asClient, &Feedback{RoutingID: ids[1], ReasonID: new(int32(7)), OccurredAt: &now}); err != nil {
			t.Fatal(err)
		}
		if err := w.Report(w.acme.asClient, &Feedback{RoutingID: ids[0], ReasonID: new(int32(3)), OccurredAt: &before}); err != nil {
			t.Fatal(err)
		}
		if got := w.current(t, ids[0]); got != (current{3, 7}) {
			t.Errorf("first customer's routing: %+v", got)
		}
		if got := w.current(t, ids[1]); got != (current{7, 7}) {
			t.Errorf("second customer's routing: %+v", got)
		}
	})
}

func TestTheSameReportAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		occurred := w.Now().Add(-time.Hour)
		first := Feedback{RoutingID: id, ReasonID: new(int32(3)), OccurredAt: &occurred, Comment: new("first")}
		if err := w.Report(w.acme.asClient, &first); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(time.Minute)
		elsewhere := occurred.In(time.FixedZone("", 3600)).Add(300 * time.Nanosecond) // the same instant, as far as is stored
		again := Feedback{RoutingID: id, ReasonID: new(int32(3)), OccurredAt: &elsewhere, Comment: new("again")}
		if err := w.Report(w.acme.asClient, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
		if n := w.count(t); n != 1 {
			t.Errorf("%d reports stored, want 1", n)
		}
		later := occurred.Add(time.Microsecond)
		for _, f := range []Feedback{
			{RoutingID: id, ReasonID: new(int32(4)), OccurredAt: &occurred},
			{RoutingID: id, ReasonID: new(int32(3)), OccurredAt: &later},
			{RoutingID: id, ReasonID: new(int32(3))},
			{RoutingID: id, ReasonID: new(int32(3))}, // without a time of its own each is another report
		} {
			if err := w.Report(w.acme.asClient, &f); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count(t); n != 5 {
			t.Errorf("%d reports stored, want 5", n)
		}
	})
}

// Reports that come at once store what they should, the same one once.
func TestReportsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		occurred := w.Now()
		const clients = 16
		type answer struct {
			same, other Feedback
			err         error
		}
		answers := make(chan answer, clients)
		for i := range clients {
			go func() {
				at := occurred.Add(-time.Duration(i+1) * time.Second)
				a := answer{Feedback{RoutingID: id, ReasonID: new(int32(3)), OccurredAt: &occurred}, Feedback{RoutingID: id, ReasonID: new(int32(4)), OccurredAt: &at}, nil}
				a.err = errors.Join(w.Report(w.acme.asClient, &a.same), w.Report(w.acme.asClient, &a.other))
				answers <- a
			}()
		}
		ids := map[uuid.UUID]bool{}
		for range clients {
			a := <-answers
			if a.err != nil {
				t.Error(a.err)
			}
			ids[a.same.ID] = true
		}
		if n := w.count(t); n != clients+1 || len(ids) != 1 {
			t.Errorf("%d reports stored under %d ids of the same, want %d and 1", n, len(ids), clients+1)
		}
		if got := w.current(t, id); got != (current{3, 3}) {
			t.Errorf("current %+v, want 3", got)
		}
	})
}

// BenchmarkReport is durable reports from 64 clients.
func BenchmarkReport(b *testing.B) {
	for _, dialect := range []string{store.SQLite, store.Postgres} {
		b.Run(dialect, func(b *testing.B) {
			w := newWorld(b, storetest.Open(b, dialect))
			ids := make([]uuid.UUID, 0, 512)
			for range cap(ids) {
				ids = append(ids, w.newRouting(b, w.acme)...)
			}
			var n atomic.Int64
			b.SetParallelism(32) // times two processors
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					f := Feedback{RoutingID: ids[int(i)%len(ids)], ReasonID: new(int32(i%12) + 1), Comment: new(fmt.Sprint("call ", i))}
					if err := w.Report(w.acme.asClient, &f); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}
