package sqlgen

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strings"
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
		"odata_number":    number,
		"odata_instant":   instant,
		"odata_compare":   compareDecimals,
		"odata_decimal":   eval.NumberText,
		"odata_exact":     exact,
		"odata_major":     major,
		"odata_sum_major": sumMajor,
		"odata_guid":      guid,
		"odata_base64":    base64Text,
		"odata_key":       uri.KeyText,

		"odata_same": eval.SameJSON,
	} {
		if err := c.RegisterFunc(name, f, true); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for id, f := range eval.OverArrays {
		if err := c.RegisterFunc("odata_"+id, func(arrays ...any) any { return f(arrays) }, true); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	if err := c.RegisterAggregator("odata_sum", func() *sum { return &sum{} }, true); err != nil {
		return fmt.Errorf("odata_sum: %w", err)
	}
	return c.RegisterCollation("odata_number", compareTexts)
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

// exact writes a number in the one form of its text, or gives null.
func exact(v any) any {
	if x := fromSQLite(v, edm.Decimal); x != nil {
		return eval.Decimal(x).String()
	}
	return nil
}

// compareTexts compares two numbers in exact's form.
func compareTexts(a, b string) int {
	x, below := strings.CutPrefix(a, "-")
	y, negative := strings.CutPrefix(b, "-")
	switch {
	case below && negative:
		return compareDigits(y, x)
	case below:
		return -1
	case negative:
		return 1
	}
	return compareDigits(x, y)
}

// compareDigits compares numbers without a sign: the one with more digits before
// its point is larger.
func compareDigits(a, b string) int {
	whole, _, _ := strings.Cut(a, ".")
	other, _, _ := strings.Cut(b, ".")
	if order := cmp.Compare(len(whole), len(other)); order != 0 {
		return order
	}
	return strings.Compare(a, b)
}

// base64Text writes bytes as JSON shows them.
func base64Text(v any) any {
	if b, ok := v.([]byte); ok && b != nil {
		return base64.URLEncoding.EncodeToString(b)
	}
	return nil
}

// major is the number of that many minor units.
func major(units any, scale int64) any {
	n, ok := units.(int64)
	if !ok {
		return nil
	}
	return edm.DecimalOf(n).Shift(-int(scale)).String()
}

// sumMajor puts together the sums of both parts of minor units.
func sumMajor(billions, rest any, scale int64) any {
	a, ok := billions.(int64)
	b, ok2 := rest.(int64)
	if !ok || !ok2 {
		return nil
	}
	return edm.DecimalOf(a).Shift(9).Add(edm.DecimalOf(b)).Shift(-int(scale)).String()
}

// sum adds up decimals.
type sum struct {
	total edm.DecimalValue
	any   bool
}

// Step adds v.
func (s *sum) Step(v any) {
	x := fromSQLite(v, edm.Decimal)
	if x == nil {
		return
	}
	if !s.any {
		s.total, s.any = eval.Decimal(x), true
		return
	}
	s.total = s.total.Add(eval.Decimal(x))
}

// Done is the sum, null of nothing.
func (s *sum) Done() any {
	if !s.any {
		return nil
	}
	return s.total.String()
}
