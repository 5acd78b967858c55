package leads

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Of the refused deliveries, those of the same person are found by what their
// masked text still holds.
func TestRejectionsOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := NewSource()
		src.Name, src.Kind = "Form", KindJSON
		src.Checks = []Check{{Property: "City", Required: true}}
		if err := s.CreateSource(manager(), src); err != nil {
			t.Fatal(err)
		}
		bodies := []struct {
			body string
			same bool
		}{
			{`{"FirstName":"Dana","LastName":"Levi"}`, true},
			{`{"Name":"Dana","Phone":"050-1234567"}`, true},
			{`{"Mail":"dana@example.com","Phone":"050-1234567"}`, true},
			{`{"Ref":"far-7781"}`, true},
			{`{"FirstName":"Dana"}`, false},
			{`{"FirstName":"Noa","Phone":"050-7654321","Email":"noa@example.com"}`, false},
		}
		for _, b := range bodies {
			if _, err := s.Receive(manager(), src.Token, Delivery{Method: "POST", ContentType: "application/json", Body: []byte(b.body)}); fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("%s: %v", b.body, err)
			}
		}
		lead := &Lead{
			SourceID: &src.ID, FirstName: new("Dana"), LastName: new("Levi"), PhoneRaw: new("050-1234567"), Email: new("dana@example.com"), ExternalID: new("far-7781"),
		}
		found, err := s.RejectionsOf(manager(), lead)
		if err != nil {
			t.Fatal(err)
		}
		numbers := make([]int64, len(found))
		for i, r := range found {
			numbers[i] = r.Number
		}
		slices.Sort(numbers)
		if diff := cmp.Diff([]int64{1, 2, 3, 4}, numbers); diff != "" {
			t.Error(diff)
		}
		if found, err := s.RejectionsOf(manager(), &Lead{SourceID: &src.ID}); err != nil || len(found) != 0 {
			t.Errorf("nobody: %v %v", found, err)
		}
	})
}

// A person is found by number and address however they are written, in declared
// and dynamic properties, and nobody else is.
func TestFindPerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		var ids []uuid.UUID
		danish := addSource(t, s, Source{Kind: KindJSON, Region: "DK"})
		for _, l := range []*Lead{
			{Phone: new("050-1234567")},
			{Email: new("Dana@Example.com")},
			{FirstName: new("Dana"), Properties: map[string]any{"Second": "0501234567", "Other": "x"}},
			{FirstName: new("Noa"), Properties: map[string]any{"Text": "call 0501234567"}},
			{Phone: new("050-1234568"), Email: new("dana@example.co")},
			{Phone: new("050-1234567"), IsTest: true},
			{Phone: new("20 12 34 56"), SourceID: &danish.ID},
			{Phone: new("call 12")},
			{Properties: map[string]any{"Mail": "dana@example.com", "Number": "12-34"}},
			{Properties: map[string]any{"Mail": "r&d@example.com"}},
		} {
			if err := s.CreateLead(manager(), l); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, l.ID)
		}
		for _, c := range []struct {
			person Person
			want   []int
		}{
			{Person{Phone: "0501234567"}, []int{0, 2, 5}},
			{Person{Phone: "+972 50-123-4567"}, []int{0, 5}},
			{Person{Email: " DANA@example.com"}, []int{1, 8}},
			{Person{Phone: "0501234567", Email: "dana@example.com"}, []int{0, 1, 2, 5, 8}},
			{Person{Phone: "20123456"}, []int{6}},
			{Person{Phone: "call 12"}, []int{7}},
			{Person{Phone: "12-34"}, []int{8}},
			{Person{Email: "r&d@example.com"}, []int{9}},
			{Person{Phone: "0509999999"}, nil},
			{Person{Phone: "%"}, nil},
		} {
			found, err := s.FindPerson(manager(), c.person)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, l := range found {
				got = append(got, slices.Index(ids, l.ID))
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%+v: %s", c.person, diff)
			}
		}
		for _, p := range []Person{{}, {Phone: " "}, {Email: "nobody"}} {
			if _, err := s.FindPerson(manager(), p); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%+v: %v", p, err)
			}
		}
	})
}

