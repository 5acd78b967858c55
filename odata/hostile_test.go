package odata_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// aliasBomb is parameter aliases that grow to a thousand times their text.
func aliasBomb() string {
	b := "$filter=" + encode(strings.Repeat("@a or ", 300)+"@a")
	return b + "&@a=" + encode(strings.Repeat("@b or ", 300)+"@b") + "&@b=" + encode("ID eq 1")
}

// tampered is a query over the makers with a skiptoken made by hand, of what is
// left of $top and of values.
func tampered(query, left, values string) string {
	q, err := uri.ParseQuery(query, uri.Limits{})
	if err != nil {
		panic(err)
	}
	mark := fnv.New32a()
	mark.Write([]byte("Maker?" + q.String()))
	return "GET /Makers?" + query + "&$skiptoken=" + strconv.FormatUint(uint64(mark.Sum32()), 36) + "." + left + "." + hex.EncodeToString([]byte(values))
}

// TestHostileRequests: what must not do harm, and what it gets.
func TestHostileRequests(t *testing.T) {
	long := strings.Repeat("ארוך", 20) // 160 bytes of UTF-8
	many := make([]string, 200)
	for i := range many {
		many[i] = fmt.Sprintf("d%d", i)
	}
	each(t, func(t *testing.T, s *shop) {
		for _, c := range []struct {
			request string
			status  int
			want    string
		}{
			// A key is a value, and nothing that finds some entity.
			{"GET /Makers(ID)", 404, "no entity with this key"},
			{"GET /Makers(Version)", 404, "no entity with this key"},
			{"GET /Makers(Products/$count)", 404, "not_found"},
			{"DELETE /Makers(ID)", 404, "no entity with this key"},
			{"PATCH /Makers(ID)", 404, "no entity with this key"},
			{"GET /Makers(true)", 404, "no entity with this key"},
			{"GET /Makers(null)", 404, "no entity with this key"},
			{"GET /Makers(@a)", 404, "no entity with this key"},
			{"GET /Makers(@a)?@a=ID", 404, "no entity with this key"},
			{"GET /Makers(@a)?@a=1", 200, "Aleph"},
			{"GET /Makers(ID=1)", 200, "Aleph"},
			{"GET /Makers(Name='Aleph')", 404, "no entity with this key"},
			{"GET /Makers(1,1)", 404, "no entity with this key"},
			{"GET /Makers(ID=1,ID=1)", 404, "no entity with this key"},
			{"GET /Makers()", 404, "no entity with this key"},
			{"GET /Makers(1)/Products()", 404, "no entity with this key"},
			{"GET /Makers(99999999999999999999)", 404, "no entity with this key"},
			{"GET /Makers('1'' or 1=1')", 404, "no entity with this key"},
			// Names and values from outside never become SQL.
			{`GET /Products?$filter=Color eq '%27%27%3B DROP TABLE products%3B--'`, 200, `"value":[]`},
			{`GET /Products?$filter=%22; DROP TABLE products;-- eq 1`, 400, "not closed"},
			{`GET /Products?$select=Color%22`, 400, "not closed"},
			{`GET /Products?$select=Color'x'`, 400, "unknown literal prefix"},
			{`GET /Products?$select=a?b`, 400, "unexpected character"},
			{`GET /Products?$select=$Color`, 400, "expected a property"},
			{`GET /Products?$select=[0]`, 400, "expected a name"},
			{`GET /Products?$filter=$Color eq 1`, 400, `no property "$Color"`},
			{"GET /Products?$select=" + encode(long) + "&$top=1", 200, `"` + long + `":null`},
			{"GET /Products?$select=ID,Tags,a.b,_,x" + strings.Repeat("y", 100) + ",x" + strings.Repeat("y", 101) + "&$top=1", 200, `"a.b":null,"_":null,"x` + strings.Repeat("y", 100) + `":null`},
			{"GET /Products?$select=" + strings.Join(many, ",") + "&$top=1", 200, `"d199":null`},
			{"GET /Products?$select=" + strings.Join(many, ",") + ",e&$top=1", 400, "limit Items"},
			{"GET /Products?$select=Color,Color&$top=1", 200, "Products(Color)"},
			{"GET /Products?$filter=" + encode(long) + " eq 1 or " + encode(long) + " eq 'x'", 200, `"value":[]`},
			// Deep and long.
			{"GET /Products?$count=true&$filter=Sold" + strings.Repeat(" and Sold", 990), 200, `"@odata.count":2`},
			{"GET /Products?$count=true&$filter=Sold" + strings.Repeat(" or Sold", 990), 200, `"@odata.count":2`},
			{"GET /Products?$count=true&$filter=" + strings.Repeat("not (", 48) + "Sold" + strings.Repeat(")", 48), 200, `"@odata.count":2`},
			{"GET /Products?$count=true&$filter=" + strings.Repeat("(Sold eq ", 48) + "Sold" + strings.Repeat(")", 48), 200, `"@odata.count"`},
			{"GET /Products?$count=true&$filter=" + strings.Repeat("concat(", 90) + "Name" + strings.Repeat(",'')", 90) + " eq 'apple'", 200, `"@odata.count":1`},
			{"GET /Products?$count=true&$filter=" + strings.Repeat("tolower(", 98) + "Name" + strings.Repeat(")", 98) + " eq 'apple'", 200, `"@odata.count":1`},
			{"GET /Products?$count=true&$filter=Stock in (10" + strings.Repeat(",7", 4999) + ")", 200, `"@odata.count":2`},
			{"GET /Products?$filter=Stock in (10" + strings.Repeat(",7", 4999) + ")&$orderby=Price in (1)", 400, "limit List"},
			{"GET /Makers?" + aliasBomb(), 400, "limit Nodes"},
			{"GET /Makers?$filter=@a&@a=not @a", 400, "refers to itself"},
			{"GET /Makers?$filter=@a&@a=@b&@b=@c&@c=@d&@d=true", 400, "more than 2 deep"},
			{"GET /Makers?$filter=@a&@a=@b&@b=Active eq @c&@c=true", 200, "Aleph"},
			{"GET /Makers?$filter=" + strings.Repeat("Products/any(p:p/Name eq 'x') or ", 31) + "false", 400, "limit Steps"},
			{"GET /Makers?$orderby=" + strings.Repeat("ID,", 16) + "ID", 400, "limit OrderBy"},
			{"GET /Makers?$skip=9223372036854775807", 200, `"value":[]`},
			{"GET /Makers?$top=9223372036854775807&$skip=9223372036854775807", 200, `"value":[]`},
			{"GET /Makers?$top=0&$count=true", 200, `"@odata.count":3,"value":[]`},
			{"GET /Makers?$expand=Products($top=9223372036854775807;$skip=1)&$filter=ID eq 1", 200, "Banana"},
			{"GET /" + strings.Repeat("Makers(1)/Products/", 150), 400, "limit Items"},
			// Values no database can hold.
			{"GET /Makers?$filter=Founded gt 0000-01-01T00:00:00Z", 400, "is not a value"},
			{"GET /Makers?$filter=Founded gt 9999-12-31T23:59:59-01:00", 400, "is not a value"},
			{"GET /Makers?$filter=date(Founded) gt 0000-01-01", 400, "is not a value"},
			{"GET /Makers?$filter=Name eq '%00'", 400, "not valid UTF-8"},
			{"GET /Makers?$filter=Name eq '%ff'", 400, "not valid UTF-8"},
			{"GET /Makers?$filter=ID eq 99999999999999999999", 200, `"value":[]`},
			{"GET /Makers?$filter=ID lt 1e308 and ID gt -1e308 and ID lt INF", 200, "Aleph"},
			{"GET /Makers?$filter=ID eq 1e999", 400, "is not a value"},
			{"GET /Products?$filter=Price eq '0x1p-2'", 400, "cannot be compared"},
			{"GET /Products?$filter=Price eq 'Infinity'", 400, "cannot be compared"},
			{"GET /Products?$filter=Color eq 12:30:00", 400, "cannot be compared"},
			{"GET /Products?$filter=Color eq duration'PT1S'", 400, "cannot be compared"},
			{"GET /Products?$filter=Color eq binary'AAAA'", 400, "cannot be compared"},
			{"GET /Products?$filter=binary'AA*A' eq null", 400, "is not a value"},
			{"GET /Products?$filter=Color eq geography'Point(1 2)'", 501, "geography and geometry is not served"},
			// What has no meaning.
			{"GET /Products?$orderby=null,'x',5,ID desc&$top=1&$select=ID", 200, "00000005"},
			{"GET /Products?$orderby=Tags", 400, "has no order"},
			{"GET /Products?$filter=Tags eq null", 400, "does not apply"},
			{"GET /Products?$filter=Tags in (1)", 400, "does not apply"},
			{"GET /Products?$filter=Maker/any(m:m/ID eq 1)", 400, "Maker is none"},
			{"GET /Products?$filter=Maker/$count eq 1", 400, "Maker is none"},
			{"GET /Products?$select=Maker&$top=1", 200, `[{"@odata.id":"Products(00000000-0000-0000-0000-000000000001)"}]`},
			{"GET /Products?$select=Maker&$expand=Maker($select=Products)&$top=1", 200, `"Maker":{"@odata.id":"Makers(1)","@odata.etag":`},
			// Made-up skiptokens.
			{tampered("", "0", `["1"]`), 200, "Beta"},
			{tampered("", "0", `["x"]`), 400, "$skiptoken"},
			{tampered("", "0", `[]`), 400, "$skiptoken"},
			{tampered("", "0", `["1","2"]`), 400, "$skiptoken"},
			{tampered("", "5", `["1"]`), 400, "$skiptoken"},
			{tampered("$top=2", "-5", `["1"]`), 400, "$skiptoken"},
			{tampered("$top=2", "9223372036854775807", `["1"]`), 200, "Beta"},
			{tampered("$top=2", "9223372036854775808", `["1"]`), 400, "$skiptoken"},
			{tampered("$orderby=Name", "0", `["\u0000","1"]`), 400, "$skiptoken"},
			{tampered("$orderby=Name", "0", `["'; DROP TABLE makers; --","1"]`), 200, "Aleph"},
			{tampered("$orderby=Founded", "0", `["0000-01-01T00:00:00Z","1"]`), 400, "$skiptoken"},
			{tampered("$orderby=Name", "0", `[null,null]`), 200, "Aleph"},
			{"GET /Makers?$skiptoken=%00", 400, "not valid UTF-8"},
		} {
			a := s.do(t, t.Context(), c.request, "{}")
			got := strings.NewReplacer(`\"`, `"`, `": `, `":`, `" : `, `":`, `, "`, `,"`).Replace(a.body)
			if a.status != c.status || !strings.Contains(got, c.want) {
				t.Errorf("%.80s: got %d %.300s, want %d %s", c.request, a.status, a.body, c.status, c.want)
			}
		}
		if a := s.get(t, "/Makers/$count"); a.body != "3" {
			t.Errorf("%s makers are left", a.body)
		}
		if a := s.get(t, "/Products/$count"); a.body != "5" {
			t.Errorf("%s products are left", a.body)
		}
	})
}

