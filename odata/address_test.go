package odata_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestAddressing: what paths lead to, in the archive.
func TestAddressing(t *testing.T) {
	const meta = `{"@odata.context":"http://shop.test/shop/$metadata#`
	eachArchive(t, func(t *testing.T, s *shop) {
		for _, c := range []struct {
			path   string
			status int
			want   string // of the body: all of it, or a part of an error's
		}{
			// Properties.
			{"/Books('a')/Title", 200, meta + `Books('a')/Title","value":"First"}`},
			{"/Books('a')/Pages", 200, meta + `Books('a')/Pages","value":9223372036854775807}`},
			{"/Books('a')/Pages?$format=application/json;IEEE754Compatible=true", 200, meta + `Books('a')/Pages","value":"9223372036854775807"}`},
			{"/Books('a')/Printed?$format=application/json;odata.metadata=full", 200, meta + `Books('a')/Printed","@odata.type":"#DateTimeOffset","value":"1990-05-01T08:30:00.000000Z"}`},
			{"/Books('a')/Title?$format=application/json;odata.metadata=none", 200, `{"value":"First"}`},
			{"/Copies(VolumeCode='a',Number=1)/Lent", 200, meta + `Copies(VolumeCode='a',Number=1)/Lent","value":false}`},
			{"/Books('a')/Sizes", 200, meta + `Books('a')/Sizes","value":[1,-9223372036854775808]}`},
			{"/Books('ספר')/Sizes", 200, meta + `Books('%D7%A1%D7%A4%D7%A8')/Sizes","value":[]}`},
			{"/Books('a')/Cover", 200, meta + `Books('a')/Cover","Colour":"red","Grams":5,"Foil":{"Name":"gold","Parts":[7]}}`},
			{"/Books('a')/Cover/Foil/Parts", 200, meta + `Books('a')/Cover/Foil/Parts","value":[7]}`},
			{"/Books('a')/Cover/Foil?$format=application/json;odata.metadata=full", 200, meta + `Books('a')/Cover/Foil","@odata.type":"#Archive.Foil","Name":"gold","Parts@odata.type":"#Collection(Int64)","Parts":[7]}`},
			{"/Books('a')/Cover/Grams?$format=application/json;IEEE754Compatible=true", 200, meta + `Books('a')/Cover/Grams","value":"5"}`},
			{"/Books('a')/Shelf", 200, meta + `Books('a')/Shelf","value":"A1"}`},
			{"/Books('a')/Lost", 204, ""},
			{"/Books('a')/Nothing", 204, ""}, // the type is open
			{"/Books('ספר')/Printed", 204, ""},
			{"/Books('ספר')/Cover/Foil", 204, ""},
			{"/Books('ספר')/Cover/Foil/Name", 204, ""},
			{"/Books('ספר')/Weight", 200, meta + `Books('%D7%A1%D7%A4%D7%A8')/Weight","value":"-INF"}`},
			{"/Books('b')/Title", 404, "no entity with this key"},
			{"/Copies(VolumeCode='a',Number=1)/Nothing", 404, `no navigation property or action`},
			{"/Books('a')/Title/x", 404, `Title has no member \"x\"`},
			{"/Books('a')/Cover/x", 404, `Cover has no member \"x\"`},
			{"/Books/Title", 404, "name one entity of Books by its key"},
			{"/Books('a')/Title?$top=1", 400, "$top does not apply to Title"},
			{"/Books('a')/Sizes?$top=1", 501, "$top on a property is not served"},
			{"/Books('a')/Title/", 200, meta + `Books('a')/Title","value":"First"}`},
			{"/Copies(VolumeCode='a',Number=1)/Volume/Title", 200, meta + `Books('a')/Title","value":"First"}`},
			{"/Books('it''s%2F50%25%3F')/Title", 200, meta + `Books('it''s%2F50%25%3F')/Title","value":"Second"}`},
			// Raw values.
			{"/Books('a')/Title/$value", 200, "First"},
			{"/Books('a')/Pages/$value", 200, "9223372036854775807"},
			{"/Books('a')/Printed/$value", 200, "1990-05-01T08:30:00.000000Z"},
			{"/Books('a')/Weight/$value", 200, "0.5"},
			{"/Copies(VolumeCode='a',Number=2)/Lent/$value", 200, "true"},
			{"/Copies(VolumeCode='a',Number=2)/Place/$value", 204, ""},
			{"/Books('a')/Cover/Colour/$value", 200, "red"},
			{"/Books('a')/Shelf/$value", 200, "A1"},
			{"/Books('a')/Cover/$value", 404, "Cover has no raw value"},
			{"/Books('a')/Title/$value/x", 404, "nothing is below"},
			{"/Books('a')/$value", 501, "media streams"},
			// Counts.
			{"/Books('a')/Sizes/$count", 200, "2"},
			{"/Books('a')/Sizes/$count?$filter=$this gt 0", 200, "1"},
			{"/Books('a')/Editions/$count?$filter=Year eq 1990", 200, "1"},
			{"/Books('ספר')/Sizes/$count", 200, "0"},
			{"/Books('b')/Sizes/$count", 404, "no entity with this key"},
			{"/Books('a')/Title/$count", 501, "$count is not served here"},
			{"/Books('a')/Copies/$count", 200, "2"},
			{"/Books('a')/Copies/$count?$filter=Lent", 200, "1"},
			// References.
			{"/Books('a')/Copies/$ref", 200, meta + `Collection($ref)","value":[{"@odata.id":"Copies(VolumeCode='a',Number=1)"},{"@odata.id":"Copies(VolumeCode='a',Number=2)"}]}`},
			{"/Books('a')/Copies/$ref?$filter=Lent&$count=true", 200, meta + `Collection($ref)","@odata.count":1,"value":[{"@odata.id":"Copies(VolumeCode='a',Number=2)"}]}`},
			{"/Books/$ref?$top=1&$orderby=Title desc", 200, meta + `Collection($ref)","value":[{"@odata.id":"Books('%D7%A1%D7%A4%D7%A8')"}]}`},
			{"/Copies(VolumeCode='a',Number=1)/Volume/$ref", 200, meta + `$ref","@odata.id":"Books('a')"}`},
			{"/Copies(VolumeCode='a',Number=1)/$ref?$format=application/json;odata.metadata=none", 200, `{"@odata.id":"http://shop.test/shop/Copies(VolumeCode='a',Number=1)"}`},
			{"/Books('a')/Copies(2)/$ref", 200, meta + `$ref","@odata.id":"Copies(VolumeCode='a',Number=2)"}`},
			{"/Books('a')/Copies(7)/$ref", 404, "no entity with this key"},
			{"/Books('b')/Copies/$ref", 404, "no entity with this key"},
			{"/Books('a')/Copies/$ref?$select=Place", 400, "$select does not apply to references"},
			{"/Books('a')/Title/$ref", 501, "$ref is not served here"},
			// Entities by their ids.
			{"/$entity?$id=Copies(VolumeCode='a',Number=1)&$select=Place", 200, meta + `Copies(Place)/$entity","@odata.id":"Copies(VolumeCode='a',Number=1)","Place":"hall"}`},
			{"/$entity?$id=http://shop.test/shop/Copies(VolumeCode='a',Number=1)&$select=Place,VolumeCode,Number", 200, meta + `Copies(VolumeCode,Number,Place)/$entity","VolumeCode":"a","Number":1,"Place":"hall"}`},
			{"/$entity?$id=/shop/Books('a')/Copies(1)&$select=Lent&$expand=Volume($select=Title)", 200, meta + `Copies(Lent,Volume(Title))/$entity","@odata.id":"Copies(VolumeCode='a',Number=1)","Lent":false,"Volume":{"@odata.id":"Books('a')","@odata.etag":"W/\"1\"","Title":"First"}}`},
			{"/$entity/Archive.Copy?$id=Copies(VolumeCode='a',Number=1)&$select=Lent", 200, meta + `Copies(Lent)/$entity","@odata.id":"Copies(VolumeCode='a',Number=1)","Lent":false}`},
			{"/$entity/Archive.Volume?$id=Copies(VolumeCode='a',Number=1)", 404, "not of the type"},
			{"/$entity?$id=Books('b')", 404, "no entity with this key"},
			{"/$entity?$id=Books", 404, "not the id"},
			{"/$entity?$id=http://elsewhere.test/shop/Books('a')", 404, "not the id"},
			{"/$entity?$id=/other/Books('a')", 404, "not the id"},
			{"/$entity?$id=$entity", 404, "not the id"},
			{"/$entity", 400, "needs the query option $id"},
			{"/Books?$id=Books('a')", 400, "$id"},
			// Keys.
			{"/Books(Code='a')?$select=Code", 200, meta + `Books(Code)/$entity","@odata.etag":"W/\"1\"","Code":"a"}`},
			{"/Books(@k)?@k='a'&$select=Code", 200, meta + `Books(Code)/$entity","@odata.etag":"W/\"1\"","Code":"a"}`},
			{"/Books(Code=@k)?@k='it''s/50%25?'&$select=Code", 200, meta + `Books(Code)/$entity","@odata.etag":"W/\"2\"","Code":"it's/50%?"}`},
			{"/Books(%27it%27%27s%2F50%25%3F%27)?$select=Code", 200, meta + `Books(Code)/$entity","@odata.etag":"W/\"2\"","Code":"it's/50%?"}`},
			{"/Books('%D7%A1%D7%A4%D7%A8')?$select=Code", 200, meta + `Books(Code)/$entity","@odata.etag":"W/\"3\"","Code":"ספר"}`},
			{"/Copies(Number=1,VolumeCode='a')?$select=Place", 200, meta + `Copies(Place)/$entity","@odata.id":"Copies(VolumeCode='a',Number=1)","Place":"hall"}`},
			{"/Copies(Number=@n,VolumeCode=@c)?@n=1&@c='a'&$select=Place", 200, meta + `Copies(Place)/$entity","@odata.id":"Copies(VolumeCode='a',Number=1)","Place":"hall"}`},
			{"/Books('a')/Copies(VolumeCode='a',Number=1)/Place/$value", 200, "hall"},
			{"/Books('a')/Copies(Number=1)/Place/$value", 200, "hall"},
			{"/Books('a')/Copies(1)/Place/$value", 200, "hall"},
			{"/Books('a')/Copies(VolumeCode='it''s%2F50%25%3F',Number=1)", 404, ""},
			{"/Books('a')/Copies(VolumeCode='a')", 404, ""},
			{"/Books('a')/Copies()", 404, ""},
			{"/Copies(VolumeCode='a')", 404, ""},
			{"/Copies('a',1)", 404, ""},
			{"/Copies(Number=1,Number=1)", 404, ""},
			{"/Copies(VolumeCode='a',Number=1,Lent=false)", 404, ""},
			{"/Books(@none)", 404, ""},
			{"/Books(@k)?@k=Code", 404, ""},
			{"/Books(Code)", 404, ""},
			{"/Books(Code=Code)", 404, ""},
			{"/Books()", 404, ""},
			{"/Books(5)", 404, ""},
			// Conditions in the path.
			{"/Copies/$filter(Lent)?$select=Number", 200, meta + `Copies(Number)","value":[{"@odata.id":"Copies(VolumeCode='a',Number=2)","Number":2}]}`},
			{"/Copies/$filter(@p)/$filter(@q)/$count?@p=Number eq 1&@q=Place eq 'hall'", 200, "1"},
			{"/Copies/$filter(@p)/$count?@p=Number eq 1&$filter=VolumeCode ne 'a'", 200, "1"},
			{"/Copies/$filter(Place%20eq%20'hall'%20and%20Number%20lt%202)/$ref", 200, meta + `Collection($ref)","value":[{"@odata.id":"Copies(VolumeCode='a',Number=1)"}]}`},
			{"/Books('a')/Copies/$filter(Number gt 1)/$count", 200, "1"},
			{"/Copies/$filter(Volume%2FTitle eq 'Second')/$count", 200, "1"},
			{"/Copies/$filter(Nope eq 1)", 400, `has no property`},
			{"/Copies/$filter(Number eq", 400, "position"},
			{"/Copies/$filter", 400, "needs one expression"},
			{"/Copies/$filter(Lent)/$each", 405, "GET does not apply"},
			{"/Copies/$each/Return", 501, "a path after $each (Return)"},
			{"/Books('a')/$each", 501, "$each is not served here"},
			{"/Books('a')/$filter(true)", 501, "$filter is not served here"},
			// Casts, and what is not served.
			{"/Books/Archive.Volume/$count", 200, "3"},
			{"/Books/Archive.Volume('a')/Title/$value", 200, "First"},
			{"/Books('a')/Archive.Volume/Title/$value", 200, "First"},
			{"/Books/Archive.Copy", 404, "no entities of the type Archive.Copy"},
			{"/$all", 501, "$all"},
			{"/$crossjoin(Books,Copies)", 501, "$crossjoin"},
			{"/Books/$each", 405, "it takes"},
			{"/$root/Books", 501, "$root"},
			// The form of paths.
			{"/Books/", 200, ""},
			{"/Books//", 404, ""},
			{"//Books", 404, ""},
			{"/Books('a')//Copies", 404, ""},
			{"/books", 404, ""},
			{"/Books('a')/title", 404, ""},
			{"/Books('a')/Copies(1)/Volume/Copies(2)/Volume/Copies?$filter=Lent&$select=Number,VolumeCode", 200, meta + `Copies(VolumeCode,Number)","value":[{"VolumeCode":"a","Number":2}]}`},
		} {
			s.agrees(t, t.Context(), like(c.path))
			a := s.get(t, c.path)
			got := unspaced(t, a.body)
			switch {
			case a.status != c.status:
				t.Errorf("%s: got %d %s, want %d", c.path, a.status, a.body, c.status)
			case c.status >= 400 && !strings.Contains(a.body, c.want), c.status == http.StatusNoContent && got != "":
				t.Errorf("%s: got %s, want %s", c.path, a.body, c.want)
			case c.status == http.StatusOK && c.want != "" && normal(got) != normal(c.want):
				t.Errorf("%s:\n got %s\nwant %s", c.path, got, c.want)
			}
			if text := !strings.HasPrefix(c.want, "{"); c.status == http.StatusOK && c.want != "" && text != (a.header.Get("Content-Type") == "text/plain;charset=utf-8") {
				t.Errorf("%s: the answer is %s", c.path, a.header.Get("Content-Type"))
			}
		}
		for request, allow := range map[string]string{"DELETE /Books/$filter(true)": "GET"} {
			if a := s.do(t, t.Context(), request, "{}"); a.status != http.StatusMethodNotAllowed || !strings.HasPrefix(a.header.Get("Allow"), allow) {
				t.Errorf("%s: %d %v", request, a.status, a.header)
			}
		}
		// A property has its entity's ETag.
		if a := s.do(t, t.Context(), "GET /Books('a')/Title", "", `If-None-Match: W/"1"`); a.status != http.StatusNotModified {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.do(t, t.Context(), "GET /Books('a')/Title/$value", "", "Accept: application/xml"); a.status != http.StatusOK || a.header.Get("ETag") != `W/"1"` {
			t.Errorf("%d %v", a.status, a.header)
		}
		// References come in pages too.
		a := s.do(t, t.Context(), "GET /Books('a')/Copies/$ref", "", "Prefer: maxpagesize=1")
		next, _ := a.json["@odata.nextLink"].(string)
		if b := s.get(t, strings.TrimPrefix(next, "http://shop.test/shop")); b.names("@odata.id") != "Copies(VolumeCode='a',Number=2)" {
			t.Errorf("%s\n%s", a.body, b.body)
		}
	})
}

// TestHiddenProperty: a property that the caller must not see has no address.
func TestHiddenProperty(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		for path, want := range map[string]int{
			"/Makers(1)/Founded": 404, "/Makers(1)/Founded/$value": 404, "/Makers(1)/Name": 200, "/Makers(2)/Name": 404, "/Makers(1)/Secret": 404, "/Makers(1)/Hidden": 404,
			"/Products(00000000-0000-0000-0000-000000000003)/Name": 404, "/Products(00000000-0000-0000-0000-000000000003)/Tags/$count": 404,
			"/Products(00000000-0000-0000-0000-000000000001)/Maker/Founded": 404, "/Products(00000000-0000-0000-0000-000000000001)/Maker/Name": 200,
			"/Products(00000000-0000-0000-0000-000000000003)/Maker/$ref": 404, "/Reviews(1)/Stars": 403, "/$entity?$id=Makers(2)": 404, "/$entity?$id=Reviews(1)": 403,
		} {
			if a := s.do(t, as(t.Context(), 1), "GET "+path, ""); a.status != want {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		if a := s.get(t, "/Products(00000000-0000-0000-0000-000000000005)/Maker/$ref"); a.status != http.StatusNoContent {
			t.Errorf("a reference to nothing: %d %s", a.status, a.body)
		}
		if a := s.get(t, "/Products(00000000-0000-0000-0000-000000000005)/Maker/Name"); a.status != http.StatusNotFound {
			t.Errorf("a property of nothing: %d %s", a.status, a.body)
		}
	})
}

// TestQueryInBody: POST to …/$query is GET with the options in the body.
func TestQueryInBody(t *testing.T) {
	eachArchive(t, func(t *testing.T, s *shop) {
		long := "$filter=Number%20in%20(1" + strings.Repeat(",1000", 4000) + ")"
		for _, c := range []struct {
			path, contentType, body string
			status                  int
			want                    string // places
		}{
			{"/Copies/$query", "text/plain", "$filter=Lent%20eq%20false&$orderby=Place", 200, "cellar hall"},
			{"/Copies/$query?$orderby=Place desc", "text/plain; charset=utf-8", "$filter=Lent%20eq%20false", 200, "hall cellar"},
			{"/Copies/$query", "application/x-www-form-urlencoded", "%24filter=Place+eq+%27hall%27&$select=Place", 200, "hall"},
			{"/Copies/$query/", "text/plain", long, 200, "hall cellar"},
			{"/Books('a')/Copies/$query", "text/plain", "", 200, "hall null"},
			{"/Copies/$filter(@p)/$query", "text/plain", "@p=Place%20eq%20'hall'", 200, "hall"},
			{"/Copies/$query?$top=1", "text/plain", "$top=1", 400, ""},
			{"/Copies/$query", "application/json", "{}", 415, ""},
			{"/Copies/$query", "", "$top=1", 415, ""},
			{"/Copies/$query", "text/plain", "$top=1" + strings.Repeat(" ", 2<<20), 413, ""},
			{"/Nope/$query", "text/plain", "", 404, ""},
		} {
			a := s.do(t, t.Context(), "POST "+c.path, c.body, "Content-Type: "+c.contentType)
			if a.status != c.status || a.status == http.StatusOK && a.names("Place") != c.want {
				t.Errorf("%s %.60s: got %d %s", c.path, c.body, a.status, a.body)
			}
		}
		a := s.do(t, t.Context(), "POST /Copies/$query", "$select=Place", "Content-Type: text/plain", "Prefer: maxpagesize=2")
		next, _ := a.json["@odata.nextLink"].(string)
		if b := s.get(t, strings.TrimPrefix(next, "http://shop.test/shop")); b.names("Place") != "cellar" {
			t.Errorf("%s: %s", next, b.body)
		}
		if a := s.get(t, "/Copies/$query"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
			t.Errorf("%d %v", a.status, a.header)
		}
		if a := s.do(t, t.Context(), "POST /Books('a')/Title/$query", "", "Content-Type: text/plain"); !strings.Contains(a.body, "First") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
