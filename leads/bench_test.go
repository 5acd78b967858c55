package leads

import (
	"context"
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

// BenchmarkReceive is the whole way of a lead into the database, durable, but
// for routing: by one sender, and by many at once.
func BenchmarkReceive(b *testing.B) {
	const body = `{"FirstName":"נועה","LastName":"לוי","Phone":"050-1234567","Email":"noa@example.com","City":"Haifa","utm_source":"google","Budget":5000,"Rooms":4}`
	for _, dialect := range storetest.Dialects {
		b.Run(dialect, func(b *testing.B) {
			s := New(storetest.Open(b, dialect), storetest.Vault())
			src := addSource(b, s, Source{Kind: KindJSON})
			receive := func(b *testing.B) {
				if _, err := post(s, src, body); err != nil {
					b.Error(err)
				}
			}
			b.Run("one", func(b *testing.B) {
				for b.Loop() {
					receive(b)
				}
			})
			b.Run("many", func(b *testing.B) {
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						receive(b)
					}
				})
			})
		})
	}
}

// BenchmarkParse is what is done of that before the write.
func BenchmarkParse(b *testing.B) {
	s := New(nil, storetest.Vault())
	bodies := []struct {
		name   string
		source Source
		d      Delivery
	}{
		{"json", Source{Kind: KindJSON, Region: "IL"}, Delivery{Method: "POST", Body: []byte(`{"FirstName":"נועה","LastName":"לוי","Phone":"050-1234567","City":"Haifa","Budget":5000}`)}},
		{"form", Source{Kind: KindForm, Region: "IL"}, Delivery{Method: "POST", ContentType: urlencoded, Body: []byte("name=%D7%A0%D7%95%D7%A2%D7%94+%D7%9C%D7%95%D7%99&tel=050-1234567&city=Haifa&Budget=5000")}},
		{"google-ads", Source{Kind: KindGoogleAds, Region: "IL", SecretMAC: s.Vault.MAC(secretPurpose, []byte("swordfish-7"))}, Delivery{Method: "POST", Body: []byte(googleLead)}},
	}
	for _, body := range bodies {
		b.Run(body.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				in, err := s.parse(&body.source, body.d)
				if err == nil {
					_, err = s.row(&body.source, in.leads[0], &Payload{})
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDuplicate is a far id that comes again.
func BenchmarkDuplicate(b *testing.B) {
	s := New(storetest.Open(b, store.SQLite), storetest.Vault())
	src := addSource(b, s, Source{Kind: KindJSON})
	for b.Loop() {
		if _, err := s.Receive(context.Background(), src.Token, Delivery{Method: "POST", Body: []byte(`{"lead_id":1}`)}); err != nil {
			b.Fatal(err)
		}
	}
}
