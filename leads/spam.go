package leads

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/odata/fault"
)

// CodeSpam is the Code of the Rejection of a delivery that was taken for spam.
// Its sender is answered as if it had been stored, and so learns nothing.
const CodeSpam fault.Code = "spam"

// errSpam says that a lead is spam: a fault that no sender sees.
func errSpam(reason, target string) error { return fault.New(CodeSpam, reason).At(target) }

// clockSkew is how far in the future a form's time may lie.
const clockSkew = 5 * time.Second

// prepareGuards checks what src says of spam.
func prepareGuards(src *Source) error {
	src.Honeypot, src.FillTimeField = strings.TrimSpace(src.Honeypot), strings.TrimSpace(src.FillTimeField)
	switch {
	case src.MinFillSeconds > 0 && src.FillTimeField == "":
		return fault.New(fault.Invalid, "MinFillSeconds needs the name of the field with the time when the form was shown").At("FillTimeField")
	case src.Honeypot != "" && src.Honeypot == src.FillTimeField:
		return fault.New(fault.Invalid, "the honeypot and the time cannot be one field").At("FillTimeField")
	}
	return nil
}

// guard takes the fields that are there against spam out of a lead's fields. It
// fails with the code CodeSpam if they say that a program filled the form, and
// with Invalid where the time is missing or cannot be read: that is the form's
// mistake, and whoever keeps it must see it.
func (s *Source) guard(fields []field, now time.Time) ([]field, error) {
	if s.Honeypot == "" && s.FillTimeField == "" {
		return fields, nil
	}
	honey, fields := take(fields, s.Honeypot)
	shown, fields := take(fields, s.FillTimeField)
	for _, f := range honey {
		if text, ok := textOf(f.value); f.value != nil && (!ok || strings.TrimSpace(text) != "") {
			return nil, errSpam("a field that people do not see is filled in", s.Honeypot)
		}
	}
	if s.MinFillSeconds == 0 {
		return fields, nil
	}
	if len(shown) == 0 {
		return nil, fault.Newf(fault.Invalid, "%s, the time when the form was shown, is missing", s.FillTimeField).At(s.FillTimeField)
	}
	text, _ := textOf(shown[0].value)
	at, ok := instant(strings.TrimSpace(text))
	switch took := now.Sub(at); {
	case !ok:
		return nil, fault.Newf(fault.Invalid, "%s must be a time: seconds or milliseconds since 1970, or like 2026-11-22T07:30:00Z", s.FillTimeField).At(s.FillTimeField)
	case took < -clockSkew:
		return nil, fault.Newf(fault.Invalid, "%s is in the future", s.FillTimeField).At(s.FillTimeField)
	case took < time.Duration(s.MinFillSeconds)*time.Second:
		return nil, errSpam("the form was filled in too fast for a person", s.FillTimeField)
	}
	return fields, nil
}

// take takes the fields called name out of fields, which it leaves as they are.
func take(fields []field, name string) (taken, rest []field) {
	if name == "" {
		return nil, fields
	}
	rest = slices.DeleteFunc(slices.Clone(fields), func(f field) bool {
		if f.name == name {
			taken = append(taken, f)
		}
		return f.name == name
	})
	return taken, rest
}

// instant reads a time as forms write it: seconds or milliseconds since 1970, or
// RFC 3339.
func instant(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(n) || n < 0 || n > 1e14:
		return time.Time{}, false
	case n >= 1e11: // seconds would be of the year 5138
		return time.UnixMilli(int64(n)), true
	}
	return time.UnixMilli(int64(n * 1000)), true
}

// screen makes a lead of a delivery's fields, ready to be stored. One that is
// spam gets an ID to show and its reason in spam.
func (s *Service) screen(src *Source, fields []field, payload *Payload) (*leadRow, error) {
	fields, err := src.guard(fields, s.Now())
	if fault.CodeOf(err) == CodeSpam {
		id, idErr := s.NewID()
		return &leadRow{lead: &Lead{ID: id}, spam: err}, failed("make an id", idErr)
	}
	if err != nil {
		return nil, err
	}
	return s.row(src, fields, payload)
}

// firstSpam gives the reason of the first lead that is spam, nil if none is.
func firstSpam(rows []*leadRow) error {
	for _, row := range rows {
		if row.spam != nil {
			return row.spam
		}
	}
	return nil
}