// TestOutOfSight: a caller cannot change what it cannot see, nor see more of what
// it changes.
func TestOutOfSight(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	for _, c := range []struct {
		request, body string
		status        int
		want          string
	}{
		{"PATCH /Makers(2)", `{"Name":"mine"}`, 404, "no entity with this key"},
		{"DELETE /Makers(2)", ``, 404, "no entity with this key"},
		{"POST /Makers(2)/Rename", `{"Name":"mine"}`, 404, "no entity with this key"},
		{"PATCH /Products(00000000-0000-0000-0000-000000000003)", `{"Name":"mine"}`, 404, "no entity with this key"},
		{"PATCH /Makers(1)", `{"Founded":"2020-01-01T00:00:00Z"}`, 400, `no property "Founded"`},
		{"PATCH /Makers(1)", `{"Country":"GR"}`, 200, `"Country":"GR","Active"`},
		{"POST /Makers(1)/Rename", `{"Name":"mine"}`, 200, `"Name":"mine","Country":"GR","Active"`},
		{"POST /Makers", `{"Name":"New"}`, 201, `"Country":null,"Active"`},
	} {
		a := s.do(t, as(t.Context(), 1), c.request, c.body)
		if a.status != c.status || !strings.Contains(strings.ReplaceAll(a.body, `\"`, `"`), c.want) {
			t.Errorf("%s: %d %s", c.request, a.status, a.body)
		}
	}
	if a := s.get(t, "/Makers(1)"); !strings.Contains(a.body, "1990-05-01") {
		t.Errorf("the hidden property changed: %s", a.body)
	}
}

