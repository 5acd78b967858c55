package odata_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/store/storetest"
)

// eachDepot runs f on a depot on every database.
func eachDepot(t *testing.T, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) { f(t, newDepot(t, dialect)) })
	}
}

// compact is a body without white space.
func compact(t testing.TB, body string) string {
	t.Helper()
	var b bytes.Buffer
	if body != "" && json.Compact(&b, []byte(body)) != nil {
		return body
	}
	return b.String()
}

// request is one row of a table of requests. Want is the whole body where it
// begins with a brace, else a part of it.
type request struct {
	request, body string
	status        int
	want          string
}

func (s *shop) run(t *testing.T, table []request) {
	t.Helper()
	for _, c := range table {
		a := s.do(t, t.Context(), c.request, c.body)
		got := compact(t, a.body)
		whole := strings.HasPrefix(c.want, "{")
		if a.status != c.status || whole && got != c.want || !whole && !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), c.want) {
			t.Errorf("%s %s\n got %d %s\nwant %d %s", c.request, c.body, a.status, got, c.status, c.want)
		}
	}
}

// TestScalars: enumerations, money and narrow numbers, in and out, in
// expressions and at their limits.
func TestScalars(t *testing.T) {
	const fields = "?$select=Grade,Best,Stage,Traits,Price,Discount,Level,Shelf,Weight"
	const meta = `{"@odata.context":"http://shop.test/shop/$metadata#Crates`
	eachDepot(t, func(t *testing.T, s *shop) {
		s.run(t, []request{
			{
				"GET /Crates('A1')" + fields, "", 200,
				meta + `(Grade,Best,Stage,Traits,Price,Discount,Level,Shelf,Weight)/$entity","@odata.id":"Crates('A1')","@odata.etag":"W/\"0\"",` +
					`"Grade":"Good","Best":"Fair","Stage":"Shipped","Traits":"Fragile,Heavy","Price":19.99,"Discount":null,"Level":-3,"Shelf":2,"Weight":1.5}`,
			},
			{
				"GET /Crates('B''2')" + fields, "", 200,
				meta + `(Grade,Best,Stage,Traits,Price,Discount,Level,Shelf,Weight)/$entity","@odata.id":"Crates('B''2')","@odata.etag":"W/\"0\"",` +
					`"Grade":"Poor","Best":null,"Stage":"Lost","Traits":"8","Price":-0.05,"Discount":1.250,"Level":0,"Shelf":1,"Weight":20.5}`,
			},
			{"POST /Crates", `{"Code":"C3","Grade":"Fair","Stage":"Shipped","Traits":"Cold, Heavy","Price":0.1,"Discount":"-2.5","Shelf":3,"Weight":2}`, 201, `"Grade":"Fair","Best":null,"Stage":"Shipped","Traits":"Cold,Heavy","Price":0.10,"Discount":-2.500,"Level":0,"Shelf":3`},
			{"GET /Crates('C3')", "", 200, `"Traits":"Cold,Heavy","Price":0.10,"Discount":-2.500,`},
			{"PATCH /Crates('C3')", `{"Price":92233720368547758.07,"Discount":null,"Stage":"5","Best":"Good"}`, 200, `"Best":null,"Stage":"Shipped","Traits":"Cold,Heavy","Price":92233720368547758.07,"Discount":null`},
			{"GET /Crates('C3')?$select=Price", "", 200, `"Price":92233720368547758.07}`},
			{"PATCH /Crates('C3')", `{"Price":5e2}`, 200, `"Price":500.00`},
			{"PATCH /Crates('C3')", `{"Price":92233720368547758.08}`, 400, "too large a number"},
			{"PATCH /Crates('C3')", `{"Price":1.005}`, 400, "Price has more than 2 decimal places"},
			{"PATCH /Crates('C3')", `{"Price":1e99999999}`, 400, "out of range"},
			{"PATCH /Crates('C3')", `{"Price":true}`, 400, "expected Edm.Decimal, found a boolean"},
			{"PATCH /Crates('C3')", `{"Grade":"Great"}`, 400, "Depot.Grade has no member Great"},
			{"PATCH /Crates('C3')", `{"Stage":"Packed,Shipped"}`, 400, "Depot.Stage has no member"},
			{"PATCH /Crates('C3')", `{"Stage":"70000"}`, 400, "Depot.Stage has no member"},
			{"PATCH /Crates('C3')", `{"Level":128}`, 400, "expected Edm.SByte"},
			{"PATCH /Crates('C3')", `{"Shelf":-1}`, 400, "expected Edm.Byte"},
			{"GET /Crates?$select=Code&$filter=Grade eq 'Good'", "", 200, `[{"@odata.etag":"W/"0"","Code":"A1"}]`},
			{"GET /Crates?$select=Code&$filter=Grade ne 'Good' and Stage eq 'Lost'", "", 200, `[{"@odata.etag":"W/"0"","Code":"B'2"}]`},
			{"GET /Crates?$select=Code&$filter=Stage in ('Lost','Packed')", "", 200, `[{"@odata.etag":"W/"0"","Code":"B'2"}]`},
			{"GET /Crates?$select=Code&$filter=Best eq null and Traits eq '8'", "", 200, `[{"@odata.etag":"W/"0"","Code":"B'2"}]`},
			{"GET /Crates?$select=Code&$filter=Price eq 19.99", "", 200, `[{"@odata.etag":"W/"0"","Code":"A1"}]`},
			{"GET /Crates?$select=Code&$filter=Price lt 0 or Discount gt 1.2", "", 200, `[{"@odata.etag":"W/"0"","Code":"B'2"}]`},
			{"GET /Crates?$select=Code&$filter=Level eq -3 and Shelf lt 3", "", 200, `[{"@odata.etag":"W/"0"","Code":"A1"}]`},
			{"GET /Crates?$select=Code&$orderby=Price desc&$top=2", "", 200, `"Code":"C3"},{"@odata.etag":"W/"0"","Code":"A1"}]`},
			{"GET /Crates?$filter=Grade eq 'Great'", "", 400, "cannot be compared"},
			{"GET /Crates?$filter=Grade gt 'Fair'&$select=Code", "", 200, `"Code":"B'2"`},
			{"GET /Loads(CrateCode='A1',Number=7)", "", 200, `"Number":7`},
			{"GET /Loads(Number=7,CrateCode='A1')/Crate/Grade", "", 200, `"value":"Good"`},
		})
	})
}

