package leads

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/textproto"
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

// metaWebhook announces the leads with these ids, each in an entry of its own.
func metaWebhook(ids ...string) string {
	entries := make([]string, len(ids))
	for i, id := range ids {
		entries[i] = `{"id":153125381133,"time":1772388000,"changes":[{"field":"leadgen","value":{"leadgen_id":` + id +
			`,"page_id":153125381133,"form_id":9007199254740995,"ad_id":12312312312,"adgroup_id":12312312313,"created_time":1772387999}}]}`
	}
	return `{"object":"page","entry":[` + strings.Join(entries, ",") + `]}`
}

// metaAnswer is the lead called id as the Graph gives it.
func metaAnswer(id string) string {
	return `{"id":"` + id + `","created_time":"2026-03-01T18:00:00+0000","ad_id":"12312312312","form_id":"9007199254740995","campaign_name":"אביב",
		"field_data":[{"name":"full_name","values":["תמר אורן"]},{"name":"phone_number","values":["+972521234567"]},{"name":"email","values":["Tamar@Example.com"]},
		{"name":"מתי_נוח?","values":["בבוקר","בערב"]}]}`
}

func metaSigned(secret, body string) Delivery {
	return Delivery{
		Method: "POST", ContentType: "application/json", Body: []byte(body), RemoteAddress: "192.0.2.7", UserAgent: "facebookexternalua",
		Header: textproto.MIMEHeader{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(sign(secret, body))}},
	}
}

// graph stands for the client that reads leads back.
type graph struct {
	mu     sync.Mutex
	asked  []string
	answer func(id string) (int, string, error)
}

func (g *graph) fetch(_ context.Context, address string, header map[string]string) (int, []byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u, err := url.Parse(address)
	if err != nil || header["Authorization"] != "Bearer graph-token" || u.Query().Get("access_token") != "graph-token" ||
		u.Query().Get("appsecret_proof") != hex.EncodeToString(sign("app-secret", "graph-token")) {
		return 400, []byte(`{"error":{"message":"bad request ` + address + `"}}`), nil
	}
	id := strings.TrimPrefix(u.Path, "/v24.0/")
	g.asked = append(g.asked, id)
	status, body, err := g.answer(id)
	return status, []byte(body), err
}

func metaSource(t *testing.T, s *Service) *Source {
	return addSource(t, s, Source{Kind: KindMeta, Settings: SourceSettings{
		"AppSecret": "app-secret", "AccessToken": "graph-token", "GraphURL": "https://graph.example.com/v24.0/",
	}})
}

// work makes one round of the queue.
func work(t *testing.T, s *Service) {
	t.Helper()
	due, err := s.claimRetrievals(system(context.Background()), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range due {
		s.retrieve(system(context.Background()), r)
	}
}

func TestMeta(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		g := &graph{answer: func(id string) (int, string, error) { return 200, metaAnswer(id), nil }}
		s.Fetch = g.fetch
		routed := map[uuid.UUID]int{}
		s.Route = func(tx *gorm.DB, l *Lead, src *Source) error {
			routed[l.ID]++
			return SetState(tx, l, StateUnmatched)
		}
		src := metaSource(t, s)
		const one, two = "9007199254740993", `18446744073709551617`
		body := metaWebhook(one, `"`+two+`"`)
		receipts, err := s.Receive(context.Background(), src.Token, metaSigned("app-secret", body))
		if err != nil || len(receipts) != 2 || receipts[0].Duplicate || receipts[1].Duplicate {
			t.Fatalf("%+v, %v", receipts, err)
		}
		again, err := s.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook(two, one)))
		if err != nil || again[0].ID != receipts[1].ID || again[1].ID != receipts[0].ID || !again[0].Duplicate {
			t.Errorf("announced again while they wait: %+v, %v", again, err)
		}
		if n := count(t, s, "leads"); n != 0 {
			t.Errorf("%d leads before they were read", n)
		}
		s = restarted(s) // the queue is in the database
		work(t, s)
		if len(g.asked) != 2 || count(t, s, "retrievals") != 0 || count(t, s, "leads") != 2 || len(routed) != 2 || routed[receipts[0].ID] != 1 {
			t.Errorf("asked for %v, %d wait, routed %v", g.asked, count(t, s, "retrievals"), routed)
		}
		want := object{
			"FirstName": "תמר", "LastName": "אורן", "Phone": "+972521234567", "PhoneRaw": "+972521234567", "Email": "tamar@example.com", "Campaign": "אביב",
			"מתי_נוח?": "בבוקר, בערב", "ExternalID": one, "created_time": "2026-03-01T18:00:00+0000", "ad_id": "12312312312", "form_id": "9007199254740995",
			"page_id": int64(153125381133), "adgroup_id": int64(12312312313),
		}
		if diff := cmp.Diff(want, text(stored(t, s, receipts[0]))); diff != "" {
			t.Error(diff)
		}
		if got := *stored(t, s, receipts[1]).ExternalID; got != two {
			t.Errorf("the id %s became %s", two, got)
		}
		var payload Payload
		if err := db.Read(context.Background()).Where("lead_id = ?", receipts[0].ID).Take(&payload).Error; err != nil || payload.RemoteAddress != "192.0.2.7" || string(payload.Body) != metaAnswer(one) {
			t.Errorf("payload %+v, %v", payload, err)
		}
		again, err = s.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook(one, one, "5")))
		if err != nil || again[0].ID != receipts[0].ID || !again[0].Duplicate || again[1].ID != receipts[0].ID || again[2].Duplicate || count(t, s, "retrievals") != 1 {
			t.Errorf("announced again when they are there: %+v, %v", again, err)
		}
	})
}

