package odata_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// TestExtensibility: what OData leaves to others changes nothing (Protocol 4.01,
// section 6): custom query options and headers, preferences and annotations that
// nobody knows.
func TestExtensibility(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for _, path := range []string{"/", "/$metadata", "/Orders?$orderby=ID", "/Orders(1)", "/Orders/$count", "/Orders(1)/Title", "/Orders(1)/Title/$value", "/Clients(1)/Orders/$ref"} {
			plain := s.get(t, path)
			mark := "?"
			if strings.Contains(path, "?") {
				mark = "&"
			}
			a := s.do(t, t.Context(), "GET "+path+mark+"sap-client=100&x.y=&debug&filters=1", "",
				"X-Requested-With: XMLHttpRequest", "X-My-Header: 1", "Prefer: my.wish=1, another; p=2", "Accept-Language: he", "OData-Unheard: x")
			if a.status != http.StatusOK || a.body != plain.body || a.header.Get("Preference-Applied") != "" {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
		annotated := `{"@My.Note":{"by":["x",1]},"@odata.unheard":1,"@unheard":null,"Title@My.Note":"x","Title":"t","Lines@Other.Note":5,"Lines":[{"@My.Note":1,"Text":"l"}]}`
		for _, c := range []step{
			{"POST /Orders?sap-client=100", annotated, []string{"X-My-Header: 1", "Prefer: my.wish"}, 201, `"Title":"t"`, "/Orders(4)/Lines/$count", nil, "1"},
			{"PATCH /Orders(1)?x=1", `{"@My.Note":1,"Count@My.Note":2,"Count":3}`, nil, 200, `"Count":3`, "", nil, ""},
			{"PUT /Orders(1)/Count?x=1", `{"@My.Note":1,"value":4}`, nil, 204, ``, "/Orders(1)", []string{"Count", "My.Note"}, "4|<nil>"},
			{"POST /Clients(1)/Praise?x=1", `{"@My.Note":1,"Points":2}`, nil, 200, `"Rating":7`, "", nil, ""},
			{"POST /Clients(2)/Orders/$ref?x=1", `{"@My.Note":1,"@odata.id":"Orders(1)"}`, nil, 204, ``, "/Clients(2)/Orders/$count", nil, "2"},
			{"DELETE /Orders(3)?x=1", ``, []string{"X-My-Header: 1"}, 204, ``, "", nil, ""},
		} {
			c.run(t, t.Context(), s)
		}
	})
}

// TestPrefixes: preferences and headers are known with and without "odata.", and
// the answer names them as the request did (Protocol 4.01, section 8).
func TestPrefixes(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			archive, library, batches := newArchive(t, dialect, nil), newLibrary(t, dialect, 100), newBatchShop(t, dialect, odata.Limits{})
			two := mixed("GET Nothing", "GET Makers(1)")
			for _, c := range []struct {
				s             *shop
				request, body string
				prefer, want  string // want: in the body
			}{
				{archive, "GET /Copies", "", "maxpagesize=1", `nextLink`},
				{archive, "GET /Copies?$filter=Place eq null", "", "omit-values=nulls", `"value":[{"VolumeCode":"a","Number":2,"Lent":true}]`},
				{archive, "GET /Books('a')", "", `include-annotations="-*"`, `"First"`},
				{library, "GET /Items", "", "track-changes", `deltaLink`},
				{batches, "POST /$batch", two, "continue-on-error", `"Aleph"`},
			} {
				for _, prefix := range []string{"", "odata.", "OData."} {
					headers := []string{"Prefer: " + prefix + c.prefer}
					if c.body != "" {
						headers = append(headers, asMixed)
					}
					a := c.s.do(t, t.Context(), c.request, c.body, headers...)
					applied := strings.ToLower(prefix) + c.prefer
					if a.status != http.StatusOK || !strings.Contains(unspaced(t, a.body), c.want) || a.header.Get("Preference-Applied") != applied {
						t.Errorf("%s%s: %d %s %s", prefix, c.prefer, a.status, a.header.Get("Preference-Applied"), a.body)
					}
				}
			}
			for _, header := range []string{"Isolation", "OData-Isolation"} {
				if a := archive.do(t, t.Context(), "GET /Copies", "", header+": snapshot"); a.status != http.StatusPreconditionFailed {
					t.Errorf("%s: %d", header, a.status)
				}
			}
		})
	}
}

