package routing

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

// A token is fetched once for all who need it, serves until shortly before its
// end, and is replaced once where it is refused.
func TestToken(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		var fetched, sent, refused atomic.Int64
		var revoked atomic.Bool
		mux := http.NewServeMux()
		mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
			revoked.Store(false)
			answerJSON(w, 200, fmt.Sprintf(`{"access_token":"token-%d","expires_in":600}`, fetched.Add(1)))
		})
		mux.HandleFunc("POST /leads", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", fetched.Load()) || revoked.Load() {
				refused.Add(1)
				w.WriteHeader(401)
				return
			}
			sent.Add(1)
		})
		server := httptest.NewServer(mux)
		defer server.Close()
		f.activated(server.URL+"/leads", func(r *Rule) {
			r.Settings["Authentication"], r.Settings["TokenURL"] = "oauth2", server.URL+"/token"
			r.Settings["ClientID"], r.Settings["ClientSecret"] = "me", "s3cret"
		})
		f.tokens.held = nil // as after a start
		fetched.Store(0)
		f.run()
		send := func(n int) {
			t.Helper()
			before := sent.Load()
			for range n {
				f.lead(nil)
			}
			f.eventually("all are sent", func() bool { return sent.Load() == before+int64(n) })
			f.eventually("and settled, before the clock moves", func() bool {
				var open int64
				f.ok(db.Read(f.ctx).Model(&Routing{}).Where("state <> ?", Delivered).Count(&open).Error)
				return open == 0
			})
		}
		send(20)
		if n := fetched.Load(); n != 1 {
			t.Errorf("%d tokens for 20 leads at once", n)
		}
		clock.forward(530 * 1e9)
		send(1)
		if n := fetched.Load(); n != 1 {
			t.Errorf("a new token 70 s before the old one's end")
		}
		clock.forward(20 * 1e9)
		send(1)
		if n := fetched.Load(); n != 2 {
			t.Errorf("%d tokens, want one more shortly before the end", n)
		}
		revoked.Store(true)
		send(1)
		if fetched.Load() != 3 || refused.Load() != 1 {
			t.Errorf("%d tokens, %d refused", fetched.Load(), refused.Load())
		}
	})
}
