package store

import (
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// Values writes n rows for a VALUES of dialect, as "($1::uuid, $2), ($3::uuid, $4)",
// with a parameter in each place. Types gives PostgreSQL's types of the columns, ""
// where it knows them from where they go; SQLite needs none.
func Values(dialect string, n int, types ...string) string {
	var b strings.Builder
	b.Grow(n * len(types) * 8)
	for i := range n * len(types) {
		switch {
		case i == 0:
			b.WriteByte('(')
		case i%len(types) == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(i + 1))
		if t := types[i%len(types)]; t != "" && dialect == Postgres {
			b.WriteString("::" + t)
		}
	}
	b.WriteByte(')')
	return b.String()
}

// mostRows is how many rows go into one statement: the databases bound how many
// parameters one has.
const mostRows = 512

// Portions cuts list into parts whose lengths are powers of two, so that
// statements made for them are few different ones, which stay prepared.
func Portions[T any](list []T, f func(part []T) error) error {
	for len(list) > 0 {
		n := min(1<<(bits.Len(uint(len(list)))-1), mostRows)
		if err := f(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// Statements are the texts of a statement over a number of rows, each made once:
// those of many rows are long. The zero value is ready.
type Statements struct{ made sync.Map }

type sized struct {
	dialect string
	rows    int
}

// Of gives the text over n rows, which build makes.
func (s *Statements) Of(dialect string, n int, build func() string) string {
	if text, ok := s.made.Load(sized{dialect, n}); ok {
		return text.(string)
	}
	text, _ := s.made.LoadOrStore(sized{dialect, n}, build())
	return text.(string)
}
