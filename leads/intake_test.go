package leads

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestReceive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		clock := &clock{time.Date(2026, 11, 22, 3, 39, 0, 123456000, time.UTC)}
		s.Now = clock.Now
		src := addSource(t, s, Source{Kind: KindJSON, MaxRoutings: 0})
		var got *Source
		s.Route = func(tx *gorm.DB, l *Lead, src *Source) error {
			got = src
			return SetState(tx, l, StateUnmatched)
		}
		body := `{"FirstName":"נועה","LastName":"לוי","Phone":"050-1234567","City":"Haifa","Budget":5000,"Ratio":0.1234567890123456789,"<b>":["&"]}`
		receipts, err := s.Receive(context.Background(), src.Token, Delivery{
			Method: "POST", ContentType: "application/json", Body: []byte(body), RemoteAddress: "2001:db8::1", UserAgent: "curl/8",
		})
		if err != nil {
			t.Fatal(err)
		}
		l := stored(t, s, receipts[0])
		want := Lead{
			ID: receipts[0].ID, SourceID: &src.ID, ReceivedAt: clock.now, FirstName: new("נועה"), LastName: new("לוי"),
			Phone: new("+972501234567"), PhoneRaw: new("050-1234567"), City: new("Haifa"), State: StateUnmatched, Version: 2,
			Properties: object{"Budget": int64(5000), "Ratio": l.Properties["Ratio"], "<b>": []any{"&"}},
		}
		if diff := cmp.Diff(want, *l); diff != "" {
			t.Error(diff)
		}
		if want.ID.Version() != 7 {
			t.Errorf("%v is no UUIDv7", want.ID)
		}
		if got == nil || got.ID != src.ID || got.Limit() != 0 {
			t.Errorf("routed with the source %+v", got)
		}
		var payload Payload
		if err := db.Read(context.Background()).Take(&payload).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Payload{l.ID, []byte(body), "application/json", "2001:db8::1", "curl/8"}, payload); diff != "" {
			t.Error(diff)
		}
	})
}

// A number must reach the database as a number, or no filter would find it.
func TestNumbersAreStoredAsNumbers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON})
		if _, err := post(s, src, `{"Budget":9223372036854775807,"Rate":0.1234567890123456789}`); err != nil {
			t.Fatal(err)
		}
		sql := "SELECT properties FROM leads WHERE json_extract(properties, '$.Budget') > 9223372036854775806"
		if db.Dialect() == store.Postgres {
			sql = "SELECT properties FROM leads WHERE (properties -> 'Budget')::numeric > 9223372036854775806"
		}
		var text string
		if err := db.Read(context.Background()).Raw(sql).Scan(&text).Error; err != nil {
			t.Fatal(err)
		}
		for _, digits := range []string{"9223372036854775807", "0.1234567890123456789"} {
			if !strings.Contains(text, digits) {
				t.Errorf("%s is not in the stored %s", digits, text)
			}
		}
	})
}

func TestReceiveForm(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindForm, Region: "DK"})
	receipts, err := s.Receive(context.Background(), src.Token, Delivery{Method: "GET", Query: url.Values{"tel": {"32 12 34 56"}, "name": {"Søren Holm"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := object{"FirstName": "Søren", "LastName": "Holm", "Phone": "+4532123456", "PhoneRaw": "32 12 34 56"}
	if diff := cmp.Diff(want, text(stored(t, s, receipts[0]))); diff != "" {
		t.Error(diff)
	}
	var payload Payload
	if err := db.Read(context.Background()).Take(&payload).Error; err != nil || !strings.Contains(string(payload.Body), "tel=32+12+34+56") {
		t.Errorf("payload %s, %v", payload.Body, err)
	}
}

// What a header may hold is more than PostgreSQL's text takes.
func TestOddHeaders(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON})
		d := Delivery{Method: "POST", Body: []byte(`{"City":"Haifa"}`), UserAgent: "caf\xe9\x00 " + strings.Repeat("x", 2*maxQuoted), ContentType: "\xff"}
		if _, err := s.Receive(context.Background(), src.Token, d); err != nil {
			t.Fatal(err)
		}
		var payload Payload
		if err := db.Read(context.Background()).Take(&payload).Error; err != nil {
			t.Fatal(err)
		}
		if want := "caf\ufffd " + strings.Repeat("x", maxQuoted-6) + "…"; payload.UserAgent != want || payload.ContentType != "\ufffd" {
			t.Errorf("user agent %q, content type %q", payload.UserAgent, payload.ContentType)
		}
	})
}

