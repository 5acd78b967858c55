package eval_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/fault"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, ""},
		{"a b", "a b"},
		{true, "true"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{5.0, "5"},
		{-0.1, "-0.1"},
		{math.Copysign(0, -1), "0"},
		{1234567.5, "1234567.5"},
		{1e15, "1000000000000000"},
		{1e21, "1000000000000000000000"},
		{1.5e-7, "0.00000015"},
		{math.Inf(-1), "-INF"},
		{json.Number("1.50"), "1.50"},
		{json.Number("1.5e3"), "1500"},
		{json.Number("-12.34E-3"), "-0.01234"},
		{json.Number("12e-1"), "1.2"},
		{json.Number("-0.0"), "0.0"},
		{json.Number("007e0"), "7"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 7200)), "2026-01-02T01:04:05.000006Z"},
		{uuid.UUID{15: 10}, "00000000-0000-0000-0000-00000000000a"},
		{map[string]any{"b": 1, "a": []any{"x"}}, `{"a":["x"],"b":1}`},
	} {
		if got := eval.Text(c.value); got != c.want {
			t.Errorf("%#v: got %s, want %s", c.value, got, c.want)
		}
	}
}

type lead struct {
	ID         uuid.UUID `gorm:"primaryKey"`
	FirstName  *string
	At         *time.Time
	Budget     *int32
	Kind       kind
	Properties map[string]any `gorm:"serializer:json" odata:"dynamic"`
}

type kind string

func TestValues(t *testing.T) {
	env, err := eval.NewEnv(&lead{}, eval.Var{Name: "RoutingID", Type: edm.Guid})
	if err != nil {
		t.Fatal(err)
	}
	name, budget, at := "נועה", int32(5000), time.Date(2026, 1, 2, 1, 30, 0, 123456789, time.FixedZone("", 2*3600))
	noa := &lead{FirstName: &name, Budget: &budget, At: &at, Kind: "hot", Properties: map[string]any{
		"utm source": "x", "Age": json.Number("41"), "Size": "2.5", "Nested": map[string]any{"a": 1},
	}}
	vars := map[string]any{"RoutingID": uuid.UUID{15: 1}}
	record := env.Record(noa, vars)
	for _, c := range []struct {
		text string
		want any
	}{
		{"FirstName", name},
		{"concat(FirstName,concat(' ',Missing))", nil},
		{"concat(FirstName,concat(' ',Age))", "נועה 41"},
		{"RoutingID", uuid.UUID{15: 1}},
		{"Budget", int64(5000)},
		{"Kind", "hot"},
		{"Kind eq 'hot' and Budget gt 1000", true},
		{"Age gt 40 and Size lt 2.6", true},
		{"day(At)", int64(1)},
		{"date(At)", "2026-01-01"},
		{"At eq 2026-01-01T23:30:00.123456Z", true},
		{"Missing", nil},
		{"Missing eq null", true},
		{"Nested ne null", true},
		{"Nested eq 'x'", false},
	} {
		p, err := eval.Compile(env, "Source", c.text, nil)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := p.Value(record); got != c.want {
			t.Errorf("%s: got %#v, want %#v", c.text, got, c.want)
		}
		if got := p.Value(env.Only(p).Record(noa, vars)); got != c.want {
			t.Errorf("%s, over a record of what it refers to: got %#v, want %#v", c.text, got, c.want)
		}
	}
	p, err := eval.Compile(env, "Source", "concat(FirstName,tolower(City)) eq 'x' or RoutingID ne null", edm.Boolean)
	if err != nil || !slices.Equal(p.Names(), []string{"FirstName", "City", "RoutingID"}) {
		t.Errorf("%v %v", p, err)
	}
	for text, want := range map[string]string{
		"Budget gt":        "Source, position 10",
		"concat(Budget,1)": "Source, position 1: the function concat does not apply",
		"Budget":           "expected Edm.Boolean, found Edm.Int32",
		strings.Repeat("Budget eq 1 or ", 600) + "true": "limit Nodes",
	} {
		_, err := eval.Compile(env, "Source", text, edm.Boolean)
		if err == nil || fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s: %v, want %s", text, err, want)
		}
	}
}
