package feedback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/keys"
	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// pullWorld is a world whose customer acme has a system that is read.
type pullWorld struct {
	*world
	far *far
}

func newPullWorld(t testing.TB, db *store.DB, system func(f *far) http.Handler) *pullWorld {
	t.Helper()
	w := &pullWorld{newWorld(t, db), newFar(t, system)}
	w.Routing = routing.New(db, storetest.Vault(), routing.WithAllowedNetworks(netip.MustParsePrefix("127.0.0.0/8")), routing.WithClock(w.Now))
	w.Log = slog.New(slog.DiscardHandler)
	t.Cleanup(w.Routing.Close)
	if err := w.Routing.SyncConnectors(background); err != nil {
		t.Fatal(err)
	}
	scopes := []string{keys.FeedbackWrite}
	err := db.Write(background, func(tx *gorm.DB) error {
		return tx.Model(&keys.Connection{}).Where("id = ?", w.acme.connection).Select("Scopes").Updates(&keys.Connection{Scopes: scopes}).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *pullWorld) connector(t testing.TB, code string) int64 {
	t.Helper()
	var c routing.Connector
	if err := w.DB.Read(background).Where("code = ?", code).Take(&c).Error; err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func (w *pullWorld) connectWiseSettings() routing.Settings {
	return routing.Settings{"URL": w.far.URL, "CompanyID": "acme", "PublicKey": "pub", "PrivateKey": "priv-key", "ClientID": "client-1"}
}

// pull makes a pull of the connector and activates it.
func (w *pullWorld) pull(t testing.TB, code string, settings routing.Settings) *Pull {
	t.Helper()
	p := NewPull()
	p.ConnectionID, p.ConnectorID, p.Name, p.Settings = w.acme.connection, w.connector(t, code), "Pull", settings
	p.StartsAt = w.Now().Add(-24 * time.Hour)
	if err := w.CreatePull(asManager, p); err != nil {
		t.Fatal(err)
	}
	if err := w.ActivatePull(asManager, p.ID); err != nil {
		t.Fatal(err)
	}
	return p
}

// ownReading is the connector of a system that needs no more than an address.
func (w *pullWorld) ownReading(t testing.TB, change func(*routing.Reading)) (id int64) {
	t.Helper()
	r := routing.Reading{
		URL: "{URL}/changes?since={Since}&page={Page}", PageSize: 2, Items: "items",
		ExternalID: "Item/lead", Status: "Item/state", OccurredAt: "Item/at",
	}
	if change != nil {
		change(&r)
	}
	c := routing.Connector{
		Code: "own-" + uuid.NewString(), Name: "Own", Method: "GET", Format: "query", URL: "{URL}", Reading: r,
		Settings: []routing.Setting{{Name: "URL", Type: "url", Required: true}},
	}
	if err := w.Routing.CreateConnector(asManager, &c); err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// known gives acme routings that brought back the far ids, prefix and a number
// below n.
func (w *pullWorld) known(t testing.TB, prefix string, n int) []uuid.UUID {
	t.Helper()
	ids, people, routings := make([]uuid.UUID, n), make([]leads.Lead, n), make([]routing.Routing, n)
	for i := range n {
		ids[i] = uuid.New()
		people[i] = leads.Lead{ID: uuid.New(), ReceivedAt: w.Now(), State: leads.StateRouted, Version: 1, Properties: map[string]any{}}
		routings[i] = routing.Routing{
			ID: ids[i], LeadID: people[i].ID, CustomerID: w.acme.customer, RuleID: w.acme.rule, RuleRevision: 1,
			State: routing.Delivered, CreatedAt: w.Now(), ExternalID: new(fmt.Sprint(prefix, i)), Version: 1,
		}
	}
	err := w.DB.Write(background, func(tx *gorm.DB) error {
		tx = tx.Omit(clause.Associations).Session(&gorm.Session{CreateBatchSize: 100})
		return errors.Join(tx.Create(&people).Error, tx.Create(&routings).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// turn runs a pull that is due, and reports whether one was.
func (w *pullWorld) turn(t testing.TB) bool {
	t.Helper()
	p, err := w.claimPull(background)
	if err != nil {
		t.Fatal(err)
	}
	if p != nil {
		w.runPull(background, p)
	}
	return p != nil
}

func (w *pullWorld) reread(t testing.TB, id int64) *Pull {
	t.Helper()
	p, err := pullOf(w.DB.Read(background), id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantPull checks the counts of a pull that fares well.
func (w *pullWorld) wantPull(t testing.TB, id, found, reported, unknown int64) *Pull {
	t.Helper()
	p := w.reread(t, id)
	if p.LastError != nil {
		t.Errorf("error %s", *p.LastError)
	}
	if p.Found != found || p.Reported != reported || p.Unknown != unknown || p.Refused != 0 {
		t.Errorf("found %d, reported %d, unknown %d, refused %d; want %d, %d, %d, 0", p.Found, p.Reported, p.Unknown, p.Refused, found, reported, unknown)
	}
	if n := w.count(t); n != reported {
		t.Errorf("%d reports stored, want %d", n, reported)
	}
	return p
}

func TestPullFromConnectWise(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		w.mapTo(t, w.acme, "Won", 7)
		const people = 130
		ids := w.known(t, "10", people)
		begun := w.Now().Add(-12 * time.Hour)
		for i := range people {
			w.far.put(i, fmt.Sprint("10", i), "Won", begun.Add(time.Duration(i)*time.Minute))
		}
		w.far.put(500, "77", "Won", begun.Add(time.Hour))               // nobody of ours
		w.far.put(501, "100", "Lost", w.Now().Add(-48*time.Hour))       // before the start
		w.far.put(502, "101", "Negotiating", w.Now().Add(-time.Minute)) // nobody said what that is
		p := w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		if !w.turn(t) || w.turn(t) {
			t.Fatal("the pull is to run once")
		}
		got := w.wantPull(t, p.ID, people+2+1, people+1, 1) // the newest of the full page came twice
		if want := w.Now().Add(-time.Minute); got.Since == nil || !got.Since.Equal(want) || !got.NextAt.Equal(w.Now().Add(15*time.Minute)) {
			t.Errorf("since %v, next %v", got.Since, got.NextAt)
		}
		if c := w.current(t, ids[people-1]); c != (current{7, 7}) {
			t.Errorf("current %+v", c)
		}
		var f Feedback
		if err := db.Read(background).Where("routing_id = ?", ids[0]).Take(&f).Error; err != nil || *f.ConnectionID != w.acme.connection ||
			*f.Comment != "עסקה 0" || !f.OccurredAt.Equal(begun) || *f.Status != "Won" {
			t.Errorf("reported %+v, %v", f, err)
		}
		if all := w.unmapped(t); len(all) != 1 || all[0].Status != "Negotiating" {
			t.Errorf("unmapped %+v", all)
		}

		// Again: what changed since, and only if it says something else.
		w.clock.advance(15 * time.Minute)
		w.far.put(3, "103", "Won", w.Now().Add(-time.Second))
		w.far.put(4, "104", "Negotiating", w.Now().Add(-time.Second))
		if !w.turn(t) {
			t.Fatal("not due")
		}
		w.wantPull(t, p.ID, people+3+3, people+2, 1)
		w.mapTo(t, w.acme, "negotiating", 6)
		if c := w.current(t, ids[4]); c != (current{6, 6}) {
			t.Errorf("current %+v", c)
		}
	})
}

func TestPullFromUNAS(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, unas)
		w.mapTo(t, w.acme, "Lezárt", 7)
		const orders = 230
		begun := w.Now().Add(-12 * time.Hour)
		w.known(t, "u", orders)
		for i := range orders {
			w.far.put(i, fmt.Sprint("u", i), "Lezárt", begun.Add(time.Duration(i)*time.Minute))
		}
		w.far.before = func(request int) {
			if request == 2 { // its answer is still to come, the next page needs another
				w.far.mu.Lock()
				w.far.token++
				w.far.mu.Unlock()
			}
		}
		p := w.pull(t, "unas-customer", routing.Settings{"URL": w.far.URL + "/shop", "APIKey": "unas-key"})
		w.turn(t)
		w.wantPull(t, p.ID, orders, orders, 0)
		if w.far.logins != 2 {
			t.Errorf("%d logins, want one and one more when the token ended", w.far.logins)
		}
		var newest Feedback
		if err := db.Read(background).Order("occurred_at DESC").Take(&newest).Error; err != nil || !newest.OccurredAt.Equal(begun.Add((orders-1)*time.Minute)) {
			t.Errorf("the newest is %v, %v", newest.OccurredAt, err)
		}
		if newest.Amount == nil || *newest.Amount != (12700+orders-1)*amountUnits || deref(newest.Currency) != "HUF" {
			t.Errorf("the newest order's sum is %+v", newest)
		}
		w.clock.advance(time.Hour)
		w.turn(t)
		w.wantPull(t, p.ID, orders+6, orders, 0) // the last five minutes are read again
	})
}

// Whatever ends a run between a page and its cursor: nothing is lost, nothing is
// there twice.
func TestPullCutOff(t *testing.T) {
	const people = 230
	cuts := map[string]func(w *pullWorld, p *Pull, cancel func()){
		"the server stops": func(_ *pullWorld, _ *Pull, cancel func()) { cancel() },
		"another server has it": func(w *pullWorld, p *Pull, _ func()) {
			_ = w.DB.Write(background, func(tx *gorm.DB) error {
				return tx.Exec("UPDATE pulls SET lease_token = 'other', lease_until = NULL WHERE id = ?", p.ID).Error
			})
		},
		"staff pause it": func(w *pullWorld, p *Pull, _ func()) { _ = w.PausePull(asManager, p.ID) },
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, cut := range cuts {
			for _, system := range []string{"connectwise-contacts", "unas-customer"} {
				t.Run(name+"/"+system, func(t *testing.T) {
					handler := connectWise
					if system == "unas-customer" {
						handler = unas
					}
					w := newPullWorld(t, db, handler)
					w.known(t, "1", people)
					for i := range people {
						w.far.put(i, fmt.Sprint("1", i), "x", w.Now().Add(-time.Duration(i)*time.Minute))
					}
					settings := w.connectWiseSettings()
					if system == "unas-customer" {
						settings = routing.Settings{"URL": w.far.URL + "/shop", "APIKey": "unas-key"}
					}
					before := w.count(t)
					p := w.pull(t, system, settings)
					claimed, err := w.claimPull(background)
					if err != nil || claimed == nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithCancel(background)
					defer cancel()
					w.far.before = func(request int) {
						if request == 2 {
							cut(w, p, cancel)
						}
					}
					w.runPull(ctx, claimed)
					w.far.before = nil
					if n := w.count(t) - before; n < 90 || n >= people {
						t.Errorf("%d reports after it was cut off", n)
					}
					if err := w.ActivatePull(asManager, p.ID); err != nil {
						t.Fatal(err)
					}
					if !w.turn(t) {
						t.Fatal("nothing due after it was cut off")
					}
					if got := w.reread(t, p.ID); got.LastError != nil || got.Reported != people {
						t.Errorf("reported %d, want %d; error %v", got.Reported, people, got.LastError)
					}
					if n := w.count(t) - before; n != people {
						t.Errorf("%d reports, want %d", n, people)
					}
				})
			}
		}
	})
}

// What changes while the pages are read moves to the end, and all behind it up by
// one: nobody is missed.
func TestPullWhileThingsChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		const people = 260
		w.known(t, "1", people)
		for i := range people {
			w.far.put(i, fmt.Sprint("1", i), "a", w.Now().Add(-time.Duration(people-i)*time.Minute))
		}
		w.far.before = func(request int) {
			if request == 2 {
				for i := range 10 {
					w.far.put(i, fmt.Sprint("1", i), "b", w.Now())
				}
			}
		}
		p := w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		w.turn(t)
		if got := w.reread(t, p.ID); got.Reported != people+10 || got.LastError != nil {
			t.Errorf("reported %d, want %d; error %v", got.Reported, people+10, got.LastError)
		}
	})
}

// Many things at one time fill more than a page.
func TestPullManyAtOneTime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		const people = 320
		w.known(t, "1", people)
		for i := range people {
			w.far.put(i, fmt.Sprint("1", i), "a", w.Now().Add(-time.Hour))
		}
		p := w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		w.turn(t)
		if got := w.reread(t, p.ID); got.Reported != people || got.LastError != nil {
			t.Errorf("reported %d, want %d; error %v", got.Reported, people, got.LastError)
		}
	})
}

