package migrations_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/sqlgen"
	"leadloop/store"
)

var update = flag.Bool("update", false, "write the migration of the search indexes anew")

// searchIndexes are what the sets of the service are searched by.
var searchIndexes = []sqlgen.SearchIndex{
	{
		Table: "leads", Key: "id", KeyType: "uuid",
		Columns: []string{"first_name", "last_name", "email", "city", "external_id"}, Digits: []string{"phone", "phone_raw"},
	},
	{Table: "customers", Key: "id", KeyType: "bigint", Columns: []string{"name"}},
}

// The migration is what the generator makes. Once it is released, a change of the
// generator needs a migration of its own.
func TestSearchIndexes(t *testing.T) {
	for dialect, d := range map[string]sqlgen.Dialect{store.SQLite: sqlgen.SQLite, store.Postgres: sqlgen.Postgres} {
		var b strings.Builder
		b.WriteString("-- +goose Up\n\n-- The words that leads and customers are searched by, kept by triggers.\n")
		write := func(statements []string) {
			for _, s := range statements {
				b.WriteString("-- +goose StatementBegin\n" + s + "\n-- +goose StatementEnd\n")
			}
		}
		for _, x := range searchIndexes {
			write(x.Create(d))
		}
		b.WriteString("\n-- +goose Down\n\n")
		for _, x := range searchIndexes {
			write(x.Drop(d))
		}
		file := filepath.Join(dialect, "00004_search.sql")
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(got), b.String()); diff != "" {
			t.Errorf("%s (-file +generator):\n%s", file, diff)
		}
	}
}
