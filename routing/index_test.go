package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadloop/leads"
)

// compiled makes rules of conditions, in this order, and their index.
func compiled(t interface{ Fatal(...any) }, conditions ...string) *ruleSet {
	e := newExpressions()
	set := &ruleSet{byID: map[int64]*liveRule{}}
	for i, text := range conditions {
		condition, err := e.condition(text)
		if err != nil {
			t.Fatal(text, err)
		}
		r := &liveRule{id: int64(i + 1), customerID: int64(i + 1), revision: 1, active: true, priority: 100, weight: 1, rotation: byWeight}
		r.plan = &plan{condition: condition, terms: termsOf(condition)}
		set.rules, set.byID[r.id] = append(set.rules, r), r
	}
	set.index = newIndex(set.rules)
	return set
}

func TestIndex(t *testing.T) {
	conditions := []string{
		1:  "City eq 'Haifa'",
		2:  "'Haifa' eq City and Budget gt 5",
		3:  "City in ('Haifa','Eilat','Haifa')",
		4:  "Budget ge 10 and Budget lt 20",
		5:  "Budget gt 10 and 20 ge Budget",
		6:  "Budget eq 10",
		7:  "tolower(City) eq 'haifa'",
		8:  "City eq 'Haifa' or Budget eq 10",
		9:  "not (City eq 'Haifa')",
		10: "City eq null",
		11: "Budget gt 5 and Budget lt 1",
		12: "Kind eq 'solar' and City ne 'Haifa'",
		13: "ReceivedAt gt 2026-01-01T00:00:00Z and UtmSource eq 'google' and IsTest eq false",
		14: "Budget eq 10.0",
		15: "Wanted eq true",
	}
	set := compiled(t, conditions...)
	for _, c := range []struct {
		name string
		lead leads.Lead
		want []int32
	}{
		{"Haifa", leads.Lead{City: text("Haifa")}, []int32{1, 2, 3, 7}},
		{"HAIFA", leads.Lead{City: text("HAIFA")}, []int32{7}},
		{"no city", leads.Lead{}, []int32{10}},
		{"10", leads.Lead{City: text("Lod"), Properties: map[string]any{"Budget": int64(10)}}, []int32{4, 5, 6, 14}},
		{"10 as text", leads.Lead{City: text("Lod"), Properties: map[string]any{"Budget": "10"}}, []int32{4, 5, 6, 14}},
		{"10.5", leads.Lead{City: text("Lod"), Properties: map[string]any{"Budget": 10.5}}, []int32{4, 5}},
		{"20", leads.Lead{City: text("Lod"), Properties: map[string]any{"Budget": int64(20)}}, []int32{4, 5}},
		{"21", leads.Lead{City: text("Lod"), Properties: map[string]any{"Budget": int64(21)}}, nil},
		{"solar", leads.Lead{City: text("Lod"), Properties: map[string]any{"Kind": "solar", "Wanted": true}}, []int32{12, 15}},
		{"google", leads.Lead{City: text("Lod"), UtmSource: text("google")}, []int32{13}},
	} {
		want := append([]int32{0, 8, 9}, c.want...) // those without terms
		slices.Sort(want)
		if got := set.index.find(newExpressions().record(&c.lead)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
}

// The index leaves out no rule whose condition holds.
func TestIndexIsComplete(t *testing.T) {
	values := []string{"1", "2", "2.0", "2.5", "3", "-1", "'1'", "'2'", "'Haifa'", "null", "true", "1e300", "9007199254740993"}
	given := []any{nil, int64(1), int64(2), 2.0, 2.5, "1", "2", "2.50", "Haifa", true, int64(9007199254740993), 1e300, []any{"x"}}
	term := rapid.Custom(func(t *rapid.T) string {
		left := rapid.SampledFrom([]string{"A", "B", "City", "tolower(City)", "cast(A,Edm.Decimal)"}).Draw(t, "left")
		value := rapid.SampledFrom(values)
		if strings.Contains(left, "City") {
			value = rapid.SampledFrom([]string{"'Haifa'", "'haifa'", "null"})
		}
		if strings.Contains(left, "cast") {
			value = rapid.SampledFrom([]string{"1", "2.5", "2", "-1"})
		}
		if rapid.Bool().Draw(t, "in") {
			return fmt.Sprintf("%s in (%s,%[2]s)", left, value.Draw(t, "one"))
		}
		op := rapid.SampledFrom([]string{"eq", "eq", "gt", "ge", "lt", "le", "ne"}).Draw(t, "op")
		if rapid.Bool().Draw(t, "turned") {
			return fmt.Sprintf("%s %s %s", value.Draw(t, "value"), op, left)
		}
		return fmt.Sprintf("%s %s %s", left, op, value.Draw(t, "value"))
	})
	condition := rapid.Custom(func(t *rapid.T) string {
		text := term.Draw(t, "first")
		for _, more := range rapid.SliceOfN(term, 0, 3).Draw(t, "more") {
			text += rapid.SampledFrom([]string{" and ", " and ", " or "}).Draw(t, "join") + more
		}
		return text
	})
	e := newExpressions()
	rapid.Check(t, func(t *rapid.T) {
		all := []string{}
		for _, text := range rapid.SliceOfN(condition, 1, 12).Draw(t, "conditions") {
			if _, err := e.condition(text); err == nil { // some compare what cannot be compared
				all = append(all, text)
			}
		}
		set := compiled(t, all...)
		for range 5 {
			lead := &leads.Lead{Properties: map[string]any{}}
			for _, name := range []string{"A", "B"} {
				if v := rapid.SampledFrom(given).Draw(t, name); v != nil {
					lead.Properties[name] = v
				}
			}
			if city := rapid.SampledFrom([]string{"", "Haifa", "HAIFA"}).Draw(t, "city"); city != "" {
				lead.City = &city
			}
			record := e.record(lead)
			found := set.index.find(record)
			if !slices.IsSorted(found) || len(slices.Compact(slices.Clone(found))) != len(found) {
				t.Fatalf("not in order, or twice: %v", found)
			}
			for i, r := range set.rules {
				if r.plan.matches(record) && !slices.Contains(found, int32(i)) {
					t.Fatalf("%q holds for %v and is not found", all[i], lead.Properties)
				}
			}
		}
	})
}
