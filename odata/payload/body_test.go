package payload_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// thing has a property of every kind.
type thing struct {
	ID       uuid.UUID `gorm:"primaryKey"`
	Name     string    `gorm:"size:10"`
	Note     *string
	Small    int16
	Big      *int64
	Ratio    float32
	Exact    *float64
	On       bool
	At       *time.Time
	Names    []string        `gorm:"serializer:json"`
	Parts    []part          `gorm:"serializer:json"`
	Settings settings        `gorm:"serializer:json"`
	More     map[string]any  `gorm:"serializer:json" odata:"dynamic"`
	Secret   string          `gorm:"-" odata:"writeonly"`
	Fixed    string          `odata:"immutable"`
	Made     string          `odata:"computed"`
	Labels   map[string]bool `gorm:"-" odata:"-"`
}

type part struct {
	Label string
	Count *int64
}

type settings map[string]any

func thingType(t testing.TB) *edm.Struct {
	s, err := edm.StructOf(&thing{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// encoded is what an answer would show of x.
func encoded(s *edm.Struct, x *thing) []byte {
	var e payload.Encoder
	e.Raw("{")
	e.Members(s, reflect.ValueOf(x).Elem())
	e.Raw("}")
	return e.Bytes()
}

func TestBodies(t *testing.T) {
	s := thingType(t)
	for _, c := range []struct{ body, want string }{
		{`{"Name":"נועה","Small":-5,"Big":9223372036854775807,"On":true}`, `"Name":"נועה","Note":null,"Small":-5,"Big":9223372036854775807,"Ratio":0,"Exact":null,"On":true`},
		{`{"Big":5.0,"Small":1e2}`, `"Small":100,"Big":5`},
		{`{"Big":null,"Note":null}`, `"Note":null`},
		{`{"At":"2026-01-02T03:04Z"}`, `"At":"2026-01-02T03:04:00.000000Z"`},
		{`{"At":"2026-01-02t03:04:05.1234567+02:00"}`, `"At":"2026-01-02T01:04:05.123456Z"`},
		{`{"ID":"0123ABCD-0000-0000-0000-000000000001"}`, `"ID":"0123abcd-0000-0000-0000-000000000001"`},
		{`{"Names":["a","b"],"Parts":[{"Label":"x","Count":null}]}`, `"Names":["a","b"],"Parts":[{"Label":"x","Count":null}]`},
		{`{"Names":[],"Parts":[]}`, `"Names":[],"Parts":[],"Settings":{}`},
		{`{"Settings":{"a":{"b":[1,2.5,"x",null]}}}`, `"Settings":{"a":{"b":[1,2.5,"x",null]}}`},
		{`{"b":1,"a":{"x":9223372036854775807},"a b":"<&>","שם":null}`, `"a":{"x":9223372036854775807},"a b":"<&>","b":1}`},
		{`{"Fixed":"f","Made":"m","Secret":"s"}`, `"Fixed":"f","Made":""}`},
		{`{"Name":"12345678901"}`, "Name: Name is longer than 10 characters"},
		{`{"Name":null}`, "Name: Name cannot be null"},
		{`{"name":"x"}`, `name: thing has no property "name"`},
		{`{"Small":40000}`, "Small: expected Edm.Int16, found the number 40000"},
		{`{"Big":9223372036854775808}`, "Big: expected Edm.Int64"},
		{`{"Big":"5"}`, "Big: expected Edm.Int64, found a string"},
		{`{"Ratio":1e300}`, "Ratio: expected Edm.Single, found the number 1e300"},
		{`{"Exact":1e999}`, "out of range"},
		{`{"x":1e999}`, "out of range"},
		{`{"x":{"y":[-1e999]}}`, "out of range"},
		{`{"At":"2026-02-30T00:00:00Z"}`, "At: expected Edm.DateTimeOffset"},
		{`{"At":"0000-01-01T00:00:00Z"}`, "At: expected Edm.DateTimeOffset"},
		{`{"At":"9999-12-31T23:59:59-14:00"}`, "At: expected Edm.DateTimeOffset"},
		{`{"At":"2026-01-01T1:00:00Z"}`, "At: expected Edm.DateTimeOffset"},
		{`{"At":"2026-01-01T01:00:00,5Z"}`, "At: expected Edm.DateTimeOffset"},
		{`{"":1}`, "no name"},
		{`{"` + strings.Repeat("x", 201) + `":1}`, "1 to 200 characters"},
		{`{"a\u0001":1}`, "no control character"},
		{`{"a":"\u0000"}`, "U+0000"},
		{`{"a":1,"a":2}`, `"a" is given twice`},
		{`{"a":{"b":1,"b":2}}`, `"b" is given twice`},
		{`{"Names":[null]}`, "Names/0: an element cannot be null"},
		{`{"Parts":[{"Labl":1}]}`, `Parts/0/Labl: part has no property "Labl"`},
		{`{"Settings":[]}`, "Settings: expected .settings, found an array"},
		{`nul`, "ends inside"},
		{`{"a":tru}`, "not valid JSON"},
		{`{"a":01}`, "not valid JSON"},
		{`{"a":1,}`, "not valid JSON"},
		{"{\"a\":\"\xff\"}", "not valid UTF-8"},
		{`{"a":` + strings.Repeat("[", 100_000), "nests deeper than 32"},
	} {
		x := &thing{}
		o, err := payload.ParseObject([]byte(c.body))
		if err == nil {
			_, err = payload.Decoder{}.Entity(o, s, reflect.ValueOf(x).Elem())
		}
		got := ""
		if err != nil {
			got = err.Error()
			if fault.CodeOf(err) == fault.Internal {
				t.Errorf("%.60s: not a fault: %v", c.body, err)
			}
		} else {
			got = string(encoded(s, x))
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%.60s: got %s, want %s", c.body, got, c.want)
		}
	}
}

// TestManyMembers: the time a body takes grows no faster than the body.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"Name":"a"`)
	for i := range 100_000 {
		b.WriteString(`,"p` + strings.Repeat("0", 1+i%3) + string(rune('a'+i%26)) + strings.TrimLeft(time.Duration(i).String(), "0") + `":1`)
	}
	b.WriteString("}")
	started := time.Now()
	o, err := payload.ParseObject([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	x := &thing{}
	if _, err := (payload.Decoder{}).Entity(o, thingType(t), reflect.ValueOf(x).Elem()); err != nil || len(x.More) != 100_000 {
		t.Fatal(err, len(x.More))
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("100,000 members took %v", took)
	}
}

func TestHiddenAndUpdate(t *testing.T) {
	s := thingType(t)
	x := &thing{Note: new(string), Fixed: "was", More: map[string]any{"a": 1}}
	shared := x.More
	o, _ := payload.ParseObject([]byte(`{"Fixed":"is","ID":"00000000-0000-0000-0000-000000000001","a":null,"b":2}`))
	if _, err := (payload.Decoder{Mode: payload.Update}).Entity(o, s, reflect.ValueOf(x).Elem()); err != nil {
		t.Fatal(err)
	}
	if x.Fixed != "was" || x.ID != uuid.Nil || len(x.More) != 1 || x.More["b"] != int64(2) || shared["a"] != 1 {
		t.Errorf("%+v, %v", x, shared)
	}
	o, _ = payload.ParseObject([]byte(`{"Note":"x"}`))
	_, err := payload.Decoder{Hide: []string{"Note"}}.Entity(o, s, reflect.ValueOf(x).Elem())
	if err == nil || !strings.Contains(err.Error(), `no property "Note"`) {
		t.Error(err)
	}
	e := payload.Encoder{Hide: []string{"Note"}}
	e.Members(s, reflect.ValueOf(x).Elem())
	if strings.Contains(string(e.Bytes()), "Note") {
		t.Errorf("%s", e.Bytes())
	}
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"Name":"a","Small":-5,"Big":9223372036854775807,"Ratio":1.5e10,"On":true,"At":"2026-01-02T03:04:05Z"}`,
		`{"Names":["a"],"Parts":[{"Label":"x","Count":1}],"Settings":{"a":[{}]},"x y":{"z":null}}`,
		`{"@odata.type":"x","a@odata.bind":1}`, `{"ID":"0123abcd-0000-0000-0000-000000000001","x":1e308,"y":-0.0}`,
		`[]`, `{"a":`, `{"a":1,"a":2}`, `{"\u0000":"\ud800"}`,
	} {
		f.Add([]byte(body))
	}
	s := thingType(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := payload.ParseObject(body)
		x := &thing{}
		if err == nil {
			_, err = payload.Decoder{IEEE754Compatible: true}.Entity(o, s, reflect.ValueOf(x).Elem())
		}
		if err != nil {
			if fault.CodeOf(err) == fault.Internal {
				t.Fatalf("%q: not a fault: %v", body, err)
			}
			return
		}
		shown := encoded(s, x)
		if !json.Valid(shown) {
			t.Fatalf("%q is shown as %s", body, shown)
		}
		// What is shown can be sent, and is then shown alike.
		o, err = payload.ParseObject(shown)
		y := &thing{}
		if err == nil {
			_, err = payload.Decoder{}.Entity(o, s, reflect.ValueOf(y).Elem())
		}
		if err != nil {
			t.Fatalf("%q is shown as %s, which is refused: %v", body, shown, err)
		}
		y.Made = x.Made
		if again := encoded(s, y); string(again) != string(shown) {
			t.Fatalf("%q is shown as %s and then as %s", body, shown, again)
		}
	})
}
