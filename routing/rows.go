package routing

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
)

// column is a column of the table v that a statement over many rows reads.
type column struct {
	name string
	kind string // the type's name on PostgreSQL
}

// SQLite takes rows as parameters, as many at once as one of these: statements
// of few sizes stay prepared.
var rowGroups = []int{64, 8, 1}

// overRows runs a statement that reads rows as the table v of the columns, and
// gives the ids it returns, if it returns any. It is one statement on PostgreSQL
// and a few on SQLite, which costs much less than one for each row.
func overRows(tx *gorm.DB, columns []column, rows [][]any, statement string) ([]uuid.UUID, error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	head := "WITH v (" + strings.Join(names, ", ") + ") AS ("
	if len(rows) == 0 {
		return nil, nil
	}
	if tx.Name() == store.Postgres {
		return returnedIDs(tx, head+unnested(columns)+") "+statement, transposed(columns, rows))
	}
	var ids []uuid.UUID
	row := ", (" + strings.Repeat("?, ", len(columns)-1) + "?)"
	for _, size := range rowGroups {
		for len(rows) >= size {
			args := make([]any, 0, size*len(columns))
			for _, r := range rows[:size] {
				args = append(args, r...)
			}
			rows = rows[size:]
			more, err := returnedIDs(tx, head+"VALUES "+strings.Repeat(row, size)[2:]+") "+statement, args)
			if err != nil {
				return nil, err
			}
			ids = append(ids, more...)
		}
	}
	return ids, nil
}

// unnested reads an array a column.
func unnested(columns []column) string {
	var b strings.Builder
	b.WriteString("SELECT * FROM unnest(")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d::%s[]", i+1, c.kind)
	}
	b.WriteString(")")
	return b.String()
}

func transposed(columns []column, rows [][]any) []any {
	arrays := make([]any, len(columns))
	for i := range columns {
		array := make([]any, len(rows))
		for n, r := range rows {
			array[n] = r[i]
		}
		arrays[i] = array
	}
	return arrays
}

func returnedIDs(tx *gorm.DB, query string, args []any) ([]uuid.UUID, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