func TestOneServerPulls(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		const servers = 8
		claimed := make(chan *Pull, servers)
		var all sync.WaitGroup
		for range servers {
			all.Go(func() {
				p, err := w.claimPull(background)
				if err != nil {
					t.Error(err)
				}
				if p != nil {
					claimed <- p
				}
			})
		}
		all.Wait()
		if n := len(claimed); n != 1 {
			t.Fatalf("%d servers have it", n)
		}
		lost := <-claimed
		w.clock.advance(pullLease + time.Second) // that one died
		if !w.turn(t) {
			t.Error("nobody took it over")
		}
		w.runPull(background, lost) // and it comes back
		if n := w.far.asked(); n != 2 {
			t.Errorf("%d requests", n)
		}
		w.wantPull(t, lost.ID, 0, 0, 0)
	})
}

func TestPullFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		p := w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		w.far.respond(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) })
		for i, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			w.turn(t)
			got := w.reread(t, p.ID)
			if got.LastError == nil || !strings.Contains(*got.LastError, "HTTP 503") || got.NextAt.Sub(w.Now()) != want || got.State != PullActive {
				t.Errorf("failure %d: %+v", i+1, got)
			}
			w.clock.advance(want)
		}
		w.far.respond(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Retry-After", "3600")
			rw.WriteHeader(429)
		})
		w.turn(t)
		if got := w.reread(t, p.ID); got.NextAt.Sub(w.Now()) != time.Hour {
			t.Errorf("next in %v, want the hour it asked for", got.NextAt.Sub(w.Now()))
		}
		w.clock.advance(time.Hour)
		w.far.respond(nil)
		w.turn(t)
		if got := w.wantPull(t, p.ID, 0, 0, 0); got.FailingSince != nil || got.Failures != 0 {
			t.Errorf("after it recovered: %+v", got)
		}

		w.far.respond(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(401) })
		for range 100 {
			w.clock.advance(longestWait)
			if !w.turn(t) {
				break
			}
		}
		got := w.reread(t, p.ID)
		if got.State != PullPaused || got.NextAt != nil || got.PauseReason == nil || !strings.Contains(*got.PauseReason, "401") {
			t.Errorf("after days: %+v", got)
		}
		var notices []routing.Notice
		if err := db.Read(background).Find(&notices).Error; err != nil || len(notices) != 1 || notices[0].Kind != routing.NoticePull || *notices[0].CustomerID != w.acme.customer {
			t.Errorf("notices %+v, %v", notices, err)
		}
		wantFault(t, w.RunPull(asManager, p.ID), fault.Conflict, "")
		w.far.respond(nil)
		if err := w.ActivatePull(asManager, p.ID); err != nil {
			t.Fatal(err)
		}
		w.turn(t)
		if got := w.wantPull(t, p.ID, 0, 0, 0); got.PauseReason != nil {
			t.Errorf("activated again: %+v", got)
		}
	})
}

