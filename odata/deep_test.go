package odata_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestDeepInsert(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		a := s.do(t, ctx, "POST /Clients", `{"Name":"C","Account":{"IBAN":"X1"},"Orders":[
			{"Title":"d1","Count":2,"Lines":[{"Text":"a"},{"Text":"b","Tag@odata.bind":"Labels('red')"}]},
			{"@odata.type":"#Shop.Order","Title":"d2"}]}`)
		want := `"Account":{"ID":1,"ClientID":3,"IBAN":"X1"},"Orders":[{"@odata.etag":"W/\"1\"",`
		if a.status != http.StatusCreated || !strings.Contains(a.body, want) || !strings.Contains(a.body, `"Text":"b","Label":"red"`) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if !strings.HasSuffix(a.json["@odata.context"].(string), "#Clients(Account(),Orders(Lines()))/$entity") || a.header.Get("Location") != "http://shop.test/shop/Clients(3)" {
			t.Error(a.json["@odata.context"], a.header)
		}
		if b := s.get(t, "/Clients(3)?$expand=Account,Orders($expand=Lines)"); b.body != a.body {
			t.Errorf("created %s\n   read %s", a.body, b.body)
		}
		for _, c := range []step{
			// Bound to what is there, in the forms of both versions.
			{"POST /Orders", `{"Title":"e","Client@odata.bind":"Clients(1)"}`, nil, 201, `"ClientID":1`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client@bind":"http://shop.test/shop/Clients(1)"}`, nil, 201, `"ClientID":1`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client":{"@id":"/shop/Clients(2)"}}`, nil, 201, `"ClientID":2`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client":{"@odata.id":"Orders(1)/Client"}}`, nil, 201, `"ClientID":1`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client":null}`, nil, 201, `"ClientID":null`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client":{"Name":"D"}}`, nil, 201, `"Name":"D"`, "/Clients(4)", []string{"Name"}, "D"},
			{"POST /Clients", `{"Name":"E","Orders@odata.bind":["Orders(2)","Orders(3)"]}`, nil, 201, `"ID":5`, "/Clients(5)/Orders/$count", nil, "2"},
			{"POST /Clients", `{"Name":"F","Orders":[{"@id":"Orders(2)"},{"Title":"new"}]}`, nil, 201, `"Title":"o2"`, "/Clients(6)/Orders/$count", nil, "2"},
			// Through the path.
			{"POST /Clients(1)/Orders", `{"Title":"via"}`, nil, 201, `"ClientID":1`, "", nil, ""},
			{"POST /Clients(1)/Orders", `{"Title":"via","ClientID":1}`, nil, 201, `"ClientID":1`, "", nil, ""},
			{"POST /Clients(1)/Orders", `{"Title":"via","ClientID":2}`, nil, 400, `another entity than the URL`, "", nil, ""},
			{"POST /Clients(1)/Orders", `{"Title":"via","Client@odata.bind":"Clients(2)"}`, nil, 400, `another entity than the URL`, "", nil, ""},
			{"POST /Clients(99)/Orders", `{"Title":"via"}`, nil, 404, `no entity`, "/Orders/$count", nil, "14"},
			// Nothing of what fails is stored.
			{"POST /Clients", `{"Name":"G","Orders":[{"Title":"g1","Lines":[{"Text":"x"},{"Text":"boom"}]}]}`, nil, 409, `"target":"Orders/0/Lines/1/Text"`, "/Clients/$count", nil, "6"},
			{"POST /Orders", `{"Title":"g2","Client":{"Name":"bad"}}`, nil, 400, `"target":"Client/Name"`, "/Orders/$count", nil, "14"},
			{"POST /Orders", `{"Client":{"Name":"fine"}}`, nil, 400, `Title is required`, "/Clients/$count", nil, "6"},
			{"POST /Orders", `{"Title":"e","Client@odata.bind":"Clients(77)"}`, nil, 400, `"target":"Client@odata.bind"`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client@odata.bind":"Orders(1)"}`, nil, 400, `not the id of an entity of type Client`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client@odata.bind":"http://elsewhere/shop/Clients(1)"}`, nil, 400, `not the id`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client@odata.bind":["Clients(1)"]}`, nil, 400, `leads to one entity`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client@odata.bind":5}`, nil, 400, `leads to one`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client":"Clients(1)"}`, nil, 400, `found a string`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Client":{"@id":"Clients(1)","Name":"Z"}}`, nil, 400, `give the id alone`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Lines":{"Text":"x"}}`, nil, 400, `Lines needs an array`, "", nil, ""},
			{"POST /Clients", `{"Name":"e","Account":[]}`, nil, 400, `Account needs one entity`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Lines":["x"]}`, nil, 400, `"target":"Lines/0"`, "", nil, ""},
			{"POST /Orders", `{"Title":"e","Lines":[{"@removed":{}}]}`, nil, 400, `Lines@delta`, "", nil, ""},
			{"POST /Clients", `{"Name":"e","Entries":[{"Text":"x"}]}`, nil, 405, `takes no new entities`, "", nil, ""},
			{"POST /Lines", `{"Text":"e","Order":null}`, nil, 400, `Order cannot be null`, "", nil, ""},
			{"POST /Clients", `{"@odata.type":"#Shop.Order","Name":"x"}`, nil, 400, `expected Shop.Client`, "", nil, ""},
			{"POST /Clients", `{"Name":"e","Orders":[` + strings.Repeat(`{"Title":"x"},`, 25) + `{"Title":"x"}]}`, nil, 400, `limit Changes`, "/Orders/$count", nil, "14"},
			{"POST /Clients", strings.Repeat(`{"Name":"e","Title":"x","Orders":[{"Title":"x","Client":`, 4) + `{}` + strings.Repeat(`}]}`, 4), nil, 400, `Client`, "/Clients/$count", nil, "6"},
		} {
			c.run(t, ctx, s)
		}
	})
}

