package server

import (
	gocmp "cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/sqlgen"
	"leadloop/routing"
	"leadloop/server/activity"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Counters follow whatever happens to leads, come to what counting everything
// comes to, and count nothing twice when several servers count at once.
func TestActivity(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db := storetest.Open(t, dialect, store.SQLiteHook(sqlgen.RegisterSQLite))
			a, err := wire(asSystem, db, storetest.Vault(), serving{Workers: 1, SendTimeout: time.Second}, slog.New(slog.NewTextHandler(io.Discard, nil)), true)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Routing.Close()
			h := newHours(t, a)
			others := []*activity.Service{activity.New(db), activity.New(db), a.Activity}
			rolled := func() []activity.Activity {
				t.Helper()
				var group sync.WaitGroup
				for _, s := range others {
					group.Go(func() {
						if err := s.Roll(asSystem); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if err := a.Activity.Roll(asSystem); err != nil { // who was overtaken left the rest to the next time
					t.Fatal(err)
				}
				return h.rows()
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 6 {
				for range 40 {
					h.step(random)
				}
				got := rolled()
				if diff := cmp.Diff(h.want(), totals(got)); diff != "" {
					t.Fatalf("counted (-want +got):\n%s", diff)
				}
				h.tallied()
			}
			before := h.rows()
			h.exec("DELETE FROM settings WHERE name = 'activity'")
			if diff := cmp.Diff(before, rolled()); diff != "" {
				t.Errorf("everything counted anew (-before +now):\n%s", diff)
			}
			h.exec("DELETE FROM settings WHERE name = 'activity'")
			h.exec("UPDATE activity SET reports = 7, delivered = 7")
			if diff := cmp.Diff(before, rolled()); diff != "" {
				t.Errorf("wrong counters set right (-before +now):\n%s", diff)
			}
			h.tallied()
			for what, progress := range map[string]func(map[string]any){
				"a server that knows of no totals counted": func(p map[string]any) { delete(p, "totals") },
				"counting everything ended early":          func(p map[string]any) { p["all"] = true },
			} {
				var text string
				must(h.app.DB.Read(asSystem).Raw("SELECT value FROM settings WHERE name = 'activity'").Row().Scan(&text))
				stored := map[string]any{}
				decoder := json.NewDecoder(strings.NewReader(text))
				decoder.UseNumber()
				must(decoder.Decode(&stored))
				progress(stored)
				h.exec("UPDATE activity_totals SET leads = leads + 5")
				changed, err := json.Marshal(stored)
				must(err)
				h.exec("UPDATE settings SET value = ? WHERE name = 'activity'", string(changed))
				if diff := cmp.Diff(before, rolled()); diff != "" {
					t.Errorf("%s (-before +now):\n%s", what, diff)
				}
				h.tallied()
			}
		})
	}
}

// hours is what TestActivity does to a database, by hand.
type hours struct {
	t        *testing.T
	app      *App
	source   [2]int64
	customer [2]int64
	rule     [2]int64 // of each customer
	leads    []uuid.UUID
	routings []uuid.UUID
}

func newHours(t *testing.T, a *App) *hours {
	h := &hours{t: t, app: a}
	var connector routing.Connector
	must(a.DB.Read(asSystem).Where("code = ?", "webhook-json").Take(&connector).Error)
	for i := range h.customer {
		customer := &routing.Customer{Name: fmt.Sprint("Acme ", i)}
		must(a.Routing.CreateCustomer(asSystem, customer))
		rule := &routing.Rule{
			CustomerID: customer.ID, ConnectorID: connector.ID, Name: "All", Settings: routing.Settings{"URL": "http://127.0.0.1:1/"},
			Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}},
		}
		must(a.Routing.CreateRule(asSystem, rule))
		h.customer[i], h.rule[i] = customer.ID, rule.ID
	}
	for i := range h.source {
		src := leads.NewSource()
		src.Name, src.Kind = fmt.Sprint("Source ", i), leads.KindJSON
		must(a.Leads.CreateSource(asSystem, src))
		h.source[i] = src.ID
	}
	return h
}

func (h *hours) exec(sql string, args ...any) {
	h.t.Helper()
	must(h.app.DB.Write(asSystem, func(tx *gorm.DB) error { return tx.Exec(sql, args...).Error }))
}

// step does one thing of those that happen.
func (h *hours) step(random *rand.Rand) {
	at := time.Date(2026, 3, 1+random.IntN(3), random.IntN(5), random.IntN(60), 0, 0, time.UTC)
	id := uuid.Must(uuid.NewV7())
	one := func(ids []uuid.UUID) uuid.UUID { return ids[random.IntN(len(ids))] }
	switch n := random.IntN(10); {
	case n < 4 || len(h.leads) == 0:
		var source *int64
		if i := random.IntN(3); i < 2 {
			source = &h.source[i]
		}
		state := []string{"new", "unmatched", "duplicate", "test"}[random.IntN(4)]
		h.exec("INSERT INTO leads (id, source_id, received_at, state) VALUES (?, ?, ?, ?)", id, source, at, state)
		h.leads = append(h.leads, id)
	case n < 6 || len(h.routings) == 0:
		of := random.IntN(2)
		h.exec("INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, created_at) VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING",
			id, one(h.leads), h.customer[of], h.rule[of], at)
		h.exec("UPDATE leads SET state = 'routed' WHERE id IN (SELECT lead_id FROM routings WHERE id = ?)", id)
		must(h.app.DB.Read(asSystem).Raw("SELECT id FROM routings ORDER BY id").Scan(&h.routings).Error)
	case n < 8:
		h.exec("UPDATE routings SET state = ? WHERE id = ?", []string{"delivered", "rejected", "failed", "parked", "sending"}[random.IntN(5)], one(h.routings))
	default:
		routing, reason := one(h.routings), random.IntN(3)+1
		h.exec("INSERT INTO feedback (id, routing_id, reason_id, received_at) VALUES (?, ?, ?, ?)", id, routing, reason, at)
		h.exec("UPDATE routings SET reason_id = ?, feedback_at = ? WHERE id = ?", reason, at, routing)
	}
}

