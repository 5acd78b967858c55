package odata_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leadloop/odata"
)

func TestCreate(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		a := s.do(t, t.Context(), "POST /Makers", `{"Name":"Δέλτα <&>","Founded":"2020-01-01T02:00:00+02:00","ID":99,"Secret":"s3cret"}`)
		if a.status != http.StatusCreated || a.header.Get("Location") != "http://shop.test/shop/Makers(4)" || a.header.Get("ETag") != `W/"1"` {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		// What was answered is what is read.
		if b := s.get(t, "/Makers(4)"); b.body != a.body || !strings.Contains(b.body, `"Active":true`) || strings.Contains(b.body, "s3cret") {
			t.Errorf("created %s\n   read %s", a.body, b.body)
		}
		a = s.do(t, t.Context(), "POST /Products", `{"Name":"pear","MakerID":1,"Price":12.5,"Stock":9223372036854775807,"Color":"green","Ripe":true,"Tags":["a","ב"],"Parts":[{"Label":"x","Count":2}]}`)
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		path := strings.TrimPrefix(a.header.Get("Location"), "http://shop.test/shop")
		b := s.get(t, path)
		for _, p := range []string{"Name", "MakerID", "Price", "Stock", "Color", "Ripe", "Tags", "Parts", "At", "ID"} {
			if fmt.Sprint(a.json[p]) != fmt.Sprint(b.json[p]) {
				t.Errorf("%s: created %v, read %v", p, a.json[p], b.json[p])
			}
		}
		a = s.do(t, t.Context(), "POST /Makers", `{"Name":"E"}`, "Prefer: return=minimal")
		if a.status != http.StatusNoContent || a.body != "" || a.header.Get("OData-EntityId") == "" || a.header.Get("Preference-Applied") != "return=minimal" {
			t.Errorf("minimal: %d %v %s", a.status, a.header, a.body)
		}
	})
}

