package sqlgen

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/mattn/go-sqlite3"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// RegisterSQLite adds to a connection the functions that statements for SQLite
// call: what SQLite has not itself is run by package eval, so that both give one
// answer. It is to be called for each connection, from the driver's connect hook.
func RegisterSQLite(c *sqlite3.SQLiteConn) error {
	done := map[string]bool{}
	for _, f := range plan.Functions() {
		if _, own := lite[f.ID]; own || done[f.ID] || f.ID == "now" {
			continue
		}
		done[f.ID] = true
		if err := c.RegisterFunc("odata_"+f.ID, caller(f), true); err != nil {
			return fmt.Errorf("%s: %w", f.ID, err)
		}
	}
	for name, f := range map[string]any{
		"odata_number":  number,
		"odata_instant": instant,
		"odata_compare": compareDecimals,
		"odata_key":     uri.KeyText,
		"odata_decimal": eval.NumberText,
		"odata_guid":    guid,

		"odata_omit_nulls": plan.WithoutNulls,
	} {
		if err := c.RegisterFunc(name, f, true); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// caller makes a function over SQLite's values of an overload.
func caller(f *plan.Function) any {
	return func(values ...any) any {
		args := make([]any, len(values))
		for i, v := range values {
			if args[i] = fromSQLite(v, f.Params[i]); args[i] == nil {
				return nil
			}
		}
		return toSQLite(eval.Call(f.ID, args))
	}
}

// fromSQLite reads a value of SQLite's as one of type t, or nil.
func fromSQLite(v any, t edm.Type) any {
	if b, ok := v.([]byte); ok {
		if b == nil { // null
			return nil
		}
		v = string(b)
	}
	switch x := v.(type) {
	case string:
		switch t {
		case edm.String:
			return x
		case edm.Date, edm.TimeOfDay:
			return x
		}
		if p, ok := plan.Parse(t.(edm.Primitive), x); ok {
			return p
		}
		return nil
	case int64:
		switch t {
		case edm.Boolean:
			return x != 0
		case edm.Duration:
			return time.Duration(x) * time.Microsecond
		}
	}
	return v
}

// toSQLite gives a value as SQLite's statements hold it: see InstantForm; a
// decimal is text, a duration its microseconds.
func toSQLite(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(InstantForm)
	case uuid.UUID:
		return v.String()
	case time.Duration:
		return v.Microseconds()
	case edm.DecimalValue:
		return v.String()
	}
	return v
}

// number reads text as a number, or gives null.
func number(v string) any { return eval.Number(v) }

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

// compareDecimals compares two numbers, either of which may be the text of a
// decimal: -1, 0, 1 or null.
func compareDecimals(a, b any) any {
	x, y := fromSQLite(a, edm.Decimal), fromSQLite(b, edm.Decimal)
	if x == nil || y == nil {
		return nil
	}
	return int64(eval.Decimal(x).Cmp(eval.Decimal(y)))
}
