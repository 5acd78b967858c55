package eval_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
)

// Form is what is explained here.
type Form struct {
	ID         int64
	City       *string
	Age        *int64
	Sold       *bool
	At         time.Time
	Tags       []string       `gorm:"serializer:json"`
	Lines      []Line         `gorm:"serializer:json"`
	Properties map[string]any `gorm:"serializer:json" odata:"dynamic"`
}

// Line is an element of Form.Lines.
type Line struct {
	Item  string
	Count int64
}

func condition(t rapid.TB, text string) (*eval.Env, *eval.Program) {
	t.Helper()
	env, err := eval.NewEnv(&Form{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := eval.Compile(env, "Condition", text, edm.Boolean)
	if err != nil {
		t.Fatal(err)
	}
	return env, p
}

// outline writes a Part as position:value, {…} of which all would have to come
// out otherwise, and […] of which one would do.
func outline(p eval.Part) string {
	text := fmt.Sprintf("%d:%v", p.Position, p.Value)
	if p.Element != nil {
		text = fmt.Sprintf("#%d ", *p.Element) + text
	}
	if len(p.Parts) == 0 {
		return text
	}
	inner := make([]string, len(p.Parts))
	for i, one := range p.Parts {
		inner[i] = outline(one)
	}
	brackets := "{}"
	if p.Either {
		brackets = "[]"
	}
	if p.Left > 0 {
		inner = append(inner, fmt.Sprintf("+%d", p.Left))
	}
	return text + brackets[:1] + strings.Join(inner, " ") + brackets[1:]
}

func TestExplain(t *testing.T) {
	city, age := "Tel Aviv", int64(17)
	form := Form{
		City: &city, Age: &age, At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		Tags:  []string{"new", "vip", "vip"},
		Lines: []Line{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}, {"f", 6}, {"g", 7}},
		Properties: map[string]any{
			"Budget": "a lot", "Rooms": int64(3), "תקציב": "5000", "Address": map[string]any{"City": "Haifa"}, "Wants": true, "List": []any{"x"},
		},
	}
	for _, c := range []struct{ condition, outline, words string }{
		// One comparison.
		{"City eq 'Haifa'", "1:false", "City eq 'Haifa' is false (City is 'Tel Aviv')"},
		{"City eq 'Tel Aviv'", "1:true", "City eq 'Tel Aviv' is true (City is 'Tel Aviv')"},
		{"18 le Age", "1:false", "18 le Age is false (Age is 17)"},
		{"City in ('Haifa','Acre')", "1:false", "City in ('Haifa','Acre') is false (City is 'Tel Aviv')"},
		{"Age add Rooms gt 20", "1:false", "Age add Rooms gt 20 is false (Age is 17, Rooms is 3)"},
		{"tolower(City) eq City", "1:false", "tolower(City) eq City is false (City is 'Tel Aviv')"},
		{"תקציב gt 10000", "1:false", "תקציב gt 10000 is false (תקציב is '5000')"},
		{"Address/City eq 'Acre'", "1:false", "Address/City eq 'Acre' is false (Address/City is 'Haifa')"},
		{"At gt now()", "1:false", "At gt now() is false (At is 2026-11-22T10:00:00Z, now() is 2026-11-22T11:00:00Z)"},
		{"1 eq 2", "1:false", "1 eq 2 is false"},
		{"false", "1:false", "false is false"},
		{"Sold", "1:<nil>", "Sold is null (Sold is null)"},
		{"not Wants", "5:true", "Wants is true (Wants is true)"},
		// Null, and what fits no number.
		{"Sold eq true", "1:false", "Sold eq true is false (Sold is null)"},
		{"Missing eq 'x'", "1:false", "Missing eq 'x' is false (Missing is null)"},
		{"contains(Missing,'x')", "1:<nil>", "contains(Missing,'x') is null (Missing is null)"},
		{"not contains(Missing,'x')", "5:<nil>", "contains(Missing,'x') is null (Missing is null)"},
		{"Budget gt 5", "1:false", "Budget gt 5 is false (Budget is 'a lot', which does not fit)"},
		{"Budget eq null", "1:false", "Budget eq null is false (Budget is 'a lot')"},
		// and: what is not true, and nothing else.
		{"Age gt 3 and City eq 'Haifa' and Rooms eq 3", "14:false", "City eq 'Haifa' is false (City is 'Tel Aviv')"},
		{"Age gt 20 and City eq 'Haifa' and Rooms eq 3", "1:false{1:false 15:false}", "Age gt 20 is false (Age is 17) and City eq 'Haifa' is false (City is 'Tel Aviv')"},
		{"Age gt 20 and (City eq 'Haifa' and (Rooms eq 3 and Sold))", "1:false{1:false 16:false 52:<nil>}", ""},
		{"Rooms eq 3 and contains(Missing,'x')", "16:<nil>", ""},
		// or: all of it.
		{"City eq 'Haifa' or City eq 'Acre' or Age gt 20", "1:false[1:false 20:false 38:false]", ""},
		{"City eq 'Haifa' or contains(Missing,'x')", "1:<nil>[1:false 20:<nil>]", ""},
		{"Age gt 20 and (City eq 'Haifa' or Rooms eq 4)", "1:false{1:false 16:false[16:false 35:false]}", ""},
		// What is true.
		{"Age lt 20 and Rooms eq 3", "1:true[1:true 15:true]", ""},
		{"Age lt 20 or City eq 'Haifa'", "1:true", ""},
		{"Age lt 20 or Rooms eq 3 or City eq 'Haifa'", "1:true{1:true 14:true}", ""},
		// not turns it round.
		{"not (Age lt 20 and Rooms eq 3)", "6:true[6:true 20:true]", "Age lt 20 is true (Age is 17) and Rooms eq 3 is true (Rooms is 3)"},
		{"not (Age lt 20 or City eq 'Haifa')", "6:true", ""},
		{"not not (City eq 'Haifa')", "10:false", ""},
		{"City eq 'Haifa' and not (Age lt 20 or Rooms eq 3)", "1:false{1:false 26:true 39:true}", ""},
		// Collections.
		{"Tags/any(t:t eq 'old')", "1:false[#0 12:false #1 12:false #2 12:false]", ""},
		{"Tags/all(t:t eq 'vip')", "1:false{#0 12:false}", "t eq 'vip' is false (t is 'new') of element 0"},
		{"not Tags/any(t:t eq 'vip')", "5:true{#1 16:true #2 16:true}", ""},
		{"Lines/any(l:l/Item eq 'b' and l/Count gt 2)", "1:false[#0 13:false{13:false 31:false} #1 31:false #2 13:false #3 13:false #4 13:false +2]", ""},
		{"Lines/all(l:l/Item ne 'b' or Age gt 20)", "1:false{#1 13:false[13:false 30:false]}", "l/Item ne 'b' is false (l/Item is 'b') and Age gt 20 is false (Age is 17) of element 1"},
		{"Lines/any(l:Tags/any(t:t eq l/Item))", "1:false[#0 13:false[#0 24:false #1 24:false #2 24:false] #1 13:false[#0 24:false #1 24:false #2 24:false]" +
			" #2 13:false[#0 24:false #1 24:false #2 24:false] #3 13:false[#0 24:false #1 24:false #2 24:false] #4 13:false[#0 24:false #1 24:false #2 24:false] +2]", ""},
		{"Tags/$count gt 3", "1:false", "Tags/$count gt 3 is false (Tags/$count is 3)"},
		{"'old' in Tags", "1:false", `'old' in Tags is false (Tags is ["new","vip","vip"])`},
		{"not Tags/any()", "5:true", `Tags/any() is true (Tags is ["new","vip","vip"])`},
		{"hassubset(Tags,['old'])", "1:false", `hassubset(Tags,['old']) is false (Tags is ["new","vip","vip"])`},
		{"Tags eq ['new']", "1:false", `Tags eq ['new'] is false (Tags is ["new","vip","vip"])`},
		{"Tags ne ['new','vip','vip']", "1:false", `Tags ne ['new','vip','vip'] is false (Tags is ["new","vip","vip"])`},
		// Smallest parts that are logic themselves.
		{"(Age gt 20 or Sold) eq true", "2:false", "(Age gt 20 or Sold) eq true is false (Age is 17, Sold is null)"},
		{"case(Age gt 20:true,Rooms eq 3:false)", "1:false", "case(Age gt 20,true,Rooms eq 3,false) is false (Age is 17, Rooms is 3)"},
	} {
		env, p := condition(t, c.condition)
		r := env.Record(&form, nil).At(time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC))
		got := p.Explain(r)
		if outline(got) != c.outline {
			t.Errorf("%s:\n%s, want\n%s", c.condition, outline(got), c.outline)
		}
		if c.words != "" && got.String() != c.words {
			t.Errorf("%s:\n%s, want\n%s", c.condition, got, c.words)
		}
	}
}

