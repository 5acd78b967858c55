package odata_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"leadloop/odata"
)

// wanted is a request and what it gives: the JSON without its context, or the
// status and a part of the message.
type wanted struct{ path, want string }

func (s *shop) wanted(t *testing.T, rows []wanted) {
	t.Helper()
	for _, c := range rows {
		s.agrees(t, t.Context(), like(c.path))
		a := s.get(t, c.path)
		var got bytes.Buffer // PostgreSQL puts white space into JSON
		if err := json.Compact(&got, []byte(a.body)); err != nil {
			t.Errorf("%s: %v\n%s", c.path, err, a.body)
			continue
		}
		text := got.String()
		if rest, ok := strings.CutPrefix(text, `{"@odata.context":"`); ok {
			_, text, _ = strings.Cut(rest, `"`)
			text = "{" + strings.TrimPrefix(text, ",")
		}
		text = computedTypes.ReplaceAllString(text, "")
		if a.status != 200 && len(c.want) > 3 && strings.HasPrefix(text, `{"error"`) {
			message := a.json["error"].(map[string]any)["message"].(string)
			if status := c.want[:3]; status != statusText(a.status) || !strings.Contains(message, strings.TrimSpace(c.want[3:])) {
				t.Errorf("%s:\n got %d %s\nwant %s", c.path, a.status, message, c.want)
			}
			continue
		}
		if text != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.path, text, c.want)
		}
	}
}

// computedTypes are the types that answers say of computed properties.
var computedTypes = regexp.MustCompile(`"\w+@odata\.type":"#\w+",`)

func statusText(status int) string { return strconv.Itoa(status) }