// restarted is a Service over the same database that remembers nothing.
func restarted(s *Service) *Service {
	next := New(s.DB, s.Vault)
	next.Fetch, next.Route, next.Now = s.Fetch, s.Route, s.Now
	return next
}

func TestMetaReadLeads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindMeta, Settings: SourceSettings{"AcceptUnsigned": true}, Mapping: []FieldMapping{{Target: "When", Field: "מתי_נוח?"}}})
		receipts, err := post(s, src, metaAnswer("77"))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(stored(t, s, receipts[0])); got["ExternalID"] != "77" || got["When"] != "בבוקר, בערב" || got["LastName"] != "אורן" {
			t.Errorf("stored %v", got)
		}
		again, err := post(s, src, "["+metaAnswer("77")+","+metaAnswer("78")+"]")
		if err != nil || again[0].ID != receipts[0].ID || !again[0].Duplicate || again[1].Duplicate {
			t.Errorf("again: %+v, %v", again, err)
		}
		test, err := post(s, src, `{"id":"79","field_data":[{"name":"email","values":["test@fb.com"]},{"name":"full_name","values":["<test lead: dummy data for full_name>"]}]}`)
		if err != nil || stored(t, s, test[0]).State != StateTest {
			t.Errorf("a lead of the testing tool: %+v, %v", test, err)
		}
		if other, err := post(s, src, `{"object":"page","entry":[{"id":1,"changes":[{"field":"feed","value":{}}]},{"id":2}]}`); err != nil || len(other) != 0 {
			t.Errorf("other changes gave %+v, %v", other, err)
		}
	})
}