// Lambdas one after the other take no more room than one.
func TestManyLambdas(t *testing.T) {
	env, p := condition(t, strings.Repeat("Tags/any(t:t eq 'x') or Tags/$count($filter=$this eq 'x') gt 0 or ", 100)+"Tags/any(t:t eq 'y')")
	if !p.Bool(env.Record(&Form{Tags: []string{"y"}}, nil)) {
		t.Error("the last of many is not found")
	}
	if got := len(p.Explain(env.Record(&Form{Tags: []string{"z"}}, nil)).Parts); got != 201 {
		t.Errorf("%d parts, want 201", got)
	}
}

// A flip is an operand of the random conditions, with properties of its own,
// that can be turned either way.
type flip struct {
	text string
	set  func(f *Form, name string, to bool)
}

var flips = []flip{
	{"%s eq 'on'", func(f *Form, name string, to bool) {
		f.Properties[name] = map[bool]any{true: "on", false: "off"}[to]
	}},
	{"contains(%s,'on')", func(f *Form, name string, to bool) { // null while it has no value
		f.Properties[name] = map[bool]any{true: "on", false: "off"}[to]
	}},
	{"%s ne null", func(f *Form, name string, to bool) {
		f.Properties[name] = map[bool]any{true: "on"}[to]
	}},
	{"%s in (1,2)", func(f *Form, name string, to bool) {
		f.Properties[name] = map[bool]any{true: int64(2), false: "2 1"}[to]
	}},
	{"%s", func(f *Form, name string, to bool) { f.Properties[name] = to }},
}