func TestSelect(t *testing.T) {
	eachForest(t, odata.Limits{}, func(t *testing.T, s *shop) {
		s.wanted(t, []wanted{
			{"/Trees(2)?$select=Soil/Kind", `{"@odata.id":"Trees(2)","Soil":{"Kind":"clay"}}`},
			{"/Trees(2)?$select=Soil/Kind,Soil/Acid,Name", `{"@odata.id":"Trees(2)","Name":"t2","Soil":{"Kind":"clay","Acid":null}}`},
			{"/Trees(2)?$select=Soil/Layer/Stony", `{"@odata.id":"Trees(2)","Soil":{"Layer":{"Stony":true}}}`},
			{"/Trees(2)?$select=Soil($select=Layer($select=Stony),Kind)", `{"@odata.id":"Trees(2)","Soil":{"Layer":{"Stony":true},"Kind":"clay"}}`},
			{"/Trees(2)?$select=Soil/Kind,Soil", `{"@odata.id":"Trees(2)","Soil":{"Kind":"clay","Acid":null,"Layer":{"Depth":2,"Stony":true}}}`},
			{"/Trees(2)?$select=Settings/URL", `{"@odata.id":"Trees(2)","Settings":{"URL":"http://t"}}`},
			{"/Trees(2)?$select=Settings/Tags,Settings/None", `{"@odata.id":"Trees(2)","Settings":{"Tags":["x",2],"None":null}}`},
			{"/Trees(2)?$select=Rings/Year", `{"@odata.id":"Trees(2)","Rings":[{"Year":2002},{"Year":1990},{"Year":2010}]}`},
			{"/Trees(2)?$select=Rings/Layer/Depth", `{"@odata.id":"Trees(2)","Rings":[{"Layer":{"Depth":0}},{"Layer":{"Depth":2}},{"Layer":{"Depth":0}}]}`},
			{"/Trees(2)?$select=Rings($filter=Width ge 1;$orderby=Year desc;$select=Year)", `{"@odata.id":"Trees(2)","Rings":[{"Year":2010},{"Year":1990}]}`},
			{"/Trees(2)?$select=Rings($filter=Layer/Depth eq $it/ID)&$filter=ID eq 2", "400 $filter does not apply to a single entity"},
			{"/Trees?$filter=ID eq 2&$select=Rings($filter=Layer/Depth eq $it/ID;$select=Year,Width,Layer)", `{"value":[{"@odata.id":"Trees(2)","Rings":[{"Year":1990,"Width":1.25,"Layer":{"Depth":2,"Stony":false}}]}]}`},
			{"/Trees(2)?$select=Rings($top=1;$skip=1;$count=true;$select=Width)", `{"@odata.id":"Trees(2)","Rings@odata.count":3,"Rings":[{"Width":1.25}]}`},
			{"/Trees(2)?$select=Numbers($filter=$this gt 2;$orderby=$this desc;$count=true)", `{"@odata.id":"Trees(2)","Numbers@odata.count":2,"Numbers":[10,3]}`},
			{"/Trees(2)?$select=Numbers($skip=2)", `{"@odata.id":"Trees(2)","Numbers":[10]}`},
			{"/Trees(2)?$select=Numbers($filter=$this gt 99)", `{"@odata.id":"Trees(2)","Numbers":[]}`},
			{"/Trees?$filter=ID le 2&$select=Name,Rings($filter=Year gt 2000;$top=1;$select=Year)&$orderby=ID desc", `{"value":[{"@odata.id":"Trees(2)","Name":"t2","Rings":[{"Year":2002}]},{"@odata.id":"Trees(1)","Name":"t1","Rings":[{"Year":2001}]}]}`},
			{"/Trees(2)?$select=Rings($filter=Width ge @w and Year lt @y;@w=1;$select=Year)&@y=2000&@w=9", `{"@odata.id":"Trees(2)","Rings":[{"Year":1990}]}`},
			{"/Trees(2)?$select=Rings($filter=Width ge @w;@w=1;@w=2)", "400 @w is given twice"},
			{"/Trees(2)?$select=Rings(@w=)", "400 expected an expression"},
			{"/Trees(2)?$select=Rings(@1=1)", "400 expected the name of a parameter alias"},
			{"/Trees(2)?$select=Name,Forest.Fell,Forest.*", `{"@odata.id":"Trees(2)","Name":"t2"}`},
			{"/Trees(2)?$select=Name&$expand=Parent($select=Soil/Kind,Name),Children($select=Numbers($top=1))", `{"@odata.id":"Trees(2)","Name":"t2","Parent":{"@odata.id":"Trees(1)","Name":"t1","Soil":{"Kind":"clay"}},"Children":[{"@odata.id":"Trees(5)","Numbers":[3]},{"@odata.id":"Trees(6)","Numbers":[3]}]}`},
			{"/Trees(2)?select=name", "400 Tree has no property \"name\""},
			{"/Trees(2)?$select=Colour,name2", `{"@odata.id":"Trees(2)","Colour":"green","name2":null}`},
			{"/Trees(2)?$select=Forest.Tree/Name,Soil/Forest.Soil/Kind", `{"@odata.id":"Trees(2)","Name":"t2","Soil":{"Kind":"clay"}}`},
			{"/Trees(2)?$select=Rings/Forest.Ring/Year,Forest.Tree/Rings/Forest.Ring/Year", `{"@odata.id":"Trees(2)","Rings":[{"Year":2002},{"Year":1990},{"Year":2010}]}`},
			{"/Trees(2)?$select=Numbers($top=1),Forest.Tree/Numbers($skip=1)", "400 Numbers has options twice"},
			{"/Trees(2)?$select=Forest.Nest/Name", "400 no Forest.Nest"},
			{"/Trees(2)?$select=Forest.Nope", "400 there is no type or operation"},
			{"/Trees(2)?$select=Name/First", "400 Name has no members"},
			{"/Trees(2)?$select=Soil/Nope", `400 Soil has no property "Nope"`},
			{"/Trees(2)?$select=Soil($top=1)", "400 $top does not apply to Soil, which is no collection"},
			{"/Trees(2)?$select=Numbers($search=x)", "501 $search inside $select"},
			{"/Trees(2)?$select=Numbers($compute=1 as x)", "501 $compute inside $select"},
			{"/Trees(2)?$select=Numbers($skiptoken=x)", "400 $skiptoken cannot stand inside $select"},
			{"/Trees(2)?$select=Numbers($top=1),Numbers($skip=1)", "400 Numbers has options twice"},
			{"/Trees(2)?$select=Children/Name", "501 a path into Children"},
			{"/Trees(2)?$select=Colour/Deep", "501 a path into Colour"},
			{"/Trees(2)?$select=$ref", "400 expected a property"},
		})
	})
}