// Systems that answer anything at all do no harm.
func TestPullHostile(t *testing.T) {
	page := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	full := `{"items":[{"lead":"a","state":"x","at":"2026-03-01T10:00:00Z"},{"lead":"b","state":"x","at":"2026-03-01T10:00:00Z"}],"next":%q}`
	tests := []struct {
		name    string
		reading func(*routing.Reading)
		answer  http.HandlerFunc
		says    string
	}{
		{"garbage", nil, page("\x00\x01"), "neither JSON nor XML"},
		{"half a document", nil, page(`{"items":[`), "neither JSON nor XML"},
		{"broken XML", nil, page(`<items><a>`), "XML that cannot be read"},
		{"another document", nil, page(`{"error":"x"}`), "the answer has no items"},
		{"no list", nil, page(`{"items":7}`), "no list"},
		{"a redirect", nil, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) }, "redirects are not followed"},
		{"no end of bytes", nil, func(w http.ResponseWriter, _ *http.Request) {
			for range 5 << 10 {
				_, _ = io.WriteString(w, strings.Repeat(" ", 1<<10))
			}
		}, "4 MB or more"},
		{"the same page for ever", nil, page(fmt.Sprintf(full, "")), "the same page again"},
		{"a link to itself", func(r *routing.Reading) { r.Next = "Body/next" }, page(fmt.Sprintf(full, "/changes?x")), "the same page again"},
		{"a link elsewhere", func(r *routing.Reading) { r.Next = "Body/next" }, page(fmt.Sprintf(full, "https://evil.example/")), "leads to another system"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				w.far.respond(tt.answer)
				p := NewPull()
				p.ConnectionID, p.ConnectorID, p.Name, p.Settings = w.acme.connection, w.ownReading(t, tt.reading), "Own", routing.Settings{"URL": w.far.URL}
				if err := errors.Join(w.CreatePull(asManager, p), w.ActivatePull(asManager, p.ID)); err != nil {
					t.Fatal(err)
				}
				w.turn(t)
				got := w.reread(t, p.ID)
				if got.LastError == nil || !strings.Contains(*got.LastError, tt.says) || got.State != PullActive {
					t.Errorf("error %v, want %q", deref(got.LastError), tt.says)
				}
				if err := w.DeletePull(asManager, p.ID); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Items that make no report are counted, and told of; the others go on.
func TestPullRefusesItems(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		mine, others := w.known(t, "a", 1)[0], w.newRouting(t, w.zenith)[0]
		w.far.respond(func(rw http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(rw, `{"data":{"rows":[
				{"ref":"%s","reason":7,"at":"2026-03-01T10:00:00"}, {"ref":"%s","reason":3,"at":"2026-03-01T10:00:00"},
				{"lead":"a0","reason":"5","at":"2026-03-01T11:00:00"}, {"lead":"a0","reason":"soon","at":"2026-03-01T11:01:00"},
				{"lead":"a0","reason":999,"at":"2026-03-01T11:02:00"}, {"lead":"a0","reason":3,"at":"yesterday"}, {"at":"2026-03-01T11:02:00"},
				{"lead":"a0","at":"2026-03-01T11:03:00"}, 17, null]}}`, mine, others)
		})
		p := NewPull()
		p.ConnectionID, p.Name, p.Settings, p.StartsAt = w.acme.connection, "Own", routing.Settings{"URL": w.far.URL}, w.Now().Add(-24*time.Hour)
		p.ConnectorID = w.ownReading(t, func(r *routing.Reading) {
			*r = routing.Reading{
				URL: "{URL}/changes", Items: "data.rows", RoutingID: "Item/ref", ExternalID: "Item/lead", ReasonID: "Item/reason",
				OccurredAt: "Item/at", TimeZone: "Asia/Jerusalem",
			}
		})
		if err := errors.Join(w.CreatePull(asManager, p), w.ActivatePull(asManager, p.ID)); err != nil {
			t.Fatal(err)
		}
		shown, err := w.TestPull(asManager, p.ID)
		if err != nil || !shown.Succeeded || len(shown.Items) != 10 || w.count(t) != 0 {
			t.Fatalf("test %+v, %v, %d reports", shown, err, w.count(t))
		}
		wantOutcomes := []string{
			"report", "it is about no routing", "report", `"soon" is not`, "no reason 999", "no time", "it is about no routing", "ReasonID, or Status, is required", "no time", "no time",
		}
		for i, item := range shown.Items {
			if !strings.Contains(item.Outcome, wantOutcomes[i]) {
				t.Errorf("item %d: %s, want %s", i, item.Outcome, wantOutcomes[i])
			}
		}
		w.turn(t)
		got := w.reread(t, p.ID)
		if got.Found != 10 || got.Reported != 2 || got.Unknown != 2 || got.Refused != 6 || !strings.Contains(deref(got.LastError), "not all could be reported") {
			t.Errorf("%+v, %s", got, deref(got.LastError))
		}
		if c := w.current(t, mine); c != (current{5, 5}) {
			t.Errorf("current %+v", c)
		}
		var f Feedback
		if err := db.Read(background).Where("reason_id = 7").Take(&f).Error; err != nil || f.OccurredAt.Hour() != 8 {
			t.Errorf("occurred at %v, %v; want 8:00 UTC, which is 10:00 there", f.OccurredAt, err)
		}
	})
}

