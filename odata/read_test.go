package odata_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// TestPlus: a plus is a plus inside quotes, and a space where clients write
// spaces so.
func TestPlus(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	if a := s.do(t, t.Context(), "POST /Makers", `{"Name":"C+D E"}`); a.status != http.StatusCreated {
		t.Fatal(a.body)
	}
	for query, want := range map[string]string{
		"$filter=Name%20eq%20'C+D%20E'":                                  "C+D E",
		"$filter=Name+eq+'C+D%20E'":                                      "C+D E",
		"%24filter=Name+eq+%27C%2BD+E%27":                                "C+D E",
		"$filter=Founded+ge+1990-05-01T10:00:00+02:00+and+Active":        "Aleph",
		"$filter=Founded%20ge%201990-05-01T10:00:00%2B02:00":             "Aleph",
		"$filter=Founded+lt+1990-05-01T09:00:00Z+and+Active&$orderby=ID": "Aleph",
		"$orderby=ID+desc&$top=1":                                        "C+D E",
	} {
		if a := s.get(t, "/Makers?"+query); a.names("Name") != want {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

func TestThousandValues(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		a := s.get(t, "/Makers?$select=ID&$filter=ID in (3"+strings.Repeat(",77", 1000)+")")
		if a.names("ID") != "3" {
			t.Error(a.body)
		}
	})
}

// TestRepresentation holds the JSON to the letter.
func TestRepresentation(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		for _, c := range []struct{ path, want string }{
			{
				"/Makers(1)",
				`{"@odata.context":"http://shop.test/shop/$metadata#Makers/$entity","@odata.etag":"W/\"1\"","ID":1,"Name":"Aleph","Country":"IL","Founded":"1990-05-01T08:30:00.000000Z","Active":true,"Version":1}`,
			},
			{
				"/Makers?$select=Name,Active&$count=true&$top=1&$filter=Active",
				`{"@odata.context":"http://shop.test/shop/$metadata#Makers(Name,Active)","@odata.count":2,"value":[{"@odata.id":"Makers(1)","@odata.etag":"W/\"1\"","Name":"Aleph","Active":true}]}`,
			},
			{
				"/Products?$select=Name,Color&$top=2&$orderby=Name desc&$format=application/json;odata.metadata=none",
				`{"value":[{"Name":"תפוח","Color":null},{"Name":"ΟΔΟΣ","Color":"Red"}]}`,
			},
			{
				"/Products(00000000-0000-0000-0000-000000000001)?$expand=Maker($select=Name),Reviews($orderby=Stars;$count=true;$filter=Stars gt 0;$select=Stars)",
				`{"@odata.context":"http://shop.test/shop/$metadata#Products(Maker(Name),Reviews(Stars))/$entity",` +
					`"Tags":["tapple"],"Parts":[{"Label":"bolt","Count":1,"Note":null}],"Maker":{"@odata.id":"Makers(1)","@odata.etag":"W/\"1\"","Name":"Aleph"},` +
					`"Reviews@odata.count":2,"Reviews":[{"@odata.id":"Reviews(2)","Stars":1},{"@odata.id":"Reviews(1)","Stars":5}],` +
					`"ID":"00000000-0000-0000-0000-000000000001","MakerID":1,"Name":"apple","Price":1.5,"Stock":10,"Sold":false,` +
					`"At":"2026-01-01T10:00:00.000001Z","Color":"red","Weight":100}`,
			},
			{
				"/Products(00000000-0000-0000-0000-000000000005)?$expand=Maker,Reviews&$select=Name",
				`{"@odata.context":"http://shop.test/shop/$metadata#Products(Name,Maker(),Reviews())/$entity","@odata.id":"Products(00000000-0000-0000-0000-000000000005)","Name":"ΟΔΟΣ","Maker":null,"Reviews":[]}`,
			},
			{"/Makers/$count", "3"},
			{"/Makers/$count?$filter=Active", "2"},
			{"/Products?$count=true&$skip=100&$select=ID", `{"@odata.context":"http://shop.test/shop/$metadata#Products(ID)","@odata.count":5,"value":[]}`},
			{
				"/Products(00000000-0000-0000-0000-000000000001)/Maker?$select=Name",
				`{"@odata.context":"http://shop.test/shop/$metadata#Makers(Name)/$entity","@odata.id":"Makers(1)","@odata.etag":"W/\"1\"","Name":"Aleph"}`,
			},
			{
				"/Makers(1)/Products?$select=Name",
				`{"@odata.context":"http://shop.test/shop/$metadata#Products(Name)","value":[` +
					`{"@odata.id":"Products(00000000-0000-0000-0000-000000000001)","Name":"apple"},{"@odata.id":"Products(00000000-0000-0000-0000-000000000002)","Name":"Banana"}]}`,
			},
			{"/Makers(1)/Products(00000000-0000-0000-0000-000000000002)/Reviews/$count", "1"},
		} {
			a := s.get(t, c.path)
			var got bytes.Buffer // PostgreSQL puts white space into JSON
			if err := json.Compact(&got, []byte(a.body)); err != nil || got.String() != c.want {
				t.Errorf("%s: %v\n got %s\nwant %s", c.path, err, a.body, c.want)
			}
		}
		if a := s.get(t, "/Products(00000000-0000-0000-0000-000000000005)/Maker"); a.status != http.StatusNoContent {
			t.Errorf("a null navigation property: %d %s", a.status, a.body)
		}
		if a := s.get(t, "/Makers(77)/Products"); a.status != http.StatusNotFound {
			t.Errorf("products of no maker: %d %s", a.status, a.body)
		}
		if a := s.get(t, "/Makers(1)/Products(00000000-0000-0000-0000-000000000003)"); a.status != http.StatusNotFound {
			t.Errorf("another maker's product: %d %s", a.status, a.body)
		}
	})
}