// TestFunctions: bound, bound to a set and unbound; parameters in parentheses,
// as aliases and as query options; results of every kind.
func TestFunctions(t *testing.T) {
	const meta = `{"@odata.context":"http://shop.test/shop/$metadata#`
	eachDepot(t, func(t *testing.T, s *shop) {
		s.run(t, []request{
			{"GET /Crates('A1')/Volume(Factor=2.5)", "", 200, meta + `Edm.Double","value":7.5}`},
			{"GET /Crates('A1')/Depot.Volume(Factor=@f)?@f=-2", "", 200, meta + `Edm.Double","value":-6}`},
			{"GET /Crates('A1')/Volume?Factor=1e1&Unit='cm'", "", 200, meta + `Edm.Double","value":30}`},
			{"GET /Crates('A1')/Volume(Factor=INF,Unit=null)", "", 200, meta + `Edm.Double","value":"INF"}`},
			{"GET /Loads(CrateCode='A1',Number=7)/Crate/Volume(Factor=1)", "", 200, `"value":3`},
			{"GET /Crates/Heaviest(Top=1)", "", 200, `$metadata#Crates","value":[{"@odata.etag":"W/"0"","Code":"B'2"`},
			{"GET /Find(Code='A1')", "", 200, `$metadata#Crates/$entity","@odata.etag":"W/"0"","Code":"A1","Grade":"Good"`},
			{"GET /Find(Code='none')", "", 204, ""},
			{"GET /Colors", "", 200, meta + `Collection(Edm.String)","value":["red","green"]}`},
			{"GET /Colors()?$format=application/json;odata.metadata=none", "", 200, `{"value":["red","green"]}`},
			{"GET /Largest(Sizes=@s)?@s=[{\"Width\":2,\"Grade\":\"Fair\"},{\"Width\":5,\"Grade\":\"Poor\"}]", "", 200, meta + `Depot.Size","Width":5,"Height":0,"Grade":"Poor","Unit":null}`},
			{"GET /Largest", "", 200, `"Width":0`},
			// What is wrong.
			{"GET /Crates('A1')/Volume", "", 400, "Volume needs the parameter Factor"},
			{"GET /Crates('A1')/Volume(Factor=@f)", "", 400, "Volume needs the parameter Factor"},
			{"GET /Crates('A1')/Volume(Factor=null)", "", 400, "Factor cannot be null"},
			{"GET /Crates('A1')/Volume(Factor='x')", "", 400, "expected Edm.Double, found a string"},
			{"GET /Crates('A1')/Volume(Factor=1,Factor=2)", "", 400, "Factor is given twice"},
			{"GET /Crates('A1')/Volume(1)", "", 400, "write each parameter as Name=value"},
			{"GET /Crates('A1')/Volume(Facter=1)", "", 400, `Volume has no property "Facter"`},
			{"GET /Crates('A1')/Volume(Factor=@f)?@f=[1", "", 400, "@f"},
			{"GET /Crates('A1')/Volume(Factor=length('x'))", "", 501, "an expression as the parameter Factor"},
			{"GET /Crates('none')/Volume(Factor=1)", "", 404, "no entity with this key"},
			{"GET /Crates('A1')/Heaviest(Top=1)", "", 404, "Heaviest"},
			{"GET /Crates/Volume(Factor=1)", "", 404, "name one entity"},
			{"POST /Crates('A1')/Volume(Factor=1)", "{}", 405, "GET"},
			{"GET /Colors?$top=1", "", 501, "$top on the result of Colors is not served"},
			{"GET /Colors/$count", "", 501, "a path after Colors"},
			{"GET /Colors(x=1)", "", 400, "Colors takes no parameters"},
			{"GET /Depot.Colors", "", 404, "Depot.Colors"},
		})
		if a := s.do(t, t.Context(), "HEAD /Find(Code='A1')", ""); a.status != http.StatusOK || a.body != "" || a.header.Get("ETag") != `W/"0"` {
			t.Errorf("HEAD: %d %v %s", a.status, a.header, a.body)
		}
		if a := s.do(t, as(t.Context(), 2), "GET /Crates('A1')/Volume(Factor=1)", ""); a.status != http.StatusNotFound {
			t.Errorf("a crate the caller must not see: %d %s", a.status, a.body)
		}
	})
}

