package leads

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestGuards(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 39, 0, 0, time.UTC)
	honey := Source{Honeypot: "website"}
	slow := Source{FillTimeField: "shown", MinFillSeconds: 4}
	at := func(ago time.Duration) int64 { return now.Add(-ago).Unix() }
	tests := []struct {
		name   string
		source Source
		body   string
		code   fault.Code // "": taken
		target string
	}{
		{"a honeypot that is empty", honey, `{"City":"x","website":""}`, "", ""},
		{"a honeypot that is null", honey, `{"City":"x","website":null}`, "", ""},
		{"a honeypot that is not there", honey, `{"City":"x"}`, "", ""},
		{"a honeypot that is filled in", honey, `{"City":"x","website":"http://x"}`, CodeSpam, "website"},
		{"a honeypot filled in with a list", honey, `{"City":"x","website":["a","b"]}`, CodeSpam, "website"},
		{"a person", slow, fmt.Sprintf(`{"City":"x","shown":%d}`, at(4*time.Second)), "", ""},
		{"a person, in milliseconds", slow, fmt.Sprintf(`{"City":"x","shown":"%d"}`, at(4*time.Second)*1000), "", ""},
		{"a person, in words", slow, `{"City":"x","shown":"2026-11-22T05:38:50+02:00"}`, "", ""},
		{"a page left open for a day", slow, fmt.Sprintf(`{"City":"x","shown":%d}`, at(24*time.Hour)), "", ""},
		{"a program", slow, fmt.Sprintf(`{"City":"x","shown":%d.5}`, at(4*time.Second)), CodeSpam, "shown"},
		{"no time", slow, `{"City":"x"}`, fault.Invalid, "shown"},
		{"a time that is none", slow, `{"City":"x","shown":"now"}`, fault.Invalid, "shown"},
		{"a time that is no number", slow, `{"City":"x","shown":"NaN"}`, fault.Invalid, "shown"},
		{"a time to come", slow, fmt.Sprintf(`{"City":"x","shown":%d}`, at(-time.Minute)), fault.Invalid, "shown"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				s := New(db, storetest.Vault())
				s.Now = func() time.Time { return now }
				test.source.Kind = KindJSON
				src := addSource(t, s, test.source)
				before := count(t, s, "leads")
				receipts, err := post(s, src, test.body)
				list, _ := s.Rejections(manager(), src.ID, 10)
				switch test.code {
				case "":
					if err != nil || len(list) > 0 {
						t.Fatalf("%v, %+v", err, list)
					}
					if l := stored(t, s, receipts[0]); len(l.Properties) > 0 {
						t.Errorf("the guard's field was kept: %v", l.Properties)
					}
					return
				case CodeSpam:
					if err != nil || len(receipts) != 1 || receipts[0].ID.Version() != 7 || receipts[0].Duplicate {
						t.Errorf("the sender can tell: %+v, %v", receipts, err)
					}
				default:
					wantFault(t, err, test.code, test.target)
				}
				if count(t, s, "leads") != before {
					t.Error("the lead was stored")
				}
				if len(list) != 1 || list[0].Code != string(test.code) || list[0].Target != test.target || list[0].Reason == "" {
					t.Errorf("rejections: %+v", list)
				}
			})
		}
	})
}

// Of several leads in one delivery, spam is left out.
func TestSpamAmongLeads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON, Honeypot: "website"})
		receipts, err := post(s, src, `[{"City":"a"},{"City":"b","website":"x"},{"City":"c"}]`)
		if err != nil || len(receipts) != 3 || count(t, s, "leads") != 2 || count(t, s, "rejections") != 1 {
			t.Fatalf("%+v, %v", receipts, err)
		}
		if c := *stored(t, s, receipts[2]).City; c != "c" {
			t.Errorf("the third receipt is that of %s", c)
		}
	})
}

func TestRateByAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		clock := &clock{time.Date(2026, 11, 22, 3, 39, 0, 0, time.UTC)}
		s.Now = clock.Now
		src, other := addSource(t, s, Source{Kind: KindJSON, PerAddress: 3}), addSource(t, s, Source{Kind: KindJSON, PerAddress: 3})
		from := func(src *Source, address string) error {
			_, err := s.Receive(context.Background(), src.Token, Delivery{Method: "POST", Body: []byte(`{"City":"x"}`), RemoteAddress: address})
			return err
		}
		refused := func(src *Source, address string, want bool) {
			t.Helper()
			err := from(src, address)
			var e *fault.Error
			if !want && err != nil || want && fault.CodeOf(err) != fault.RateLimited {
				t.Fatalf("refused %t, but got %v", want, err)
			}
			if want {
				e = err.(*fault.Error)
				if e.After != 20*time.Second {
					t.Errorf("wait for %v", e.After)
				}
			}
		}
		for range 3 {
			refused(src, "192.0.2.1", false)
		}
		refused(src, "192.0.2.1", true)
		refused(src, "::ffff:192.0.2.1", true) // the same one
		refused(src, "192.0.2.2", false)
		refused(other, "192.0.2.1", false)
		for i := range 3 {
			refused(src, fmt.Sprintf("2001:db8::%d", i), false)
		}
		refused(src, "2001:db8::ffff:1", true) // of the same household
		refused(src, "2001:db8:0:1::1", false)
		refused(src, "", false)
		if n := count(t, s, "rejections"); n != 2 {
			t.Errorf("%d rejections, want one of each address", n)
		}
		clock.now = clock.now.Add(20 * time.Second)
		refused(src, "192.0.2.1", false)
		refused(src, "192.0.2.1", true)
		clock.now = clock.now.Add(-time.Hour) // a clock that is set back locks nobody out for long
		refused(src, "192.0.2.1", true)
		clock.now = clock.now.Add(time.Minute)
		for range 3 {
			refused(src, "192.0.2.1", false)
		}
		refused(src, "192.0.2.1", true)
	})
}

func TestRatesAreBounded(t *testing.T) {
	r := newRates()
	now := time.Date(2026, 11, 22, 3, 39, 0, 0, time.UTC)
	key := func(i int) bucketKey {
		return bucketKey{1, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
	}
	for i := range maxBuckets + 10 {
		r.wait(key(i), 1, now)
	}
	if len(r.buckets) != maxBuckets {
		t.Errorf("%d buckets", len(r.buckets))
	}
	if wait, _ := r.wait(key(maxBuckets+11), 1, now.Add(time.Hour)); wait != 0 || len(r.buckets) != 1 {
		t.Errorf("%d buckets after an hour", len(r.buckets))
	}
}
