package server

import (
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/sqlgen"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Each source keeps its leads as long as it says, and no other source's.
func TestRetention(t *testing.T) {
	const each = 130 // more than one transaction takes
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			db := storetest.Open(t, dialect, store.SQLiteHook(sqlgen.RegisterSQLite))
			a, err := wire(asSystem, db, storetest.Vault(), serving{Workers: 1, SendTimeout: time.Second}, slog.New(slog.NewTextHandler(io.Discard, nil)), true)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Routing.Close()
			days := func(n int) *int { return &n }
			sources := map[string]*leads.Source{
				"mask": {MaskAfterDays: days(30)}, "drop": {DropAfterDays: days(30)}, "bodies": {AttemptsDays: days(30)},
				"all": {AttemptsDays: days(10), MaskAfterDays: days(20), DropAfterDays: days(60)}, "none": {},
			}
			customer := &routing.Customer{Name: "Acme"}
			if err := a.Routing.CreateCustomer(asSystem, customer); err != nil {
				t.Fatal(err)
			}
			for name, src := range sources {
				src.Name, src.Kind, src.Enabled, src.Region = name, leads.KindJSON, true, "IL"
				if err := a.Leads.CreateSource(asSystem, src); err != nil {
					t.Fatal(err)
				}
				for i := range each {
					d := leads.Delivery{Method: "POST", ContentType: "application/json", Body: fmt.Appendf(nil, `{"FirstName":"Dana","Email":"dana%d@example.com"}`, i)}
					receipts, err := a.Leads.Receive(asSystem, src.Token, d)
					if err != nil {
						t.Fatal(err)
					}
					if i < 3 || i > each-3 {
						hang(t, db, receipts[0].ID, customer.ID)
					}
				}
				_, _ = a.Leads.Receive(asSystem, src.Token, leads.Delivery{Method: "POST", ContentType: "application/json", Body: []byte(`{}`)})
			}
			count := func(table, where string, src *leads.Source) (n int64) {
				t.Helper()
				query := map[string]string{
					"leads": "SELECT count(*) FROM leads x WHERE source_id = ?", "rejections": "SELECT count(*) FROM rejections x WHERE source_id = ?",
					"payloads": "SELECT count(*) FROM payloads x JOIN leads l ON l.id = x.lead_id WHERE l.source_id = ?",
					"routings": "SELECT count(*) FROM routings x JOIN leads l ON l.id = x.lead_id WHERE l.source_id = ?",
					"attempts": "SELECT count(*) FROM attempts x JOIN routings r ON r.id = x.routing_id JOIN leads l ON l.id = r.lead_id WHERE l.source_id = ?",
					"feedback": "SELECT count(*) FROM feedback x JOIN routings r ON r.id = x.routing_id JOIN leads l ON l.id = r.lead_id WHERE l.source_id = ?",
				}[table]
				if err := db.Read(asSystem).Raw(query+" AND "+where, src.ID).Scan(&n).Error; err != nil {
					t.Fatal(err)
				}
				return n
			}
			// state is how many: leads, erased, payloads, rejections, attempts with bodies, feedback with a comment.
			state := func(name string) string {
				src := sources[name]
				return fmt.Sprint(count("leads", "1=1", src), count("leads", "erased_at IS NOT NULL AND email IS NULL", src), count("payloads", "1=1", src),
					count("rejections", "1=1", src), count("attempts", "request <> ''", src), count("feedback", "comment IS NOT NULL", src))
			}
			start := store.Now()
			whole := fmt.Sprint(each, 0, each, 1, 5, 5)
			masked := fmt.Sprint(each, each, 0, 0, 0, 0)
			for _, step := range []struct {
				day  int
				want map[string]string
			}{
				{5, map[string]string{"mask": whole, "drop": whole, "bodies": whole, "all": whole, "none": whole}},
				{15, map[string]string{"mask": whole, "drop": whole, "bodies": whole, "all": fmt.Sprint(each, 0, each, 1, 0, 5), "none": whole}},
				{25, map[string]string{"mask": whole, "drop": whole, "bodies": whole, "all": masked, "none": whole}},
				{35, map[string]string{
					"mask": masked, "drop": fmt.Sprint(0, 0, 0, 0, 0, 0), "bodies": fmt.Sprint(each, 0, each, 1, 0, 5), "all": masked, "none": whole,
				}},
				{70, map[string]string{"mask": masked, "all": fmt.Sprint(0, 0, 0, 0, 0, 0), "none": whole}},
			} {
				a.Privacy.Now = func() time.Time { return start.Add(time.Duration(step.day) * 24 * time.Hour) }
				for range 2 { // again, it finds nothing more to do
					if err := a.Privacy.Sweep(asSystem); err != nil {
						t.Fatal(err)
					}
				}
				for name, want := range step.want {
					if got := state(name); got != want {
						t.Errorf("day %d, %s: %s, want %s", step.day, name, got, want)
					}
				}
			}
			var trail []store.AuditEvent
			if err := db.Read(asSystem).Where("action IN ?", []string{"Mask", "Drop", "DropBodies"}).Find(&trail).Error; err != nil {
				t.Fatal(err)
			}
			sum := map[string]float64{}
			for _, e := range trail {
				for _, what := range []string{"Leads", "Attempts"} {
					n, _ := e.After[what].(float64)
					sum[e.Action+" "+what] += n
				}
			}
			if sum["Mask Leads"] != 2*each || sum["Drop Leads"] != 2*each || sum["DropBodies Attempts"] != 10 {
				t.Errorf("%v", sum)
			}
		})
	}
}

// hang gives a lead a routing with an attempt and a report.
func hang(t *testing.T, db *store.DB, lead uuid.UUID, customer int64) {
	t.Helper()
	if err := db.Write(asSystem, func(tx *gorm.DB) error {
		var rule int64
		if err := tx.Raw("SELECT coalesce(max(id), 0) FROM rules").Scan(&rule).Error; err != nil {
			return err
		}
		if rule == 0 {
			if err := tx.Exec("INSERT INTO rules (id, customer_id, connector_id, name, created_at) VALUES (1, ?, 1, 'Rule', ?)", customer, store.Now()).Error; err != nil {
				return err
			}
		}
		id, now := uuid.Must(uuid.NewV7()), store.Now()
		for _, s := range []struct {
			sql  string
			args []any
		}{
			{"INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, created_at) VALUES (?, ?, ?, 1, 1, 'delivered', ?)", []any{id, lead, customer, now}},
			{"INSERT INTO attempts (routing_id, started_at, request, response, outcome) VALUES (?, ?, 'Dana', 'ok', 'accepted')", []any{id, now}},
			{"INSERT INTO feedback (id, routing_id, reason_id, comment, received_at) VALUES (?, ?, 3, 'Dana called', ?)", []any{uuid.Must(uuid.NewV7()), id, now}},
		} {
			if err := tx.Exec(s.sql, s.args...).Error; err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
