package sqlgen

import (
	"github.com/google/uuid"
	"github.com/mattn/go-sqlite3"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/plan"
)

// RegisterSQLite adds to a connection the functions that statements for SQLite
// call: Unicode case mapping, and reading of text as other types. It is
// to be called for each connection, from the driver's connect hook.
func RegisterSQLite(c *sqlite3.SQLiteConn) error {
	for name, f := range map[string]any{
		"odata_lower":   text(eval.Lower),
		"odata_upper":   text(eval.Upper),
		"odata_number":  number,
		"odata_decimal": eval.Decimal,
		"odata_instant": instant,
		"odata_guid":    guid,
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
			if v != nil { // as the driver passes null
				return f(string(v))
			}
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

// guid reads text as a guid in lower case, or gives null.
func guid(v string) any {
	if u, ok := plan.Parse(edm.Guid, v); ok {
		return u.(uuid.UUID).String()
	}
	return nil
}
