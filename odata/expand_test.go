package odata_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"leadloop/odata"
)

func TestExpand(t *testing.T) {
	eachForest(t, odata.Limits{}, func(t *testing.T, s *shop) {
		s.wanted(t, []wanted{
			{"/Trees(1)?$select=ID&$expand=Children/$ref", `{"ID":1,"Children":[{"@odata.id":"Trees(2)"},{"@odata.id":"Trees(3)"},{"@odata.id":"Trees(4)"}]}`},
			{"/Trees(1)?$select=ID&$expand=Children/$ref($filter=ID gt 2;$orderby=ID desc;$count=true;$top=1)", `{"ID":1,"Children@odata.count":2,"Children":[{"@odata.id":"Trees(4)"}]}`},
			{"/Trees?$filter=ID le 2&$select=ID&$expand=Parent/$ref", `{"value":[{"ID":1,"Parent":null},{"ID":2,"Parent":{"@odata.id":"Trees(1)"}}]}`},
			{"/Trees(1)?$select=ID&$expand=Nests/$ref", `{"ID":1,"Nests":[{"@odata.id":"Nests('a%2Fb''c')"},{"@odata.id":"Nests('%D7%91%20%D7%90')"}]}`},
			{"/Nests('a%2Fb''c')?$select=Eggs&$expand=Visits/$ref($top=1)", `{"@odata.id":"Nests('a%2Fb''c')","Eggs":3,"Visits":[{"@odata.id":"Visits(Day=0,Visitor='x%26y')"}]}`},
			{"/Trees(1)?$select=ID&$expand=Children/$count", `{"ID":1,"Children@odata.count":3}`},
			{"/Trees?$select=ID&$filter=ID le 2&$expand=Children/$count($filter=ID gt 2),Nests/$count", `{"value":[{"ID":1,"Children@odata.count":2,"Nests@odata.count":2},{"ID":2,"Children@odata.count":2,"Nests@odata.count":1}]}`},
			{"/Trees(1)?$select=ID&$expand=Children($select=ID;$levels=2)", `{"ID":1,"Children":[{"ID":2,"Children":[{"ID":5},{"ID":6}]},{"ID":3,"Children":[]},{"ID":4,"Children":[]}]}`},
			{"/Trees(1)?$select=ID&$expand=Children($select=ID;$levels=1)", `{"ID":1,"Children":[{"ID":2},{"ID":3},{"ID":4}]}`},
			{"/Trees(1)?$select=ID&$expand=Children($select=ID;$levels=3;$filter=ID ne 3 and ID ne 6;$orderby=ID desc)", `{"ID":1,"Children":[{"ID":4,"Children":[]},{"ID":2,"Children":[{"ID":5,"Children":[{"ID":7}]}]}]}`},
			{"/Trees(2)?$select=ID&$expand=Children($select=ID;$levels=max)", `{"ID":2,"Children":[{"ID":5,"Children":[{"ID":7,"Children":[]}]},{"ID":6,"Children":[]}]}`},
			{"/Trees(7)?$select=ID&$expand=Parent($select=ID;$levels=max)", `{"ID":7,"Parent":{"ID":5,"Parent":{"ID":2,"Parent":{"ID":1,"Parent":null}}}}`},
			{"/Trees(7)?$select=ID&$expand=Parent($select=ID;$levels=2;$expand=Nests($select=Code))", `{"ID":7,"Parent":{"ID":5,"Nests":[],"Parent":{"ID":2,"Nests":[{"Code":"z"}]}}}`},
			{"/Nests('z')?$select=Code&$expand=Tree($select=ID;$levels=1;$expand=Children($select=ID))", `{"Code":"z","Tree":{"ID":2,"Children":[{"ID":5},{"ID":6}]}}`},
			{"/Trees(1)?$select=ID&$expand=Children($filter=ID gt @p;@p=2;$select=ID)&@p=9", `{"ID":1,"Children":[{"ID":3},{"ID":4}]}`},
			{"/Trees(1)?$select=ID&$expand=Children(@p=(@q add 1);@q=2;$select=ID;$expand=Children($filter=ID ge @p;$select=ID;@q=5))", `{"ID":1,"Children":[{"ID":2,"Children":[{"ID":6}]},{"ID":3,"Children":[]},{"ID":4,"Children":[]}]}`},
			{"/Trees(1)?$select=ID&$expand=Children($filter=Name in @p;@p=['t3','t;4)'];$select=ID)", `{"ID":1,"Children":[{"ID":3}]}`},
			{"/Trees(1)?$select=ID&$expand=Children($filter=ID gt @p),Nests($select=Code;@p=2)", `{"ID":1,"Children":[],"Nests":[{"Code":"a/b'c"},{"Code":"ב א"}]}`}, // not given: null
			{"/Nests('z')?$select=Code&$expand=*/$ref", `{"Code":"z","Tree":{"@odata.id":"Trees(2)"},"Visits":[]}`},
			{"/Nests('z')?$select=Code&$expand=Tree($select=ID),*", `{"Code":"z","Tree":{"ID":2},"Visits":[]}`},
			{"/Nests('z')?$select=Code&$expand=*,Tree($select=ID)", `{"Code":"z","Tree":{"ID":2},"Visits":[]}`},
			{"/Nests('ב א')?$select=Code&$expand=Visits($count=true)", `{"Code":"ב א","Visits@odata.count":0,"Visits":[]}`},
			{"/Nests('z')?$expand=Tree/$count", "400 Tree/$count needs a collection"},
			{"/Nests('z')?$expand=Tree($levels=2)", "400 $levels needs a navigation property to entities of the same type"},
			{"/Nests('z')?$expand=Tree($levels=0)", "400 $levels is max or at least 1"},
			{"/Nests('z')?$expand=Tree($top=1)", "400 $top does not apply to Tree, a single entity"},
			{"/Nests('z')?$expand=Tree/Children", "400 write what is below Tree as its option"},
			{"/Nests('z')?$expand=Forest.Nest/Tree/Forest.Tree($select=Name)&$select=Code", `{"Code":"z","Tree":{"@odata.id":"Trees(2)","Name":"t2"}}`},
			{"/Nests('z')?$expand=Tree/Forest.Nest", "400 no Forest.Nest"},
			{"/Nests('z')?$expand=$value", "501 $value is not served"},
			{"/Nests('z')?$expand=*($top=1)", "400 $top does not apply to *"},
			{"/Nests('z')?$expand=Visits($skiptoken=x)", "400 $skiptoken cannot stand inside $expand"},
			{"/Nests('z')?$expand=Visits/$ref($select=Day)", "400 $select does not apply to Visits/$ref"},
			{"/Trees?$filter=ID lt 4&$select=ID&$expand=Children($filter=$it/ID mul 2 lt ID and Name ne '$it';$select=ID)", `{"value":[{"ID":1,"Children":[{"ID":3},{"ID":4}]},{"ID":2,"Children":[{"ID":5},{"ID":6}]},{"ID":3,"Children":[]}]}`},
			{"/Trees(5)?$select=ID&$expand=Parent($select=ID;$expand=Children($select=ID;$filter=ID gt $it/ID))", `{"ID":5,"Parent":{"ID":2,"Children":[{"ID":6}]}}`},
			{"/Trees(5)?$select=ID&$expand=Parent($compute=$it/ID add ID as Sum;$select=Sum;$expand=Children/$count($filter=$it/Parent/ID lt ID and @i eq ID;@i=$it/ID))", `{"ID":5,"Parent":{"@odata.id":"Trees(2)","Sum":7,"Children@odata.count":1}}`},
			{"/Trees?$apply=filter(ID eq 2)/compute(ID add 3 as Next)&$select=Next&$expand=Children($filter=ID gt $it/Next;$top=5;$select=ID)", `{"value":[{"Next":5,"Children":[{"ID":6}]}]}`},
			{"/Trees?$apply=groupby((Parent),aggregate(ID with max as Most))&$filter=Most eq 4&$expand=Parent($expand=Children($filter=ID lt $it/Most))", "501 $it of what a query has aggregated"},
			{"/Nests?$levels=2", "400 $levels stands inside $expand only"},
			{"/Trees(1)?$expand=Children($levels=9)", "400 limit ExpandDepth"},
			{"/Trees(1)?$expand=*($levels=5)", "400 limit Expands"},
		})
		if a := s.get(t, "/Nests('z')?$expand=*($levels=2)"); a.status != 200 || !strings.Contains(a.body, `"Tree":{`) || !strings.Contains(a.body, `"Parent":{`) {
			t.Error(a.body)
		}
		if a := s.get(t, "/Trees(1)?$expand=*($levels=max)"); a.status != 200 {
			t.Error(a.body)
		}
		// What is not there for a caller is in no level and in no count.
		a := s.do(t, without(t.Context(), 2), "GET /Trees(1)?$select=ID&$expand=Children($select=ID;$levels=max;$count=true)", "")
		if got := drawn(a.json); a.status != 200 || got != "1(3()4())" || a.json["Children@odata.count"].(json.Number) != "2" {
			t.Error(got, a.body)
		}
	})
}