// TestSpellings: query options with and without their $, and options, operators
// and functions in any case, say the same; names of the model have one spelling.
func TestSpellings(t *testing.T) {
	eachForest(t, odata.Limits{}, func(t *testing.T, s *shop) {
		people := newPeople(t, s.db.Read(t.Context()).Name())
		for _, c := range []struct {
			s        *shop
			one, two string
		}{
			{s, "/Trees?$filter=ID lt 4&$select=ID&$orderby=ID desc&$top=2&$skip=1&$count=true", "/Trees?filter=ID LT 4&SELECT=ID&orderBy=ID DESC&Top=2&SKIP=1&Count=TRUE"},
			{s, "/Trees?$filter=ID eq 1&$expand=Children($filter=ID gt 1;$orderby=ID;$top=2;$skip=1;$count=true;$compute=1 as X;$levels=2;$select=ID,X)", "/Trees?FILTER=ID EQ 1&expand=Children(filter=ID GT 1;ORDERBY=ID Asc;top=2;Skip=1;count=true;compute=1 AS X;Levels=2;select=ID,X)"},
			{s, "/Trees(2)?$select=Rings($filter=Width ge 1;$orderby=Year desc;$select=Year;$count=true;$top=1;$skip=1)", "/Trees(2)?select=Rings(FILTER=Width Ge 1;orderby=Year DESC;Select=Year;COUNT=true;top=1;skip=1)"},
			{s, "/Trees?$compute=ID mul 2 as D&$select=D&$filter=D gt 4 and not (D in (8,10))", "/Trees?COMPUTE=ID MUL 2 AS D&select=D&$Filter=D GT 4 AND NOT (D IN (8,10))"},
			{s, "/Trees?$apply=filter(ID gt 2)/aggregate(ID with sum as S)", "/Trees?Apply=filter(ID Gt 2)/aggregate(ID with sum as S)"},
			{s, "/Trees?$format=application/json;odata.metadata=none&$top=1", "/Trees?FORMAT=application/json;odata.metadata=none&top=1"},
			{s, "/$entity?$id=Trees(1)&$select=Name", "/$entity?ID=Trees(1)&select=Name"},
			{s, "/Trees(1)?$schemaversion=*", "/Trees(1)?SchemaVersion=*"},
			{s, "/Trees?$filter=contains(Name,'t') and (startswith(tolower(Name),'t2') or endswith(toupper(Name),'5'))&$select=ID", "/Trees?$filter=CONTAINS(Name,'t') And (StartsWith(toLower(Name),'t2') OR endsWith(TOUPPER(Name),'5'))&$select=ID"},
			{s, "/Trees?$filter=Children/any(c:c/ID eq 5) or Numbers/all(n:n ge 3)&$select=ID", "/Trees?$filter=Children/ANY(c:c/ID Eq 5) oR Numbers/All(n:n gE 3)&$select=ID"},
			{s, "/Trees?$filter=year(Due) eq 2026 and day(Due) add 1 mod 2 eq 1 and Height ne null&$select=ID", "/Trees?$filter=YEAR(Due) EQ 2026 AND Day(Due) ADD 1 MOD 2 EQ 1 AND Height NE null&$select=ID"},
			{people, "/People?$search=noa&$select=ID", "/People?Search=noa&Select=ID"},
			{people, "/Towns?$filter=People/$count($search=noa;$filter=ID lt 3) gt 0&$select=ID", "/Towns?$filter=People/$count(SEARCH=noa;filter=ID LT 3) GT 0&$select=ID"},
		} {
			one, two := c.s.get(t, c.one), c.s.get(t, c.two)
			if one.status != http.StatusOK || two.status != http.StatusOK || one.body != two.body {
				t.Errorf("%s\n%d %s%s\n%d %s", c.one, one.status, one.body, c.two, two.status, two.body)
			}
		}
		for path, status := range map[string]int{"/trees": 404, "/Trees(1)/name": 404, "/Nests('z')/eggs": 404, "/Nests?$filter=eggs eq 0": 400, "/Nests?$select=EGGS": 400, "/Nests?$expand=tree": 400, "/Nests(code='z')": 404} {
			if a := s.get(t, path); a.status != status {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
	// Tokens come out of links.
	s := smallPages(t)
	next := strings.TrimPrefix(s.get(t, "/Products?$select=Name").json["@odata.nextLink"].(string), "http://shop.test/shop")
	if one, two := s.get(t, next), s.get(t, strings.Replace(next, "$skiptoken", "SkipToken", 1)); one.body == "" || one.names("Name") != two.names("Name") {
		t.Errorf("%s\n%s", one.body, two.body)
	}
	library := newLibrary(t, "sqlite", 100)
	link := strings.TrimPrefix(library.follow(t, 0, "/Items").link, "http://shop.test/shop")
	if a := library.get(t, strings.Replace(link, "$deltatoken", "deltaToken", 1)); a.status != http.StatusOK || !strings.Contains(a.body, "#Items/$delta") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestCasts: a cast to the type that is there anyway changes nothing; no type is
// derived from another, so there is nothing else to cast to.
func TestCasts(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.wanted(t, []wanted{
			{"/Products/Shop.Product/$count?$filter=Shop.Product/Name eq 'apple'", "1"},
			{"/Products/$count?$filter=Maker/Shop.Maker/Name eq 'Aleph'", "2"},
			{"/Products/$count?$filter=Reviews/Shop.Review/any(r:r/Shop.Review/Stars eq 5)", "1"},
			{"/Products/$count?$filter=Reviews/Shop.Review/$count gt 1", "1"},
			{"/Products/$count?$filter=Parts/Shop.Part/any(p:p/Shop.Part/Count gt 3)", "2"},
			{"/Makers?$orderby=Shop.Maker/Name desc&$top=1&$select=ID", `{"value":[{"@odata.etag":"W/\"3\"","ID":3}]}`},
			{"/Products?$filter=Shop.Maker/Name eq 'x'", "501 $filter, position 1: the cast to Shop.Maker is not served"},
			{"/Products?$filter=Maker/Shop.Product/Name eq 'x'", "501 the cast to Shop.Product"},
			{"/Products?$filter=Name/Shop.Part eq null", "501 the cast to Shop.Part"},
			{"/Products?$filter=Shop.Nothing/Name eq 'x'", `{"value":[]}`}, // a dynamic property
			{"/Products?$filter=cast(Shop.Product)/Name eq 'x'", "501 a path after cast(…) is not served"},
			{"/Products?$filter=isof(Shop.Product)", "501 isof of the entity itself"},
			{"/Products(00000000-0000-0000-0000-000000000001)?$select=Shop.Product/Name&$expand=Shop.Product/Maker/Shop.Maker($select=Shop.Maker/Name)", `{"@odata.id":"Products(00000000-0000-0000-0000-000000000001)","Name":"apple","Maker":{"@odata.id":"Makers(1)","@odata.etag":"W/\"1\"","Name":"Aleph"}}`},
			{"/Products?$expand=Maker/Shop.Product", "400 $expand, position 1: what stands before it is no Shop.Product"},
			{"/Products?$select=Shop.Maker/Name", "400 what stands before it is no Shop.Maker"},
			{"/Products?$select=Shop.Product", "400 Shop.Product is a type"},
			{"/Products?$expand=Shop.Product", "400 Shop.Product is a type"},
		})
	})
}

// TestSchemaVersion: a service whose model has a version says which, and refuses
// clients made for another.
func TestSchemaVersion(t *testing.T) {
	s := &shop{Service: odata.New(odata.Options{Namespace: "N", Prefix: "/shop", SchemaVersion: "7", Read: func(context.Context) *gorm.DB { return nil }})}
	odata.Add(s.Service, odata.Set[Part2]{Name: "Parts", Access: func(context.Context) (odata.Predicate, error) { return odata.All, nil }})
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	if a := s.get(t, "/$metadata?$schemaversion=7"); !strings.Contains(a.body, `<Annotation Term="Core.SchemaVersion" String="7"/>`) {
		t.Error(a.body)
	}
	if a := s.get(t, "/$metadata?$format=json"); a.json["N"].(map[string]any)["@Core.SchemaVersion"] != "7" {
		t.Error(a.body)
	}
	for path, status := range map[string]int{
		"/?$schemaversion=7": 200, "/?schemaversion=*": 200, "/?$schemaversion=8": 404, "/$metadata?$schemaversion=8": 404, "/Parts?$schemaversion=6": 404,
	} {
		if a := s.get(t, path); a.status != status {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := newShop(t, "sqlite", odata.Limits{}).get(t, "/$metadata"); strings.Contains(a.body, "SchemaVersion") {
		t.Error("a version that nobody gave")
	}
}

// TestEditURLs: what an entity is reached by, it is changed and deleted by.
func TestEditURLs(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for _, c := range []step{
			{"PATCH /Clients(1)/Orders(2)", `{"Count":5}`, nil, 200, `#Orders/$entity`, "/Orders(2)", []string{"Count", "Version"}, "5|2"},
			{"PUT /Clients(1)/Orders(2)", `{"Title":"put"}`, []string{`If-Match: W/"2"`}, 200, `"Title":"put"`, "/Orders(2)", []string{"Title", "ClientID"}, "put|1"},
			{"PATCH /Orders(1)/Client", `{"Region":"east"}`, nil, 200, `#Clients/$entity`, "/Clients(1)", []string{"Region"}, "east"},
			{"PATCH /Clients(2)/Orders(1)", `{"Count":6}`, nil, 404, ``, "/Orders(1)", []string{"Count"}, "7"},
			{"DELETE /Clients(2)/Orders(1)", ``, nil, 404, ``, "/Orders(1)", []string{"Count"}, "7"},
			{"DELETE /Clients(1)/Orders(2)", ``, []string{`If-Match: W/"1"`}, 412, ``, "/Orders(2)", []string{"Title"}, "put"},
			{"DELETE /Clients(1)/Orders(2)", ``, []string{`If-Match: W/"3"`}, 204, ``, "/Orders(2)", nil, "404"},
			{"DELETE /Orders(3)", ``, nil, 204, ``, "/Orders(3)", nil, "404"},
			{"DELETE /Lines(1)/Order/Client", ``, nil, 409, ``, "/Clients(1)", []string{"Name"}, "A"}, // its orders refer to it
			{"PATCH /Orders(1)/Client/Orders(1)/Ship", `{"City":"Jaffa"}`, nil, 204, ``, "/Orders(1)", []string{"Ship"}, "map[City:Jaffa Street:Main St Zip:31000]"},
			{"PATCH /Orders(1)/Shop.Order", `{"Count":9}`, nil, 200, `"Count":9`, "", nil, ""},
		} {
			c.run(t, t.Context(), s)
		}
	})
}

// TestConformanceLevel: a service claims the level it is on with what it was given.
func TestConformanceLevel(t *testing.T) {
	for _, c := range []struct {
		s    *shop
		want string
	}{
		{newPeople(t, "sqlite"), "Advanced"},
		{newForest(t, "sqlite", odata.Limits{}), "Intermediate"},             // nothing can be searched
		{newOrders(t, "sqlite", storetest.DSN(t, "sqlite")), "Intermediate"}, // the same
		{newShop(t, "sqlite", odata.Limits{}), ""},                           // changes, and no transactions
	} {
		_, level, found := strings.Cut(c.s.get(t, "/$metadata").body, `EnumMember="Capabilities.ConformanceLevelType/`)
		if level, _, _ = strings.Cut(level, `"`); level != c.want || found != (c.want != "") {
			t.Errorf("%s: %q, want %q", c.s.Namespace, level, c.want)
		}
	}
}
