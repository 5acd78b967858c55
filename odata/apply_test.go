package odata_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// bare gives the entities of a collection as JSON whose members are sorted and
// whose numbers have one form, without control information.
func (a answer) bare(t testing.TB) string {
	t.Helper()
	var body struct{ Value []any }
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || a.status != http.StatusOK {
		return fmt.Sprint(a.status, " ", a.body)
	}
	strip(body.Value)
	rows := make([]string, len(body.Value))
	for i, row := range body.Value {
		text, _ := json.Marshal(row)
		rows[i] = string(text)
	}
	return strings.Join(rows, " ")
}

func strip(x any) {
	switch x := x.(type) {
	case []any:
		for _, item := range x {
			strip(item)
		}
	case map[string]any:
		for name, value := range x {
			if strings.Contains(name, "@") {
				delete(x, name)
			}
			strip(value)
		}
	}
}

// applied are requests and the rows they give.
var applied = []struct{ path, want string }{
	// Aggregates.
	{
		"/Products?$apply=aggregate(Price with sum as Total,Price with min as Least,Price with max as Most,Price with average as Mean,$count as N)",
		`{"Least":0.1,"Mean":250.9625,"Most":1000,"N":5,"Total":1003.85}`,
	},
	{"/Products?$apply=aggregate(Stock with sum as S,Stock with average as A,Stock with countdistinct as D)", `{"A":4.25,"D":3,"S":17}`},
	{"/Products?$apply=aggregate(Name with min as First,Name with max as Last,At with max as Late,ID with min as Low)", `{"First":"Banana","Last":"תפוח","Late":"2026-01-04T10:00:00.000004Z","Low":"00000000-0000-0000-0000-000000000001"}`},
	{"/Products?$apply=aggregate(INF with max as Most,-INF with min as Least,1e3 with sum as S)", `{"Least":"-INF","Most":"INF","S":5000}`},
	{"/Products?$apply=aggregate(length(Name) with sum as Letters)", `{"Letters":25}`},
	{"/Products?$apply=aggregate(Sold with countdistinct as S,Maker with countdistinct as M,Maker/Country with countdistinct as C)", `{"C":1,"M":2,"S":2}`},
	{"/Products?$apply=aggregate(Reviews/Stars with average as AvgStars)", `{"AvgStars":3.25}`},
	{"/Products?$apply=aggregate(Reviews/$count as R,Reviews/Text with countdistinct as T,Reviews/Stars with max as Best,$count as P)", `{"Best":5,"P":5,"R":4,"T":2}`},
	{"/Products?$apply=aggregate(Reviews/$count with max as Most)", `{"Most":2}`},
	{"/Makers?$apply=aggregate(Products/Reviews/Stars with sum as Stars,Products/$count as Count,$count as N)", `{"Count":4,"N":3,"Stars":13}`},
	// An entity reached several times counts once; an expression counts for each instance.
	{"/Reviews?$apply=aggregate(Product/Stock with sum as Once,Product/$count as P)", `{"Once":10,"P":3}`},
	{"/Reviews?$apply=aggregate($it/Product/Stock with sum as Each)", `{"Each":20}`},
	{"/Reviews?$apply=groupby((Product/Sold),aggregate(Product/Maker/Name with countdistinct as M,Stars with sum as S))", `{"M":1,"Product":{"Sold":false},"S":6} {"M":2,"Product":{"Sold":true},"S":7}`},
	// By the name of what is aggregated, as UI5 does.
	{"/Products?$apply=groupby((Sold),aggregate(Price with sum as Price,Stock with max as Stock))/filter(Price gt 2)/aggregate(Price with max as Price)", `{"Price":1002.25}`},
	{"/Products?$apply=concat(aggregate(Price with sum as Price),filter(Sold)/groupby((Name),aggregate(Price with sum as Price))/orderby(Price))", `{"Price":1003.85} {"Name":"Banana","Price":2.25} {"Name":"O'Neil","Price":1000}`},
	// Nulls, and nothing at all.
	{"/Products?$apply=filter(Name eq 'nothing')/aggregate(Price with sum as T,Name with max as M,Price with average as A,Stock with countdistinct as D,$count as N,Reviews/$count as R)", `{"A":null,"D":0,"M":null,"N":0,"R":0,"T":null}`},
	{"/Products?$apply=filter(Name eq 'nothing')/groupby((Sold),aggregate(Price with sum as T))", ``},
	{"/Products?$apply=filter(Stock eq null)/aggregate(Stock with sum as S,Stock with min as M,$count as N)", `{"M":null,"N":1,"S":null}`},
	// Groups.
	{"/Products?$apply=groupby((Sold))", `{"Sold":false} {"Sold":true}`},
	{"/Products?$apply=groupby((Stock),aggregate($count as N))", `{"N":1,"Stock":null} {"N":1,"Stock":-3} {"N":1,"Stock":0} {"N":2,"Stock":10}`},
	{"/Products?$apply=groupby((Maker/Name),aggregate(Price with sum as Total))", `{"Maker":null,"Total":0.1} {"Maker":{"Name":"Aleph"},"Total":3.75} {"Maker":{"Name":"Beta"},"Total":1000}`},
	{"/Products?$apply=groupby((Maker/Country,Maker/Active))", `{"Maker":null} {"Maker":{"Active":false,"Country":null}} {"Maker":{"Active":true,"Country":"IL"}}`},
	{"/Products?$apply=groupby((Sold,Maker/Name))/groupby((Maker/Name),aggregate($count as N))", `{"Maker":null,"N":1} {"Maker":{"Name":"Aleph"},"N":2} {"Maker":{"Name":"Beta"},"N":2}`},
	{"/Products?$apply=groupby((Sold,Maker/Name))/groupby((Maker))", `{"Maker":null} {"Maker":{"Name":"Aleph"}} {"Maker":{"Name":"Beta"}}`},
	{"/Reviews?$apply=groupby((Product/Maker/Name,Product/Sold),aggregate(Stars with max as Best))", `{"Best":5,"Product":{"Maker":{"Name":"Aleph"},"Sold":false}} {"Best":3,"Product":{"Maker":{"Name":"Aleph"},"Sold":true}} {"Best":4,"Product":{"Maker":{"Name":"Beta"},"Sold":true}}`},
	{"/Products?$apply=groupby((Maker),aggregate($count as N))&$expand=Maker($select=Name)", `{"Maker":null,"N":1} {"Maker":{"Name":"Aleph"},"N":2} {"Maker":{"Name":"Beta"},"N":2}`},
	{"/Products?$apply=filter(Sold)/groupby((Maker))&$top=1", `{"Maker":{"Active":true,"Country":"IL","Founded":"1990-05-01T08:30:00.000000Z","ID":1,"Name":"Aleph","Version":1}}`},
	{"/Products?$apply=groupby((Maker),aggregate(Price with sum as Total))&$filter=Maker/Country eq 'IL'&$select=Total&$expand=Maker($select=ID)", `{"Maker":{"ID":1},"Total":3.75}`},
	{"/Makers?$apply=groupby((Active),aggregate(Products/Price with sum as Total,Products/$count as N))", `{"Active":false,"N":2,"Total":1000} {"Active":true,"N":2,"Total":3.75}`},
	{"/Products?$apply=groupby((At),aggregate($count as N))&$filter=At gt 2026-01-03T00:00:00Z", `{"At":"2026-01-03T10:00:00.000003Z","N":1} {"At":"2026-01-04T10:00:00.000004Z","N":1}`},
	// Groups of what a sequence makes of each.
	{"/Products?$apply=groupby((Maker/Name),filter(Sold)/aggregate($count as N,Reviews/$count as R))", `{"Maker":null,"N":0,"R":0} {"Maker":{"Name":"Aleph"},"N":1,"R":1} {"Maker":{"Name":"Beta"},"N":1,"R":1}`},
	{"/Products?$apply=groupby((Sold),compute(length(Name) as L)/aggregate(L with max as M)/filter(M gt 5))", `{"M":6,"Sold":true}`},
	{"/Products?$apply=groupby((Sold),groupby((Maker/Name),aggregate($count as N)))&$filter=Maker ne null", `{"Maker":{"Name":"Aleph"},"N":1,"Sold":false} {"Maker":{"Name":"Beta"},"N":1,"Sold":false} {"Maker":{"Name":"Aleph"},"N":1,"Sold":true} {"Maker":{"Name":"Beta"},"N":1,"Sold":true}`},
	{"/Products?$apply=groupby((Maker/Name),topcount(1,Price))&$select=Name", `{"Maker":{"Name":"Aleph"},"Name":"Banana"} {"Maker":{"Name":"Beta"},"Name":"O'Neil"} {"Maker":null,"Name":"ΟΔΟΣ"}`},
	{"/Products?$apply=groupby((Sold),orderby(Price desc)/skip(1)/top(1))&$select=Name,Sold", `{"Name":"Banana","Sold":true} {"Name":"ΟΔΟΣ","Sold":false}`},
	{"/Products?$apply=groupby((Sold),orderby(Name desc)/top(1))&$select=Name,Sold", `{"Name":"תפוח","Sold":false} {"Name":"O'Neil","Sold":true}`},
	{"/Products?$apply=groupby((Sold),concat(aggregate($count as N),aggregate(Price with max as M)))", `{"N":3,"Sold":false} {"N":2,"Sold":true} {"M":1.5,"Sold":false} {"M":1000,"Sold":true}`},
	// Dynamic properties.
	{"/Products?$apply=groupby((Color))", `{"Color":null} {"Color":"Red"} {"Color":"red"} {"Color":"yellow"}`},
	{"/Products?$apply=groupby((Color,Weight),aggregate(Weight with sum as W,Stock with sum as S))&$filter=Color ne null&$orderby=Weight desc", `{"Color":"yellow","S":null,"W":250,"Weight":"250"} {"Color":"red","S":10,"W":100,"Weight":100} {"Color":"Red","S":10,"W":null,"Weight":null}`},
	{"/Products?$apply=aggregate(Weight with sum as W,Weight with max as M,Color with countdistinct as C,Unheard with sum as U)", `{"C":3,"M":250,"U":null,"W":449.5}`},
	{"/Products?$apply=groupby((Fresh),aggregate($count as N))/filter(Fresh eq true)", `{"Fresh":true,"N":1}`},
	{"/Products?$apply=groupby((Color,Sold))/groupby((Color),aggregate($count as N))&$orderby=Color desc&$top=2", `{"Color":"yellow","N":1} {"Color":"red","N":1}`},
	{"/Reviews?$apply=groupby((Product/Color),aggregate($count as N))", `{"N":1,"Product":{"Color":null}} {"N":2,"Product":{"Color":"red"}} {"N":1,"Product":{"Color":"yellow"}}`},
	// Computed properties.
	{"/Products?$apply=compute(length(Name) as L,toupper(Name) as Up)&$select=L,Up&$filter=L eq 5", `{"L":5,"Up":"APPLE"}`},
	{"/Products?$apply=compute(length(Name) as L)/groupby((L),aggregate($count as N))/filter(N gt 1)", `{"L":4,"N":2} {"L":6,"N":2}`},
	{"/Products?$apply=compute(Stock gt 5 as Many,date(At) as Day)/groupby((Many,Day))&$filter=Day ne null&$orderby=Day desc&$top=2", `{"Day":"2026-01-04","Many":false} {"Day":"2026-01-03","Many":false}`},
	{"/Products?$apply=compute(length(Name) as Color)&$filter=Name eq 'apple'&$select=Name,Color", `{"Color":5,"Name":"apple"}`},
	{"/Makers?$apply=filter(Active)/compute(year(Founded) as Year)&$expand=Products($select=Name;$orderby=Name)&$select=Year", `{"Products":[{"Name":"Banana"},{"Name":"apple"}],"Year":1990} {"Products":[],"Year":null}`},
	{"/Products?$apply=compute(Maker/Name as Made)&$select=Made&$orderby=Made desc,ID&$top=3", `{"Made":"Beta"} {"Made":"Beta"} {"Made":"Aleph"}`},
	// Subsets and orders.
	{"/Products?$apply=filter(Sold)&$select=Name", `{"Name":"Banana"} {"Name":"O'Neil"}`},
	{"/Products?$apply=identity/filter(Reviews/any())/filter(not Sold)&$select=Name", `{"Name":"apple"}`},
	{"/Products?$apply=topcount(2,Price)&$select=Name", `{"Name":"Banana"} {"Name":"O'Neil"}`},
	{"/Products?$apply=bottomcount(2,Price)&$select=Name", `{"Name":"תפוח"} {"Name":"ΟΔΟΣ"}`},
	{"/Products?$apply=topcount(1,Reviews/$count)/filter(Sold)&$select=Name", ``},
	{"/Products?$apply=orderby(Price desc)/skip(1)/top(2)&$select=Name", `{"Name":"Banana"} {"Name":"apple"}`},
	{"/Products?$apply=orderby(Price desc)/top(3)/skip(1)&$select=Name", `{"Name":"Banana"} {"Name":"apple"}`},
	{"/Products?$apply=orderby(Name)/orderby(Sold desc)&$select=Name", `{"Name":"Banana"} {"Name":"O'Neil"} {"Name":"apple"} {"Name":"ΟΔΟΣ"} {"Name":"תפוח"}`},
	{"/Products?$apply=orderby(Maker/Name desc,Name)/top(2)&$select=Name", `{"Name":"O'Neil"} {"Name":"תפוח"}`},
	{"/Products?$apply=top(0)", ``},
	{"/Products?$apply=top(2)/aggregate($count as N,Price with sum as P)", `{"N":2,"P":3.75}`},
	{"/Products?$apply=groupby((Maker/Name),aggregate(Price with sum as Total))/topcount(1,Total)", `{"Maker":{"Name":"Beta"},"Total":1000}`},
	{"/Products?$apply=groupby((Sold),aggregate(Price with sum as Total))/orderby(Total desc)/compute(Sold as Was)", `{"Sold":true,"Total":1002.25,"Was":true} {"Sold":false,"Total":1.6,"Was":false}`},
	{"/Products?$apply=groupby((Sold),aggregate(Stock with sum as S))/aggregate(S with average as A)", `{"A":8.5}`},
	// Concatenations.
	{"/Products?$apply=concat(topcount(1,Price),bottomcount(1,Stock))&$select=Name", `{"Name":"O'Neil"} {"Name":"Banana"}`},
	{"/Products?$apply=concat(filter(Sold),aggregate(Price with sum as Total))&$select=Name,Total", `{"Name":"Banana"} {"Name":"O'Neil"} {"Total":1003.85}`},
	{"/Products?$apply=concat(groupby((Sold),aggregate(Price with sum as Total)),aggregate(Price with sum as Total))", `{"Sold":false,"Total":1.6} {"Sold":true,"Total":1002.25} {"Total":1003.85}`},
	{"/Products?$apply=concat(orderby(Name desc)/top(1),identity)/aggregate($count as N,Maker/Name with countdistinct as M)", `{"M":2,"N":6}`},
	{"/Products?$apply=concat(groupby((Maker/Name)),groupby((Maker/Country)))&$filter=Maker/Country eq 'IL' or Maker/Name eq 'Beta'", `{"Maker":{"Name":"Beta"}} {"Maker":{"Country":"IL"}}`},
	{"/Products?$apply=concat(concat(filter(Sold),top(1)),aggregate($count as N))/concat(aggregate($count as All),identity)&$select=Name,N,All", `{"All":4} {"Name":"Banana"} {"Name":"O'Neil"} {"Name":"apple"} {"N":5}`},
	{"/Products?$apply=concat(filter(Sold)/compute(length(Name) as L),aggregate(Stock with average as L))&$select=L", `{"L":6} {"L":6} {"L":4.25}`},
	{"/Products?$apply=concat(groupby((Color)),groupby((Weight)))&$filter=Weight eq 100 or Color eq 'red'", `{"Color":"red"} {"Weight":100}`},
	{"/Products?$apply=concat(filter(Sold),groupby((Maker),aggregate($count as N)))&$select=Name,N&$expand=Maker($select=Name)&$orderby=N", `{"Maker":{"Name":"Aleph"},"Name":"Banana"} {"Maker":{"Name":"Beta"},"Name":"O'Neil"} {"Maker":null,"N":1} {"Maker":{"Name":"Aleph"},"N":2} {"Maker":{"Name":"Beta"},"N":2}`},
	// Many steps.
	{"/Products?$apply=" + strings.Repeat("top(9)/groupby((Maker/Name,Name,Color))/", 12) + "aggregate($count as N)", `{"N":5}`},
	{"/Products?$apply=" + strings.Repeat("concat(identity,top(1))/skip(1)/", 6) + "aggregate($count as N)", `{"N":5}`},
	{"/Products?$apply=" + strings.Repeat("concat(identity,identity)/", 6) + "aggregate($count as N)", `{"N":320}`},
	{"/Products?$apply=concat(identity,identity)/concat(identity,filter(Sold))&$select=Name&$orderby=Name&$top=5", `{"Name":"Banana"} {"Name":"Banana"} {"Name":"Banana"} {"Name":"Banana"} {"Name":"O'Neil"}`},
	// Other options over the result.
	{"/Products?$apply=groupby((Sold),aggregate($count as N))&$filter=N gt 2", `{"N":3,"Sold":false}`},
	{"/Products?$apply=groupby((Sold),aggregate($count as N))&$orderby=N&$select=N&$skip=1", `{"N":3}`},
	{"/Products?$apply=groupby((Maker/Name,Sold),aggregate($count as N))&$select=Maker&$filter=Sold", `{"Maker":{"Name":"Aleph"}} {"Maker":{"Name":"Beta"}}`},
	{"/Products?$apply=groupby((Maker/Name))&$filter=Maker eq null", `{"Maker":null}`},
	{"/Products?$apply=filter(Name eq @n)/aggregate($count as N)&@n='apple'", `{"N":1}`},
	// Related entities.
	{"/Makers(1)/Products?$apply=aggregate($count as N,Price with sum as P)", `{"N":2,"P":3.75}`},
	{"/Makers(2)/Products?$apply=filter(Sold)&$select=Name", `{"Name":"O'Neil"}`},
	{"/Makers?$select=Name&$expand=Products($apply=groupby((Sold),aggregate($count as N)))", `{"Name":"Aleph","Products":[{"N":1,"Sold":false},{"N":1,"Sold":true}]} {"Name":"Beta","Products":[{"N":1,"Sold":false},{"N":1,"Sold":true}]} {"Name":"Gamma","Products":[]}`},
	{"/Makers?$select=Name&$expand=Products($apply=aggregate(Price with sum as T,Reviews/$count as R))&$orderby=ID desc", `{"Name":"Gamma","Products":[{"R":0,"T":null}]} {"Name":"Beta","Products":[{"R":1,"T":1000}]} {"Name":"Aleph","Products":[{"R":3,"T":3.75}]}`},
	{"/Makers?$select=Name&$expand=Products($apply=filter(Sold);$select=Name)&$top=1", `{"Name":"Aleph","Products":[{"Name":"Banana"}]}`},
	{"/Makers?$select=Name&$top=1&$expand=Products($apply=concat(filter(Sold),aggregate($count as N));$select=Name,N)", `{"Name":"Aleph","Products":[{"Name":"Banana"},{"N":2}]}`},
}