// What a system says the sale came to is stored as by post, and one that changes is
// reported again.
func TestPullAmounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		w.known(t, "a", 5)
		rows := `{"lead":"a0","reason":7,"at":"2026-03-01T10:00:00","sum":1250.50,"money":"ils"}, {"lead":"a1","reason":7,"at":"2026-03-01T10:00:00","sum":"300"},
			{"lead":"a2","reason":7,"at":"2026-03-01T10:00:00","sum":"1,200","money":"EUR"}, {"lead":"a3","reason":7,"at":"2026-03-01T10:00:00","sum":1.5,"money":"JPY"},
			{"lead":"a4","reason":3,"at":"2026-03-01T10:00:00","sum":null,"money":"EUR"}`
		w.far.respond(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintf(rw, "[%s]", rows) })
		p := NewPull()
		p.ConnectionID, p.Name, p.Settings, p.StartsAt = w.acme.connection, "Own", routing.Settings{"URL": w.far.URL}, w.Now().Add(-24*time.Hour)
		p.ConnectorID = w.ownReading(t, func(r *routing.Reading) {
			*r = routing.Reading{
				URL: "{URL}/changes", ExternalID: "Item/lead", ReasonID: "Item/reason", OccurredAt: "Item/at",
				Amount: "Item/sum", Currency: "Item/money",
			}
		})
		if err := errors.Join(w.CreatePull(asManager, p), w.ActivatePull(asManager, p.ID)); err != nil {
			t.Fatal(err)
		}
		shown, err := w.TestPull(asManager, p.ID)
		if err != nil || len(shown.Items) != 5 || shown.Items[0].Amount != "1250.50" || shown.Items[0].Currency != "ils" || shown.Items[4].Currency != "" {
			t.Fatalf("test %+v, %v", shown, err)
		}
		for i, want := range []string{"report", "Amount needs a Currency", "Amount is not a number", "more decimals than JPY", "report"} {
			if !strings.Contains(shown.Items[i].Outcome, want) {
				t.Errorf("item %d: %s, want %s", i, shown.Items[i].Outcome, want)
			}
		}
		sums := func() (all []string) {
			var list []Feedback
			if err := db.Read(background).Order("reason_id DESC, occurred_at").Find(&list).Error; err != nil {
				t.Fatal(err)
			}
			for _, f := range list {
				sum := "none"
				if f.Amount != nil {
					sum = fmt.Sprint(*f.Amount, deref(f.Currency))
				}
				all = append(all, sum)
			}
			return all
		}
		w.turn(t)
		if got := sums(); !slices.Equal(got, []string{"12505000ILS", "none"}) {
			t.Errorf("stored %v", got)
		}
		rows = `{"lead":"a0","reason":7,"at":"2026-03-01T10:01:00","sum":1250.5,"money":"ILS"}, {"lead":"a0","reason":7,"at":"2026-03-01T10:02:00","sum":900,"money":"ILS"},
			{"lead":"a0","reason":7,"at":"2026-03-01T10:03:00"}`
		w.clock.advance(time.Hour)
		w.turn(t)
		if got := sums(); !slices.Equal(got, []string{"12505000ILS", "9000000ILS", "none"}) {
			t.Errorf("after the amount changed, stored %v", got)
		}
	})
}