// TestExplainTurns makes random conditions of operands that do not depend on each
// other. Turning those that the explanation names, of alternatives any one, turns the
// result; turning all of these but one does not.
func TestExplainTurns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		form := Form{Properties: map[string]any{}}
		var texts []string
		var kinds []flip
		var draw func(depth int) string
		draw = func(depth int) string {
			shape := rapid.IntRange(0, 5).Draw(t, "shape")
			switch {
			case depth > 0 && shape < 2:
				return "(" + draw(depth-1) + ") and (" + draw(depth-1) + ")"
			case depth > 0 && shape < 4:
				return draw(depth-1) + " or (" + draw(depth-1) + ")"
			case depth > 0 && shape == 4:
				return "not (" + draw(depth-1) + ")"
			}
			kind, name := rapid.SampledFrom(flips).Draw(t, "kind"), fmt.Sprint("P", len(texts))
			texts, kinds = append(texts, fmt.Sprintf(kind.text, name)), append(kinds, kind)
			if state := rapid.IntRange(0, 2).Draw(t, "state"); state < 2 {
				kind.set(&form, name, state == 1)
			}
			return texts[len(texts)-1]
		}
		text := draw(5)
		env, p := condition(t, text)
		before := p.Bool(env.Record(&form, nil))
		var chosen []eval.Part
		var choose func(part eval.Part)
		choose = func(part eval.Part) {
			switch {
			case len(part.Parts) == 0:
				chosen = append(chosen, part)
			case part.Either:
				choose(rapid.SampledFrom(part.Parts).Draw(t, "either"))
			default:
				for _, one := range part.Parts {
					choose(one)
				}
			}
		}
		choose(p.Explain(env.Record(&form, nil)))
		left := rapid.IntRange(0, len(chosen)-1).Draw(t, "left out")
		for step, i := range append(slices.DeleteFunc(slices.Collect(upTo(len(chosen))), func(i int) bool { return i == left }), left) {
			if now := p.Bool(env.Record(&form, nil)); step == len(chosen)-1 && now != before {
				t.Fatalf("%s\nturned without %v of %v", text, chosen[left], chosen)
			}
			n := slices.Index(texts, chosen[i].Text)
			if n < 0 {
				t.Fatalf("%s\nexplained by %q, which is none of its operands", text, chosen[i].Text)
			}
			if at := []rune(text)[chosen[i].Position-1:]; !strings.HasPrefix(string(at), chosen[i].Text) {
				t.Fatalf("%s\n%q is not at %d", text, chosen[i].Text, chosen[i].Position)
			}
			kinds[n].set(&form, fmt.Sprint("P", n), chosen[i].Wanted)
		}
		if after := p.Bool(env.Record(&form, nil)); after == before {
			t.Fatalf("%s\ndid not turn by %v", text, chosen)
		}
	})
}

func upTo(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
