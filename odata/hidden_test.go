package odata_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestHiddenEverywhere: what a caller may not see comes out by no road.
func TestHiddenEverywhere(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		ctx := hiding(t.Context(), "Serial", "Cost", "Version")
		link := "/Tools?$select=*"
		for _, r := range []string{
			"GET /Tools(1)", "GET /Tools(1)/Self()", "GET /Tools/Oldest()", "GET /Tools?$expand=Parent,Pieces", "GET /Benches?$expand=Tools($levels=1)", "GET /Tools(1)/$ref",
			"GET /Tools(2)/Parent", "GET /Tools(1)/Name", "GET /Tools(1)/Name/$value", "HEAD /Tools(1)", "HEAD /Tools(1)/Name", "GET /Tools?$apply=topcount(9,Price)",
			"GET /Tools?$apply=concat(identity,aggregate($count as N))", "GET /Tools?$apply=groupby((Parent))", "GET /Tools?$compute=Price as P", "GET " + link, "POST /Tools(1)/Touch",
			"PATCH /Tools(1)", "PUT /Tools(2)/Name", "PATCH /Tools", "POST /Tools", "GET /Tools?$select=Size&$expand=Pieces($select=Size)",
			"GET /Tools(1)/Serial", "GET /Tools(1)/Serial/$value", "PUT /Tools(1)/Serial", "DELETE /Tools(1)/Serial", "GET /Tools(2)/Parent/Cost", "GET /Tools?$select=Serial", "GET /Tools?$orderby=Cost",
			"GET /Tools?$filter=Serial eq 'zebra'", "GET /Tools?$compute=Serial as S", "GET /Tools/$filter(Serial eq 'zebra')", "GET /Tools/$filter(Cost lt 0)/$count", "GET /Tools/$count?$filter=Cost lt 0",
			"GET /Tools?$apply=filter(Serial eq 'zebra')", "GET /Tools?$apply=groupby((Serial))", "GET /Tools?$apply=groupby((Parent/Serial))", "GET /Tools?$apply=aggregate(Cost with sum as S)",
			"GET /Tools?$apply=compute(Serial as S)", "GET /Tools?$apply=topcount(1,Cost)", "GET /Benches?$apply=aggregate(Tools/Cost with sum as S)", "GET /Tools?$apply=concat(identity,filter(Cost lt 0))",
			"GET /Tools?$search=zebra", "GET /Tools?$apply=search(zebra)", "GET /Tools/$count?$search=zebra", "GET /Tools/$filter(ID gt 0)?$search=zebra", "GET /Benches?$filter=Tools/$count($search=zebra) gt 0",
			"GET /Benches?$expand=Tools($search=zebra)", "GET /Benches?$expand=Tools/$count($search=zebra)", "GET /Benches?$expand=Tools($compute=Serial as S)", "GET /Benches?$expand=Tools($orderby=Cost)",
			"GET /Benches?$filter=Tools/any(t:t/Serial eq 'zebra')", "GET /Tools?$filter=Parent/Serial eq 'zebra'", "GET /Tools?$orderby=Parent/Cost", "GET /Benches('a''1')/Tools?$filter=Cost lt 0",
			"POST /Tools/$query",
		} {
			for _, metadata := range []string{"minimal", "full"} {
				body := map[string]string{
					"PATCH /Tools(1)": `{"Name":"saw"}`, "PUT /Tools(2)/Name": `{"value":"blade"}`, "POST /Tools": `{"Name":"n","Serial":"zebra"}`, "PUT /Tools(1)/Serial": `{"value":"x"}`,
					"PATCH /Tools": `{"@context":"#$delta","value":[{"ID":1,"Name":"saw"},{"ID":2,"Serial":"zebra"}]}`, "POST /Tools(1)/Touch": "{}",
				}[r]
				headers := []string{"Accept: application/json;metadata=" + metadata, "Prefer: return=representation"}
				if r == "POST /Tools/$query" {
					body, headers = "$filter=Serial eq 'zebra'", append(headers, "Content-Type: text/plain")
				}
				a := s.do(t, ctx, r, body, headers...)
				all := a.body + fmt.Sprint(a.header)
				for _, secret := range []string{"zebra", "-0.05", "Cost@", `"Cost":`, `"Serial":`, "Serial@", `"Version`, `etag`, "Etag", `W/"`} {
					if strings.Contains(all, secret) {
						t.Errorf("%s tells %s: %d %s", r, secret, a.status, all)
					}
				}
				if hidden := strings.Contains(r+body, "Serial") || strings.Contains(r, "Cost") || strings.Contains(r, "zebra"); hidden != (a.status >= 400) {
					t.Errorf("%s: %d %s", r, a.status, a.body)
				}
			}
		}
		// An ETag that is not known cannot be guessed, and any matches "*".
		for _, c := range []struct {
			header string
			status int
		}{{`If-Match: W/"71"`, 412}, {`If-Match: W/"72"`, 412}, {`If-Match: W/"73"`, 412}, {`If-None-Match: W/"71"`, 200}, {"If-Match: *", 200}} {
			if a := s.do(t, ctx, "PATCH /Tools(3)", `{"Name":"grip"}`, c.header); a.status != c.status {
				t.Errorf("%s: %d %s", c.header, a.status, a.body)
			}
		}
		a := s.do(t, ctx, "GET /Tools?$filter=ID lt 3", "", "Prefer: track-changes")
		delta, _ := a.json["@odata.deltaLink"].(string)
		s.exec(t, "UPDATE tools SET serial = 'zebra2', cost = 77 WHERE id = 1", "UPDATE tools SET name = 'b2', serial = 'zebra3' WHERE id = 2")
		a = s.do(t, ctx, "GET "+strings.TrimPrefix(delta, "http://shop.test/shop"), "", "Accept: application/json;metadata=full")
		if a.names("Name") != "b2" || strings.Contains(a.body+fmt.Sprint(a.header), "zebra") || strings.Contains(a.body, "etag") {
			t.Errorf("a delta: %d %s", a.status, a.body)
		}
	})
}
