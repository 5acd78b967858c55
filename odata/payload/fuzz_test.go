package payload_test

import (
	"reflect"
	"testing"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

type fuzzed struct {
	ID     int64
	Name   *string
	Ratio  *float64
	Data   []byte
	Tags   []string       `gorm:"serializer:json"`
	Place  *place         `gorm:"serializer:json"`
	Labels labels         `gorm:"serializer:json"`
	More   map[string]any `gorm:"serializer:json" odata:"dynamic"`
}

type labels map[string]string

type place struct {
	Street string
	Number int32
	Any    any
}

// FuzzDecode reads any body, in every mode, without a panic; what is wrong is
// the caller's fault. What was read can be written, and is read again as it was.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"ID":1,"Name":null,"Ratio":1e400,"Data":"-_8="}`, `{"Tags":["a",null],"Place":{"Number":2147483648}}`,
		`{"Place":{"Street":"x","Any":[1,{"a":null}]},"Labels":{"a":"b","@c":1},"Extra":{"deep":[[[]]]}}`,
		`{"@odata.id":"Things(1)","@removed":{"reason":"deleted"},"@type":"#x","Place@odata.type":"y"}`,
		`{"Name":"\u0000"}`, "{\"Name\":\"\xff\"}", `{"Name":"a","Name":"b"}`, `[[[[`, `{"Labels":null,"Tags":5,"Ratio":"NaN"}`,
	} {
		f.Add([]byte(seed))
	}
	s, err := edm.StructOf(&fuzzed{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := payload.ParseObject(body)
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%T %v", err, err)
			}
			return
		}
		_, _ = o.Control()
		for _, mode := range []payload.Mode{payload.Create, payload.Update, payload.Replace} {
			v := reflect.ValueOf(&fuzzed{Place: &place{Street: "s"}, Labels: labels{"a": "1"}}).Elem()
			d := payload.Decoder{Mode: mode, IEEE754Compatible: true}
			if _, err := d.Entity(o, s, v); err != nil {
				if fault.CodeOf(err) != fault.Invalid {
					t.Errorf("%T %v", err, err)
				}
				continue
			}
			again(t, s, d, v)
		}
	})
}

// again writes v, and reads that into another.
func again(t *testing.T, s *edm.Struct, d payload.Decoder, v reflect.Value) {
	t.Helper()
	write := func(v reflect.Value) string {
		var e payload.Encoder
		e.Raw("{")
		e.Members(s, v)
		e.Raw("}")
		return string(e.Bytes())
	}
	text := write(v)
	o, err := payload.ParseObject([]byte(text))
	if err != nil {
		return // a dynamic property may have the name of a declared one in another case
	}
	d.Mode = payload.Create
	other := reflect.ValueOf(&fuzzed{}).Elem()
	if _, err := d.Entity(o, s, other); err == nil && write(other) != text {
		t.Errorf("wrote %s, then %s", text, write(other))
	}
}
