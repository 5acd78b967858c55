package server

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/routing"
	"leadloop/server/staff"
	"leadloop/store"
	"leadloop/store/storetest"
)

var (
	listsLeads = flag.Int("lists-leads", 100_000, "over how many leads, and three times as many routings, the lists of the console are measured")
	listsDB    = flag.String("lists-db", "", "where the database stays over which the lists of the console are measured: a path, or postgres://…; it is filled if it is new")
)

// What the leads of the lists belong to.
const (
	listsSources   = 20
	listsCustomers = 50
	listsDays      = 90 // before now, in which they came in
)

// newListsBench is an application over a database as one is after some months: of
// each four leads three went to four of the customers.
func newListsBench(t *testing.T, dialect string) *bench {
	t.Helper()
	dir, dsn := t.TempDir(), *listsDB
	key := filepath.Join(dir, "bench.key")
	onPostgres := strings.HasPrefix(dsn, "postgres")
	switch {
	case dsn != "" && onPostgres != (dialect == store.Postgres):
		t.Skip("the database that is kept is another")
	case onPostgres:
		key = filepath.Join(os.TempDir(), "leadloop-lists.key")
	case dsn != "":
		key = dsn + ".key"
	case dialect == store.Postgres:
		dsn = storetest.DSN(t, dialect)
	default:
		dsn = filepath.Join(dir, "bench.db")
	}
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	app, err := open(t.Context(), database{DB: dsn, SecretKeyFile: key}, serving{}, log, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	b := &bench{app: app, dsn: dsn}
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	var users int64
	must(app.DB.Read(ctx).Model(&staff.User{}).Count(&users).Error)
	if users == 0 {
		must(app.Staff.CreateUser(ctx, &staff.User{Email: "staff@example.com", Role: "admin", Password: "correct horse battery", Active: true}))
		must(b.fillLists(ctx, t))
	}
	start := time.Now()
	must(app.Activity.Roll(ctx))
	t.Logf("counting: %v", time.Since(start).Round(time.Millisecond))
	return b
}

// fillLists makes what the lists show.
func (b *bench) fillLists(ctx context.Context, t *testing.T) error {
	var connector routing.Connector
	if err := b.app.DB.Read(ctx).Where("code = ?", "webhook-json").Take(&connector).Error; err != nil {
		return err
	}
	for i := range listsCustomers {
		c := routing.Customer{Name: fmt.Sprintf("%s %d", [...]string{"Acme", "אקמה", "Globex", "מגדל", "Initech"}[i%5], i)}
		if err := b.app.Routing.CreateCustomer(ctx, &c); err != nil {
			return err
		}
		for j := range 2 {
			r := routing.Rule{
				CustomerID: c.ID, ConnectorID: connector.ID, Name: fmt.Sprintf("Rule %d", j), Settings: routing.Settings{"URL": "http://127.0.0.1:1/"},
				Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}},
			}
			if err := b.app.Routing.CreateRule(ctx, &r); err != nil {
				return err
			}
		}
	}
	for i := range listsSources {
		s := leads.NewSource()
		s.Name, s.Kind = fmt.Sprintf("Landing page %d", i), "json"
		if err := b.app.Leads.CreateSource(ctx, s); err != nil {
			return err
		}
	}
	return b.seedLists(ctx, t)
}

