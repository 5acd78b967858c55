package server

import (
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/keys"
	"leadloop/odata/sqlgen"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// twin is one of two services that a caller must not be able to tell apart: one
// over the whole world, the other over what of it the caller may see.
type twin struct {
	t       testing.TB
	app     *App
	handler http.Handler
	dsn     string
	keys    map[uuid.UUID]string // by connection
	turn    int                  // sets the time and the ids of what is made
}

// newTwin starts a service over all of w. Everything it makes up is the same in
// every twin.
func newTwin(t testing.TB, dialect string, w *world) *twin {
	t.Helper()
	n := &twin{t: t, dsn: storetest.Migrated(t, dialect), keys: map[uuid.UUID]string{}}
	db, err := store.Open(asSystem, n.dsn, store.SQLiteHook(sqlgen.RegisterSQLite), store.WithVault(storetest.Vault()))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	if n.app, err = wire(asSystem, db, storetest.Vault(), serving{Workers: 1, SendTimeout: time.Second}, log, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.app.Close(); err != nil {
			t.Error(err)
		}
	})
	n.app.OData.Now = n.now
	n.app.Feedback.Now, n.app.Feedback.NewID = n.now, n.newID
	n.handler = n.app.Handler()
	if err := w.store(db); err != nil {
		t.Fatal(err)
	}
	n.app.Keys.Rand = rand.NewChaCha8([32]byte{})
	for _, c := range w.connections {
		issued, err := n.app.Keys.Issue(asSystem, c.ID, keys.Terms{})
		if err != nil {
			t.Fatal(err)
		}
		n.keys[c.ID] = issued.Key
	}
	return n
}

func (n *twin) now() time.Time {
	return someInstant.Add(24 * time.Hour * 30).Add(time.Duration(n.turn%(1<<30)) * time.Second)
}

// newID gives ids that rise with the turn, two in one turn with their number.
func (n *twin) newID() (uuid.UUID, error) {
	n.turn++
	return uuid.MustParse(fmt.Sprintf("7fffffff-0000-7000-8000-%012x", n.turn)), nil
}

// narrow removes what the connection may not see, and changes whatever is hidden
// of the rest: what only that customer has.
func (n *twin) narrow(c keys.Connection) {
	n.t.Helper()
	n.forgetReferences()
	n.exec(strings.NewReplacer("@customer", fmt.Sprint(c.CustomerID), "@connection", "'"+c.ID.String()+"'").Replace(`
		DELETE FROM feedback WHERE routing_id NOT IN (SELECT id FROM routings WHERE customer_id = @customer);
		DELETE FROM attempts;
		DELETE FROM status_maps WHERE customer_id <> @customer;
		DELETE FROM routings WHERE customer_id <> @customer;
		UPDATE leads SET duplicate_of_id = NULL WHERE duplicate_of_id NOT IN (SELECT lead_id FROM routings);
		DELETE FROM leads WHERE id NOT IN (SELECT lead_id FROM routings);
		DELETE FROM keys WHERE connection_id <> @connection;
		DELETE FROM connections WHERE id <> @connection;
		DELETE FROM rule_revisions;
		DELETE FROM rules;
		DELETE FROM connectors;
		DELETE FROM payloads;
		DELETE FROM rejections;
		DELETE FROM sources;
		DELETE FROM customers WHERE id <> @customer;
		DELETE FROM feedback_reasons WHERE NOT active;
		UPDATE leads SET reason_id = NULL, feedback_at = NULL, version = 1000;
		UPDATE routings SET rule_id = 0, rule_revision = 0, attempt_count = 1000, next_attempt_at = NULL, error = NULL`))
}

// forgetReferences lets rows stay whose foreign keys then lead to none: SQLite
// checks what is changed only, and exec's connection not even that.
func (n *twin) forgetReferences() {
	n.t.Helper()
	if n.app.DB.Dialect() == store.SQLite {
		return
	}
	var drops []string
	err := n.app.DB.Read(asSystem).Raw(`SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname)
		FROM pg_constraint WHERE contype = 'f'`).Scan(&drops).Error
	if err != nil {
		n.t.Fatal(err)
	}
	n.exec(strings.Join(drops, ";"))
}

// exec runs statements past the service.
func (n *twin) exec(statements string) {
	n.t.Helper()
	driver := map[string]string{store.SQLite: "sqlite3", store.Postgres: "pgx"}[n.app.DB.Dialect()]
	db, err := sql.Open(driver, n.dsn)
	if err != nil {
		n.t.Fatal(err)
	}
	defer db.Close()
	for statement := range strings.SplitSeq(statements, ";") {
		if _, err := db.Exec(statement); err != nil {
			n.t.Fatalf("%v in %s", err, statement)
		}
	}
}

// changing are the tables that requests of customers change.
var changing = map[string]string{"feedback": "", "routings": "reason_id, feedback_at, version", "leads": "reason_id, feedback_at, version, state"}

// remember keeps the rows as they are, for restore.
func (n *twin) remember() {
	n.t.Helper()
	for table := range changing {
		n.exec("CREATE TABLE was_" + table + " AS SELECT * FROM " + table)
	}
}

// restore brings the rows back to what they were.
func (n *twin) restore(t interface{ Fatalf(string, ...any) }) {
	err := n.app.DB.Write(asSystem, func(tx *gorm.DB) error {
		for _, table := range []string{"feedback", "routings", "leads"} {
			if err := tx.Exec("DELETE FROM " + table + " WHERE id NOT IN (SELECT id FROM was_" + table + ")").Error; err != nil {
				return err
			}
			if columns := changing[table]; columns != "" {
				if err := tx.Exec(fmt.Sprintf(`UPDATE %[1]s SET (%[2]s) = (SELECT %[2]s FROM was_%[1]s w WHERE w.id = %[1]s.id)
					WHERE version <> (SELECT version FROM was_%[1]s w WHERE w.id = %[1]s.id)`, table, columns)).Error; err != nil {
					return err
				}
			}
		}
		return tx.Exec("DELETE FROM repeats").Error
	})
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
}

// give gives one more customer the lead, as a rule made just now would.
func (n *twin) give(t interface{ Fatalf(string, ...any) }, lead uuid.UUID, customer int64) {
	id, _ := n.newID()
	err := n.app.DB.Write(asSystem, func(tx *gorm.DB) error {
		if err := tx.Exec(`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, created_at)
			VALUES (?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`, id, lead, customer, customer, routing.Pending, n.now()).Error; err != nil {
			return err
		}
		return tx.Exec("UPDATE leads SET version = version + 1 WHERE id = ?", lead).Error
	})
	if err != nil {
		t.Fatalf("give: %v", err)
	}
}

// ask is one request.
type ask struct {
	method, path string // the path is encoded
	header       http.Header
	body         string
}

func (c ask) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", c.method, c.path)
	_ = c.header.Write(&b)
	return b.String() + "\n" + c.body
}

// send carries out c. An answer that broke off has the status 0.
func (n *twin) send(c ask, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(c.method, "http://leadloop.test"+c.path, strings.NewReader(c.body))
	r.Header = c.header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("X-API-Key", key)
	w := httptest.NewRecorder()
	func() {
		defer func() {
			if p := recover(); p == http.ErrAbortHandler {
				w.Code = 0
			} else if p != nil {
				panic(p)
			}
		}()
		n.handler.ServeHTTP(w, r)
	}()
	return w
}