func TestDeepLimits(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		body := `{"Name":"deep"}`
		for range 4 {
			body = `{"Name":"deep","Orders":[{"Title":"x","Lines":[{"Text":"x"}]},{"Title":"y","Lines":[]}]}`
		}
		if a := s.do(t, t.Context(), "POST /Clients", body); a.status != http.StatusCreated {
			t.Errorf("%d %s", a.status, a.body)
		}
		nested := `{"Title":"x"}`
		for range 4 {
			nested = `{"Title":"x","Lines":[{"Text":"l","Tag":{"Code":"c","Lines":[{"Text":"m","Order":` + nested + `}]}}]}`
		}
		if a := s.do(t, t.Context(), "POST /Orders", nested); a.status != http.StatusBadRequest || !strings.Contains(a.body, "limit ExpandDepth") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.get(t, "/Labels/$count"); a.body != "1" {
			t.Errorf("%s labels", a.body)
		}
	})
}

func TestDeepUpdate(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		lines := "/Orders(1)/Lines?$orderby=ID"
		for _, c := range []step{
			{"PATCH /Orders(1)", `{"Lines":[{"ID":1,"Text":"L1"}]}`, nil, 400, `cannot be removed: OrderID cannot be null`, "/Lines/$count", nil, "2"},
			{"PATCH /Orders(1)", `{"Lines":[{"ID":1,"Text":"L1"},{"@id":"Lines(2)"},{"Text":"l3"}]}`, nil, 200, `"Text":"L1"`, "/Lines/$count", nil, "3"},
			{"PATCH /Orders(1)", `{"Title":"T","Lines@delta":[{"@removed":{"reason":"deleted"},"@id":"Lines(2)"},{"@removed":{"reason":"deleted"},"ID":3},{"ID":1,"Label":"red"},{"Text":"l4"}]}`, nil, 200, `"Title":"T"`, "/Lines/$count", nil, "2"},
			{"PATCH /Clients(1)", `{"Orders":[{"ID":1},{"@id":"Orders(3)"}]}`, nil, 200, `"Title":"o3"`, "/Clients(1)/Orders/$count", nil, "2"},
			{"GET /Orders(2)", ``, nil, 200, `"ClientID":null`, "", nil, ""},
			{"PATCH /Clients(1)", `{"Orders@odata.bind":["Orders(2)"]}`, nil, 200, ``, "/Clients(1)/Orders/$count", nil, "3"},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"@removed":{"reason":"changed"},"@id":"Orders(2)"}]}`, nil, 200, ``, "/Clients(1)/Orders/$count", nil, "2"},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"@removed":{},"@id":"Orders(2)"},{"ID":3,"Title":"O3","Client":{"@id":"Clients(2)"}}]}`, nil, 200, ``, "/Clients(1)/Orders/$count", nil, "2"},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"ID":99,"Title":"x"}]}`, nil, 400, `"target":"Orders@delta/0"`, "", nil, ""},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"@id":"Orders(99)"}]}`, nil, 400, `no entity with this key`, "", nil, ""},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"@id":"Orders(1)","ID":2,"Title":"x"}]}`, nil, 400, `two entities`, "", nil, ""},
			// To one: another, a new one, changed in place, none.
			{"PATCH /Orders(1)", `{"Client@odata.bind":"Clients(2)"}`, nil, 200, `"ClientID":2`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Client":{"ID":2,"Name":"BB"}}`, nil, 200, `"Name":"BB"`, "/Clients(2)", []string{"Name"}, "BB"},
			{"PATCH /Orders(1)", `{"Client":{"Name":"N"}}`, nil, 200, `"ClientID":3`, "/Clients(3)", []string{"Name"}, "N"},
			{"PATCH /Orders(1)", `{"ClientID":1,"Client":{"@id":"Clients(3)"}}`, nil, 200, `"ClientID":3`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Client":{"@removed":{"reason":"deleted"},"@id":"Clients(3)"}}`, nil, 200, `"ClientID":null`, "/Clients(3)", nil, "404"},
			{"PATCH /Orders(1)", `{"Client":null}`, nil, 200, `"ClientID":null`, "", nil, ""},
			{"PATCH /Lines(1)", `{"Order":null}`, nil, 400, `OrderID cannot be null`, "", nil, ""},
			{"PATCH /Clients(1)", `{"Account":{"IBAN":"1"}}`, nil, 200, `"IBAN":"1"`, "/Clients(1)/Account", []string{"ID"}, "1"},
			{"PATCH /Clients(1)", `{"Account":{"IBAN":"2"}}`, nil, 200, `"IBAN":"2"`, "/Clients(1)/Account", []string{"ID"}, "2"},
			{"PATCH /Clients(1)", `{"Account":{"@id":"Accounts(1)"}}`, nil, 200, ``, "/Clients(1)/Account", []string{"ID"}, "1"},
			{"GET /Accounts(2)", ``, nil, 200, `"ClientID":null`, "", nil, ""},
			{"PATCH /Clients(1)", `{"Account":null}`, nil, 200, ``, "/Clients(1)/Account", nil, ""},
			// ETags inside, which OData 4.0 has not; nor inline entities.
			{"PATCH /Clients(2)", `{"@odata.etag":"W/\"77\"","Name":"x"}`, nil, 412, ``, "", nil, ""},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"@etag":"W/\"77\"","ID":3,"Title":"x"}]}`, nil, 412, `Orders@delta/0`, "", nil, ""},
			{"PATCH /Clients(2)", `{"@odata.etag":"W/\"77\"","Region":"east"}`, []string{"OData-Version: 4.0"}, 200, `east`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Client":{"ID":2,"Name":"x"}}`, []string{"OData-Version: 4.0"}, 400, `only in OData 4.01`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Client@odata.bind":"Clients(1)"}`, []string{"OData-MaxVersion: 4.0"}, 200, `"ClientID":1`, "", nil, ""},
			{"PATCH /Lines(1)", `{"Tag":{"Code":"red","Text":"R"}}`, nil, 428, `Tag/@odata.etag`, "", nil, ""},
			{"PATCH /Lines(1)", `{"Tag":{"@etag":"W/\"1\"","Code":"red","Text":"R"}}`, nil, 200, `"Text":"R"`, "", nil, ""},
			{"PATCH /Lines(1)", `{"Tag":{"Code":"blue","Text":"B"}}`, nil, 200, `"Label":"blue"`, "/Labels('blue')", []string{"Text"}, "B"},
			// A change that fails undoes those before it.
			{"PATCH /Orders(1)", `{"Title":"gone","Lines@delta":[{"Text":"also gone"},{"Text":"boom"}]}`, nil, 409, `Lines@delta/1/Text`, "/Orders(1)", []string{"Title"}, "T"},
			{"PUT /Clients(2)", `{"Name":"P","Orders":[{"ID":3,"Title":"p3"}]}`, nil, 200, `"Title":"p3","Count":1`, "/Clients(2)", []string{"Name", "Region"}, "P|north"},
		} {
			c.run(t, t.Context(), s)
		}
		if a := s.get(t, lines); a.names("Text") != "L1 l4" {
			t.Error(a.body)
		}
	})
}

