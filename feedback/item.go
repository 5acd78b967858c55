package feedback

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
)

// Item is a report as systems write it that know no types: values by the names of
// the properties of [Feedback]. A value is text, a number, true or false, or
// nothing; text without anything to see is nothing.
type Item map[string]any

// properties are those that an Item may have, and how each is read.
var properties = map[string]func(f *Feedback, text string) error{
	"RoutingID": func(f *Feedback, text string) (err error) {
		if f.RoutingID, err = uuid.Parse(text); err != nil {
			return fault.New(fault.Invalid, "RoutingID is not a UUID").At("RoutingID")
		}
		return nil
	},
	"ReasonID": func(f *Feedback, text string) error {
		id, err := strconv.ParseInt(strings.TrimSuffix(text, ".0"), 10, 32)
		if err != nil {
			return fault.New(fault.Invalid, "ReasonID is not the number of a reason; words go into Status").At("ReasonID")
		}
		f.ReasonID = new(int32(id))
		return nil
	},
	"OccurredAt": func(f *Feedback, text string) (err error) {
		f.OccurredAt, err = instant(text)
		return err
	},
	"Amount": func(f *Feedback, text string) (err error) {
		f.Amount, err = amount(text)
		return err
	},
	"Status":       func(f *Feedback, text string) error { f.Status = &text; return nil },
	"Comment":      func(f *Feedback, text string) error { f.Comment = &text; return nil },
	"ExternalID":   func(f *Feedback, text string) error { f.ExternalID = &text; return nil },
	"ExternalLink": func(f *Feedback, text string) error { f.ExternalLink = &text; return nil },
	"Owner":        func(f *Feedback, text string) error { f.Owner = &text; return nil },
	"Currency":     func(f *Feedback, text string) error { f.Currency = &text; return nil },
}

// report reads the item. It returns Invalid at a property that cannot be read, and
// at a name that is no property.
func (i Item) report() (f Feedback, err error) {
	for name, value := range i {
		read := properties[name]
		if read == nil {
			return f, fault.Newf(fault.Invalid, "Feedback has no property %q that could be reported", name).At(name)
		}
		text, ok := textOf(value)
		if !ok {
			return f, fault.Newf(fault.Invalid, "%s is neither text nor a number", name).At(name)
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if name != "Comment" && name != "Status" {
			text = strings.TrimSpace(text)
		}
		if err := read(&f, text); err != nil {
			return f, err
		}
	}
	return f, nil
}

// textOf gives a value as text, "" for nothing; ok is false for what is no single
// value.
func textOf(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// layouts are how times are written; those without a zone are UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
}

// instant reads a time: as ISO 8601 writes it, or seconds or milliseconds since
// 1970.
func instant(text string) (*time.Time, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && len(text) >= 9 && n > 0 {
		t := time.Unix(n, 0).UTC()
		if len(text) >= 12 {
			t = time.UnixMilli(n).UTC()
		}
		return &t, nil
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return &t, nil
		}
	}
	return nil, fault.New(fault.Invalid, "OccurredAt is not a time such as 2026-11-22T09:30:00+02:00").At("OccurredAt")
}

// amount reads a number of at most four decimals.
func amount(text string) (*int64, error) {
	wrong := fault.New(fault.Invalid, "Amount is not a number such as 1250.50").At("Amount")
	if len(text) > 40 || strings.ContainsFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' && r != '+' }) {
		return nil, wrong
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, wrong
	}
	r.Mul(r, big.NewRat(amountUnits, 1))
	if !r.IsInt() {
		return nil, fault.Newf(fault.Invalid, "Amount has more than %d decimals", amountDigits).At("Amount")
	}
	if !r.Num().IsInt64() {
		return nil, fault.Newf(fault.Invalid, "Amount is over %d", int64(mostAmount/amountUnits)).At("Amount")
	}
	return new(r.Num().Int64()), nil
}