func TestMetaRefuses(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := metaSource(t, s)
	entry := func(value string) string {
		return `{"entry":[{"changes":[{"field":"leadgen","value":` + value + `}]}]}`
	}
	const idAt = "entry[0].changes[0].value.leadgen_id"
	tests := []struct {
		name   string
		d      Delivery
		code   fault.Code
		target string
	}{
		{"a wrong signature", metaSigned("other", metaWebhook("1")), fault.Unauthorized, "X-Hub-Signature-256"},
		{"no signature", Delivery{Method: "POST", Body: []byte(metaWebhook("1"))}, fault.Unauthorized, "X-Hub-Signature-256"},
		{"neither", metaSigned("app-secret", `{"a":1}`), fault.Invalid, "field_data"},
		{"no JSON", metaSigned("app-secret", `entry=1`), fault.Invalid, ""},
		{"entries in an object", metaSigned("app-secret", `{"entry":7}`), fault.Invalid, "entry"},
		{"an entry of no kind", metaSigned("app-secret", `{"entry":[7]}`), fault.Invalid, "entry[0]"},
		{"no id", metaSigned("app-secret", entry(`{}`)), fault.Invalid, idAt},
		{"a path as the id", metaSigned("app-secret", entry(`{"leadgen_id":"../me"}`)), fault.Invalid, idAt},
		{"a fraction", metaSigned("app-secret", entry(`{"leadgen_id":1.5}`)), fault.Invalid, idAt},
		{"a flag", metaSigned("app-secret", entry(`{"leadgen_id":true}`)), fault.Invalid, idAt},
		{"NUL", metaSigned("app-secret", entry(`{"leadgen_id":1,"x":"\u0000"}`)), fault.Invalid, idAt},
		{"too many", metaSigned("app-secret", metaWebhook(strings.Split(strings.Repeat("1 ", maxBatch)+"1", " ")...)), fault.Invalid, ""},
		{"answers in an object", metaSigned("app-secret", `{"field_data":{"a":1}}`), fault.Invalid, "field_data"},
		{"a nameless answer", metaSigned("app-secret", `{"field_data":[{"values":["x"]}]}`), fault.Invalid, "field_data[0]"},
		{"GET", Delivery{Method: "GET"}, fault.MethodNotAllowed, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := s.Receive(context.Background(), src.Token, test.d)
			wantFault(t, err, test.code, test.target)
		})
	}
	if n := count(t, s, "retrievals") + count(t, s, "leads"); n != 0 {
		t.Errorf("%d rows were stored", n)
	}
	if n := count(t, s, "rejections"); n != int64(len(tests)) {
		t.Errorf("%d rejections, want %d", n, len(tests))
	}
}

// What cannot be read is tried again, and at last waits for staff; a change of
// the source sets it going again.
func TestRetrievalFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		s.Now = clock.Now
		g := &graph{}
		s.Fetch = g.fetch
		src := metaSource(t, s)
		receipts, err := s.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook("4")))
		if err != nil {
			t.Fatal(err)
		}
		failures := []struct {
			status        int
			body, problem string
			err           error
		}{
			{503, "", "HTTP 503", nil},
			{400, `{"error":{"message":"Error validating access token graph-token","code":190}}`, "HTTP 400: Error validating access token ***", nil},
			{200, "<html>", "the answer is no lead: malformed JSON", nil},
			{200, "{}", "the answer is no lead: neither", nil},
			{0, "", "no complete answer within 10s", errors.New("no complete answer within 10s")},
		}
		for i := range len(retrieveSchedule) + 1 {
			f := failures[i%len(failures)]
			g.answer = func(string) (int, string, error) { return f.status, f.body, f.err }
			work(t, s)
			var r Retrieval
			if err := db.Read(context.Background()).Take(&r).Error; err != nil {
				t.Fatal(err)
			}
			if r.AttemptCount != i+1 || r.LeaseToken != nil || r.Error == nil || !strings.HasPrefix(*r.Error, f.problem) {
				t.Fatalf("after attempt %d: %+v, %s", i+1, r, *r.Error)
			}
			if i == len(retrieveSchedule) {
				if r.NextAttemptAt != nil {
					t.Errorf("tried again at %v", r.NextAttemptAt)
				}
				break
			}
			if want := clock.now.Add(retrieveSchedule[i]); !r.NextAttemptAt.Equal(want) {
				t.Errorf("attempt %d is at %v, want %v", i+2, r.NextAttemptAt, want)
			}
			asked := len(g.asked)
			work(t, s)
			if len(g.asked) != asked {
				t.Errorf("attempt %d came early", i+2)
			}
			clock.now = clock.now.Add(retrieveSchedule[i])
		}
		list, err := s.Rejections(manager(), src.ID, 10)
		if err != nil || len(list) != 1 || !strings.Contains(list[0].Reason, "the lead 4 could not be read: the answer is no lead") {
			t.Errorf("rejections %+v, %v", list, err)
		}
		g.answer = func(id string) (int, string, error) { return 200, metaAnswer(id), nil }
		clock.now = clock.now.Add(time.Hour)
		work(t, s)
		if n := count(t, s, "leads"); n != 0 {
			t.Error("what waits for staff was tried again")
		}
		if err := s.UpdateSource(manager(), src); err != nil {
			t.Fatal(err)
		}
		work(t, s)
		if l := stored(t, s, receipts[0]); *l.ExternalID != "4" || !l.ReceivedAt.Equal(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) {
			t.Errorf("stored %+v", l)
		}
	})
}

