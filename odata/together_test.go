package odata_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestTogether: what one part of the engine makes of what another gives.
func TestTogether(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		const numbers, full, omit = "Accept: application/json;IEEE754Compatible=true", "Accept: application/json;metadata=full;IEEE754Compatible=true", "Prefer: omit-values=nulls"
		for _, c := range []struct {
			path, header string
			context      string // behind $metadata#
			want         string // the values, or the rest of the answer
		}{
			// Money in rows that $apply makes.
			{"/Tools?$apply=concat(topcount(1,Price),aggregate(Price with sum as All))&$select=Price,Cost,All", numbers, "Tools(@Core.AnyStructure)", `[{"@odata.etag":"W/\"70\"","Price":"19.99","Cost":"-0.05"},{"All@odata.type":"#Decimal","All":"23.62"}]`},
			{"/Tools?$apply=concat(concat(topcount(1,Price),filter(ID eq 3)),identity)/aggregate(Price with sum as S,Price with max as M)", "", "Tools(S,M)", `[{"S@odata.type":"#Decimal","S":44.61,"M@odata.type":"#Decimal","M":19.99}]`},
			{"/Tools?$apply=concat(groupby((Price),aggregate($count as N)),identity)/filter(Price gt 10)&$select=Price,N", "", "Tools(Price)", `[{"Price":19.99,"N@odata.type":"#Decimal","N":1},{"@odata.etag":"W/\"70\"","Price":19.99}]`},
			{"/Tools?$apply=concat(filter(ID eq 1),filter(ID eq 2))&$filter=Price gt 2.4&$orderby=Price&$select=ID,Price", "", "Tools(ID,Price)", `[{"@odata.etag":"W/\"71\"","ID":2,"Price":2.5},{"@odata.etag":"W/\"70\"","ID":1,"Price":19.99}]`},
			{"/Tools?$apply=compute(Price add 1 as P)&$filter=P gt 3&$orderby=P desc&$select=P", "", "Tools(P)", `[{"@odata.etag":"W/\"70\"","P@odata.type":"#Decimal","P":20.99},{"@odata.etag":"W/\"71\"","P@odata.type":"#Decimal","P":3.5}]`},
			{"/Tools?$apply=compute(Price add 1 as P)/filter(P gt 3)/aggregate(P with sum as S,P with min as M)", "", "Tools(S,M)", `[{"S@odata.type":"#Decimal","S":24.49,"M@odata.type":"#Decimal","M":3.5}]`},
			{"/Tools?$apply=compute(Bought sub 2020-01-01T00:00:00Z as D)/filter(D gt duration'PT1S')&$select=D", "", "Tools(D)", `[{"@odata.etag":"W/\"70\"","D@odata.type":"#Duration","D":"P1DT11045.000006S"}]`},
			{"/Tools?$apply=concat(filter(ID eq 3),groupby((Grade),aggregate($count as N)))&$select=Grade,N&$filter=Grade eq 'Fair'", "", "Tools(Grade)", `[{"@odata.etag":"W/\"72\"","Grade":"Fair"},{"Grade":"Fair","N@odata.type":"#Decimal","N":1}]`},
			{"/Tools?$apply=groupby((Grade,Bench/Title),aggregate(Cost with max as C))&$top=1", omit, "Tools(Bench(Title),Grade,C)", `[{"Bench":{},"Grade":"Fair"}]`},
			{"/Tools(1)/Pieces?$apply=search(lion)/aggregate(Price with sum as S)", "", "Tools(S)", `[{"S@odata.type":"#Decimal","S":2.5}]`},
			{"/Tools?$select=ID&$filter=ID eq 1&$expand=Pieces($apply=aggregate(Price with sum as S))", "Accept: application/json;metadata=none", "", `[{"ID":1,"Pieces":[{"S":3.55}]}]`},
			// Conditions in the path come before everything else.
			{"/Tools/$filter(Price gt 1)?$apply=aggregate($count as N,Price with sum as S)", "", "Tools(N,S)", `[{"N@odata.type":"#Decimal","N":2,"S@odata.type":"#Decimal","S":22.49}]`},
			{"/Tools/$filter(Price ge 1)?$apply=groupby((Grade),aggregate($count as N))/filter(Grade eq 'Fair')", "", "Tools(Grade,N)", `[{"Grade":"Fair","N@odata.type":"#Decimal","N":1}]`},
			{"/Tools/$filter(Price gt @p)/$filter(Parent%2FName eq 'saw')?@p=0.05&$compute=Price add 1 as Q&$filter=Q lt 3&$select=Q", "", "Tools(Q)", `[{"@odata.id":"Tools(3)","@odata.etag":"W/\"72\"","Q@odata.type":"#Decimal","Q":2}]`},
			// Numbers and types inside complex values, computed values, counts.
			{"/Tools(1)?$select=Size($select=Grams),Uses($select=Day;$count=true)", numbers, "Tools(Size,Uses)/$entity", `{"@odata.etag":"W/\"70\"","@odata.id":"Tools(1)","Size":{"Grams":"1152921504606846976"},"Uses":[{"Day":"2"},{"Day":"1"}],"Uses@odata.count":"2"}`},
			{"/Tools(1)?$compute=Size/Grams add 1 as G,Uses/$count as U,Price mul 2 as P,In as I&$select=G,U,P,I", numbers, "Tools(G,U,P,I)/$entity", `{"@odata.etag":"W/\"70\"","@odata.id":"Tools(1)","G":"1152921504606846977","G@odata.type":"#Int64","I":{"a":null,"b":1},"P":"39.98","P@odata.type":"#Decimal","U":"2","U@odata.type":"#Int64"}`},
			{"/Tools(2)?$compute=Cost add 1 as C,Size/Since as D&$select=C,D,Size", omit, "Tools(Size,C,D)/$entity", `{"@odata.etag":"W/\"71\"","@odata.id":"Tools(2)","Size":{"Grade":"","Grams":0}}`},
			{"/Tools(1)/Size", full, "Tools(1)/Size", `{"@odata.type":"#Work.Frame","Grade":"Poor","Grade@odata.type":"#Work.Grade","Grams":"1152921504606846976","Grams@odata.type":"#Int64","Since":"2021-01-02T03:04:05Z","Since@odata.type":"#DateTimeOffset","Unit":"g"}`},
			{"/Tools(2)/Size", "", "Tools(2)/Size", `{"Grade":"","Grams":0,"Since":null,"Unit":null}`},
			{"/Tools(1)/Frame()", numbers, "Work.Frame", `{"Grade":"Poor","Grams":"1152921504606846976","Since":"2021-01-02T03:04:05Z","Unit":"g"}`},
			{"/Tools(1)/Price", full, "Tools(1)/Price", `{"@odata.type":"#Decimal","value":"19.99"}`},
			// References and counts are not in the context.
			{"/Tools(1)?$select=ID&$expand=Pieces/$ref($count=true;$top=1),Bench/$ref", numbers, "Tools(ID)/$entity", `{"@odata.etag":"W/\"70\"","Bench":{"@odata.id":"Benches('a''1')"},"ID":"1","Pieces":[{"@odata.id":"Tools(2)"}],"Pieces@odata.count":"3"}`},
			{"/Tools(1)?$select=ID&$expand=Pieces/$count($search=lion)", numbers, "Tools(ID)/$entity", `{"@odata.etag":"W/\"70\"","ID":"1","Pieces@odata.count":"1"}`},
			{"/Tools/$ref?$apply=topcount(1,Price)", "", "Collection($ref)", `[{"@odata.id":"Tools(1)"}]`},
			{"/Tools/$ref?$search=lion&$compute=Price add 1 as P&$orderby=P", "", "Collection($ref)", `[{"@odata.id":"Tools(2)"}]`},
		} {
			var headers []string
			if c.header != "" {
				headers = append(headers, c.header)
			}
			a := s.do(t, t.Context(), "GET "+c.path, "", headers...)
			context, _ := a.json["@odata.context"].(string)
			delete(a.json, "@odata.context")
			for name := range a.json { // TestLinksLeadOn follows them
				if strings.HasSuffix(name, "nextLink") {
					delete(a.json, name)
				}
			}
			got := marshal(a.json)
			if list, ok := a.json["value"].([]any); ok {
				got = marshal(list)
			}
			if a.status != http.StatusOK || strings.TrimPrefix(context, "http://shop.test/shop/$metadata#") != c.context || normalNumbers(got) != normalNumbers(c.want) {
				t.Errorf("%s %s: %d %s\n got %s\nwant %s", c.path, c.header, a.status, context, got, c.want)
			}
		}
		for path, status := range map[string]int{
			"/Tools/$ref?$apply=groupby((Grade))":                         http.StatusBadRequest,
			"/Tools/$ref?$apply=concat(identity,identity)":                http.StatusBadRequest,
			"/Tools/$filter(Q gt 1)/$count?$compute=Price as Q":           http.StatusOK, // dynamic, not what is computed later
			"/Tools?$deltatoken=x&$format=application/json;metadata=none": http.StatusNotAcceptable,
		} {
			if a := s.get(t, path); a.status != status || a.body == "6" {
				t.Errorf("%s: %d %s", path, a.status, a.body)
			}
		}
	})
}