// Consent comes with its time, or gets the lead's; and an erased lead has none.
func TestConsent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		at := time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)
		s.Now = func() time.Time { return at }
		src := NewSource()
		src.Name, src.Kind = "Form", KindJSON
		if err := s.CreateSource(manager(), src); err != nil {
			t.Fatal(err)
		}
		read := func(body string) Lead {
			t.Helper()
			receipts, err := s.Receive(manager(), src.Token, Delivery{Method: "POST", ContentType: "application/json", Body: []byte(body)})
			if err != nil {
				t.Fatal(err)
			}
			var l Lead
			if err := db.Read(t.Context()).Take(&l, "id = ?", receipts[0].ID).Error; err != nil {
				t.Fatal(err)
			}
			return l
		}
		l := read(`{"FirstName":"Dana","הסכמה":"קראתי ואני מסכימה"}`)
		if l.ConsentText == nil || *l.ConsentText != "קראתי ואני מסכימה" || l.ConsentAt == nil || !l.ConsentAt.Equal(at) {
			t.Errorf("%+v", l)
		}
		l = read(`{"FirstName":"Noa","consent":"yes","ConsentAt":"2026-04-30T23:59:59.1234567+03:00"}`)
		if l.ConsentText == nil || *l.ConsentText != "yes" || !l.ConsentAt.Equal(time.Date(2026, 4, 30, 20, 59, 59, 123456000, time.UTC)) {
			t.Errorf("%+v %v", l, l.ConsentAt)
		}
		if l := read(`{"FirstName":"Gal"}`); l.ConsentText != nil || l.ConsentAt != nil {
			t.Errorf("%+v", l)
		}
		if _, err := s.Receive(manager(), src.Token, Delivery{Method: "POST", ContentType: "application/json", Body: []byte(`{"ConsentAt":"yesterday"}`)}); fault.CodeOf(err) != fault.Invalid {
			t.Error(err)
		}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			n, err := Erase(tx, []uuid.UUID{l.ID}, at)
			if n != 1 {
				t.Errorf("%d erased", n)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		l.City = new("Oz")
		if err := s.UpdateLead(manager(), &l); fault.CodeOf(err) != fault.PreconditionFailed {
			t.Errorf("an old version: %v", err)
		}
		l.Version++
		if err := s.UpdateLead(manager(), &l); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("an erased lead: %v", err)
		}
	})
}

// A person is found by indexes, however many leads there are.
func TestFindPersonByIndexes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := looking{db: db.Read(t.Context())}
		if err := l.phone("0501234567"); err != nil {
			t.Fatal(err)
		}
		l.column("email", []string{"dana@example.com"})
		l.texts(otherEmails, "dana@example.com")
		query := "SELECT * FROM leads WHERE id IN (" + strings.Join(l.queries, " UNION ") + ")"
		explain, bad := "EXPLAIN QUERY PLAN ", regexp.MustCompile(`(?m)SCAN leads$`)
		if db.Dialect() == store.Postgres {
			explain, bad = "EXPLAIN ", regexp.MustCompile(`Seq Scan on leads`)
		}
		err := db.Write(t.Context(), func(tx *gorm.DB) error {
			if db.Dialect() == store.Postgres { // few rows are always read one after the other
				if err := tx.Exec("SET LOCAL enable_seqscan = off").Error; err != nil {
					return err
				}
			}
			rows, err := tx.Raw(explain+query, l.args...).Rows()
			if err != nil {
				return err
			}
			defer rows.Close()
			var plan []string
			for rows.Next() {
				var a, b, c int
				var line string
				to := []any{&line}
				if db.Dialect() == store.SQLite {
					to = []any{&a, &b, &c, &line}
				}
				if err := rows.Scan(to...); err != nil {
					return err
				}
				plan = append(plan, line)
			}
			if text := strings.Join(plan, "\n"); bad.MatchString(text) || len(plan) < 8 {
				t.Errorf("%s", text)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