// seedLists inserts the rows, each table in one statement.
func (b *bench) seedLists(ctx context.Context, t *testing.T) error {
	n := *listsLeads
	postgres := b.app.DB.Dialect() == store.Postgres
	begin, step := time.Now().Add(-listsDays*24*time.Hour).Unix(), float64(listsDays*24*3600)/float64(n)
	at, asUUID, asJSON, asBytes, hash := "strftime('%Y-%m-%dT%H:%M:%S.000000Z', {seconds}, 'unixepoch')", "", "", "x'00'", "CAST(i AS blob)"
	if postgres {
		at, asUUID, asJSON, asBytes, hash = "to_timestamp({seconds})", "::uuid", "::jsonb", "'\\x00'", "convert_to(i::text, 'UTF8')"
	}
	instant := func(lead string) string {
		return strings.ReplaceAll(at, "{seconds}", fmt.Sprintf("%d + CAST(%f * (%s) AS bigint)", begin, step, lead))
	}
	id := func(ids, n string) string {
		return "('" + ids + "' || substr(CAST(1000000000000 + " + n + " AS text), 2))" + asUUID
	}
	pick := func(list, i string) string {
		if postgres {
			return fmt.Sprintf("('%s'::jsonb ->> CAST(%s AS int))", list, i)
		}
		return fmt.Sprintf("json_extract('%s', '$[' || (%s) || ']')", list, i)
	}
	first, _ := json.Marshal([]string{"נועה", "Dana", "יוסי", "Michael", "אברהם", "Sara", "תמר", "David", "רחל", "Olga", "משה", "Yael", "Ahmed", "ליאור", "Ruth", "Ivan"})
	last, _ := json.Marshal([]string{"לוי", "Cohen", "מזרחי", "Peretz", "ביטון", "Friedman", "אזולאי", "Katz", "Haddad", "שפירא", "Ivanov", "Mor", "גולן"})
	words := strings.NewReplacer(
		"{leads}", strconv.Itoa(n), "{routings}", strconv.Itoa(3*n),
		// A routing's lead: the first three of each four, which have four each.
		"{of}", "(i / 12 * 4 + i % 12 / 4)",
		"{lead(i)}", id(leadIDs, "i"), "{lead(of)}", id(leadIDs, "(i / 12 * 4 + i % 12 / 4)"), "{routing(i)}", id(routingIDs, "i"), "{feedback(i)}", id(feedbackIDs, "i"),
		"{customer}", "(1 + ((i / 12 * 4 + i % 12 / 4) * 7 + i % 4 * 13) % 50)",
		"{at(i)}", instant("i"), "{at(r)}", instant(fmt.Sprintf("i * CAST(%d AS bigint) / 20000", n)), "{at(a)}", instant("i * 5"),
		"{at(of)}", instant("(i / 12 * 4 + i % 12 / 4) + 2"),
		"{first}", pick(string(first), "i * 7 % 16"), "{last}", pick(string(last), "i * 5 % 13"),
		"{json}", asJSON, "{bytes}", asBytes,
		"{hash}", hash,
	)
	for _, statement := range listsRows {
		start := time.Now()
		err := b.app.DB.Write(ctx, func(tx *gorm.DB) error {
			if postgres {
				if err := tx.Exec("SET LOCAL synchronous_commit = off").Error; err != nil {
					return err
				}
			}
			_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, words.Replace(statement))
			return err
		})
		if err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
		t.Logf("%.40s: %v", statement, time.Since(start).Round(time.Millisecond))
	}
	if postgres {
		return b.app.DB.Read(ctx).Exec("ANALYZE").Error // which autovacuum would have done
	}
	return nil
}

const listsNumbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < "

// listsRows insert the rows.
var listsRows = []string{
	`INSERT INTO leads (id, source_id, received_at, first_name, last_name, phone, phone_raw, email, city, campaign, utm_source, is_test, state, reason_id, feedback_at, properties)
	` + listsNumbers + `{leads} - 1)
	SELECT {lead(i)}, 1 + i * 13 % 20, {at(i)}, {first}, {last}, '+97250' || substr(CAST(10000000 + i AS text), 2), '050-' || substr(CAST(10000000 + i AS text), 2),
		'lead' || i || '@example.com', CASE i % 4 WHEN 0 THEN 'Haifa' WHEN 1 THEN 'תל אביב' WHEN 2 THEN 'Eilat' ELSE 'באר שבע' END,
		'Winter', 'google', i % 4 = 3 AND i % 100 = 3, CASE WHEN i % 4 < 3 THEN 'routed' WHEN i % 100 = 3 THEN 'test' WHEN i % 5 = 0 THEN 'duplicate' WHEN i > {leads} - 100 THEN 'new' ELSE 'unmatched' END,
		CASE WHEN i % 4 < 3 AND i % 10 >= 4 THEN 1 + i % 12 END, CASE WHEN i % 4 < 3 AND i % 10 >= 4 THEN {at(i)} END, ('{"Budget":' || (i % 10000) || '}'){json}
	FROM n`,
	`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, attempt_count, next_attempt_at, created_at, delivered_at, error, reason_id, feedback_at)
	` + listsNumbers + `{routings} - 1), m AS (SELECT i, CASE WHEN i > {routings} - {routings} / 1000 AND i % 3 = 0 THEN 'pending' WHEN i % 200 = 7 THEN 'failed' WHEN i % 50 = 11 THEN 'rejected' WHEN i % 1000 = 13 THEN 'parked' ELSE 'delivered' END AS state FROM n)
	SELECT {routing(i)}, {lead(of)}, {customer}, {customer} * 2 - {of} % 2, 1, state, CASE state WHEN 'pending' THEN 0 ELSE 1 END,
		CASE state WHEN 'pending' THEN {at(of)} END, {at(of)}, CASE state WHEN 'delivered' THEN {at(of)} END, CASE WHEN state IN ('failed', 'rejected', 'parked') THEN 'status 422' END,
		CASE WHEN state = 'delivered' AND i % 10 >= 4 THEN 1 + i % 12 END, CASE WHEN state = 'delivered' AND i % 10 >= 4 THEN {at(of)} END
	FROM m`,
	`INSERT INTO feedback (id, routing_id, reason_id, comment, occurred_at, received_at)
	SELECT {feedback(i)}, id, reason_id, 'לא ענה', feedback_at, feedback_at
	FROM (SELECT id, reason_id, feedback_at, CAST(substr(CAST(id AS text), 25) AS bigint) AS i FROM routings WHERE reason_id IS NOT NULL) r`,
	`INSERT INTO attempts (routing_id, started_at, duration_ms, status_code, request, response, outcome)
	SELECT id, created_at, 120, CASE state WHEN 'delivered' THEN 200 ELSE 422 END, 'POST / HTTP/1.1', 'HTTP/1.1 200 OK', CASE state WHEN 'delivered' THEN 'accepted' ELSE 'rejected' END
	FROM (SELECT id, created_at, state, CAST(substr(CAST(id AS text), 25) AS bigint) AS i FROM routings) r WHERE i >= {routings} - {routings} / 10 OR i % 200 = 7`,
	`INSERT INTO rejections (source_id, number, received_at, code, reason)
	` + listsNumbers + `19999)
	SELECT 1 + i % 20, 1 + i / 20, {at(r)}, 'invalid', 'Phone is required' FROM n`,
	`INSERT INTO audit_events (id, at, actor_kind, actor_id, actor_name, through, action, entity, key, before, after, hash)
	` + listsNumbers + `{leads} / 5 - 1)
	SELECT 1000 + i, {at(a)}, 'staff', '1', 'staff@example.com', 'console', 'update', CASE i % 3 WHEN 0 THEN 'Rule' WHEN 1 THEN 'Customer' ELSE 'Lead' END, CAST(1 + i % 50 AS text),
		('{"Name":"' || i || '"}'){json}, ('{"Name":"' || (i + 1) || '"}'){json}, {bytes} FROM n`,
	`INSERT INTO users (email, name, role, created_at)
	` + listsNumbers + `59)
	SELECT 'colleague' || i || '@example.com', 'Colleague ' || i, 'viewer', {at(i)} FROM n`,
	`INSERT INTO sessions (id, user_id, family, token_hash, created_at, expires_at)
	SELECT {lead(i)}, i, {lead(i)}, {hash}, created_at, created_at FROM (SELECT id AS i, created_at FROM users WHERE name LIKE 'Colleague%') u`,
}