// normalNumbers is JSON as the databases agree on it: 2.50 is 2.5.
func normalNumbers(text string) string {
	return trailing.ReplaceAllString(normal(text), "$1")
}

var trailing = regexp.MustCompile(`(\.[0-9]*[1-9])0+\b|\.0+\b`)

// TestDeltaRepresentation: delta payloads come in the representation asked for, but
// for the one without control information.
func TestDeltaRepresentation(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		const accept, prefer = "Accept: application/json;metadata=full;IEEE754Compatible=true", "Prefer: omit-values=nulls, track-changes, maxpagesize=9"
		follow := func(link any, headers ...string) answer {
			t.Helper()
			text, _ := link.(string)
			return s.do(t, t.Context(), "GET "+strings.TrimPrefix(text, "http://shop.test/shop"), "", headers...)
		}
		first := s.do(t, t.Context(), "GET /Tools/$filter(ID lt 4)?$select=Name,Price,Cost&$filter=ID gt 1", "", accept, prefer)
		link := first.json["@odata.deltaLink"]
		s.exec(t, "UPDATE tools SET price = 260, best = 'Good' WHERE id = 2", "DELETE FROM tools WHERE id = 3", "UPDATE tools SET name = 'x' WHERE id IN (1, 5)")
		a := follow(link, accept, prefer)
		const want = `[{"#Work.Frame":0,"#Work.Self":0,"#Work.Touch":0,"@odata.editLink":"http://shop.test/shop/Tools(2)","@odata.etag":"W/\"71\"","@odata.id":"http://shop.test/shop/Tools(2)",` +
			`"@odata.type":"#Work.Tool","Cost":null,"Cost@odata.type":"#Decimal","Name":"blade","Price":"2.60","Price@odata.type":"#Decimal"},{"@id":"http://shop.test/shop/Tools(3)","@removed":{"reason":"deleted"},"ID":"3"}]`
		for _, x := range a.json["value"].([]any) {
			for _, operation := range []string{"#Work.Frame", "#Work.Self", "#Work.Touch"} {
				if e := x.(map[string]any); e[operation] != nil {
					e[operation] = 0
				}
			}
		}
		if got := marshal(a.json["value"]); got != want || a.json["@odata.context"] != "http://shop.test/shop/$metadata#Tools(Name,Price,Cost)/$delta" ||
			a.header.Get("Preference-Applied") != "maxpagesize=2, track-changes" {
			t.Errorf("%v %s %s\nwant %s", a.header, a.json["@odata.context"], got, want)
		}
		if first.header.Get("Preference-Applied") != "omit-values=nulls, maxpagesize=2, track-changes" {
			t.Errorf("the first answer applied %s", first.header.Get("Preference-Applied"))
		}
		if a := follow(link, "Accept: application/json;metadata=none"); a.status != http.StatusNotAcceptable || a.header.Get("Preference-Applied") != "" {
			t.Errorf("without control information: %d %v %s", a.status, a.header, a.body)
		}
		for _, path := range []string{"/Tools?$expand=Pieces", "/Tools?$compute=Price as P", "/Tools/$ref", "/Tools?$search=saw", "/Tools?$apply=identity", "/Tools?$format=application/json;metadata=none", "/Tools(1)/Pieces"} {
			a := s.do(t, t.Context(), "GET "+path, "", "Prefer: track-changes")
			if a.status != http.StatusOK || a.header.Get("Preference-Applied") != "" || strings.Contains(a.body, "$deltatoken") {
				t.Errorf("%s: changes followed: %d %v %s", path, a.status, a.header, a.body)
			}
		}
	})
}

// TestTokenBelongs: a skip token continues its own query only.
func TestTokenBelongs(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		token := func(path string) string {
			t.Helper()
			next, _ := s.get(t, path).json["@odata.nextLink"].(string)
			_, text, found := strings.Cut(next, "$skiptoken=")
			if !found {
				t.Fatalf("%s has no further page", path)
			}
			return text
		}
		paths := []string{
			"/Tools?", "/Tools/$filter(ID gt 0)?", "/Tools/$filter(ID gt 0)/$filter(ID lt 9)?", "/Tools?$filter=ID gt 0", "/Tools?$search=saw OR lion OR grip", "/Tools?$orderby=Name",
			"/Tools?$compute=ID as P&$orderby=P", "/Tools?$apply=identity", "/Tools?$apply=concat(identity,identity)", "/Tools?$apply=groupby((ID))",
		}
		for _, from := range paths {
			text := token(from)
			for _, to := range paths {
				a := s.get(t, to+"&$skiptoken="+text)
				if own := from == to; own != (a.status == http.StatusOK) {
					t.Errorf("the token of %s with %s: %d %s", from, to, a.status, a.body)
				}
			}
		}
	})
}