func TestApply(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		for _, c := range applied {
			a := s.get(t, c.path)
			if got := a.bare(t); got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.path, got, c.want)
			}
		}
	})
}

// TestApplyRepresentation holds context URLs and control information to the
// letter.
func TestApplyRepresentation(t *testing.T) {
	const context = `{"@odata.context":"http://shop.test/shop/$metadata#`
	each(t, func(t *testing.T, s *shop) {
		for _, c := range []struct{ path, want string }{
			{"/Products?$apply=groupby((Maker/Name),aggregate(Price with max as Most))&$top=1&$skip=1", `Products(Maker(Name),Most)","value":[{"Maker":{"Name":"Aleph"},"Most":2.25}]}`},
			{"/Products?$apply=aggregate(Stock with sum as S,$count as N,Name with min as A)", `Products(S,N,A)","value":[{"S@odata.type":"#Int64","S":17,"N@odata.type":"#Decimal","N":5,"A":"Banana"}]}`},
			{"/Products?$apply=aggregate(Stock with sum as S)&$format=application/json;odata.metadata=none", `{"value":[{"S":17}]}`},
			{"/Products?$apply=groupby((Sold))&$count=true&$filter=Sold", `Products(Sold)","@odata.count":1,"value":[{"Sold":true}]}`},
			{"/Products?$apply=filter(false)&$count=true", `Products","@odata.count":0,"value":[]}`},
			{"/Makers?$apply=filter(ID eq 3)/compute(length(Name) as L)", `Makers(*,L)","value":[{"@odata.etag":"W/\"3\"","ID":3,"Name":"Gamma","Country":"GR","Founded":null,"Active":true,"Version":3,"L@odata.type":"#Int64","L":5}]}`},
			{"/Makers?$apply=concat(filter(ID eq 3),filter(ID eq 0))", `Makers","value":[{"@odata.etag":"W/\"3\"","ID":3,"Name":"Gamma","Country":"GR","Founded":null,"Active":true,"Version":3}]}`},
			{"/Makers?$apply=concat(filter(ID eq 3),aggregate($count as N))&$select=Name,N", `Makers(@Core.AnyStructure)","value":[{"@odata.etag":"W/\"3\"","Name":"Gamma"},{"N@odata.type":"#Decimal","N":3}]}`},
			{"/Makers?$apply=concat(groupby((Active)),groupby((Active,Country)))&$filter=Active and Country eq null", `Makers(Active)","value":[{"Active":true}]}`},
			{"/Products?$apply=groupby((Maker),aggregate($count as N))&$filter=N eq 0", `Products(N,Maker())","value":[]}`},
			{"/Makers?$select=Name&$expand=Products($apply=aggregate($count as N))&$filter=ID eq 0", `Makers(Name,Products(N))","value":[]}`},
			{"/Products?$apply=groupby((Color))&$filter=Color eq 'red'", `Products(Color)","value":[{"Color":"red"}]}`},
			{"/Products/$count?$apply=groupby((Sold))", "2"},
			{"/Products/$count?$apply=groupby((Sold))&$filter=Sold", "1"},
		} {
			want := c.want
			if !strings.HasPrefix(want, "{") && !strings.HasPrefix(c.path, "/Products/$count") {
				want = context + want
			}
			if got := compact(t, s.get(t, c.path).body); got != want {
				t.Errorf("%s\n got %s\nwant %s", c.path, got, want)
			}
		}
	})
}