// TestExpandPages follows the next links inside expanded collections: each entity
// comes once, in the order and with the options asked for.
func TestExpandPages(t *testing.T) {
	for size := 1; size <= 3; size++ {
		limits := odata.Limits{}
		limits.ExpandPageSize, limits.PageSize = size, 2
		eachForest(t, limits, func(t *testing.T, s *shop) {
			for _, c := range []struct{ path, nav, property, want string }{
				{"/Trees(1)?$expand=Children($select=ID)", "Children", "ID", "2 3 4"},
				{"/Trees(1)?$expand=Children($orderby=Height desc,Name;$select=Name)", "Children", "Name", "t4 t2 t3"},
				{"/Trees(1)?$expand=Children($orderby=Height)", "Children", "ID", "3 2 4"},
				{"/Trees(1)?$expand=Children($orderby=Due desc)", "Children", "ID", "4 2 3"},
				{"/Trees(1)?$expand=Children($compute=ID mod 2 as Odd;$orderby=Odd desc,ID;$select=ID)", "Children", "ID", "3 2 4"},
				{"/Trees(1)?$expand=Children($filter=ID lt 4;$orderby=Colour,ID desc)", "Children", "ID", "3 2"},
				{"/Trees(1)?$expand=Children($skip=1)", "Children", "ID", "3 4"},
				{"/Trees(1)?$expand=Children($skip=1;$top=1)", "Children", "ID", "3"},
				{"/Trees(1)?$expand=Children($top=2;$count=true)", "Children", "ID", "2 3"},
				{"/Trees(1)?$expand=Children($filter=ID in @list)&@list=[2,4]", "Children", "ID", "2 4"},
				{"/Trees(1)?$expand=Children($filter=ID in @list;@list=[2,4])&@list=[3]", "Children", "ID", "2 4"},
				{"/Trees(1)?$expand=Children($filter=$it/ID lt ID and Name ne '$it';$select=ID;$orderby=$it/ID sub ID)", "Children", "ID", "4 3 2"},
				{"/Nests('a%2Fb''c')?$expand=Visits($filter=Day lt $it/Eggs and NestCode eq $it/Code and $it/Tree/ID eq @i;@i=1)", "Visits", "Day", "0 1 2"},
				{"/Nests('a%2Fb''c')/Tree?$expand=Children($filter=@i lt ID;@i=$it/ID;$select=ID;$expand=Children($filter=ID gt $it/ID))", "Children", "ID", "2 3 4"},
				{"/Trees(1)?$expand=Nests($select=Eggs)", "Nests", "Eggs", "3 2"},
				{"/Nests('a%2Fb''c')?$expand=Visits($orderby=Visitor,Day desc)", "Visits", "Day", "4 3 2 1 0"},
				{"/Nests('a%2Fb''c')?$expand=Visits($filter=Visitor eq 'x%26y';$expand=Nest($select=Eggs))", "Visits", "Day", "0 1 2 3 4"},
			} {
				a := s.get(t, c.path)
				if got := s.following(t, a.json, c.nav, c.property, size); got != c.want {
					t.Errorf("pages of %d, %s: got %q, want %q\n%s", size, c.path, got, c.want, a.body)
				}
			}
			// The links of what lies deeper, and of what next pages expand.
			a := s.get(t, "/Trees?$filter=ID eq 1&$select=ID&$expand=Children($levels=2;$select=ID)")
			root := a.json["value"].([]any)[0].(map[string]any)
			follow := func(link string) map[string]any {
				return s.get(t, strings.TrimPrefix(link, "http://shop.test/shop")).json
			}
			if got := drawn(root, follow); got != "1(2(5()6())3()4())" {
				t.Error(got, a.body)
			}
		})
	}
}