// TestMoreActions: bound to a set, unbound, and with parameters that are
// enumerations, optional or of any type.
func TestMoreActions(t *testing.T) {
	const meta = `{"@odata.context":"http://shop.test/shop/$metadata#`
	s := newDepot(t, "sqlite")
	s.run(t, []request{
		{"POST /Crates('A1')/Ship", `{"To":"haifa","Grade":"Fair","Stage":"Lost","Via":["b"]}`, 200, `"Stage":"Lost"`},
		{"POST /Crates('A1')/Depot.Ship", `{"To":"haifa","Grade":"Good"}`, 200, `"Stage":"Shipped"`},
		{"POST /Crates/Sweep", "", 200, meta + `Edm.Int64","value":3}`},
		{"POST /Close", `{"At":"2026-03-01T12:00:00Z"}`, 204, ""},
		{"POST /Echo", `{"Value":{"a":[1,null]}}`, 200, meta + `Edm.Untyped","value":{"a":[1,null]}}`},
		{"POST /Crates('A1')/Ship", `{"Grade":"Good"}`, 400, "Ship needs the parameter To"},
		{"POST /Crates('A1')/Ship", `{"To":"x","Grade":"Great"}`, 400, "Depot.Grade has no member Great"},
		{"POST /Crates('A1')/Ship", `{"To":"` + strings.Repeat("x", 41) + `"}`, 400, "To is longer than 40"},
		{"POST /Crates('A1')/Ship(To='x')", `{}`, 404, "its parameters go into the body"},
		{"GET /Close", "", 405, "POST"},
		{"GET /Crates/Sweep", "", 405, "POST"},
	})
}

// TestOperationsInTheirPlace: what is declared where it cannot be, Build says.
func TestOperationsInTheirPlace(t *testing.T) {
	none := func(context.Context, odata.None) (odata.None, error) { return odata.None{}, nil }
	one := func(context.Context, odata.None) (int64, error) { return 1, nil }
	bound := func(context.Context, *Review, odata.None) (int64, error) { return 1, nil }
	all := func(context.Context) (odata.Predicate, error) { return odata.All, nil }
	for want, add := range map[string]func(s *odata.Service){
		"is a function and must have a result": func(s *odata.Service) { odata.AddFunctions(s, odata.Unbound("X", none)) },
		"is bound and belongs into a Set":      func(s *odata.Service) { odata.AddActions(s, odata.BoundToSet("X", one)) },
		"has the name of an entity set":        func(s *odata.Service) { odata.AddActions(s, odata.Unbound("Makers", one)) },
		"is unbound and cannot be in the set Reviews": func(s *odata.Service) {
			odata.Add(s, odata.Set[Review]{Name: "Reviews", Access: all, Actions: []odata.Operation{odata.Unbound("X", one)}})
		},
		"cannot be in the set Parts": func(s *odata.Service) {
			odata.Add(s, odata.Set[Part2]{Name: "Parts", Access: all, Actions: []odata.Operation{odata.Bound("X", bound)}})
		},
		"has the name of a property of Review": func(s *odata.Service) {
			odata.Add(s, odata.Set[Review]{Name: "Reviews", Access: all, Functions: []odata.Operation{odata.Bound("Stars", bound)}})
		},
	} {
		s := odata.New(odata.Options{Namespace: "N", Prefix: "/n"})
		odata.Add(s, odata.Set[Maker]{Name: "Makers", Access: all})
		add(s)
		if err := s.Build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestScalarsInGo: the same in the Go closure.
func TestScalarsInGo(t *testing.T) {
	env, err := eval.NewEnv(Crate{})
	if err != nil {
		t.Fatal(err)
	}
	crate := env.Record(&Crate{Grade: "Good", Stage: 5, Traits: 5, Price: 1999, Level: -3, Shelf: 2, Weight: 1.5}, nil)
	for text, want := range map[string]bool{
		"Grade eq 'Good' and Stage eq 'Shipped'": true,
		"Grade in ('Fair','Poor')":               false,
		"Stage in ('Lost','Shipped')":            true,
		"Best eq null and Traits eq '5'":         true,
		"Traits eq 'Fragile,Heavy'":              true,
		"Price eq 19.99 and Discount eq null":    true,
		"Price gt 19.99 or Level eq 3":           false,
		"Level lt Shelf and Weight eq 1.5":       true,
	} {
		p, err := eval.Compile(env, "$filter", text, edm.Boolean)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Bool(crate); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
