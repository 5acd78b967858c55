package odata_test

import (
	"testing"

	"leadloop/store/storetest"
)

// TestEach: changes of each entity of a collection, narrowed in the path.
func TestEach(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for _, c := range []step{
			{"PATCH /Orders/$filter(Count eq @n)/$each?@n=1", `{"Title":"few"}`, nil, 200, `$metadata#Orders","value":[{"@odata.etag":"W/\"2\"","ID":2,`, "/Orders(3)", []string{"Title", "Count", "Version"}, "few|1|2"},
			{"PATCH /Clients(1)/Orders/$filter(Count gt 1)/$each", `{"Title":"many","Tags":["y"]}`, []string{"Prefer: return=minimal"}, 204, "Preference-Applied: return=minimal", "/Orders(1)", []string{"Title"}, "many"},
			{"PATCH /Orders/$filter(Count gt 100)/$each", `{"Title":"none"}`, nil, 200, `"value":[]`, "/Orders(1)", []string{"Title"}, "many"},
			{"PATCH /Orders/$filter(Title eq 'few')/$each", `{"Count":"x"}`, nil, 400, "Count", "/Orders(2)", []string{"Count"}, "1"},
			{"PATCH /Orders/$each?$filter=ID eq 1", `{}`, nil, 400, "$filter does not apply to a change of each entity", "", nil, ""},
			{"PATCH /Clients/$filter(Nope eq 1)/$each", `{}`, nil, 400, "Nope", "", nil, ""},
			{"PATCH /Orders/$each", `{"Title":"all"}`, []string{`If-Match: W/"1"`}, 412, "has changed", "/Orders(2)", []string{"Title"}, "few"},
			{"PATCH /Labels/$each", `{"Text":"x"}`, nil, 428, "If-Match", "/Labels('red')", []string{"Text"}, "Red"},
			{"PATCH /Labels/$each", `{"Text":"x"}`, []string{"If-Match: *"}, 200, `"Text":"x"`, "/Labels('red')", []string{"Text"}, "x"},
			{"PATCH /Clients(9)/Orders/$each", `{}`, nil, 404, "", "", nil, ""},
			{"PUT /Orders/$each", `{}`, nil, 405, "Allow: PATCH, DELETE", "", nil, ""},
			{"GET /Orders/$each", ``, nil, 405, "Allow: PATCH, DELETE", "", nil, ""},
			{"POST /Orders/$each/Ship", `{}`, nil, 501, "a path after $each", "", nil, ""},
			{"PATCH /Entries/$each", `{}`, nil, 405, "", "", nil, ""},
			{"DELETE /Orders/$filter(ID gt 1)/$each", ``, nil, 204, "", "/Orders(2)", nil, "404"},
		} {
			c.run(t, t.Context(), s)
		}
		// What a caller does not see is not changed.
		c := step{"PATCH /Clients/$each", `{"Name":"N"}`, nil, 200, `"Name":"N"`, "/Clients(2)", []string{"Name"}, "B"}
		c.run(t, region(t.Context(), "north"), s)
		// Who may change nothing is told so, also where there is nothing to change.
		for _, method := range []string{"PATCH", "DELETE"} {
			c = step{method + " /Clients/$filter(ID eq 99)/$each", `{}`, nil, 403, "may not change", "", nil, ""}
			c.run(t, region(t.Context(), "east"), s)
		}
	})
}

// TestEachIsBounded: one more than the limit is refused, and nothing changed.
func TestEachIsBounded(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		s := newOrders(t, dialect, storetest.DSN(t, dialect))
		s.Options.Limits.Changes = 2
		s.fillOrders(t)
		c := step{"PATCH /Orders/$each", `{"Title":"all"}`, nil, 400, "limit Changes", "/Orders(1)", []string{"Title"}, "o1"}
		c.run(t, t.Context(), s)
	}
}