// A lead that cannot be taken waits for staff at once: asking again would not
// mend it.
func TestRetrievalOfBadLead(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	g := &graph{answer: func(string) (int, string, error) {
		return 200, `{"id":"4","field_data":[{"name":"phone","values":["050-1234567"]},{"name":"x","values":["` + strings.Repeat("x", maxCharacters+1) + `"]}]}`, nil
	}}
	s.Fetch = g.fetch
	src := metaSource(t, s)
	if _, err := s.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook("4"))); err != nil {
		t.Fatal(err)
	}
	work(t, s)
	var r Retrieval
	if err := db.Read(context.Background()).Take(&r).Error; err != nil || r.NextAttemptAt != nil {
		t.Errorf("%+v, %v", r, err)
	}
	list, err := s.Rejections(manager(), src.ID, 10)
	if err != nil || len(list) != 1 || list[0].Target != "x" || strings.Contains(string(list[0].Body), "050-1234567") {
		t.Errorf("rejections %+v, %v", list, err)
	}
}

// A lease that ran out is another server's: the lead is stored once.
func TestRetrievalLease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		clock := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		s.Now = clock.Now
		s.Fetch = (&graph{answer: func(id string) (int, string, error) { return 200, metaAnswer(id), nil }}).fetch
		src := metaSource(t, s)
		if _, err := s.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook("4", "5"))); err != nil {
			t.Fatal(err)
		}
		ctx := system(context.Background())
		slow, err := s.claimRetrievals(ctx, 1)
		if err != nil || len(slow) != 1 {
			t.Fatalf("%v, %v", slow, err)
		}
		if others, err := s.claimRetrievals(ctx, 10); err != nil || len(others) != 1 || others[0].ID == slow[0].ID {
			t.Errorf("claimed %v, %v", others, err)
		}
		clock.now = clock.now.Add(retrieveLease)
		work(t, s) // both leases ran out
		if n := count(t, s, "leads"); n != 2 {
			t.Errorf("%d leads", n)
		}
		s.retrieve(ctx, slow[0])
		if leads, waiting := count(t, s, "leads"), count(t, s, "retrievals"); leads != 2 || waiting != 0 {
			t.Errorf("%d leads, %d wait", leads, waiting)
		}
		// One that is cut off by the end of the program is due at once.
		if _, err := s.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook("6"))); err != nil {
			t.Fatal(err)
		}
		ending, end := context.WithCancel(ctx)
		s.Fetch = func(ctx context.Context, _ string, _ map[string]string) (int, []byte, error) {
			end()
			return 0, nil, ctx.Err()
		}
		if err := s.Run(ending); err != nil {
			t.Fatal(err)
		}
		var r Retrieval
		if err := db.Read(ctx).Take(&r).Error; err != nil || r.AttemptCount != 0 || r.LeaseToken != nil || r.NextAttemptAt.After(clock.now) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Several workers and many announcements of the same leads at once.
func TestRetrievalsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		one := New(db, storetest.Vault())
		one.Fetch = (&graph{answer: func(id string) (int, string, error) { return 200, metaAnswer(id), nil }}).fetch
		src := metaSource(t, one)
		ctx, stop := context.WithCancel(context.Background())
		var workers, senders sync.WaitGroup
		for _, s := range []*Service{one, restarted(one)} {
			workers.Go(func() { _ = s.Run(ctx) })
		}
		ids := make([][]uuid.UUID, 4)
		for i := range ids {
			senders.Go(func() {
				for n := range 20 {
					got, err := one.Receive(context.Background(), src.Token, metaSigned("app-secret", metaWebhook(fmt.Sprint(n))))
					if err != nil {
						t.Error(err)
						return
					}
					ids[i] = append(ids[i], got[0].ID)
				}
			})
		}
		senders.Wait()
		deadline := time.After(20 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for count(t, one, "leads") < 20 || count(t, one, "retrievals") > 0 {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatal("the queue does not empty")
			}
		}
		stop()
		workers.Wait()
		for n, id := range ids[0] {
			l := stored(t, one, Receipt{ID: id})
			if *l.ExternalID != fmt.Sprint(n) || ids[1][n] != id || ids[2][n] != id || ids[3][n] != id {
				t.Errorf("lead %d is %v to one sender and %v to another", n, id, ids[1][n])
			}
		}
	})
}
