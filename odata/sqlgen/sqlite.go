package sqlgen

import (
	"github.com/mattn/go-sqlite3"

	"leadloop/odata/eval"
)

// RegisterSQLite adds to a connection the functions that statements for SQLite
// call: Unicode case mapping, and reading of text as numbers and instants. It is
// to be called for each connection, from the driver's connect hook.
func RegisterSQLite(c *sqlite3.SQLiteConn) error {
	for name, f := range map[string]any{
		"odata_lower":   text(eval.Lower),
		"odata_upper":   text(eval.Upper),
		"odata_number":  number,
		"odata_instant": instant,
	} {
		if err := c.RegisterFunc(name, f, true); err != nil {
			return err
		}
	}
	return nil
}

// text makes a function of text one of anything, null for what is not text.
func text(f func(string) string) func(any) any {
	return func(v any) any {
		switch v := v.(type) {
		case string:
			return f(v)
		case []byte:
			return f(string(v))
		}
		return nil
	}
}

// number reads text as a number, or gives null.
func number(v string) any {
	switch n := eval.Number(v).(type) {
	case int64, float64:
		return n
	}
	return nil
}

// instant reads text as an instant in InstantForm, or gives null.
func instant(v string) any {
	if t, ok := eval.Instant(v); ok {
		return t.Format(InstantForm)
	}
	return nil
}