// A caller can neither bind nor change nor tell from missing what they do not
// see, and properties hidden from them are not there.
func TestChangeAccess(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		ctx := region(t.Context(), "north")
		for _, other := range []string{"Clients(2)", "Clients(99)"} {
			for _, c := range []struct{ request, body string }{
				{"POST /Orders", `{"Title":"x","Client@odata.bind":"` + other + `"}`},
				{"PATCH /Orders(1)", `{"Client":{"@id":"` + other + `"}}`},
				{"PATCH /Orders(1)", `{"Client":{"@id":"` + other + `","Name":"x"}}`},
				{"PUT /Orders(1)/Client/$ref", `{"@odata.id":"` + other + `"}`},
				{"PATCH /Orders(1)", `{"Client":{"@removed":{"reason":"deleted"},"@id":"` + other + `"}}`},
			} {
				a := s.do(t, ctx, c.request, c.body)
				if a.status != http.StatusBadRequest || strings.Contains(a.body, "B") {
					t.Errorf("%s %s: %d %s", c.request, c.body, a.status, a.body)
				}
			}
		}
		for _, c := range []step{
			{"PATCH /Clients(2)", `{"Name":"mine"}`, nil, 404, ``, "", nil, ""},
			{"PATCH /Clients(1)", `{"Orders@delta":[{"ID":3,"Title":"mine"}]}`, nil, 400, `no entity with this key`, "", nil, ""},
			{"POST /Clients(1)/Orders/$ref", `{"@id":"Orders(3)"}`, nil, 400, `no entity`, "", nil, ""},
			{"DELETE /Clients(1)/Orders/$ref?$id=Orders(3)", ``, nil, 404, ``, "", nil, ""},
			{"PATCH /Clients", `{"@context":"#$delta","value":[{"@removed":{},"ID":2}]}`, nil, 404, ``, "/Clients/$count", nil, "2"},
			{"PATCH /Clients(1)", `{"Rating":1}`, nil, 400, `has no property`, "", nil, ""},
			{"POST /Clients", `{"Name":"x","Rating":1}`, nil, 400, `has no property`, "", nil, ""},
			{"PUT /Clients(1)/Rating", `{"value":1}`, nil, 404, `has no`, "", nil, ""},
			{"PUT /Clients(1)", `{"Name":"still rated"}`, nil, 200, ``, "/Clients(1)", []string{"Rating"}, "5"},
			{"PATCH /Clients(1)?$select=Rating", `{"Name":"y"}`, nil, 400, `Rating`, "", nil, ""},
			{"PATCH /Clients(1)", `{"Orders":[{"ID":1},{"ID":2}]}`, nil, 200, `"Title":"o1"`, "/Clients(2)/Orders/$count", nil, "1"},
		} {
			c.run(t, ctx, s)
		}
		for _, request := range []string{"PATCH /Clients(1)", "POST /Clients", "PUT /Clients(1)", "POST /Clients(1)/Praise"} {
			body := `{"Name":"z"}`
			if strings.HasSuffix(request, "Praise") {
				body = `{"Points":1}`
			}
			if a := s.do(t, ctx, request, body); a.status >= 300 || strings.Contains(a.body, "Rating") || !strings.Contains(a.body, `"Name":"z"`) {
				t.Errorf("%s: %d %s", request, a.status, a.body)
			}
		}
		a := s.do(t, ctx, "POST /Slips", `{"Text":"secret"}`, "Prefer: return=representation")
		id := "http://shop.test/shop/Slips(1)"
		if a.status != http.StatusNoContent || a.body != "" || a.header.Get("Location") != id || a.header.Get("OData-EntityId") != id || a.header.Get("Preference-Applied") != "" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	})
}

