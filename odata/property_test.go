package odata_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestPut(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		shown := []string{"ID", "ClientID", "Title", "Count", "Tags", "Settings", "Color", "Placed", "Version"}
		for _, c := range []step{
			// What is not given takes its default; the key, what is computed or immutable
			// and the relation stay.
			{"PUT /Orders(1)", `{"ID":9,"Title":"put","Placed":"phone","Version":50,"Size":4}`, nil, 200, `"Size":4`, "/Orders(1)", shown, "1|1|put|1|[]|map[]|<nil>|web|2"},
			{"PUT /Orders(1)", `{"Count":2}`, nil, 400, `Title is required`, "/Orders(1)", []string{"Title"}, "put"},
			{"PUT /Orders(1)", `{"Title":"x"}`, []string{`If-Match: W/"1"`}, 412, ``, "", nil, ""},
			{"PUT /Orders(1)", `{"Title":"x"}`, []string{`If-Match: *`, "Prefer: return=minimal"}, 204, `OData-EntityId: http://shop.test/shop/Orders(1)`, "/Orders(1)", []string{"Title", "Version"}, "x|3"},
			{"PUT /Orders(77)", `{"Title":"x"}`, nil, 404, ``, "", nil, ""},
			{"PATCH /Orders(1)", `{"Title":null}`, nil, 400, `Title cannot be null`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Title":"` + strings.Repeat("x", 21) + `"}`, nil, 400, `longer than 20`, "", nil, ""},
			{"PATCH /Orders(1)?$select=Title&$expand=Client($select=Name)", `{"Count":5}`, nil, 200, `"Title":"x","Client":{`, "", nil, ""},
			{"PATCH /Orders(1)?$select=Title", `{"Count":5}`, []string{"Prefer: return=minimal"}, 204, `Preference-Applied: return=minimal`, "", nil, ""},
			{"PATCH /Clients(1)?$select=Nope", `{"Name":"no"}`, nil, 400, `Nope`, "/Clients(1)", []string{"Name"}, "A"},
			{"PATCH /Orders(1)?$filter=true", `{"Count":6}`, nil, 400, `$filter`, "", nil, ""},
			{"PATCH /Orders(1)?$id=Orders(2)", `{"Count":6}`, nil, 400, `$id`, "", nil, ""},
			{"POST /Orders?$select=Title", `{"Title":"sel"}`, []string{"Prefer: return=representation"}, 201, `Preference-Applied: return=representation`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Data":"-_8"}`, nil, 200, ``, "", nil, ""},
			{"PATCH /Orders(1)", `{"Data":"*"}`, nil, 400, `expected Edm.Binary`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Price":"1.5"}`, nil, 400, `expected Edm.Double`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Price":"1.5"}`, []string{"Content-Type: application/json;IEEE754Compatible=true;charset=UTF-8"}, 200, `"Price":1.5`, "", nil, ""},
			{"PATCH /Orders(1)", `{"@My.Term":5,"Count@Other.Term":{"a":1},"@odata.context":"x","Count":8}`, nil, 200, `"Count":8`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Ship":{"@odata.type":"#Shop.Client"}}`, nil, 400, `expected Shop.Address`, "", nil, ""},
			{"PATCH /Orders(1)", `{}`, []string{"Content-Type: text/plain"}, 415, ``, "", nil, ""},
			{"PATCH /Orders(1)", `{}`, []string{"Content-Type: application/json;charset=latin1"}, 415, `UTF-8`, "", nil, ""},
			{"PATCH /Orders(1)", `{}`, []string{"Content-Encoding: br"}, 415, ``, "", nil, ""},
			{"DELETE /Orders(3)", ``, []string{`If-None-Match: W/"1"`}, 412, ``, "", nil, ""},
			{"PATCH /Orders(1)", `{}`, []string{"OData-Version: 5.0"}, 400, `4.01`, "", nil, ""},
			{"PATCH /Orders(1)", `{"Dynamic":1e999}`, nil, 400, `out of range`, "", nil, ""},
			{"PATCH /Orders(1)", `{"":1}`, nil, 400, `no name`, "", nil, ""},
			{"PATCH /Orders(1)/Client", `{"Name":"via"}`, nil, 200, `#Clients/$entity`, "/Clients(1)", []string{"Name"}, "via"},
			{"PATCH /Orders(1)/Client", `{"Name":"via"}`, []string{`If-Match: W/"1"`}, 412, ``, "", nil, ""},
		} {
			c.run(t, t.Context(), s)
		}
	})
}