func TestBadBodies(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	for _, c := range []struct {
		request, body string
		status        int
		want          string
	}{
		{"POST /Makers", ``, 400, "empty"},
		{"POST /Makers", `{"Name":`, 400, "ends inside"},
		{"POST /Makers", `[]`, 400, "must be a JSON object, not an array"},
		{"POST /Makers", `{} {}`, 400, "more than one"},
		{"POST /Makers", `{"Name":"a","Name":"b"}`, 400, `"Name" is given twice`},
		{"POST /Makers", `{"Nme":"a"}`, 400, `Maker has no property "Nme"`},
		{"POST /Makers", `{"Name":5}`, 400, "expected Edm.String, found the number 5"},
		{"POST /Makers", `{"Name":null}`, 400, "Name cannot be null"},
		{"POST /Makers", `{}`, 400, "Name is required"},
		{"POST /Makers", `{"Name":"` + strings.Repeat("x", 51) + `"}`, 400, "longer than 50"},
		{"POST /Makers", `{"Name":"a","Active":"yes"}`, 400, "expected Edm.Boolean"},
		{"POST /Makers", `{"Name":"a","Founded":"yesterday"}`, 400, "expected Edm.DateTimeOffset"},
		{"POST /Makers", `{"Name":"a\u0000"}`, 400, "U+0000"},
		{"POST /Makers", "{\"Name\":\"\xff\"}", 400, "UTF-8"},
		{"POST /Makers", `{"Name":"a","Products":[]}`, 501, "no Options.Write"},
		{"POST /Makers", strings.Repeat(`{"Name":`, 40), 400, "nests deeper"},
		{"POST /Makers", `{"Name":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "limit Body"},
		{"POST /Products", `{"Name":"a","Stock":1.5}`, 400, "expected Edm.Int64, found the number 1.5"},
		{"POST /Products", `{"Name":"a","Stock":9223372036854775808}`, 400, "expected Edm.Int64"},
		{"POST /Products", `{"Name":"a","Parts":[{"Labl":"x"}]}`, 400, `"target":"Parts/0/Labl"`},
		{"POST /Products", `{"Name":"a","Tags":["x",5]}`, 400, `"target":"Tags/1"`},
		{"POST /Reviews", `{}`, 405, "GET"},
		{"PUT /Reviews(1)", `{}`, 405, "GET"},
		{"POST /Makers(1)", `{}`, 405, "GET, PUT, PATCH, DELETE"},
		{"DELETE /Makers", ``, 405, "GET, POST, PATCH"},
		{"POST /Makers(1)/Rename", `{"Name":""}`, 400, `"target":"Name"`},
		{"POST /Makers(1)/Rename", `{"Nme":""}`, 400, `has no property`},
		{"POST /Makers(77)/Rename", `{"Name":"x"}`, 404, "no entity with this key"},
		{"GET /Makers(1)/Rename", ``, 405, "POST"},
		{"POST /Makers(1)/Close", `{"x":1}`, 400, "takes no parameters"},
		{"POST /Makers(1)/Fail", `{}`, 500, "it has been logged"},
	} {
		a := s.do(t, t.Context(), c.request, c.body)
		if a.status != c.status || !strings.Contains(strings.ReplaceAll(a.body, `\"`, `"`), c.want) || strings.Contains(a.body, "secret trouble") {
			t.Errorf("%s %.60s: got %d %s, want %d %s", c.request, c.body, a.status, a.body, c.status, c.want)
		}
	}
	if a := s.do(t, t.Context(), "POST /Makers", `<a/>`, "Content-Type: application/xml"); a.status != http.StatusUnsupportedMediaType {
		t.Errorf("XML: %d %s", a.status, a.body)
	}
	if a := s.get(t, "/Makers/$count"); a.body != "3" {
		t.Errorf("something was stored: %s makers", a.body)
	}
}

func TestChange(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		ctx := t.Context()
		a := s.do(t, ctx, "PATCH /Makers(1)", `{"Country":null,"ID":5}`, `If-Match: W/"1"`)
		if a.status != http.StatusOK || a.header.Get("ETag") != `W/"2"` || a.body != s.get(t, "/Makers(1)").body {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		if a := s.do(t, ctx, "PATCH /Makers(1)", `{"Name":"x"}`, `If-Match: W/"1"`); a.status != http.StatusPreconditionFailed {
			t.Errorf("an old ETag: %d %s", a.status, a.body)
		}
		if a := s.do(t, ctx, "DELETE /Makers(1)", "", `If-Match: W/"1"`); a.status != http.StatusPreconditionFailed {
			t.Errorf("an old ETag: %d %s", a.status, a.body)
		}
		id := "/Products(00000000-0000-0000-0000-000000000001)"
		a = s.do(t, ctx, "PATCH "+id, `{"MakerID":2,"Color":null,"Size":"L"}`)
		if a.status != http.StatusOK || fmt.Sprintf("%v %v %v %v", a.json["MakerID"], a.json["Color"], a.json["Size"], a.json["Weight"]) != "1 <nil> L 100" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.do(t, as(ctx, 2), "PATCH "+id, `{"Name":"mine"}`); a.status != http.StatusNotFound {
			t.Errorf("another's product: %d %s", a.status, a.body)
		}
		if a := s.do(t, ctx, "DELETE /Makers(3)", "", `If-Match: W/"9", W/"3"`); a.status != http.StatusNoContent {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.get(t, "/Makers(3)"); a.status != http.StatusNotFound {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestActions(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	for _, path := range []string{"/Makers(1)/Rename", "/Makers(1)/Shop.Rename"} {
		a := s.do(t, t.Context(), "POST "+path, `{"Name":"New"}`)
		if a.status != http.StatusOK || a.json["Name"] != "New" || !strings.HasSuffix(a.json["@odata.context"].(string), "#Makers/$entity") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := s.do(t, t.Context(), "POST /Makers(1)/Close", ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestNegotiation(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	for _, c := range []struct {
		path, header string
		status       int
		contentType  string
		version      string
	}{
		{"/Makers", "Accept: application/json", 200, "application/json;odata.metadata=minimal", "4.01"},
		{"/Makers", "Accept: text/html, */*;q=0.1", 200, "application/json;odata.metadata=minimal", "4.01"},
		{"/Makers", "Accept: application/json;odata.metadata=none", 200, "application/json;odata.metadata=none", "4.01"},
		{"/Makers", "Accept: text/xml", 406, "application/json", "4.01"},
		{"/Makers?$format=atom", "", 406, "application/json", "4.01"},
		{"/Makers?$format=json", "Accept: text/xml", 200, "application/json;odata.metadata=minimal", "4.01"},
		{"/Makers", "OData-MaxVersion: 4.0", 200, "application/json;odata.metadata=minimal", "4.0"},
		{"/", "", 200, "application/json;odata.metadata=minimal", "4.01"},
		{"/$metadata", "", 200, "application/xml", "4.01"},
		{"/$metadata", "OData-MaxVersion: 4.0", 200, "application/xml", "4.0"},
		{"/$metadata?$format=json", "", 200, "application/json", "4.01"},
		{"/$metadata", "Accept: application/json", 200, "application/json", "4.01"},
		{"/$metadata?$format=yaml", "", 406, "application/json", "4.01"},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header}
		}
		a := s.do(t, t.Context(), "GET "+c.path, "", headers...)
		if a.status != c.status || a.header.Get("Content-Type") != c.contentType || a.header.Get("OData-Version") != c.version {
			t.Errorf("%s %s: %d %s %s", c.path, c.header, a.status, a.header.Get("Content-Type"), a.header.Get("OData-Version"))
		}
	}
	if a := s.do(t, t.Context(), "HEAD /Makers(1)", ""); a.status != 200 || a.body != "" || a.header.Get("ETag") == "" {
		t.Errorf("HEAD: %d %v %q", a.status, a.header, a.body)
	}
}

func TestServiceDocument(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	want := `{"@odata.context":"http://shop.test/shop/$metadata","value":[{"name":"Makers","kind":"EntitySet","url":"Makers"},{"name":"Products","kind":"EntitySet","url":"Products"},{"name":"Reviews","kind":"EntitySet","url":"Reviews"}]}`
	for _, path := range []string{"", "/"} {
		if a := s.get(t, path); strings.TrimSpace(a.body) != want {
			t.Error(a.body)
		}
	}
}
