package leads

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm/schema"

	"leadloop/odata/fault"
)

const (
	maxFields     = 500    // of one lead
	maxCharacters = 10_000 // of one field
	maxName       = 200    // characters of a field's name
	maxDigits     = 100    // of a number
	maxExponent   = 400    // of a number; PostgreSQL's numeric bears no boundless ones
)

func init() { schema.RegisterSerializer("properties", serializer{}) }

// serializer keeps Lead.Properties as JSON text without losing digits of
// numbers, which GORM's own JSON serializer reads as float64.
type serializer struct{}

// Scan implements GORM's serializer.
func (serializer) Scan(ctx context.Context, f *schema.Field, dst reflect.Value, stored any) error {
	var text []byte
	switch v := stored.(type) {
	case nil:
	case []byte:
		text = v
	case string:
		text = []byte(v)
	default:
		return fmt.Errorf("properties stored as %T", stored)
	}
	properties := map[string]any{}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&properties); err != nil {
			return fmt.Errorf("stored properties: %w", err)
		}
		for name, v := range properties {
			properties[name] = stockNumbers(v)
		}
	}
	f.ReflectValueOf(ctx, dst).Set(reflect.ValueOf(properties))
	return nil
}

// Value implements GORM's serializer.
func (serializer) Value(_ context.Context, _ *schema.Field, _ reflect.Value, v any) (any, error) {
	properties, ok := v.(map[string]any)
	if !ok || len(properties) == 0 {
		return "{}", nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the text is shown as it is stored, never in a page unescaped
	if err := e.Encode(properties); err != nil {
		return nil, err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// stockNumbers gives v, as a json.Decoder with UseNumber made it and number let
// it pass once, the Go types that Lead.Properties promises. It changes lists and
// objects in place.
func stockNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, ok := number(v); ok {
			return n
		}
	case []any:
		for i := range v {
			v[i] = stockNumbers(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = stockNumbers(v[name])
		}
	}
	return v
}

// number gives n as the plainest type that holds it exactly: int64, float64, or
// n itself. False if it is too long, or beyond what a float64 can reach.
func number(n json.Number) (any, bool) {
	text := string(n)
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(text, 64)
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if err != nil || len(mantissa) > maxDigits {
		return nil, false
	}
	if exponent != "" {
		if e, err := strconv.Atoi(exponent); err != nil || e > maxExponent || e < -maxExponent {
			return nil, false
		}
	}
	digits := strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(mantissa), "0")
	// A float64 gives back any 15 decimal digits, except near the end of its range.
	if digits == "" || len(digits) <= 15 && math.Abs(f) > 1e-300 {
		return f, true
	}
	return n, true
}

// property checks the value of the dynamic property name and gives it in the
// types that Lead.Properties promises. Invalid for text no database can hold,
// and for too much of it.
func property(name string, v any) (any, error) {
	left := maxCharacters
	v, err := clean(v, &left)
	if err != nil {
		return nil, err.At(name)
	}
	return v, nil
}

// clean is property for a value with what is in it; left counts the characters
// it may still have.
func clean(v any, left *int) (any, *fault.Error) {
	switch v := v.(type) {
	case nil, bool:
		return v, spend(left, 1)
	case string:
		if err := storable(v); err != nil {
			return nil, err
		}
		return norm.NFC.String(v), spend(left, utf8.RuneCountInString(v))
	case json.Number:
		n, ok := number(v)
		if !ok {
			return nil, fault.New(fault.Invalid, "the number is out of range")
		}
		return n, spend(left, 1)
	case int64, float64:
		return v, spend(left, 1)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err *fault.Error
			if list[i], err = clean(v[i], left); err != nil {
				return nil, err
			}
		}
		return list, spend(left, 1)
	case map[string]any:
		return cleanObject(v, left)
	}
	return cleanOther(v, left)
}

func cleanObject(v map[string]any, left *int) (any, *fault.Error) {
	object := make(map[string]any, len(v))
	for name, inner := range v {
		if err := storable(name); err != nil {
			return nil, err
		}
		if err := spend(left, utf8.RuneCountInString(name)); err != nil {
			return nil, err
		}
		var err *fault.Error
		if object[name], err = clean(inner, left); err != nil {
			return nil, err
		}
	}
	return object, spend(left, 1)
}

// cleanOther takes a value of another Go type, as code that makes leads may use,
// by way of its JSON.
func cleanOther(v any, left *int) (any, *fault.Error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "a value of the type %T cannot be kept", v)
	}
	var plain any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&plain); err != nil {
		return nil, fault.Newf(fault.Invalid, "a value of the type %T cannot be kept", v)
	}
	return clean(plain, left)
}

func spend(left *int, n int) *fault.Error {
	if *left -= n; *left < 0 {
		return fault.Newf(fault.Invalid, "the field is longer than %d characters", maxCharacters)
	}
	return nil
}

// storable refuses text that PostgreSQL would.
func storable(s string) *fault.Error {
	if strings.IndexByte(s, 0) >= 0 {
		return fault.New(fault.Invalid, "the text contains the character U+0000")
	}
	if !utf8.ValidString(s) {
		return fault.New(fault.Invalid, "the text is not valid UTF-8")
	}
	return nil
}

// ownName is the name a sender's field is kept under among the dynamic
// properties: its own, but never one that would read as a declared property or
// as control information of OData's JSON (which is known by its @; in its older
// form by odata.). Invalid for a name that cannot be kept at all.
func ownName(name string) (string, error) {
	if err := storable(name); err != nil {
		return "", err
	}
	own := strings.ReplaceAll(oneLine(name), "@", "_")
	if utf8.RuneCountInString(own) > maxName {
		return "", fault.Newf(fault.Invalid, "a field's name is longer than %d characters", maxName).At(string([]rune(own)[:40]) + "…")
	}
	if own == "" || reserved(own) {
		own = "_" + own
	}
	return own, nil
}

// reserved reports whether a dynamic property must not have that name.
func reserved(name string) bool {
	if len(name) >= 6 && strings.EqualFold(name[:6], "odata.") {
		return true
	}
	return declared[strings.ToLower(strings.ToUpper(name))] // by way of upper case: ſ is an s too
}

// declared are the names, in lower case, that mean something else than a
// dynamic property: Lead's own, the ways from a lead to others, what a mapping
// may refer to besides the lead, and where an unusable e-mail goes.
var declared = func() map[string]bool {
	names := map[string]bool{"routings": true, "routingid": true, "emailraw": true}
	for f := range reflect.TypeFor[Lead]().Fields() {
		names[strings.ToLower(f.Name)] = true
	}
	return names
}()