func TestPullValidation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		p := w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		tests := []struct {
			name   string
			change func(*Pull)
			target string
		}{
			{"no connection", func(p *Pull) { p.ConnectionID = uuid.New() }, "ConnectionID"},
			{"a connection that may not report", func(p *Pull) { p.ConnectionID = w.zenith.connection }, "ConnectionID"},
			{"no connector", func(p *Pull) { p.ConnectorID = 999 }, "ConnectorID"},
			{"a connector that only sends", func(p *Pull) { p.ConnectorID = w.connector(t, "webhook-json") }, "ConnectorID"},
			{"no name", func(p *Pull) { p.Name = "" }, "Name"},
			{"no interval", func(p *Pull) { p.IntervalMinutes = 0 }, "IntervalMinutes"},
			{"a setting missing", func(p *Pull) { p.Settings = routing.Settings{"URL": w.far.URL} }, "Settings/CompanyID"},
			{"a start long ago", func(p *Pull) { p.StartsAt = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC) }, "StartsAt"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				next := Pull{ConnectionID: w.acme.connection, ConnectorID: p.ConnectorID, Name: "x", IntervalMinutes: 15, Settings: w.connectWiseSettings()}
				tt.change(&next)
				wantFault(t, w.CreatePull(asManager, &next), fault.Invalid, tt.target)
			})
		}
		if text, _ := p.Settings["PrivateKey"].(string); !strings.HasPrefix(text, "sealed:") {
			t.Errorf("the key is stored as %q", text)
		}
		moved := *p
		moved.StartsAt = moved.StartsAt.Add(-time.Hour)
		moved.Version = w.reread(t, p.ID).Version
		wantFault(t, w.UpdatePull(asManager, &moved), fault.Invalid, "StartsAt")
		changed := *w.reread(t, p.ID)
		changed.IntervalMinutes = 60
		if err := w.UpdatePull(asManager, &changed); err != nil || changed.State != PullActive || changed.Settings["PrivateKey"] != p.Settings["PrivateKey"] {
			t.Errorf("changed %+v, %v", changed, err)
		}
		changed.Version--
		wantFault(t, w.UpdatePull(asManager, &changed), fault.PreconditionFailed, "")
		for _, err := range []error{
			w.CreatePull(asViewer, p), w.UpdatePull(asViewer, p), w.DeletePull(asViewer, p.ID), w.ActivatePull(w.acme.asClient, p.ID),
			w.PausePull(asViewer, p.ID), w.RunPull(asViewer, p.ID),
		} {
			wantFault(t, err, fault.Forbidden, "")
		}
		wantFault(t, w.DeletePull(asManager, 999), fault.NotFound, "")

		w.far.put(1, "5", "Won", w.Now())
		shown, err := w.TestPull(asManager, p.ID)
		if err != nil || !shown.Succeeded || len(shown.Items) != 1 || !strings.Contains(shown.Request, "lastUpdated") || strings.Contains(shown.Request, "priv-key") ||
			strings.Contains(shown.Request, "Basic YWNt") {
			t.Errorf("test %+v, %v", shown, err)
		}
		w.far.respond(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(500)
			_, _ = io.WriteString(rw, "you sent priv-key")
		})
		if shown, err = w.TestPull(asManager, p.ID); err != nil || shown.Succeeded || !strings.Contains(shown.Error, "500") || strings.Contains(shown.Response, "priv-key") {
			t.Errorf("test %+v, %v", shown, err)
		}
	})
}

// Run does it all by itself, and ends when it is told.
func TestRunPulls(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newPullWorld(t, db, connectWise)
		id := w.known(t, "5", 1)[0]
		w.mapTo(t, w.acme, "Won", 7)
		w.far.put(1, "50", "Won", w.Now())
		ctx, cancel := context.WithCancel(background)
		ended := make(chan error)
		go func() { ended <- w.Run(ctx) }()
		w.pull(t, "connectwise-contacts", w.connectWiseSettings())
		for deadline := time.Now().Add(20 * time.Second); w.current(t, id) != (current{7, 7}); {
			if time.Now().After(deadline) {
				t.Fatal("nothing was reported")
			}
			time.Sleep(5 * time.Millisecond)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