// TestPaging walks every order with every page size: each row once, in the
// order of the whole.
func TestPaging(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			for size := 1; size <= 7; size++ {
				limits := odata.Limits{}
				limits.PageSize = size
				s := newShop(t, dialect, limits)
				s.fill(t)
				for _, c := range []struct{ query, want string }{
					{"", "1 2 3 4 5"},
					{"&$orderby=Stock", "2 3 4 1 5"},
					{"&$orderby=Stock desc", "1 5 4 3 2"},
					{"&$orderby=Price desc,Name", "4 2 1 5 3"},
					{"&$orderby=At", "5 1 2 3 4"},
					{"&$orderby=At desc&$filter=Name ne 'x'", "4 3 2 1 5"},
					{"&$orderby=Name desc", "3 5 1 4 2"},
					{"&$orderby=tolower(Name)", "1 2 4 5 3"},
					{"&$orderby=Maker/Name desc,ID desc", "4 3 2 1 5"},
					{"&$orderby=Weight", "4 5 3 1 2"},
					{"&$orderby=Reviews/$count desc,Name", "1 2 4 5 3"},
					{"&$orderby=Sold,Stock", "3 1 5 2 4"},
					{"&$top=3", "1 2 3"},
					{"&$top=3&$skip=1", "2 3 4"},
					{"&$orderby=Stock&$skip=2", "4 1 5"},
				} {
					if got := s.walk(t, "/Products?$count=true&$select=ID"+c.query); got != c.want {
						t.Errorf("pages of %d, %q: got %q, want %q", size, c.query, got, c.want)
					}
				}
			}
		})
	}
}

// walk follows next links to the end and lists the products.
func (s *shop) walk(t tester, path string) string {
	var all []string
	for range 20 {
		a := s.get(t, path)
		if a.status != http.StatusOK {
			return a.body
		}
		if names := a.names("ID"); names != "" {
			all = append(all, strings.ReplaceAll(names, "00000000-0000-0000-0000-00000000000", ""))
		}
		next, ok := a.json["@odata.nextLink"].(string)
		if !ok {
			return strings.Join(all, " ")
		}
		path = strings.TrimPrefix(next, "http://shop.test/shop")
	}
	return "endless"
}

