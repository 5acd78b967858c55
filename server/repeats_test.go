package server

import (
	"context"
	"net/http"
	"reflect"
	"testing"
	"time"

	"leadloop/odata"
	"leadloop/store"
	"leadloop/store/storetest"
)

// repeatable are the headers of a request that may be sent again.
func repeatable(c client, id string) client {
	return c.with("Repeatability-Request-ID", id).with("Repeatability-First-Sent", time.Now().UTC().Format(http.TimeFormat))
}

// A request that is sent again is answered as it was, also after a restart; an
// answer that shows a key once shows it again to the one who asked for it.
func TestRepeatableRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		p := s.join(t, "Acme", "reasons:read")
		issue := "/odata/Connections(" + p.connection + ")/IssueKey"
		admin := repeatable(s.admin, "issue")
		first := admin.post(issue, nil).want(200)
		s.stop()
		s.start(t)
		admin.base = s.base
		again := admin.post(issue, nil).want(200)
		if again.text("Key") != first.text("Key") || again.header.Get("Repeatability-Result") != "accepted" {
			t.Errorf("first %s, then %s %v", first.body, again.body, again.header)
		}
		admin.post("/odata/Customers", map[string]any{"Name": "Other"}).want(400)
		if n := s.admin.get("/odata/Connections(" + p.connection + ")/Keys/$count").want(200); string(n.body) != "2" {
			t.Errorf("%s keys", n.body)
		}
		// A test transmission waits for another system, which no transaction may.
		repeatable(s.admin, "test").post("/odata/Rules(1)/Test", nil).want(501)
	})
}

// What one request says of several entities is stored whole or not at all.
func TestDeepChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		customer := s.admin.post("/odata/Customers", `{"Name":"Deep","Connections":[{"Name":"CRM","Scopes":["leads:read"]},{"Name":"Other"}]}`).want(201)
		if customer.text("Connections", 0, "CustomerID") != customer.text("ID") || customer.text("Connections", 1, "Name") != "Other" {
			t.Errorf("%s", customer.body)
		}
		a := s.admin.post("/odata/Customers", `{"Name":"Gone","Connections":[{"Name":"fine"},{"Name":"x","Scopes":["nonsense"]}]}`).want(400)
		if a.text("error", "target") != "Connections/1/Scopes[0]" {
			t.Errorf("%s", a.body)
		}
		if n := s.admin.get("/odata/Customers/$count"); string(n.body) != "1" {
			t.Errorf("%s customers", n.body)
		}
		// Who may not create what is nested creates nothing.
		p := s.join(t, "Acme", "feedback:write")
		p.post("/odata/Feedback", `{"Comment":"x","Reason":{"Name":"mine","Category":"positive"}}`).want(403)
	})
}

func TestRepeatsForget(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		r := &repeats{db: db, vault: storetest.Vault(), now: func() time.Time { return now }}
		ctx := store.WithActor(t.Context(), store.Actor{Kind: store.Staff, UserID: 1})
		other := store.WithActor(t.Context(), store.Actor{Kind: store.Staff, UserID: 11})
		answer := odata.Repeat{Request: []byte{1}, Status: 201, Header: http.Header{"Location": {"x"}}, Body: []byte("secret")}
		claim := func(ctx context.Context, id string) *odata.Repeat {
			t.Helper()
			got, err := r.Claim(ctx, id, now.Add(time.Hour))
			if err == nil && got == nil {
				err = r.Keep(ctx, id, answer)
			}
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if claim(ctx, "a") != nil || claim(other, "a") != nil {
			t.Error("an id was taken at first")
		}
		if got := claim(ctx, "a"); got == nil || !reflect.DeepEqual(*got, answer) {
			t.Errorf("%+v", got)
		}
		var sealed []byte
		if err := db.Read(ctx).Raw("SELECT answer FROM repeats LIMIT 1").Row().Scan(&sealed); err != nil || len(sealed) < 40 || string(sealed) == "secret" {
			t.Errorf("%q %v", sealed, err)
		}
		now = now.Add(2 * time.Hour)
		if claim(ctx, "a") != nil {
			t.Error("an expired answer was given")
		}
		var left int64
		if err := db.Read(ctx).Table("repeats").Count(&left).Error; err != nil || left != 1 {
			t.Errorf("%d answers are left, %v", left, err)
		}
		r.forgotten.Store(now.Add(2 * time.Hour).Unix()) // an expired id is free without cleaning up, too
		now = now.Add(2 * time.Hour)
		if claim(ctx, "a") != nil {
			t.Error("an expired answer was given")
		}
	})
}