// TestApplyNames: an alias is a name and nothing else, however long, and never
// SQL.
func TestApplyNames(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		long := strings.Repeat("שם", 60)
		a := s.get(t, "/Products?$apply=groupby((Maker/Name),aggregate($count as "+long+"1,Price with max as "+long+"2))&$orderby="+long+"1,"+long+"2 desc&$select="+long+"2,Maker&$top=2")
		if want := `{"Maker":null,"` + long + `2":0.1} {"Maker":{"Name":"Beta"},"` + long + `2":1000}`; a.bare(t) != want {
			t.Errorf("got %s, want %s", a.bare(t), want)
		}
		for _, alias := range []string{`x"`, `x'`, `x;DROP TABLE products`, `x--`, `"x"`, `x)`, `@1`, `$1`, `?`, `x y`, `1x`, `x.y`, `*`, strings.Repeat("x", 129)} {
			a := s.get(t, "/Products?$apply=aggregate($count as "+strings.NewReplacer(";", "%3B", "?", "%3F").Replace(alias)+")")
			if a.status != http.StatusBadRequest || !strings.Contains(a.body, "$apply, position ") {
				t.Errorf("the alias %s: %d %s", alias, a.status, a.body)
			}
		}
		for _, dynamic := range []string{"_x", "SELECT", "Ünïcödé", "x_2"} {
			a := s.get(t, "/Products?$apply=groupby(("+dynamic+"))")
			if want := `{"` + dynamic + `":null}`; a.bare(t) != want {
				t.Errorf("got %s, want %s", a.bare(t), want)
			}
		}
	})
}