func TestUpsert(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for _, c := range []step{
			{"PUT /Labels('green')", `{"Text":"Green","Since":"2026"}`, nil, 201, `"Code":"green"`, "/Labels('green')", []string{"Text", "Since", "Version"}, "Green|2026|1"},
			{"PATCH /Labels(Code='it''s%2F%C3%A9')", `{"Code":"else","Text":"Q"}`, []string{"Prefer: return=minimal"}, 204, `OData-EntityId: http://shop.test/shop/Labels('it''s%2F%C3%A9')`, "/Labels('it''s%2F%C3%A9')", []string{"Text"}, "Q"},
			{"PATCH /Labels('none')", `{"Text":"x"}`, []string{"If-Match: *"}, 412, ``, "/Labels('none')", nil, "404"},
			{"PATCH /Labels('none')", `{"Text":"x"}`, []string{`If-Match: W/"1"`}, 412, ``, "/Labels('none')", nil, "404"},
			{"PUT /Labels('red')", `{"Text":"x"}`, []string{"If-None-Match: *"}, 412, ``, "/Labels('red')", []string{"Text"}, "Red"},
			{"PUT /Labels('red')", `{"Text":"x"}`, nil, 428, `precondition_required`, "/Labels('red')", []string{"Text"}, "Red"},
			{"DELETE /Labels('red')", ``, nil, 428, ``, "", nil, ""},
			{"PUT /Labels('red')", `{"Text":"x","Since":"2030"}`, []string{`If-Match: "1"`}, 200, ``, "/Labels('red')", []string{"Text", "Rank", "Since"}, "x|0|2020"},
			{"POST /Labels", `{"Code":"red"}`, nil, 409, `already`, "", nil, ""},
			{"PATCH /Labels(@k)?@k='aliased'", `{"Text":"x"}`, []string{"If-None-Match: *"}, 201, `"Code":"aliased"`, "", nil, ""},
			{"PUT /Labels('a%00b')", `{"Text":"x"}`, nil, 400, ``, "", nil, ""},
			{"PUT /Labels(5)", `{"Text":"x"}`, nil, 404, ``, "", nil, ""},
			{"PUT /Clients(77)", `{"Name":"x"}`, []string{"If-None-Match: *"}, 404, ``, "/Clients/$count", nil, "2"},
		} {
			c.run(t, t.Context(), s)
		}
	})
}

