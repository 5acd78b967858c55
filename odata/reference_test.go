package odata_test

import "testing"

func TestReferences(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		of := func(n string) string { return "/Clients(" + n + ")/Orders/$count" }
		for _, c := range []step{
			{"POST /Clients(2)/Orders/$ref", `{"@odata.id":"http://shop.test/shop/Orders(1)"}`, nil, 204, ``, of("2"), nil, "2"},
			{"POST /Clients(2)/Orders/$ref", `{"@odata.context":"x","@id":"Orders(1)"}`, nil, 204, ``, of("2"), nil, "2"},
			{"POST /Clients(2)/Orders/$ref", `{"@id":"Orders(2)"}`, []string{"OData-Version: 4.0"}, 204, ``, of("2"), nil, "3"},
			{"POST /Clients(2)/Orders/$ref", `{"@id":"Orders(9)"}`, nil, 400, `no entity`, "", nil, ""},
			{"POST /Clients(2)/Orders/$ref", `{"@id":"Clients(1)"}`, nil, 400, `type Order`, "", nil, ""},
			{"POST /Clients(2)/Orders/$ref", `{"@id":"Orders(1)","Title":"x"}`, nil, 400, `expected a reference`, "", nil, ""},
			{"POST /Clients(2)/Orders/$ref", `{"ID":1}`, nil, 400, `expected a reference`, "", nil, ""},
			{"POST /Clients(9)/Orders/$ref", `{"@id":"Orders(1)"}`, nil, 404, ``, "", nil, ""},
			{"POST /Clients(2)/Orders/$ref", `{"@id":"Orders(1)"}`, []string{`If-Match: W/"9"`}, 412, ``, "", nil, ""},
			// Removed in the manner of 4.0 and of 4.01.
			{"DELETE /Clients(2)/Orders/$ref?$id=http://shop.test/shop/Orders(1)", ``, nil, 204, ``, of("2"), nil, "2"},
			{"DELETE /Clients(2)/Orders/$ref?$id=Orders(1)", ``, nil, 404, `does not refer`, of("2"), nil, "2"},
			{"DELETE /Clients(2)/Orders/$ref?$id=nonsense", ``, nil, 404, ``, "", nil, ""},
			{"DELETE /Clients(2)/Orders(2)/$ref", ``, nil, 204, ``, of("2"), nil, "1"},
			{"DELETE /Clients(2)/Orders(2)/$ref", ``, nil, 404, ``, of("2"), nil, "1"},
			{"GET /Orders(2)", ``, nil, 200, `"ClientID":null`, "", nil, ""},
			// All of a collection.
			{"PUT /Clients(2)/Orders/$ref", `{"value":[{"@id":"Orders(1)"},{"@odata.id":"Orders(2)"}]}`, nil, 204, ``, of("2"), nil, "2"},
			{"PUT /Clients(2)/Orders/$ref", `{"value":[{"@id":"Orders(9)"}]}`, nil, 400, ``, of("2"), nil, "2"},
			{"PUT /Clients(2)/Orders/$ref", `{"@id":"Orders(1)"}`, nil, 400, `called value`, "", nil, ""},
			{"DELETE /Clients(2)/Orders/$ref", ``, nil, 204, ``, of("2"), nil, "0"},
			// Single ones.
			{"PUT /Orders(1)/Client/$ref", `{"@odata.id":"Clients(1)"}`, nil, 204, ``, "/Orders(1)", []string{"ClientID"}, "1"},
			{"PUT /Orders(1)/Client/$ref", `{"@odata.id":"Clients(9)"}`, nil, 400, ``, "", nil, ""},
			{"PUT /Orders(1)/Client/$ref?$id=Clients(1)", `{"@odata.id":"Clients(1)"}`, nil, 400, `$id`, "", nil, ""},
			{"DELETE /Orders(1)/Client/$ref?$id=Clients(1)", ``, nil, 400, `$id`, "", nil, ""},
			{"DELETE /Orders(1)/Client/$ref", ``, nil, 204, ``, "/Orders(1)", []string{"ClientID"}, "<nil>"},
			{"DELETE /Lines(1)/Order/$ref", ``, nil, 400, `cannot be null`, "", nil, ""},
			{"PUT /Lines(1)/Order/$ref", `{"@id":"Orders(2)"}`, nil, 204, ``, "/Orders(2)/Lines/$count", nil, "1"},
			{"POST /Orders(1)/Client/$ref", `{"@id":"Clients(1)"}`, nil, 405, `GET, PUT, DELETE`, "", nil, ""},
			{"PUT /Clients(1)/Account/$ref", `{"@id":"Accounts(1)"}`, nil, 400, ``, "", nil, ""},
			{"POST /Accounts", `{"IBAN":"a"}`, nil, 201, ``, "", nil, ""},
			{"PUT /Clients(1)/Account/$ref", `{"@id":"Accounts(1)"}`, nil, 204, ``, "/Clients(1)/Account", []string{"IBAN"}, "a"},
			{"DELETE /Clients(1)/Account/$ref", ``, nil, 204, ``, "/Accounts(1)", []string{"ClientID"}, "<nil>"},
			{"POST /Clients(1)/Entries/$ref", `{"@id":"Entries(1)"}`, nil, 400, ``, "", nil, ""},
			{"PUT /Clients/$ref", `{}`, nil, 501, `$ref`, "", nil, ""},
		} {
			c.run(t, t.Context(), s)
		}
	})
}