// TestAccess: what a caller may not see is not there, by any road.
func TestAccess(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		for _, c := range []struct {
			path   string
			status int
			want   string
		}{
			{"/Makers?$select=Name", 200, "Aleph"},
			{"/Products?$select=Name", 200, "apple Banana"},
			{"/Products/$count", 200, "2"},
			{"/Products?$count=true&$select=Name&$top=1", 200, "apple"},
			{"/Products(00000000-0000-0000-0000-000000000003)", 404, ""},
			{"/Makers(2)", 404, ""},
			{"/Makers(2)/Products", 404, ""},
			{"/Products(00000000-0000-0000-0000-000000000003)/Maker", 404, ""},
			{"/Reviews", 403, ""},
			{"/Products?$expand=Reviews", 403, ""},
			{"/Products?$filter=Reviews/any()", 403, ""},
			{"/Products?$orderby=Reviews/$count", 403, ""},
			{"/Products(00000000-0000-0000-0000-000000000001)/Reviews", 403, ""},
			{"/Makers?$filter=Products/any(p:p/Name eq 'apple')&$select=Name", 200, "Aleph"},
			{"/Makers?$filter=Products/$count eq 2&$select=Name", 200, "Aleph"},
			{"/Products?$filter=Maker/Name eq 'Beta'&$select=Name", 200, ""},
			{"/Products?$orderby=Maker/Name desc&$select=Name", 200, "apple Banana"},
			{"/Makers?$filter=Founded ne null", 400, ""},
			{"/Products?$filter=$root/Makers(2)/Name eq null&$select=Name", 200, "apple Banana"},
			{"/Products?$filter=$root/Makers(1)/Name eq 'Aleph'&$select=Name", 200, "apple Banana"},
			{"/Products?$filter=$root/Makers/$count eq 1 and $root/Products/$count eq 2&$select=Name", 200, "apple Banana"},
			{"/Products?$filter=$root/Makers/any(m:m/Name eq 'Beta')&$select=Name", 200, ""},
			{"/Products?$filter=$root/Products(00000000-0000-0000-0000-000000000003)/Maker/Name eq null&$select=Name", 200, "apple Banana"},
			{"/Products?$filter=$root/Makers(1)/Founded eq null", 400, ""},
			{"/Products?$filter=$root/Reviews/$count gt 0", 403, ""},
			{"/Makers?$select=Founded", 400, ""},
			{"/Makers?$orderby=Founded", 400, ""},
			{"/Products?$filter=year(Maker/Founded) gt 0", 400, ""},
			{"/Products?$expand=Maker($filter=Founded ne null)", 400, ""},
		} {
			a := s.do(t, as(t.Context(), 1), "GET "+c.path, "")
			got := a.names("Name")
			if strings.Contains(c.path, "/$count") && a.json == nil {
				got = a.body
			}
			if a.status != c.status || got != c.want {
				t.Errorf("%s: got %d %s, want %d %q", c.path, a.status, a.body, c.status, c.want)
			}
		}
		if a := s.do(t, as(t.Context(), 1), "GET /Makers?$expand=Products($expand=Maker)", ""); a.status != 200 || strings.Contains(a.body, "Founded") {
			t.Errorf("a hidden property: %s", a.body)
		}
		a := s.do(t, as(t.Context(), 1), "GET /Products(00000000-0000-0000-0000-000000000003)", "")
		b := s.do(t, as(t.Context(), 1), "GET /Products(00000000-0000-0000-0000-000000000099)", "")
		if a.body != b.body {
			t.Errorf("another's product and none differ: %s %s", a.body, b.body)
		}
		if a := s.do(t, as(t.Context(), 2), "GET /Products?$expand=Maker&$select=Name", ""); strings.Contains(a.body, "Aleph") || !strings.Contains(a.body, "Beta") {
			t.Error(a.body)
		}
	})
}
