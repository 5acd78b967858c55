package eval

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

func (c *compiler) comparison(e *plan.Compare) closure {
	l, r, op := c.compile(e.L), c.compile(e.R), e.Op
	return func(f *frame) any {
		a, b := l(f), r(f)
		if a == nil || b == nil {
			return op == uri.Eq && a == nil && b == nil || op == uri.Ne && (a != nil || b != nil)
		}
		order, ok := compare(a, b)
		switch op {
		case uri.Eq:
			return ok && order == 0
		case uri.Ne:
			return !ok || order != 0
		case uri.Gt:
			return ok && order > 0
		case uri.Ge:
			return ok && order >= 0
		case uri.Lt:
			return ok && order < 0
		default:
			return ok && order <= 0
		}
	}
}

// compare orders two values of one type; ok is false where they have no order,
// as with NaN.
func compare(a, b any) (order int, ok bool) {
	if _, ok := b.(edm.DecimalValue); ok {
		a = exact(a)
	}
	switch x := a.(type) {
	case edm.DecimalValue:
		y, ok := exact(b).(edm.DecimalValue)
		if !ok {
			return 0, false
		}
		return x.Cmp(y), true
	case time.Duration:
		y, ok := b.(time.Duration)
		return cmp.Compare(x, y), ok
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), true
		}
		y, ok := b.(float64)
		order, ok2 := compareIntFloat(x, y)
		return order, ok && ok2
	case float64:
		if y, ok := b.(int64); ok {
			order, ok := compareIntFloat(y, x)
			return -order, ok
		}
		y, ok := b.(float64)
		return cmp.Compare(x, y), ok && !math.IsNaN(x) && !math.IsNaN(y)
	case []byte:
		y, ok := b.([]byte)
		return bytes.Compare(x, y), ok
	case bool:
		y, ok := b.(bool)
		if x == y {
			return 0, ok
		}
		return 1, ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case uuid.UUID:
		y, ok := b.(uuid.UUID)
		return bytes.Compare(x[:], y[:]), ok
	}
	return 0, false
}

// exact gives a number that is compared with a decimal as a decimal; infinities
// and NaN, which are none, stay.
func exact(v any) any {
	switch v := v.(type) {
	case int64:
		return edm.DecimalOf(v)
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return Decimal(v)
		}
	}
	return v
}

// compareIntFloat compares without rounding the integer to a float.
func compareIntFloat(i int64, f float64) (order int, ok bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case f >= math.MaxInt64:
		return -1, true
	case f < math.MinInt64:
		return 1, true
	}
	whole := math.Trunc(f)
	if order = cmp.Compare(i, int64(whole)); order != 0 {
		return order, true
	}
	return cmp.Compare(whole, f), true
}

func (c *compiler) membership(e *plan.In) closure {
	x := c.compile(e.X)
	null := false
	var list []any
	for _, item := range e.List {
		if item.Null() {
			null = true
		} else {
			list = append(list, item.Value())
		}
	}
	return func(f *frame) any {
		v := x(f)
		if v == nil {
			return null
		}
		for _, item := range list {
			if order, ok := compare(v, item); ok && order == 0 {
				return true
			}
		}
		return false
	}
}
