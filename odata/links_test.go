package odata_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// TestLinksLeadOn follows every link to a further page, at every depth, and must
// get all there is.
func TestLinksLeadOn(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		for _, c := range []struct{ request, body, want string }{
			{"GET /Tools?$select=Name", "", "saw blade grip screw tooth secret"},
			{"GET /Tools/$filter(Price lt 5)?$select=Name&$orderby=Price desc,Name&$count=true", "", "blade grip secret screw tooth"},
			{"GET /Tools/$filter(Price lt @p)/$filter(ID ne 6)?$select=Name&@p=5", "", "blade grip screw tooth"},
			{"GET /Tools/$filter(ID lt 6)?$apply=filter(Price lt 5)/compute(Price add 1 as P)&$select=Name,P&$orderby=P", "", "tooth screw grip blade"},
			{"GET /Tools?$compute=Price mul -1 as P&$orderby=P&$select=Name", "", "saw blade grip secret screw tooth"},
			{"GET /Tools?$search=saw OR grip OR lion OR tooth&$select=Name&$orderby=Name", "", "blade grip saw tooth"},
			{"GET /Tools?$apply=concat(topcount(1,Price),bottomcount(2,Price),aggregate($count as Name2))&$select=Name,Name2", "", "saw screw tooth"},
			{"GET /Tools?$apply=groupby((Name),aggregate(Price with sum as S))&$orderby=S desc", "", "saw blade grip secret screw tooth"},
			{"GET /Benches('a''1')/Tools?$select=Name&$top=3", "", "saw blade tooth"},
			{"GET /Tools?$filter=ID eq 1&$select=Name&$expand=Pieces($select=Name;$expand=Pieces($select=Name;$orderby=Name);$orderby=Name desc)", "", "saw ( screw ( ) grip ( ) blade ( secret tooth ) )"},
			{"GET /Tools?$filter=ID eq 1&$select=Name&$expand=Pieces($levels=2;$select=Name)", "", "saw ( blade ( tooth secret ) grip ( ) screw ( ) )"},
			{"GET /Tools?$filter=ID eq 1&$select=Name&$expand=Pieces($filter=Name ne @n;$compute=Price add 1 as P;$orderby=P;$select=Name;$top=2)&@n='grip'", "", "saw ( screw blade )"},
			{"POST /Tools/$query", "$select=Name&$filter=Name ne 'a b#c+d é'&$orderby=Name desc", "tooth secret screw saw grip blade"},
			{"POST /Tools/$filter(ID gt @i)/$query?@i=2", "$select=Name&$format=application/json;metadata=none", "grip screw tooth secret"},
			{"POST /Tools/$query?$select=Name", "%24filter=Name+ne+%27a+b%27&$expand=Pieces($select=Name)", "saw ( blade grip screw ) blade ( tooth secret ) grip ( ) screw ( ) tooth ( ) secret ( )"},
		} {
			for _, headers := range [][]string{{}, {"Prefer: maxpagesize=1"}, {"Accept: application/json;metadata=full"}, {"Accept: application/json;metadata=none;IEEE754Compatible=true"}} {
				kind := "Content-Type: text/plain"
				if strings.Contains(c.body, "+ne+") {
					kind = "Content-Type: application/x-www-form-urlencoded"
				}
				if got := s.all(t, t.Context(), c.request, c.body, append(headers, kind)...); got != c.want {
					t.Errorf("%s %v\n got %s\nwant %s", c.request, headers, got, c.want)
				}
			}
		}
		a := s.get(t, "/Tools?$select=ID&$expand=Pieces($select=ID)&$format=application/json;metadata=none")
		next, _ := a.json["value"].([]any)[0].(map[string]any)["Pieces@odata.nextLink"].(string)
		if b := s.do(t, t.Context(), "GET "+strings.TrimPrefix(next, "http://shop.test/shop"), ""); b.json["@odata.context"] != nil || b.names("ID") != "3 4" {
			t.Errorf("%s does not keep the format: %s", next, b.body)
		}
	})
}

// all gives the names of the entities of a collection on all pages, those of the
// expanded Pieces in parentheses.
func (s *shop) all(t *testing.T, ctx context.Context, request, body string, headers ...string) string {
	t.Helper()
	var names []string
	for pages := 0; request != ""; pages++ {
		a := s.do(t, ctx, request, body, headers...)
		if a.status != http.StatusOK || pages > 20 {
			t.Errorf("%s: page %d: %d %s", request, pages, a.status, a.body)
			break
		}
		if strings.ContainsAny(strings.TrimPrefix(request, "GET "), "é\" ") && pages > 0 {
			t.Errorf("%s is not a URL", request)
		}
		for _, x := range a.json["value"].([]any) {
			e := x.(map[string]any)
			name, _ := e["Name"].(string)
			names = append(names, name)
			pieces, expanded := e["Pieces"].([]any)
			if !expanded {
				continue
			}
			names = append(names, "(")
			page := map[string]any{"value": pieces, "@odata.nextLink": e["Pieces@odata.nextLink"]}
			names = append(names, s.rest(t, ctx, page, headers...), ")")
		}
		request, body = "", ""
		if next, ok := a.json["@odata.nextLink"].(string); ok {
			request = "GET " + strings.TrimPrefix(next, "http://shop.test/shop")
		}
	}
	return strings.Join(strings.Fields(strings.Join(names, " ")), " ")
}

// rest gives the names on a page inside another, and on those after it.
func (s *shop) rest(t *testing.T, ctx context.Context, page map[string]any, headers ...string) string {
	t.Helper()
	var names []string
	for _, x := range page["value"].([]any) {
		e := x.(map[string]any)
		names = append(names, e["Name"].(string))
		if pieces, expanded := e["Pieces"].([]any); expanded {
			inner := map[string]any{"value": pieces, "@odata.nextLink": e["Pieces@odata.nextLink"]}
			names = append(names, "(", s.rest(t, ctx, inner, headers...), ")")
		}
	}
	if next, ok := page["@odata.nextLink"].(string); ok {
		names = append(names, s.all(t, ctx, "GET "+strings.TrimPrefix(next, "http://shop.test/shop"), "", headers...))
	}
	return strings.Join(names, " ")
}