// following lists a property of the entities of an expanded collection, following its
// next links.
func (s *shop) following(t *testing.T, entity map[string]any, nav, property string, size int) string {
	t.Helper()
	var all []string
	list, _ := entity[nav].([]any)
	if len(list) > size {
		t.Errorf("%d entities in a page of %d", len(list), size)
	}
	next, _ := entity[nav+"@odata.nextLink"].(string)
	for range 20 {
		for _, x := range list {
			all = append(all, fmt.Sprint(x.(map[string]any)[property]))
		}
		if next == "" {
			return strings.Join(all, " ")
		}
		a := s.get(t, strings.TrimPrefix(next, "http://shop.test/shop"))
		if a.status != 200 {
			t.Fatalf("%s: %s", next, a.body)
		}
		list, _ = a.json["value"].([]any)
		next, _ = a.json["@odata.nextLink"].(string)
	}
	return "endless"
}

// drawn draws the children of a tree to all levels that the answer has, each with
// its own in parentheses. Follow gives the children behind a next link.
func drawn(x map[string]any, follow ...func(link string) map[string]any) string {
	text := fmt.Sprint(x["ID"]) + "("
	list, _ := x["Children"].([]any)
	next, _ := x["Children@odata.nextLink"].(string)
	for {
		for _, child := range list {
			text += drawn(child.(map[string]any), follow...)
		}
		if next == "" || len(follow) == 0 {
			return text + ")"
		}
		page := follow[0](next)
		list, _ = page["value"].([]any)
		next, _ = page["@odata.nextLink"].(string)
	}
}