func TestDeltaPayload(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for _, c := range []step{
			{
				"PATCH /Clients", `{"@context":"#$delta","value":[
				{"Name":"C","Orders@delta":[{"@id":"Orders(3)"},{"Title":"c1"}]},
				{"ID":1,"Name":"AA"},
				{"@removed":{"reason":"deleted"},"@id":"Clients(2)"},
				{"@context":"#Clients/$link","source":"Clients(1)","relationship":"Orders","target":"Orders(3)"},
				{"@context":"#Clients/$deletedLink","source":"Clients(1)","relationship":"Orders","target":"Orders(2)"}]}`, nil, 200,
				`{"@odata.context":"http://shop.test/shop/$metadata#Clients/$delta","value":[{"@odata.etag":"W/\"1\"","ID":3,"Name":"C","Region":"north","Rating":null,"Version":1},` +
					`{"@odata.etag":"W/\"2\"","ID":1,"Name":"AA","Region":"north","Rating":5,"Version":2},{"@removed":{"reason":"deleted"},"@id":"http://shop.test/shop/Clients(2)","ID":2}]}`,
				"/Clients(1)/Orders/$count", nil, "2",
			},
			{"GET /Clients(2)", ``, nil, 404, ``, "/Clients(3)/Orders/$count", nil, "1"},
			{"PATCH /Clients", `{"@odata.context":"http://shop.test/shop/$metadata#Clients/$delta","value":[{"ID":3,"Orders":[]},{"@odata.context":"#Clients/$deletedEntity","id":"Clients(3)","reason":"deleted"}]}`, []string{"Prefer: return=minimal"}, 204, `Preference-Applied: return=minimal`, "/Clients/$count", nil, "1"},
			{"PATCH /Clients", `{"@context":"#$delta","value":[{"ID":1,"Name":"gone"},{"Name":"bad"}]}`, nil, 400, `"target":"value/1/Name"`, "/Clients(1)", []string{"Name"}, "AA"},
			{"PATCH /Clients", `{"@context":"#$delta","value":[{"ID":99,"Name":"x"}]}`, nil, 404, `value/0`, "", nil, ""},
			{"PATCH /Clients", `{"@context":"#$delta","value":[{"@removed":{},"Name":"x"}]}`, nil, 400, `id or key`, "", nil, ""},
			{"PATCH /Clients", `{"@context":"#$delta","value":[{"ID":1,"@etag":"W/\"9\"","Name":"x"}]}`, nil, 412, `value/0`, "", nil, ""},
			{"PATCH /Clients", `{"@context":"#$delta","value":[{"@context":"#Clients/$link","source":"Clients(1)","relationship":"Nope","target":"Orders(3)"}]}`, nil, 400, `Nope`, "", nil, ""},
			{"PATCH /Clients", `{"value":[]}`, nil, 400, `#$delta`, "", nil, ""},
			{"PATCH /Clients", `{"@context":"#$delta","value":{}}`, nil, 400, `#$delta`, "", nil, ""},
			{"PATCH /Clients", `{"@context":"#$delta","value":[5]}`, nil, 400, `value/0`, "", nil, ""},
			{"PATCH /Clients?$filter=true", `{"@context":"#$delta","value":[]}`, nil, 400, `$filter`, "", nil, ""},
			{"PATCH /Labels", `{"@context":"#$delta","value":[{"Code":"new","Text":"N"},{"Code":"red","Text":"R","@etag":"W/\"1\""}]}`, nil, 200, `"Code":"new"`, "/Labels('red')", []string{"Text"}, "R"},
			{"PATCH /Labels", `{"@context":"#$delta","value":[{"Code":"other","@etag":"*"}]}`, nil, 412, ``, "/Labels('other')", nil, "404"},
			// The collection of what is related to one entity.
			{"PATCH /Clients(1)/Orders", `{"@context":"#$delta","value":[{"Title":"n"},{"@id":"Orders(2)"},{"@removed":{"reason":"changed"},"ID":1}]}`, nil, 200, ``, "/Clients(1)/Orders/$count", nil, "3"},
			{"GET /Orders(1)", ``, nil, 200, `"ClientID":null`, "", nil, ""},
			{"PATCH /Entries", `{"@context":"#$delta","value":[]}`, nil, 405, ``, "", nil, ""},
		} {
			c.run(t, t.Context(), s)
		}
	})
}