func TestCompute(t *testing.T) {
	eachForest(t, odata.Limits{}, func(t *testing.T, s *shop) {
		s.wanted(t, []wanted{
			{"/Trees(2)?$compute=ID mul 2 as Double&$select=Name,Double", `{"@odata.id":"Trees(2)","Name":"t2","Double":4}`},
			{"/Trees?$compute=ID mul 2 as Twice,Twice add 1 as More&$select=More&$filter=Twice gt 8&$orderby=Twice desc", `{"value":[{"@odata.id":"Trees(7)","More":15},{"@odata.id":"Trees(6)","More":13},{"@odata.id":"Trees(5)","More":11}]}`},
			{"/Trees(2)?$compute=0.1 add 0.2 as D,1 div 3.0 as T,1 as I,1.50 as C&$select=D,T,I,C", `{"@odata.id":"Trees(2)","D":0.3,"T":0.333333333333333333,"I":1,"C":1.5}`},
			{"/Trees(2)?$compute=Name eq 't2' as B,concat(Name,'{}') as S,null as N,Height as H,Soil/Layer as L,Colour as C&$select=B,S,N,H,L,C", `{"@odata.id":"Trees(2)","B":true,"S":"t2{}","N":null,"H":0.5,"L":{"Depth":2,"Stony":true},"C":"green"}`},
			{"/Trees(2)?$compute=Due as At,date(Due) as Day,time(Due) as Time,Due sub 2026-01-01T00:00:00Z as Age,-duration'PT1.5S' as Neg,duration'PT0S' as Zero&$select=At,Day,Time,Age,Neg,Zero", `{"@odata.id":"Trees(2)","At":"2026-01-02T12:00:00.000000Z","Day":"2026-01-02","Time":"12:00:00.000000","Age":"P1DT43200S","Neg":"-PT1.5S","Zero":"PT0S"}`},
			{"/Trees(3)?$compute=Height add 1 as H,Height gt 1 as G,Due as D&$select=H,G,D", `{"@odata.id":"Trees(3)","H":null,"G":false,"D":null}`},
			{"/Trees(2)?$compute=Height div 0.0 as I,Children/$count as N,Numbers/$count as K&$select=I,N,K", `{"@odata.id":"Trees(2)","I":null,"N":2,"K":3}`},
			{"/Trees(2)?$compute=Numbers as N,case(ID gt 1:0.5,true:1) as C&$select=N,C", `{"@odata.id":"Trees(2)","N":[3,2,10],"C":0.5}`},
			{"/Trees(2)?$compute=1 as Colour&$select=Colour", `{"@odata.id":"Trees(2)","Colour":1}`},
			{"/Nests('z')?$compute=Eggs add 1 as Next", `{"Code":"z","TreeID":2,"Eggs":0,"Next":1}`},
			{"/Trees(1)?$select=ID&$expand=Nests($compute=Eggs mul 10 as Many;$filter=Many gt 0;$orderby=Many;$select=Many),Children($compute=1 as One;$top=1;$select=One)", `{"ID":1,"Nests":[{"@odata.id":"Nests('%D7%91%20%D7%90')","Many":20},{"@odata.id":"Nests('a%2Fb''c')","Many":30}],"Children":[{"@odata.id":"Trees(2)","One":1}]}`},
			{"/Trees(2)?$select=ID&$expand=Parent($compute=ID add 1 as Next;$select=Next)", `{"ID":2,"Parent":{"@odata.id":"Trees(1)","Next":2}}`},
			{"/Trees?$compute=ID as Name", `400 Tree has a property "Name" already`},
			{"/Trees?$compute=ID as X,ID as X", "400 X is computed twice"},
			{"/Trees?$compute=ID", `400 expected "as" and a name`},
			{"/Trees?$compute=ID as", "400 expected the name of a computed property"},
			{"/Trees?$compute=ID as X&$filter=X/Y eq 1", "400 X has no members"},
			{"/Nests?$compute=Code add 1 as X", "400 $compute, position 1: add does not apply"},
			{"/Nests?$compute=Nope as X", `400 Nest has no property "Nope"`},
		})
		a := s.get(t, "/Trees(2)?$compute=ID add 1 as Next,Name as Same,Due as At&$select=Next,Same,At")
		for _, want := range []string{`"Next@odata.type":"#Int64"`, `"At@odata.type":"#DateTimeOffset"`} {
			if !strings.Contains(a.body, want) || strings.Contains(a.body, "Same@") {
				t.Error(a.body)
			}
		}
		a = s.get(t, "/Trees(2)?$compute=7 as Colour,8 as New")
		if !strings.Contains(a.body, `"Colour":7`) || strings.Contains(a.body, "green") || !strings.Contains(a.body, `"New":8`) {
			t.Error(a.body)
		}
	})
}
