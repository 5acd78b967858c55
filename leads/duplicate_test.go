package leads

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestWindow(t *testing.T) {
	at := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"P30D": "2026-03-01T12:00:00Z", "P1W": "2026-03-24T12:00:00Z", "P1M": "2026-03-03T12:00:00Z", "P1Y2M": "2025-01-31T12:00:00Z",
		"PT12H": "2026-03-31T00:00:00Z", "P1DT1H30M10S": "2026-03-30T10:29:50Z", "P10Y": "2016-03-31T12:00:00Z",
	} {
		w, ok := parseWindow(text)
		if got := w.before(at).Format(time.RFC3339); !ok || got != want {
			t.Errorf("%s: %s, %t, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P0D", "30D", "P-1D", "P1.5D", "p1D", "P1H", "PT1D", "P9999Y", "P3652DT48H", "P1D "} {
		if w, ok := parseWindow(text); ok {
			t.Errorf("%q is %v", text, w)
		}
	}
}

func TestDuplicates(t *testing.T) {
	const phone, email, both = `"Phone":"050-1234567"`, `"Email":"noa@example.com"`, `"Phone":"+972 50 1234567","Email":"NOA@example.com"`
	type step struct {
		body  string
		after time.Duration // since the step before
		other bool          // by another source
		of    int           // step whose lead it duplicates, from 1; 0: none
	}
	month := Source{DuplicateWindow: "P30D"}
	by := func(by string) Source { return Source{DuplicateWindow: "P30D", DuplicateBy: by} }
	tests := []struct {
		name   string
		source Source
		steps  []step
	}{
		{"no window", Source{}, []step{{body: phone}, {body: phone}}},
		{"by either", month, []step{{body: phone}, {body: email}, {body: phone, of: 1}, {body: email, of: 2}, {body: both, of: 1}}},
		{"by phone", by(ByPhone), []step{{body: both}, {body: email}, {body: phone, of: 1}}},
		{"by email", by(ByEmail), []step{{body: both}, {body: phone}, {body: email, of: 1}}},
		{"by both", by(ByPhoneAndEmail), []step{{body: both}, {body: phone}, {body: email}, {body: both, of: 1}}},
		{"nothing to tell by", month, []step{{body: `"City":"x"`}, {body: `"City":"x"`}}},
		{"a phone that is none", month, []step{{body: `"Phone":"12"`}, {body: `"Phone":"12"`}}},
		{"the window ends", month, []step{{body: phone}, {body: phone, after: 30*24*time.Hour - time.Microsecond, of: 1}, {body: phone, after: time.Microsecond}}},
		{"duplicates do not stretch it", Source{DuplicateWindow: "PT1H"}, []step{{body: phone}, {body: phone, after: 50 * time.Minute, of: 1}, {body: phone, after: 20 * time.Minute}, {body: phone, of: 3}}},
		{"tests do not count", month, []step{{body: phone + `,"IsTest":true`}, {body: phone}, {body: phone + `,"IsTest":true`}, {body: phone, of: 2}}},
		{"within a source", month, []step{{body: phone, other: true}, {body: phone}, {body: phone, of: 2}}},
		{"across sources", Source{DuplicateWindow: "P30D", DuplicateAcross: true}, []step{{body: phone, other: true}, {body: phone, of: 1}}},
		{"the same id again is no duplicate", month, []step{{body: phone + `,"ExternalID":"1"`}, {body: phone + `,"ExternalID":"2"`, of: 1}}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s := New(db, storetest.Vault())
				clock := &clock{time.Date(2026+i, 1, 1, 0, 0, 0, 0, time.UTC)} // apart from the other tests' leads
				s.Now = clock.Now
				routed := 0
				s.Route = func(*gorm.DB, *Lead, *Source) error { routed++; return nil }
				test.source.Kind = KindJSON
				src, other := addSource(t, s, test.source), addSource(t, s, Source{Kind: KindJSON})
				var ids []uuid.UUID
				for n, step := range test.steps {
					clock.now = clock.now.Add(step.after)
					from := src
					if step.other {
						from = other
					}
					before := routed
					receipts, err := post(s, from, "{"+step.body+"}")
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, receipts[0].ID)
					l := stored(t, s, receipts[0])
					switch {
					case step.of == 0:
						if l.DuplicateOfID != nil || l.State == StateDuplicate {
							t.Errorf("step %d is a duplicate of %v", n+1, l.DuplicateOfID)
						}
					case l.DuplicateOfID == nil || *l.DuplicateOfID != ids[step.of-1] || l.State != StateDuplicate || routed != before || receipts[0].Duplicate:
						t.Errorf("step %d: duplicate of %v, %s, %d routed; want of %v", n+1, l.DuplicateOfID, l.State, routed-before, ids[step.of-1])
					}
				}
				if n := count(t, s, "rejections"); n > 0 {
					t.Errorf("%d rejections", n)
				}
			})
		}
	})
}