// Of two changes with the same ETag one is made and one refused.
func TestChangeRace(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for round := range 5 {
			etag := fmt.Sprintf(`W/"%d"`, round+1)
			statuses := parallel(4, func(i int) int {
				return s.do(t, t.Context(), "PATCH /Clients(1)", fmt.Sprintf(`{"Name":"n%d"}`, i), "If-Match: "+etag).status
			})
			if statuses[http.StatusOK] != 1 || statuses[http.StatusPreconditionFailed] != 3 {
				t.Errorf("round %d: %v", round, statuses)
			}
		}
		// Without an ETag each is made, and none undoes another's.
		before := s.look(t, "/Orders(1)", "Version")
		statuses := parallel(4, func(i int) int {
			return s.do(t, t.Context(), "PATCH /Orders(1)", fmt.Sprintf(`{"P%d":%d}`, i, i)).status
		})
		if got := s.look(t, "/Orders(1)", "Version", "P0", "P1", "P2", "P3"); statuses[http.StatusOK] != 4 || got != "5|0|1|2|3" {
			t.Error(statuses, before, got)
		}
		statuses = parallel(4, func(i int) int {
			return s.do(t, t.Context(), "PUT /Labels('new')", `{"Text":"x"}`, "If-None-Match: *").status
		})
		if statuses[http.StatusCreated] != 1 || statuses[http.StatusPreconditionFailed] != 3 {
			t.Error(statuses)
		}
	})
}

// parallel calls f n times at once and counts what it returned.
func parallel(n int, f func(i int) int) map[int]int {
	counts := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			status := f(i)
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	close(start)
	all.Wait()
	return counts
}
