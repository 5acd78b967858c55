package server

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	_ "github.com/jackc/pgx/v5/stdlib"

	"leadloop/store"
)

// hand is what one would write by hand: database/sql, prepared statements,
// structs, encoding/json. The text is for both databases.
type hand struct {
	db       *sql.DB
	prepared sync.Map // of *sql.Stmt, by text
}

func (b *bench) byHand() *hand { return &hand{db: b.openReader()} }

// openReader opens the database as a program of its own would.
func (b *bench) openReader() *sql.DB {
	name, dsn := "sqlite3", "file:"+b.dsn+"?_journal_mode=WAL&_query_only=on"
	if b.app.DB.Dialect() == store.Postgres {
		name, dsn = "pgx", b.dsn
	}
	db, err := sql.Open(name, dsn)
	must(err)
	return db
}

// rows runs text, prepared once.
func (h *hand) rows(r *http.Request, text string, args ...any) *sql.Rows {
	statement, ok := h.prepared.Load(text)
	if !ok {
		prepared, err := h.db.Prepare(text)
		must(err)
		statement, _ = h.prepared.LoadOrStore(text, prepared)
	}
	rows, err := statement.(*sql.Stmt).QueryContext(r.Context(), args...)
	must(err)
	return rows
}

// each runs text and calls scan for each of its rows.
func (h *hand) each(r *http.Request, text string, args []any, scan func(*sql.Rows) error) {
	rows := h.rows(r, text, args...)
	defer rows.Close()
	for rows.Next() {
		must(scan(rows))
	}
	must(rows.Err())
}

func etag(version int64) string { return fmt.Sprintf(`W/"%d"`, version) }

// collection answers with list.
func collection(w http.ResponseWriter, set string, list any) {
	send(w, http.StatusOK, map[string]any{"@odata.context": "http://example.com/odata/$metadata#" + set, "value": list})
}

// leadColumns are what the hand-written handlers read, in the order of handLead.
const leadColumns = `id, source_id, received_at, first_name, last_name, phone, phone_raw, email, city, message, campaign,
	utm_source, utm_medium, utm_campaign, utm_term, utm_content, external_id, is_test, duplicate_of_id, state, reason_id, feedback_at, version, properties,
	consent_text, consent_at, erased_at`

// handLead is a lead as one would write it down for encoding/json.
type handLead struct {
	ETag                                                               string `json:"@odata.etag"`
	ID                                                                 string
	SourceID                                                           *int64
	ReceivedAt                                                         string
	FirstName, LastName, Phone, PhoneRaw, Email                        *string
	City, Message, Campaign                                            *string
	UtmSource, UtmMedium, UtmCampaign, UtmTerm, UtmContent, ExternalID *string
	IsTest                                                             bool
	DuplicateOfID                                                      *string
	State                                                              string
	ReasonID                                                           *int32
	FeedbackAt                                                         *string
	Version                                                            int64
	ConsentText, ConsentAt, ErasedAt                                   *string
	Properties                                                         json.RawMessage // not flattened: the easier task
}

func (l *handLead) scan(rows *sql.Rows) error {
	var properties []byte
	err := rows.Scan(&l.ID, &l.SourceID, &l.ReceivedAt, &l.FirstName, &l.LastName, &l.Phone, &l.PhoneRaw, &l.Email, &l.City, &l.Message, &l.Campaign,
		&l.UtmSource, &l.UtmMedium, &l.UtmCampaign, &l.UtmTerm, &l.UtmContent, &l.ExternalID, &l.IsTest, &l.DuplicateOfID, &l.State, &l.ReasonID, &l.FeedbackAt, &l.Version, &properties,
		&l.ConsentText, &l.ConsentAt, &l.ErasedAt)
	l.ETag, l.Properties = etag(l.Version), properties
	return err
}

// leads answers with at most 100 leads, those that the text after FROM gives.
func (h *hand) leads(tail string, args ...any) http.Handler {
	text := "SELECT " + leadColumns + " FROM leads " + tail + " LIMIT 100"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list := make([]handLead, 0, 100)
		h.each(r, text, args, func(rows *sql.Rows) error {
			list = append(list, handLead{})
			return list[len(list)-1].scan(rows)
		})
		collection(w, "Leads", list)
	})
}

// handContact is three columns of a lead.
type handContact struct {
	ETag        string `json:"@odata.etag"`
	ID          string
	Phone, City *string
}

// contacts answers with three columns of 100 leads.
func (h *hand) contacts() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list := make([]handContact, 0, 100)
		h.each(r, "SELECT id, phone, city, version FROM leads ORDER BY id LIMIT 100", nil, func(rows *sql.Rows) error {
			var c handContact
			var version int64
			err := rows.Scan(&c.ID, &c.Phone, &c.City, &version)
			c.ETag = etag(version)
			list = append(list, c)
			return err
		})
		collection(w, "Leads(ID,Phone,City)", list)
	})
}

// lead answers with the lead whose key is in the path.
func (h *hand) lead() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, id, _ := strings.Cut(strings.TrimSuffix(r.URL.Path, ")"), "(")
		var l struct {
			Context string `json:"@odata.context"`
			handLead
		}
		l.Context = "http://example.com/odata/$metadata#Leads/$entity"
		h.each(r, "SELECT "+leadColumns+" FROM leads WHERE id = $1", []any{id}, l.scan)
		w.Header().Set("ETag", l.ETag)
		send(w, http.StatusOK, l)
	})
}

// count answers with the one number that text gives.
func (h *hand) count(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int64
		h.each(r, text, nil, func(rows *sql.Rows) error { return rows.Scan(&n) })
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, n)
	})
}

// groups answers with what text gives: a city, a number, the latest time.
func (h *hand) groups(text string) http.Handler {
	type group struct {
		City *string
		N    int64
		Last string
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		list := []group{}
		h.each(r, text, nil, func(rows *sql.Rows) error {
			list = append(list, group{})
			g := &list[len(list)-1]
			return rows.Scan(&g.City, &g.N, &g.Last)
		})
		collection(w, "Leads(City,N,Last)", list)
	})
}

// everyLead answers with all leads, one at a time.
func (h *hand) everyLead() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		b := bufio.NewWriterSize(w, 32<<10)
		fmt.Fprint(b, `{"@odata.context":"http://example.com/odata/$metadata#Leads","value":[`)
		out := json.NewEncoder(b)
		first := true
		h.each(r, "SELECT "+leadColumns+" FROM leads ORDER BY id", nil, func(rows *sql.Rows) error {
			var l handLead
			if err := l.scan(rows); err != nil {
				return err
			}
			if !first {
				_ = b.WriteByte(',')
			}
			first = false
			return out.Encode(&l)
		})
		fmt.Fprintln(b, "]}")
		_ = b.Flush()
	})
}
