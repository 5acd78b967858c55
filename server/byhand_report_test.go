package server

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/feedback"
	"leadloop/odata"
	"leadloop/store"
)

// post is n durable reports from 64 clients with the customer's key.
func (b *bench) post(h http.Handler) func(n int) {
	header := http.Header{"X-Api-Key": {b.key}, "Content-Type": {"application/json"}}
	return func(n int) {
		var wg sync.WaitGroup
		left := atomic.Int64{}
		left.Store(int64(n))
		for range 64 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					i := b.n.Add(1)
					at := time.Date(2026, 2, 1, 0, 0, 0, int(i)*1000, time.UTC)
					body := fmt.Appendf(nil, `{"RoutingID":"%s","ReasonID":3,"Comment":"לא ענה","OccurredAt":"%s"}`,
						routingID(int(i)*3%benchRoutings), at.Format(store.TimeLayout))
					b.do(h, http.MethodPost, "/odata/Feedback", header, body, http.StatusCreated)
				}
			})
		}
		wg.Wait()
	}
}

// submit is n durable reports by SubmitFeedback, a thousand a request.
func (b *bench) submit(h http.Handler) func(n int) {
	header := http.Header{"X-Api-Key": {b.key}, "Content-Type": {"application/json"}}
	return func(n int) {
		for n > 0 {
			size := min(n, feedback.MaxReports)
			body := []byte(`{"Items":[`)
			for i := range size {
				k := b.n.Add(1)
				at := time.Date(2026, 2, 1, 0, 0, 0, int(k)*1000, time.UTC)
				if i > 0 {
					body = append(body, ',')
				}
				body = fmt.Appendf(body, `{"RoutingID":"%s","ReasonID":3,"Comment":"לא ענה","OccurredAt":"%s"}`,
					routingID(int(k)*3%benchRoutings), at.Format(store.TimeLayout))
			}
			b.do(h, http.MethodPost, "/odata/SubmitFeedback", header, append(body, "]}"...), http.StatusOK)
			n -= size
		}
	}
}

// oneByOne is the handler one would write for a report: a transaction of its own
// for each, on a single connection, as durable as ours.
func (b *bench) oneByOne(t *testing.T) http.Handler {
	db, err := sql.Open("sqlite3", "file:"+b.dsn+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	prepare := func(text string) *sql.Stmt {
		s, err := db.Prepare(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	find := prepare("SELECT lead_id, customer_id FROM routings WHERE id = ?")
	insert := prepare("INSERT INTO feedback (id, routing_id, reason_id, comment, occurred_at, received_at) VALUES (?, ?, ?, ?, ?, ?)")
	routed := prepare("UPDATE routings SET reason_id = ?, feedback_at = ?, version = version + 1 WHERE id = ?")
	lead := prepare("UPDATE leads SET reason_id = ?, feedback_at = ?, version = version + 1 WHERE id = ?")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f feedback.Feedback
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			panic(err)
		}
		f.ID, f.ReceivedAt = uuid.Must(uuid.NewV7()), store.Now()
		at := f.OccurredAt.Format(store.TimeLayout)
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			panic(err)
		}
		var leadID string
		var customer int64
		must(tx.Stmt(find).QueryRow(f.RoutingID).Scan(&leadID, &customer))
		must1(tx.Stmt(insert).Exec(f.ID, f.RoutingID, f.ReasonID, f.Comment, at, f.ReceivedAt.Format(store.TimeLayout)))
		must1(tx.Stmt(routed).Exec(f.ReasonID, at, f.RoutingID))
		must1(tx.Stmt(lead).Exec(f.ReasonID, at, leadID))
		must(tx.Commit())
		send(w, http.StatusCreated, f)
	})
}

// storingNothing is our handler with reports that are taken for stored.
func (b *bench) storingNothing() http.Handler {
	app := *b.app
	o := app.OData.Options
	app.OData = odata.New(o)
	odata.Add(app.OData, odata.Set[feedback.Feedback]{
		Name: "Feedback", Access: access{scopes: everyScope, expr: "Routing/CustomerID eq @customer"}.predicate,
		Create: func(_ context.Context, f *feedback.Feedback) error {
			f.ID, f.ReceivedAt = uuid.Must(uuid.NewV7()), store.Now()
			return nil
		},
	})
	must(app.OData.Build())
	return app.Handler()
}

func must1(_ sql.Result, err error) { must(err) }