func (h *hours) rows() (rows []activity.Activity) {
	h.t.Helper()
	must(h.app.DB.Read(asSystem).Order("hour, source_id, customer_id, rule_id, reason_id").Find(&rows).Error)
	return rows
}

// want is how many leads, tests, unmatched, routings, delivered, answered and
// reports there are, by counting them.
func (h *hours) want() (want [7]int64) {
	h.t.Helper()
	for i, sql := range []string{
		"SELECT count(*) FROM leads WHERE state <> 'test'", "SELECT count(*) FROM leads WHERE state = 'test'", "SELECT count(*) FROM leads WHERE state = 'unmatched'",
		"SELECT count(*) FROM routings", "SELECT count(*) FROM routings WHERE state = 'delivered'",
		"SELECT count(*) FROM routings WHERE reason_id IS NOT NULL", "SELECT count(*) FROM feedback",
	} {
		must(h.app.DB.Read(asSystem).Raw(sql).Scan(&want[i]).Error)
	}
	return want
}

// tallied compares the tally from some instants on, with all rules and without one,
// with what leads, routings and feedback say.
func (h *hours) tallied() {
	h.t.Helper()
	first := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, since := range []time.Time{first, first.Add(2 * time.Hour), first.Add(47*time.Hour + 30*time.Minute), first.AddDate(0, 0, 9)} {
		for _, hidden := range [][]int64{nil, h.rule[1:]} {
			got, err := h.app.Activity.Since(asSystem, since, hidden)
			if err != nil {
				h.t.Fatal(err)
			}
			if diff := cmp.Diff(h.tally(since, hidden), got, cmpopts.IgnoreFields(activity.Total{}, "Kind")); diff != "" {
				h.t.Fatalf("since %s, without %d (-want +got):\n%s", since, hidden, diff)
			}
		}
	}
}

// tally tallies by looking at everything.
func (h *hours) tally(since time.Time, hidden []int64) *activity.Tally {
	h.t.Helper()
	type key struct {
		of     string
		at     time.Time
		id     int64
		reason int32
	}
	sums := map[key]*activity.Total{}
	add := func(at time.Time, source, customer, rule int64, reason int32, count func(*activity.Total)) {
		at = at.UTC().Truncate(time.Hour)
		if at.Before(since) || slices.Contains(hidden, rule) {
			return
		}
		keys := []key{{"hour", at, 0, 0}, {"source", since, source, reason}}
		if customer != 0 {
			keys = append(keys, key{"customer", since, customer, reason})
		}
		for _, k := range keys {
			if sums[k] == nil {
				sums[k] = &activity.Total{At: k.at, ID: k.id, ReasonID: k.reason}
			}
			count(sums[k])
		}
	}
	var rows []struct {
		At                     time.Time
		Source, Customer, Rule int64
		Reason                 int32
		State                  string
	}
	read := func(sql string) {
		h.t.Helper()
		rows = nil
		must(h.app.DB.Read(asSystem).Raw(sql).Scan(&rows).Error)
	}
	read("SELECT received_at AS at, coalesce(source_id, 0) AS source, state FROM leads WHERE state <> 'test'")
	for _, l := range rows {
		add(l.At, l.Source, 0, 0, 0, func(n *activity.Total) {
			n.Leads++
			if l.State == "unmatched" {
				n.Unmatched++
			}
		})
	}
	read(`SELECT l.received_at AS at, coalesce(l.source_id, 0) AS source, r.customer_id AS customer, r.rule_id AS rule, coalesce(r.reason_id, 0) AS reason, r.state
		FROM routings r JOIN leads l ON l.id = r.lead_id`)
	for _, r := range rows {
		add(r.At, r.Source, r.Customer, r.Rule, r.Reason, func(n *activity.Total) {
			n.Routed++
			if of := map[string]*int64{"delivered": &n.Delivered, "rejected": &n.Rejected, "failed": &n.Failed, "parked": &n.Parked}[r.State]; of != nil {
				*of++
			}
			if r.Reason != 0 {
				n.Answered++
			}
		})
	}
	read(`SELECT f.received_at AS at, coalesce(l.source_id, 0) AS source, r.customer_id AS customer, r.rule_id AS rule
		FROM feedback f JOIN routings r ON r.id = f.routing_id JOIN leads l ON l.id = r.lead_id`)
	for _, f := range rows {
		add(f.At, f.Source, f.Customer, f.Rule, 0, func(n *activity.Total) { n.Reports++ })
	}
	list := func(of string) []activity.Total {
		all := []activity.Total{}
		for k, n := range sums {
			if k.of == of {
				all = append(all, *n)
			}
		}
		slices.SortFunc(all, func(a, b activity.Total) int {
			return gocmp.Or(a.At.Compare(b.At), gocmp.Compare(a.ID, b.ID), gocmp.Compare(a.ReasonID, b.ReasonID))
		})
		return all
	}
	return &activity.Tally{Hours: list("hour"), Sources: list("source"), Customers: list("customer")}
}

func totals(rows []activity.Activity) (got [7]int64) {
	for _, r := range rows {
		for i, n := range []int64{r.Leads, r.Tests, r.Unmatched, r.Routed, r.Delivered, r.Answered, r.Reports} {
			got[i] += n
		}
	}
	return got
}