func TestReceiveSeveral(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON})
		receipts, err := post(s, src, `[{"City":"Acre","external_id":"1"},{"City":"Lod","external_id":"2"},{"City":"Ramla","external_id":"1"}]`)
		if err != nil {
			t.Fatal(err)
		}
		if len(receipts) != 3 || receipts[0].Duplicate || receipts[1].Duplicate || !receipts[2].Duplicate || receipts[2].ID != receipts[0].ID {
			t.Errorf("got %+v", receipts)
		}
		if city := *stored(t, s, receipts[1]).City; city != "Lod" {
			t.Errorf("the second lead is from %s", city)
		}
		_, err = post(s, src, `[{"City":"Eilat"},{"City":{"x":1}}]`)
		wantFault(t, err, fault.Invalid, "[1].City")
		if n := count(t, s, "leads"); n != 2 {
			t.Errorf("%d leads, want 2: a delivery is stored whole or not at all", n)
		}
	})
}

// The same far id belongs to one lead of one source, whoever sends it when.
func TestSameExternalIDAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		var mu sync.Mutex
		routed := map[uuid.UUID]bool{}
		s.Route = func(tx *gorm.DB, l *Lead, _ *Source) error {
			mu.Lock()
			defer mu.Unlock()
			routed[l.ID] = true
			return SetState(tx, l, StateUnmatched)
		}
		src := addSource(t, s, Source{Kind: KindJSON})
		const senders = 50
		receipts := make([]Receipt, senders)
		errs := make([]error, senders)
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				got, err := post(s, src, `{"ExternalID":"order-1","City":"Haifa"}`)
				if errs[i] = err; err == nil {
					receipts[i] = got[0]
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		news := 0
		for _, r := range receipts {
			if r.ID != receipts[0].ID {
				t.Fatalf("two ids: %v and %v", r.ID, receipts[0].ID)
			}
			if !r.Duplicate {
				news++
			}
		}
		if news != 1 || count(t, s, "leads") != 1 || count(t, s, "payloads") != 1 || !routed[receipts[0].ID] || len(routed) != 1 {
			t.Errorf("%d new, %d leads, %d payloads, routed %v", news, count(t, s, "leads"), count(t, s, "payloads"), routed)
		}
		other := addSource(t, s, Source{Kind: KindJSON})
		if got, err := post(s, other, `{"ExternalID":"order-1","City":"Haifa"}`); err != nil || got[0].Duplicate {
			t.Errorf("another source's own id gave %+v, %v", got, err)
		}
	})
}

// When routing fails nothing of the lead stays, and the sender may try again.
func TestRouteFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON})
		broken := errors.New("broken")
		s.Route = func(*gorm.DB, *Lead, *Source) error { return broken }
		if _, err := post(s, src, `{"lead_id":"7"}`); !errors.Is(err, broken) || fault.CodeOf(err) != fault.Internal {
			t.Errorf("got %v", err)
		}
		for _, table := range []string{"leads", "payloads", "rejections"} {
			if n := count(t, s, table); n != 0 {
				t.Errorf("%d %s", n, table)
			}
		}
		s.Route = nil
		if got, err := post(s, src, `{"lead_id":"7"}`); err != nil || got[0].Duplicate {
			t.Errorf("again: %+v, %v", got, err)
		}
	})
}

func TestReceiveRefuses(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindJSON})
	off := addSource(t, s, Source{Kind: KindJSON})
	off.Enabled = false
	if err := s.UpdateSource(manager(), off); err != nil {
		t.Fatal(err)
	}
	var first error
	for _, token := range []string{"", "nonsense", strings.Repeat("a", tokenLength), off.Token, src.Token + "x", src.Token[1:] + "é"} {
		_, err := s.Receive(context.Background(), token, Delivery{Method: "POST", Body: []byte(`{"a":1}`)})
		wantFault(t, err, fault.NotFound, "")
		if first == nil {
			first = err
		}
		if diff := cmp.Diff(first, err); diff != "" {
			t.Errorf("the token %q can be told from others: %s", token, diff)
		}
	}
	if n := count(t, s, "rejections"); n != 0 {
		t.Errorf("%d rejections of unknown tokens", n)
	}
	_, err := post(s, src, `{"a":"`+strings.Repeat("x", MaxBody)+`"}`)
	wantFault(t, err, fault.TooLarge, "")
	_, err = s.Receive(context.Background(), src.Token, Delivery{Method: "GET", Query: url.Values{"a": {"1"}}})
	wantFault(t, err, fault.MethodNotAllowed, "")
}