// TestPredicatesApart: what an access predicate reaches without checks stays out
// of reach for the request it guards.
func TestPredicatesApart(t *testing.T) {
	each(t, func(t *testing.T, filled *shop) {
		s := &shop{db: filled.db}
		s.Service = odata.New(odata.Options{Namespace: "Shop", Prefix: "/shop", Read: s.db.Read})
		odata.Add(s.Service, odata.Set[Maker]{
			Name: "Makers", Access: func(context.Context) (odata.Predicate, error) {
				return odata.Predicate{Expr: "Name eq @name", Args: map[string]any{"name": "Beta"}, Hide: []string{"Country"}}, nil
			},
			Create: func(ctx context.Context, m *Maker) error { return nil },
		})
		odata.Add(s.Service, odata.Set[Product]{
			Name: "Products", Access: func(context.Context) (odata.Predicate, error) {
				return odata.Predicate{Expr: "Maker/Country eq 'IL' or Reviews/any(r:r/Product/Maker/Name eq 'Beta')"}, nil
			},
		})
		odata.Add(s.Service, odata.Set[Review]{
			Name:   "Reviews",
			Access: func(context.Context) (odata.Predicate, error) { return odata.All, fault.New(fault.Forbidden, "no") },
			Create: func(context.Context, *Review) error { return nil },
		})
		if err := s.Build(); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			path   string
			status int
			want   string
		}{
			{"/Products?$orderby=Name", 200, "Banana O'Neil apple"},
			{"/Products?$filter=Maker/Name eq 'Aleph'", 200, ""},
			{"/Products?$filter=Maker/Name eq 'Beta'", 200, "O'Neil"},
			{"/Products?$filter=Maker eq null&$orderby=Name", 200, "Banana apple"},
			{"/Products?$filter=Maker/Country eq null", 400, ""},
			{"/Products?$orderby=Maker/Name desc,Name", 200, "O'Neil Banana apple"},
			{"/Makers?$filter=Products/any(p:p/Name eq 'apple' or p/Name eq 'תפוח')", 200, ""},
			{"/Makers?$filter=Products/any(p:p/Name eq 'O''Neil')", 200, "Beta"},
			{"/Makers?$filter=Products/$count eq 1", 200, "Beta"},
			{"/Makers?$filter=Products/all(p:p/Maker/Name eq 'Beta')", 200, "Beta"},
			{"/Makers(1)/Products", 404, ""},
			{"/Makers(2)/Products", 200, "O'Neil"},
			{"/Products?$filter=Reviews/$count gt 0", 403, ""},
		} {
			a := s.get(t, c.path)
			if a.status != c.status || a.names("Name") != c.want {
				t.Errorf("%s: %d %s, want %d %s", c.path, a.status, a.body, c.status, c.want)
			}
		}
		if a := s.get(t, "/Products?$filter=Name eq 'apple'&$expand=Maker"); !strings.Contains(strings.ReplaceAll(a.body, " ", ""), `"Maker":null`) {
			t.Errorf("another's maker: %s", a.body)
		}
		// Who may add but not read gets nothing to read.
		if a := s.do(t, t.Context(), "POST /Reviews", `{"Stars":5}`); a.status != http.StatusNoContent || a.body != "" || a.header.Get("Location") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.do(t, t.Context(), "POST /Makers", `{"Name":"x"}`, "Accept: application/json;odata.metadata=none"); a.status != 201 || strings.Contains(a.body, "odata") || strings.Contains(a.body, "Country") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// TestHosts: what the client says of the host cannot break the answer.
func TestHosts(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	for _, path := range []string{"", "/Makers", "/Makers(1)", "/Makers?$top=1"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.test/shop"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = `shop.test"},{"x`
		w := &recorder{header: http.Header{}}
		s.ServeHTTP(w, r)
		if !json.Valid([]byte(w.body.String())) {
			t.Errorf("%s: %s", path, w.body.String())
		}
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for _, path := range []string{"/Products?$expand=Maker,Reviews&$filter=Reviews/any(r:r/Stars gt 1) or Maker/Name eq 'Beta'", "/Makers?$orderby=Products/$count", "/$metadata", "/Makers(1)/Products/$count"} {
					a := s.do(t, as(t.Context(), int64(i%3)), "GET "+path, "")
					if a.status >= 500 {
						t.Errorf("%s: %d %s", path, a.status, a.body)
					}
				}
			})
		}
		wg.Wait()
	})
}