func TestRouteDuplicates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		routed := 0
		s.Route = func(tx *gorm.DB, l *Lead, _ *Source) error { routed++; return SetState(tx, l, StateRouted) }
		src := addSource(t, s, Source{Kind: KindJSON, DuplicateWindow: "P1D", RouteDuplicates: true})
		// One delivery with a person twice, and a lead that staff types in.
		receipts, err := post(s, src, `[{"Phone":"0501234567"},{"Phone":"0501234567"}]`)
		if err != nil {
			t.Fatal(err)
		}
		l := stored(t, s, receipts[1])
		if l.DuplicateOfID == nil || *l.DuplicateOfID != receipts[0].ID || l.State != StateRouted || routed != 2 {
			t.Errorf("%d routed; the second is %+v", routed, l)
		}
		src.RouteDuplicates = false
		if err := s.UpdateSource(manager(), src); err != nil {
			t.Fatal(err)
		}
		typed := &Lead{SourceID: &src.ID, Phone: new("0501234567")}
		if err := s.CreateLead(manager(), typed); err != nil {
			t.Fatal(err)
		}
		if typed.DuplicateOfID == nil || *typed.DuplicateOfID != receipts[0].ID || typed.State != StateDuplicate || routed != 2 {
			t.Errorf("%d routed; staff's lead is %+v", routed, typed)
		}
		if err := s.CreateLead(manager(), &Lead{SourceID: new(int64(99))}); fault.CodeOf(err) != fault.Invalid {
			t.Error(err)
		}
	})
}

// However many come at one instant, by however many servers: one person is one
// lead and its duplicates, and nobody waits in a circle.
func TestDuplicatesAtOneInstant(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			dsn := storetest.DSN(t, dialect)
			servers := []*Service{}
			for range map[string]int{store.SQLite: 1, store.Postgres: 3}[dialect] {
				db, err := store.Open(t.Context(), dsn, store.WithVault(storetest.Vault()))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
				if err := db.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
				servers = append(servers, New(db, storetest.Vault()))
			}
			src := addSource(t, servers[0], Source{Kind: KindJSON, DuplicateWindow: "P1D", DuplicateAcross: true})
			const persons, each = 40, 8
			var wg sync.WaitGroup
			for n := range each {
				wg.Go(func() {
					for i := range persons {
						p := (i*7 + n*11) % persons
						// One delivery has two persons, in either order, and now and then everybody.
						list := []int{p, (p + 1 + n) % persons}
						if i == 20 && n < 2 {
							list = nil
							for q := range persons {
								list = append(list, (q*(1+2*n)+n)%persons)
							}
						}
						var bodies []string
						for _, q := range list {
							bodies = append(bodies, fmt.Sprintf(`{"Phone":"05012%05d","Email":"p%d@example.com"}`, q, q))
						}
						if _, err := post(servers[(i+n)%len(servers)], src, "["+strings.Join(bodies, ",")+"]"); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			var wrong, originals int64
			db := servers[0].DB.Read(context.Background())
			if err := db.Raw("SELECT count(*) FROM leads WHERE duplicate_of_id IS NULL").Scan(&originals).Error; err != nil {
				t.Fatal(err)
			}
			if err := db.Raw(`SELECT count(*) FROM leads l LEFT JOIN leads o ON o.id = l.duplicate_of_id
				WHERE l.duplicate_of_id IS NOT NULL AND (o.duplicate_of_id IS NOT NULL OR o.phone <> l.phone OR l.state <> 'duplicate')`).Scan(&wrong).Error; err != nil {
				t.Fatal(err)
			}
			if originals != persons || wrong > 0 {
				t.Errorf("%d originals of %d persons, %d wrong duplicates", originals, persons, wrong)
			}
		})
	}
}

// The look-up must be by the indexes, however many leads there are.
func TestDuplicatesUseTheIndex(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, by := range []string{ByPhone, ByEmail, ByPhoneOrEmail, ByPhoneAndEmail} {
			for _, across := range []bool{false, true} {
				query, args := originalQuery(new("+972501234567"), new("a@example.com"), &Source{ID: 1, DuplicateBy: by, DuplicateAcross: across}, store.Now())
				if by == ByPhone {
					query, args = originalQuery(new("+972501234567"), nil, &Source{ID: 1, DuplicateBy: by, DuplicateAcross: across}, store.Now())
				}
				if by == ByEmail {
					query, args = originalQuery(nil, new("a@example.com"), &Source{ID: 1, DuplicateBy: by, DuplicateAcross: across}, store.Now())
				}
				plan := explain(t, db, query, args)
				wanted := map[string][]string{
					ByPhone: {"leads_phone"}, ByEmail: {"leads_email"}, ByPhoneOrEmail: {"leads_phone", "leads_email"}, ByPhoneAndEmail: {"leads_"},
				}
				for _, index := range wanted[by] {
					if !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "SCAN leads") {
						t.Errorf("%s, across %t: no %s in\n%s", by, across, index, plan)
					}
				}
			}
		}
	})
}

// explain gives the database's plan for a query.
func explain(t *testing.T, db *store.DB, query string, args []any) string {
	t.Helper()
	var lines []string
	err := db.Write(context.Background(), func(tx *gorm.DB) error {
		lines = nil
		prefix := "EXPLAIN QUERY PLAN "
		if db.Dialect() == store.Postgres {
			prefix = "EXPLAIN "
			if err := tx.Exec("SET LOCAL enable_seqscan = off").Error; err != nil { // the table is empty
				return err
			}
		}
		rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, prefix+query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			values, line := make([]any, len(columns)), ""
			for i := range values {
				values[i] = new(any)
			}
			values[len(values)-1] = &line
			if err := rows.Scan(values...); err != nil {
				return err
			}
			lines = append(lines, line)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
