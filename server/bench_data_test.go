package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"leadloop/server/staff"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/keys"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// How much there is: each lead was given to every customer, and each of them has
// reported on it once.
const (
	benchLeads    = 100_000
	benchRoutings = 300_000
)

// bench is an application over a filled database.
type bench struct {
	app      *App
	dsn      string
	customer int64    // the first
	key      string   // of that customer
	keys     []string // of the customers, where they are compared
	token    string   // of the staff
	n        atomic.Int64
}

func newBench(t *testing.T, dialect string) *bench {
	t.Helper()
	return newBenchOf(t, dialect, (*bench).fill)
}

// newBenchOf is a bench with what fill makes.
func newBenchOf(t *testing.T, dialect string, fill func(b *bench, t *testing.T) error) *bench {
	t.Helper()
	b := &bench{}
	key := filepath.Join(t.TempDir(), "bench.key")
	if b.dsn = filepath.Join(t.TempDir(), "bench.db"); dialect == store.Postgres {
		b.dsn = storetest.DSN(t, dialect)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	app, err := open(t.Context(), database{DB: b.dsn, SecretKeyFile: key}, serving{}, log, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	b.app = app
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	must(app.Staff.CreateUser(ctx, &staff.User{Email: "staff@example.com", Role: "admin", Password: "correct horse battery", Active: true}))
	tokens, err := app.Staff.SignIn(ctx, "staff@example.com", "correct horse battery", netip.Addr{})
	must(err)
	b.token = tokens.AccessToken
	must(fill(b, t))
	return b
}

// fill makes the customers, the first with a key, and what they were given.
func (b *bench) fill(t *testing.T) error {
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	var connector routing.Connector
	if err := b.app.DB.Read(ctx).Where("code = ?", "webhook-json").Take(&connector).Error; err != nil {
		return err
	}
	var customers [3]routing.Customer
	var rules [3]routing.Rule
	for i := range customers {
		customers[i] = routing.Customer{Name: fmt.Sprintf("Acme %d", i)}
		if err := b.app.Routing.CreateCustomer(ctx, &customers[i]); err != nil {
			return err
		}
		rules[i] = routing.Rule{
			CustomerID: customers[i].ID, ConnectorID: connector.ID, Name: "All", Settings: routing.Settings{"URL": "http://127.0.0.1:1/"},
			Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}},
		}
		if err := b.app.Routing.CreateRule(ctx, &rules[i]); err != nil {
			return err
		}
		if customers[i].ID != customers[0].ID+int64(i) || rules[i].ID != rules[0].ID+int64(i) {
			return errors.New("seeding counts on ids that follow each other")
		}
	}
	connection := &keys.Connection{CustomerID: customers[0].ID, Name: "CRM", RequestsPerMinute: 1_000_000_000, Scopes: everyScope}
	if err := b.app.Keys.CreateConnection(ctx, connection); err != nil {
		return err
	}
	issued, err := b.app.Keys.Issue(ctx, connection.ID, keys.Terms{})
	if err != nil {
		return err
	}
	b.key, b.customer = issued.Key, customers[0].ID
	return b.seed(ctx, customers[0].ID, rules[0].ID)
}

// seed inserts the rows, each table in one statement.
func (b *bench) seed(ctx context.Context, firstCustomer, firstRule int64) error {
	words := b.words(benchLeads, benchRoutings, firstCustomer, firstRule)
	err := b.app.DB.Write(ctx, func(tx *gorm.DB) error {
		for _, statement := range benchRows {
			if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, words.Replace(statement)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && b.app.DB.Dialect() == store.Postgres {
		err = b.app.DB.Read(ctx).Exec("ANALYZE").Error // which autovacuum would have done
	}
	return err
}

// words are what the statements of benchRows leave open.
func (b *bench) words(leads, routings int, firstCustomer, firstRule int64) *strings.Replacer {
	at, asJSON := "strftime('%Y-%m-%dT%H:%M:%S.000000Z', 1767225600 + i, 'unixepoch')", ""
	if b.app.DB.Dialect() == store.Postgres {
		at, asJSON = "to_timestamp(1767225600 + i)", "::jsonb"
	}
	return strings.NewReplacer(
		"{leads}", strconv.Itoa(leads), "{routings}", strconv.Itoa(routings),
		"{lead(i)}", b.idOf(leadIDs, "i"), "{lead(i/3)}", b.idOf(leadIDs, "i / 3"), "{routing(i)}", b.idOf(routingIDs, "i"), "{feedback(i)}", b.idOf(feedbackIDs, "i"),
		"{customer}", fmt.Sprintf("%d + i %% 3", firstCustomer), "{rule}", fmt.Sprintf("%d + i %% 3", firstRule),
		"{at}", at, "{json}", asJSON,
	)
}

// idOf is SQL for the id of the row number n.
func (b *bench) idOf(ids, n string) string {
	text := "('" + ids + "' || substr(CAST(1000000000000 + " + n + " AS text), 2))"
	if b.app.DB.Dialect() == store.Postgres {
		text += "::uuid"
	}
	return text
}

// benchRows insert the rows.
var benchRows = []string{
	`INSERT INTO leads (id, received_at, first_name, last_name, phone, phone_raw, email, city, campaign, utm_source, utm_medium, state, reason_id, feedback_at, properties)
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {leads} - 1)
	SELECT {lead(i)}, {at}, 'נועה', 'לוי', '+97250' || substr(CAST(10000000 + i AS text), 2), '050-' || substr(CAST(10000000 + i AS text), 2),
		'lead' || i || '@example.com', CASE i % 4 WHEN 0 THEN 'Haifa' WHEN 1 THEN 'תל אביב' WHEN 2 THEN 'Eilat' ELSE 'באר שבע' END,
		'Winter', 'google', 'cpc', 'routed', 3, {at}, ('{"Budget":' || (i % 10000) || '}'){json}
	FROM n`,
	`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, created_at, delivered_at, reason_id, feedback_at)
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {routings} - 1)
	SELECT {routing(i)}, {lead(i/3)}, {customer}, {rule}, 1, 'delivered', {at}, {at}, 3, {at}
	FROM n`,
	`INSERT INTO feedback (id, routing_id, reason_id, comment, occurred_at, received_at)
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {routings} - 1)
	SELECT {feedback(i)}, {routing(i)}, 3, 'לא ענה', {at}, {at}
	FROM n`,
}

// The first parts of ids, which look like UUIDv7; their number is the last.
const (
	leadIDs     = "01910000-0000-7000-8000-"
	routingIDs  = "01920000-0000-7000-8000-"
	feedbackIDs = "01930000-0000-7000-8000-"
)

func leadID(i int) string { return fmt.Sprintf("%s%012d", leadIDs, i) }

func routingID(i int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("%s%012d", routingIDs, i)) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
