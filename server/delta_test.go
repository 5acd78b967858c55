package server

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// catalog lists what a database has for change logs.
var catalog = map[string]string{
	store.SQLite: `SELECT sql FROM sqlite_master WHERE name LIKE '%\_changes%' ESCAPE '\' AND sql IS NOT NULL ORDER BY 1`,
	store.Postgres: `SELECT pg_get_triggerdef(oid) COLLATE "C" FROM pg_trigger WHERE tgname LIKE '%\_changes\_%'
		UNION ALL SELECT pg_get_functiondef(oid) COLLATE "C" FROM pg_proc WHERE proname LIKE '%\_changes\_%'
		UNION ALL SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, column_default, is_nullable) COLLATE "C"
		FROM information_schema.columns WHERE table_name LIKE '%\_changes' ORDER BY 1`,
}

// TestChangeLogs holds that the migrations leave the change logs as the models
// are now.
func TestChangeLogs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		log := slog.New(slog.NewTextHandler(io.Discard, nil))
		a, err := wire(t.Context(), db, storetest.Vault(), serving{}, log, true)
		if err != nil {
			t.Fatal(err)
		}
		d := sqlgen.Dialect(db.Dialect())
		list := func() (statements []string) {
			if err := db.Read(t.Context()).Raw(catalog[db.Dialect()]).Scan(&statements).Error; err != nil {
				t.Fatal(err)
			}
			return statements
		}
		migrated := list()
		err = db.Write(t.Context(), func(tx *gorm.DB) error {
			statements := a.OData.CreateChangeLogs(d)
			if len(migrated) > 0 {
				statements = append(a.OData.DropChangeLogs(d), statements...)
			}
			for _, q := range statements {
				if err := tx.Exec(q).Error; err != nil {
					return fmt.Errorf("%s: %w", q, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(migrated, list()); diff != "" || len(migrated) == 0 {
			t.Errorf("the change logs are not as the models ask for (-migrated +asked for):\n%s\na migration needs:\n%s", diff, gooseText(a.OData.CreateChangeLogs(d)))
		}
	})
}

// follower follows a set as one caller.
type follower struct {
	client
	link string
}

// follow begins to follow a set.
func follow(c client, set string) *follower {
	c.t.Helper()
	f := &follower{client: c.with("Prefer", "track-changes"), link: "/odata/" + set}
	f.changes()
	return f
}

// changes lists what changed since the last time, as "entities -removed ones";
// each by its number among those in ids, or by its key.
func (f *follower) changes(ids ...string) string {
	f.t.Helper()
	a := f.get(f.link).want(200)
	f.link = strings.TrimPrefix(a.text("@odata.deltaLink"), f.base)
	var list []string
	for i := 0; a.at("value", i) != nil; i++ {
		id := a.text("value", i, "ID")
		for n, known := range ids {
			if id == known {
				id = fmt.Sprint("#", n)
			}
		}
		if reason := a.at("value", i, "@removed", "reason"); reason != nil {
			id = fmt.Sprint("-", id, " ", reason)
		}
		list = append(list, id)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// TestCustomersFollowTheirOwn: a customer's key is told of changes of what is its
// own, and of nothing else.
func TestCustomersFollowTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		acme, other := map[string]*follower{}, map[string]*follower{}
		for _, set := range []string{"Leads", "Routings", "Feedback", "FeedbackReasons", "Customers"} {
			acme[set], other[set] = follow(s.acme.client, set), follow(s.other.client, set)
		}
		staff := follow(s.admin, "Leads?$filter=City eq 'Both'")
		s.rule(t, s.acme.id, s.crm.url, map[string]any{"Condition": "City eq 'Both'"})
		s.rule(t, s.other.id, s.crm.url, map[string]any{"Condition": "City eq 'Both'"})
		both := s.source(t, "json", map[string]any{"MaxRoutings": 2})
		shared := s.anyone.post(both, `{"FirstName":"Gal","City":"Both"}`).want(201).text("id")
		lead := s.anyone.post(s.intake, `{"FirstName":"Noa","City":"Oz"}`).want(201).text("id")
		foreign := s.routingOf(lead)
		eventually(t, 10*time.Second, "the lead is delivered to both", func() bool {
			return s.admin.get("/odata/Routings/$count?$filter=State ne 'delivered'").text() == "0"
		})
		routing := func(p party) string {
			return p.get("/odata/Routings?$filter=LeadID eq "+shared).want(200).text("value", 0, "ID")
		}
		ids := []string{shared, lead, routing(s.acme), routing(s.other), foreign}
		report := s.other.post("/odata/Feedback", `{"RoutingID":"`+ids[3]+`","ReasonID":7}`).want(201).text("ID")
		ids = append(ids, report)
		s.admin.do("PATCH", "/odata/FeedbackReasons(12)", `{"Active":false}`).want(200)
		s.admin.do("PATCH", "/odata/FeedbackReasons("+s.retired+")", `{"Name":"Faxed"}`).want(200)
		s.admin.do("PATCH", "/odata/Customers("+s.other.id+")", `{"Name":"Another"}`).want(200)

		for _, c := range []struct {
			by   *follower
			want string
		}{
			{acme["Leads"], "#0"},
			{other["Leads"], "#0, #1"},
			{acme["Routings"], "#2"},
			{other["Routings"], "#3, #4"},
			{acme["Feedback"], ""},
			{other["Feedback"], "#5"},
			{acme["FeedbackReasons"], "-12 changed"},
			{acme["Customers"], ""},
			{other["Customers"], s.other.id},
			{staff, "#0"},
		} {
			if got := c.by.changes(ids...); got != c.want {
				t.Errorf("%s: %q, want %q", c.by.link, got, c.want)
			}
			if got := c.by.changes(ids...); got != "" {
				t.Errorf("%s: %q once more", c.by.link, got)
			}
		}
		s.stop()
		s.start(t)
		for _, f := range []*follower{acme["Leads"], staff} {
			f.base = s.base
			if got := f.changes(ids...); got != "" {
				t.Errorf("%s: %q after a restart", f.link, got)
			}
		}
	})
}

// gooseText is statements as a migration has them.
func gooseText(statements []string) string {
	var b strings.Builder
	for _, q := range statements {
		if strings.Contains(q, ";") {
			q = "-- +goose StatementBegin\n" + q + ";\n-- +goose StatementEnd\n"
		} else {
			q += ";\n"
		}
		b.WriteString(q)
	}
	return b.String()
}