// TestApplyPages: following next links through groups gives each once.
func TestApplyPages(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			whole := newShop(t, dialect, odata.Limits{})
			whole.fill(t)
			for size := 1; size <= 3; size++ {
				s := whole.paged(t, size)
				for _, path := range []string{
					"/Products?$apply=groupby((Stock),aggregate($count as N))",
					"/Products?$apply=groupby((Stock),aggregate($count as N))&$orderby=N desc",
					"/Products?$apply=groupby((Maker/Name,Sold),aggregate(Price with sum as T))&$orderby=T",
					"/Products?$apply=groupby((Maker/Name,Sold),aggregate(Price with sum as T))",
					"/Products?$apply=groupby((Maker/Country))",
					"/Products?$apply=groupby((Maker),aggregate($count as N))&$orderby=N",
					"/Products?$apply=groupby((Color))",
					"/Products?$apply=groupby((Weight,Color))&$orderby=Weight desc",
					"/Products?$apply=groupby((At))&$orderby=At desc",
					"/Products?$apply=groupby((Price),aggregate(Price with sum as S,Price with average as A))&$orderby=A",
					"/Products?$apply=compute(length(Name) as L)/groupby((L))",
					"/Products?$apply=compute(length(Name) as L)&$orderby=L&$select=L",
					"/Products?$apply=orderby(Stock desc)&$select=Name",
					"/Products?$apply=orderby(Stock desc)/top(4)&$select=Name",
					"/Products?$apply=topcount(4,Price)&$select=Name",
					"/Products?$apply=groupby((Sold),topcount(2,Price))&$select=Name,Sold",
					"/Products?$apply=concat(identity,identity)&$select=Name&$orderby=Name",
					"/Products?$apply=concat(orderby(Name desc)/top(2),groupby((Sold),aggregate($count as N)),aggregate($count as N))&$select=Name,N",
					"/Products?$apply=concat(identity,aggregate($count as N))/concat(identity,identity)&$select=Name,N",
					"/Products?$apply=aggregate($count as N)",
					"/Products?$apply=groupby((Stock))&$top=3",
					"/Products?$apply=groupby((Stock))&$skip=1&$top=3",
				} {
					want := whole.get(t, path).bare(t)
					if got := s.pages(t, path+"&$count=true"); got != want {
						t.Errorf("pages of %d, %s\n got %s\nwant %s", size, path, got, want)
					}
				}
			}
		})
	}
}

// paged is a service over the same shop with pages of size entities.
func (s *shop) paged(t *testing.T, size int) *shop {
	p := &shop{db: s.db}
	o := s.Options
	o.Limits.PageSize = size
	p.Service = odata.New(o)
	p.add()
	if err := p.Build(); err != nil {
		t.Fatal(err)
	}
	return p
}

// pages follows next links to the end and lists the rows.
func (s *shop) pages(t *testing.T, path string) string {
	var all []string
	for range 40 {
		a := s.get(t, path)
		if rows := a.bare(t); rows != "" {
			all = append(all, rows)
		}
		next, ok := a.json["@odata.nextLink"].(string)
		if !ok {
			return strings.Join(all, " ")
		}
		path = strings.TrimPrefix(next, "http://shop.test/shop")
	}
	return "endless"
}