func TestProperties(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		plain := "Content-Type: text/plain"
		for _, c := range []step{
			{"PUT /Orders(1)/Title", `{"@odata.context":"x","value":"new"}`, nil, 204, `ETag: W/"2"`, "/Orders(1)", []string{"Title", "Count"}, "new|7"},
			{"PATCH /Orders(1)/Count", `{"value":8}`, []string{"Prefer: return=representation"}, 200, `{"@odata.context":"http://shop.test/shop/$metadata#Orders(1)/Count","value":8}`, "", nil, ""},
			{"PUT /Orders(1)/Count", `{"value":"8"}`, nil, 400, `"target":"Count"`, "", nil, ""},
			{"PUT /Orders(1)/Count", `{"value":null}`, nil, 400, `cannot be null`, "", nil, ""},
			{"PUT /Orders(1)/Count", `{"Count":3}`, nil, 400, `"value"`, "", nil, ""},
			{"PUT /Orders(1)/Count", `{"value":9}`, []string{`If-Match: W/"1"`}, 412, ``, "", nil, ""},
			{"PUT /Orders(1)/ID", `{"value":9}`, nil, 400, `cannot be changed`, "", nil, ""},
			{"PUT /Orders(1)/Version", `{"value":9}`, nil, 400, `cannot be changed`, "", nil, ""},
			{"PUT /Orders(1)/Placed/$value", `x`, []string{plain}, 400, `cannot be changed`, "", nil, ""},
			{"POST /Orders(1)/Count", `{"value":9}`, nil, 405, `PUT, PATCH, DELETE`, "", nil, ""},
			{"PUT /Orders(1)/Nope", `{"value":9}`, nil, 204, ``, "/Orders(1)", []string{"Nope"}, "9"},
			{"PUT /Orders(77)/Count", `{"value":9}`, nil, 404, ``, "", nil, ""},
			{"PUT /Clients(1)/Nope", `{"value":9}`, nil, 404, ``, "", nil, ""},
			{"PUT /Entries(1)/Text", `{"value":"x"}`, nil, 405, ``, "", nil, ""},
			{"DELETE /Orders(1)/ClientID", ``, nil, 204, ``, "/Orders(1)", []string{"ClientID"}, "<nil>"},
			{"DELETE /Orders(1)/Count", ``, nil, 400, `cannot be null`, "", nil, ""},
			// Raw values.
			{"PUT /Orders(1)/Title/$value", `ראש`, []string{plain + ";charset=utf-8"}, 204, ``, "/Orders(1)", []string{"Title"}, "ראש"},
			{"PUT /Orders(1)/Count/$value", `11`, []string{plain}, 204, ``, "/Orders(1)", []string{"Count"}, "11"},
			{"PUT /Orders(1)/Count/$value", `1.5`, []string{plain}, 400, `Edm.Int32`, "", nil, ""},
			{"PUT /Orders(1)/Count/$value", `99999999999`, []string{plain}, 400, `Edm.Int32`, "", nil, ""},
			{"PUT /Orders(1)/Price/$value", `2.5`, []string{plain}, 204, ``, "/Orders(1)", []string{"Price"}, "2.5"},
			{"PUT /Orders(1)/Due/$value", `2026-01-02T03:04:05+02:00`, []string{plain}, 204, ``, "/Orders(1)", []string{"Due"}, "2026-01-02T01:04:05.000000Z"},
			{"PUT /Orders(2)/Data/$value", "\x00\xff", []string{"Content-Type: application/octet-stream"}, 204, ``, "", nil, ""},
			{"PUT /Orders(1)/Title/$value", "a\x00b", []string{plain}, 400, `U+0000`, "", nil, ""},
			{"PUT /Orders(1)/Title/$value", "\xff", []string{plain}, 400, `UTF-8`, "", nil, ""},
			{"PUT /Orders(1)/Title/$value", strings.Repeat("x", 21), []string{plain}, 400, `longer than 20`, "", nil, ""},
			{"PUT /Orders(1)/Title/$value", `{}`, []string{"Content-Type: application/json"}, 415, ``, "", nil, ""},
			{"PUT /Orders(1)/Title/$value", `x`, []string{plain + ";charset=latin1"}, 415, ``, "", nil, ""},
			{"DELETE /Orders(1)/Price/$value", ``, nil, 204, ``, "/Orders(1)", []string{"Price"}, "<nil>"},
			{"PUT /Orders(1)/Ship/$value", `x`, []string{plain}, 404, `not primitive`, "", nil, ""},
			// Collections.
			{"PUT /Orders(1)/Tags", `{"value":["a","b"]}`, nil, 204, ``, "/Orders(1)", []string{"Tags"}, "[a b]"},
			{"POST /Orders(1)/Tags", `{"value":"c"}`, []string{"Prefer: return=representation"}, 200, `"value":["a","b","c"]`, "", nil, ""},
			{"POST /Orders(1)/Tags", `{"value":5}`, nil, 400, ``, "", nil, ""},
			{"POST /Orders(1)/Tags", `{"value":null}`, nil, 400, ``, "", nil, ""},
			{"PATCH /Orders(1)/Tags", `{"value":["z"]}`, nil, 405, `POST, PUT, DELETE`, "", nil, ""},
			{"DELETE /Orders(1)/Tags", ``, nil, 204, ``, "/Orders(1)", []string{"Tags"}, "[]"},
			// Complex properties: PATCH merges, at every depth, PUT replaces.
			{"PATCH /Orders(1)", `{"Ship":{"City":"Acre"}}`, nil, 200, ``, "/Orders(1)", []string{"Ship"}, "map[City:Acre Street:Main St Zip:31000]"},
			{"PATCH /Orders(1)/Ship", `{"@odata.type":"#Shop.Address","Street":"Port St"}`, nil, 204, ``, "/Orders(1)", []string{"Ship"}, "map[City:Acre Street:Port St Zip:31000]"},
			{"PUT /Orders(1)/Ship/City", `{"value":"Tyre"}`, nil, 204, ``, "/Orders(1)", []string{"Ship"}, "map[City:Tyre Street:Port St Zip:31000]"},
			{"DELETE /Orders(1)/Ship/Zip", ``, nil, 204, ``, "/Orders(1)", []string{"Ship"}, "map[City:Tyre Street:Port St Zip:<nil>]"},
			{"DELETE /Orders(1)/Ship/City", ``, nil, 400, `"target":"Ship/City"`, "", nil, ""},
			{"PUT /Orders(1)/Ship/City/$value", `Sidon`, []string{plain}, 204, ``, "/Orders(1)", []string{"Ship"}, "map[City:Sidon Street:Port St Zip:<nil>]"},
			{"PUT /Orders(1)/Ship", `{"City":"Jaffa"}`, []string{"Prefer: return=representation"}, 200, `#Orders(1)/Ship","Street":"","City":"Jaffa","Zip":null}`, "", nil, ""},
			{"PUT /Orders(1)/Ship/Town", `{"value":"x"}`, nil, 404, ``, "", nil, ""},
			{"PATCH /Orders(1)", `{"Settings":{"b":"3","c":"4","a":null}}`, nil, 200, ``, "/Orders(1)", []string{"Settings"}, "map[b:3 c:4]"},
			{"PUT /Orders(1)/Settings/d", `{"value":"5"}`, nil, 204, ``, "/Orders(1)", []string{"Settings"}, "map[b:3 c:4 d:5]"},
			{"PUT /Orders(1)/Settings/d", `{"value":5}`, nil, 400, ``, "", nil, ""},
			{"DELETE /Orders(1)/Settings/b", ``, nil, 204, ``, "/Orders(1)", []string{"Settings"}, "map[c:4 d:5]"},
			{"PUT /Orders(1)/Settings", `{"z":"1"}`, nil, 204, ``, "/Orders(1)", []string{"Settings"}, "map[z:1]"},
			// Dynamic properties.
			{"PUT /Orders(1)/Color", `{"value":"blue"}`, nil, 204, ``, "/Orders(1)", []string{"Color", "Size"}, "blue|3"},
			{"PUT /Orders(1)/Color/$value", `teal`, []string{plain}, 204, ``, "/Orders(1)", []string{"Color"}, "teal"},
			{"DELETE /Orders(1)/Color", ``, nil, 204, ``, "/Orders(1)", []string{"Color", "Size"}, "<nil>|3"},
		} {
			c.run(t, t.Context(), s)
		}
	})
}

func TestPropertyPointer(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		if a := s.do(t, t.Context(), "PATCH /Orders(1)", `{"Bill":{"City":"Rome"}}`); a.status != http.StatusOK {
			t.Fatal(a.body)
		}
		for _, c := range []step{
			{"PATCH /Orders(1)", `{"Bill":{"Street":"Via"}}`, nil, 200, ``, "/Orders(1)", []string{"Bill"}, "map[City:Rome Street:Via Zip:<nil>]"},
			{"PUT /Orders(1)/Bill/City", `{"value":"Pisa"}`, nil, 204, ``, "/Orders(1)", []string{"Bill"}, "map[City:Pisa Street:Via Zip:<nil>]"},
			{"PUT /Orders(1)/Bill", `{"City":"Bari"}`, nil, 204, ``, "/Orders(1)", []string{"Bill"}, "map[City:Bari Street: Zip:<nil>]"},
			{"PUT /Orders(2)/Bill/City", `{"value":"Pisa"}`, nil, 404, `Bill is null`, "", nil, ""},
		} {
			c.run(t, t.Context(), s)
		}
	})
}
