package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// TestMappingRows has entries go to rows and back.
func TestMappingRows(t *testing.T) {
	text := func(s string) *string { return &s }
	entries := []routing.MappingEntry{
		{Target: "ref", Source: "RoutingID", Required: true},
		{Target: "name", Source: "concat(FirstName,concat(' ',LastName))", Default: text("unknown")},
		{Target: "town", Field: "מה העיר?"},
		{Target: "city", Field: "City"},
		{Target: "tags", Source: `["lead",1]`},
		{Target: "empty", Source: "City", Default: text("")},
		{Target: "quoted", Source: "City", Default: text(`"a"`)},
		{Target: "spaced", Source: "City", Default: text(" a ")},
		{Target: "date", Source: "ReceivedAt", Format: "dd/MM/yyyy", TimeZone: "Asia/Jerusalem"},
		{Target: "kind", Source: "Kind", Values: routing.ValueList{
			"כן": true, "לא": "לא", "5": "5", "6": 6.5, "a=b": "c=d", `"q"`: `"q"`, "": nil, "null": "null", "<b>": "<&>", "e": "", "sp ": " x",
		}},
	}
	rows := mappingRows(entries)
	got, of, err := mappingEntries(append(rows, mappingRow{Key: "9", Required: true}))
	if diff := cmp.Diff(entries, got, cmpopts.EquateEmpty()); diff != "" || err != nil || len(of) != len(entries) {
		t.Errorf("%v %s", err, diff)
	}
	again := mappingRows(got)
	if diff := cmp.Diff(rows, again); diff != "" {
		t.Error(diff)
	}
	if rows[2].Source != "[מה העיר?]" || rows[4].Source != `["lead",1]` || rows[5].Default != `""` {
		t.Errorf("%+v", rows)
	}
}

func TestMappingEntriesRefused(t *testing.T) {
	_, of, err := mappingEntries([]mappingRow{
		{}, {Target: "a", Source: "City", Values: "yes = 1\nno"}, {Target: "b", Source: "City", Values: "a = 1\na = 2"},
	})
	f, ok := err.(*fault.Error)
	if !ok || len(f.Details) != 2 || f.Details[0].Target != "Mapping/0/Values" || f.Details[1].Target != "Mapping/1/Values" || !cmp.Equal(of, []int{1, 2}) {
		t.Errorf("%v %+v", of, err)
	}
}

func TestSourceOf(t *testing.T) {
	for name, want := range map[string]string{"City": "City", "תקציב": "תקציב", "What town?": "[What town?]", "a-b": "[a-b]", "2nd": "[2nd]"} {
		if got := sourceOf(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
