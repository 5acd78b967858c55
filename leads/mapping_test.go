package leads

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMapping(t *testing.T) {
	tests := []struct {
		name, kind, body string
		mapping          []FieldMapping
		want             object
	}{
		{
			"by name", KindJSON, `{"סוג דירה מבוקש":"4 חדרים","Vorname":"Jan","fields[REF]":"A","phone":"050-1234567"}`,
			[]FieldMapping{{Target: "Rooms", Field: "סוג דירה מבוקש"}, {Target: "FirstName", Field: "Vorname"}, {Target: "Campaign", Field: "fields[REF]"}},
			object{"Rooms": "4 חדרים", "FirstName": "Jan", "Campaign": "A", "Phone": "+972501234567", "PhoneRaw": "050-1234567"},
		},
		{
			"by expression", KindJSON, `{"first":"Noa","last":"Levi","price":"1200","utm":{"term":"x"},"my field":"y","mail":" N@Example.com "}`,
			[]FieldMapping{
				{Target: "FullName", Source: "concat(first,concat(' ',last))"},
				{Target: "UtmTerm", Source: "toupper(utm/term)"},
				{Target: "Note", Source: "concat(my_field,'!')"},
				{Target: "Email", Source: "trim(mail)"},
				{Target: "Cheap", Source: "length(price) lt 5"},
				{Target: "Digits", Source: "length(price)"},
			},
			object{
				"FirstName": "Noa", "LastName": "Levi", "first": "Noa", "last": "Levi", "price": "1200", "my field": "y",
				"UtmTerm": "X", "utm.term": "x", "Note": "y!", "Email": "n@example.com", "Cheap": true, "Digits": int64(4),
			},
		},
		{
			"defaults", KindJSON, `{"town":"","name":"Dana","x":null}`,
			[]FieldMapping{
				{Target: "City", Field: "town", Default: new("Haifa")},
				{Target: "Campaign", Default: new("spring")},
				{Target: "A", Field: "nowhere"},
				{Target: "B", Source: "concat(nowhere,'x')", Default: new("b")},
				{Target: "C", Field: "x"},
			},
			object{"City": "Haifa", "Campaign": "spring", "FirstName": "Dana", "B": "b"},
		},
		{
			"over what would be guessed", KindJSON, `{"City":"Lod","town":"Acre","phone":"050-1234567","mobile":"052-7654321"}`,
			[]FieldMapping{{Target: "City", Field: "town"}, {Target: "Phone", Field: "mobile"}, {Target: "Landline", Field: "phone"}},
			object{"City": "Acre", "_City": "Lod", "Phone": "+972527654321", "PhoneRaw": "052-7654321", "Landline": "050-1234567"},
		},
		{
			"targets are taken at their word", KindJSON, `{"a":"050-1234567","b":"x","name":"Dana"}`,
			[]FieldMapping{{Target: "Tel", Field: "a"}, {Target: "mobile", Field: "a"}, {Target: "Comments", Field: "b"}, {Target: "phone number", Field: "a"}},
			object{"Tel": "050-1234567", "mobile": "050-1234567", "Comments": "x", "phone number": "050-1234567", "FirstName": "Dana"},
		},
		{
			"one field twice", KindJSON, `{"who":"Dana"}`,
			[]FieldMapping{{Target: "FirstName", Field: "who"}, {Target: "Who", Field: "who"}},
			object{"FirstName": "Dana", "Who": "Dana"},
		},
		{
			"numbers", KindJSON, `{"n":4,"t":"4","f":2.5}`,
			[]FieldMapping{{Target: "A", Source: "n add 1"}, {Target: "B", Source: "cast(t,Edm.Int64) mul 2"}, {Target: "C", Source: "f mul 2"}, {Target: "D", Source: "n div 0"}, {Target: "E", Field: "f"}},
			object{"A": int64(5), "B": int64(8), "C": int64(5), "n": int64(4), "t": "4", "E": 2.5},
		},
		{
			"lists and flags", KindJSON, `{"rooms":["a",2],"ok":true,"list":[1,[2]],"City":"Lod"}`,
			[]FieldMapping{{Target: "Message", Field: "rooms"}, {Target: "Campaign", Field: "ok"}, {Target: "L", Field: "list"}, {Target: "IsTest", Source: "City eq 'Haifa'"}},
			object{"Message": "a, 2", "Campaign": "true", "L": []any{int64(1), []any{int64(2)}}, "City": "Lod"},
		},
		{
			"a form's", KindForm, encoded("שם לקוח", "דנה כהן", "tel", "050-1234567"),
			[]FieldMapping{{Target: "FullName", Field: "שם לקוח"}, {Target: "Area", Source: "substring(tel,0,3)"}},
			object{"FirstName": "דנה", "LastName": "כהן", "Phone": "+972501234567", "PhoneRaw": "050-1234567", "Area": "050"},
		},
		{
			"of what a kind has placed", KindGoogleAds, googleLead,
			[]FieldMapping{{Target: "Ref", Field: "lead_id"}, {Target: "Model", Field: "Which model?"}, {Target: "Tel", Field: "User Phone"}, {Target: "Form", Source: "cast(form_id,Edm.String)"}},
			object{
				"FirstName": "אורי", "LastName": "שחר", "Email": "uri@example.com", "City": "נתניה", "Campaign": "20711998877", "POSTAL_CODE": "4210203",
				"מתי נוח לדבר?": "בבוקר, בערב", "Model": "compact", "Ref": "CjwKleadOne", "Tel": "+972547654321", "Form": "9007199254740993",
				"api_version": "1.0", "form_id": int64(9007199254740993), "gcl_id": "EAIaIQ", "adgroup_id": int64(1555), "creative_id": int64(9223372036854775807),
			},
		},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				src := Source{Kind: test.kind, Mapping: test.mapping}
				send := post
				switch test.kind {
				case KindForm:
					send = postForm
				case KindGoogleAds:
					src.Secret = "swordfish-7"
				}
				receipts, err := send(s, addSource(t, s, src), test.body)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, text(stored(t, s, receipts[0]))); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

func TestMappingRefuses(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	fine := FieldMapping{Target: "City", Field: "x"}
	tests := []struct {
		name     string
		entry    FieldMapping
		target   string
		problems string
	}{
		{"no target", FieldMapping{Field: "x"}, "Mapping/2/Target", "empty"},
		{"a target twice", fine, "Mapping/2/Target", "twice"},
		{"the server's own", FieldMapping{Target: "ReceivedAt", Field: "x"}, "Mapping/2/Target", "cannot fill ReceivedAt"},
		{"the server's own in lower case", FieldMapping{Target: "state", Field: "x"}, "Mapping/2/Target", "cannot fill state"},
		{"control information", FieldMapping{Target: "@odata.id", Field: "x"}, "Mapping/2/Target", "_odata.id can"},
		{"a long target", FieldMapping{Target: strings.Repeat("x", 201), Field: "x"}, "Mapping/2/Target", "longer"},
		{"nothing to take", FieldMapping{Target: "A"}, "Mapping/2/Field", "needs"},
		{"two things to take", FieldMapping{Target: "A", Field: "x", Source: "x"}, "Mapping/2/Source", "not both"},
		{"no expression", FieldMapping{Target: "A", Source: "concat(x,"}, "Mapping/2/Source", "position 10"},
		{"no function", FieldMapping{Target: "A", Source: "shout(x)"}, "Mapping/2/Source", "shout"},
		{"types that do not fit", FieldMapping{Target: "A", Source: "1 add 'x'"}, "Mapping/2/Source", "add"},
		{"an endless default", FieldMapping{Target: "A", Default: new(strings.Repeat("x", maxCharacters+1))}, "Mapping/2/Default", "longer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := s.CreateSource(manager(), &Source{Name: "x", Kind: KindJSON, Mapping: []FieldMapping{fine, {Target: "B", Field: "y"}, test.entry}})
			wantFault(t, err, fault.Invalid, test.target)
			if err != nil && !strings.Contains(err.Error(), test.problems) {
				t.Errorf("%v does not say %q", err, test.problems)
			}
		})
	}
	err := s.CreateSource(manager(), &Source{Name: "x", Kind: KindJSON, Mapping: make([]FieldMapping, maxMapping+1)})
	wantFault(t, err, fault.Invalid, "Mapping")
	if n := count(t, s, "sources"); n != 0 {
		t.Errorf("%d sources were stored", n)
	}
}

// A mapping is compiled once for each version of its source.
func TestMappingCache(t *testing.T) {
	var c mappings
	src := &Source{ID: 1, Version: 1, Mapping: []FieldMapping{{Target: "A", Source: "x"}}}
	one, err := c.of(src)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := c.of(&Source{ID: 1, Version: 1, Mapping: src.Mapping}); again != one {
		t.Error("compiled again")
	}
	if next, _ := c.of(&Source{ID: 1, Version: 2, Mapping: src.Mapping}); next == one {
		t.Error("the mapping of an older version was used")
	}
	for id := range int64(cacheSize + 5) {
		if _, err := c.of(&Source{ID: id, Mapping: src.Mapping}); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.byID) > cacheSize {
		t.Errorf("%d mappings are kept", len(c.byID))
	}
}

func TestSettings(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindMeta, Settings: SourceSettings{"AppSecret": "as", "AccessToken": "at", "VerifyToken": nil, "GraphURL": " https://graph.example.com/v24.0/ "}})
	if src.Settings["GraphURL"] != "https://graph.example.com/v24.0/" || len(src.Settings) != 3 || !strings.HasPrefix(src.Settings["AppSecret"].(string), "sealed:") {
		t.Errorf("stored as %v", src.Settings)
	}
	src.Settings["VerifyToken"] = "vt" // the others come back as they were shown
	if err := s.UpdateSource(manager(), src); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"AppSecret": "as", "AccessToken": "at", "VerifyToken": "vt"} {
		if got, err := s.setting(src, name); got != want || err != nil || strings.Contains(src.Settings[name].(string), want+"\"") {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	tests := []struct {
		name     string
		kind     string
		settings SourceSettings
		target   string
	}{
		{"an unknown one", KindMeta, SourceSettings{"GraphUrl": "x"}, "Settings/GraphUrl"},
		{"of a kind without", KindJSON, SourceSettings{"AppSecret": "x"}, "Settings/AppSecret"},
		{"an object", KindMeta, SourceSettings{"AppSecret": map[string]any{}}, "Settings/AppSecret"},
		{"sealed elsewhere", KindMeta, SourceSettings{"AppSecret": "sealed:AAAA"}, "Settings/AppSecret"},
		{"too long", KindMeta, SourceSettings{"AppSecret": strings.Repeat("x", maxSetting+1)}, "Settings/AppSecret"},
		{"NUL", KindMeta, SourceSettings{"AppSecret": "\x00"}, "Settings/AppSecret"},
		{"no address", KindMeta, SourceSettings{"GraphURL": "graph.facebook.com"}, "Settings/GraphURL"},
		{"another protocol", KindMeta, SourceSettings{"GraphURL": "file:///etc/passwd"}, "Settings/GraphURL"},
		{"a password", KindMeta, SourceSettings{"GraphURL": "https://u:p@example.com"}, "Settings/GraphURL"},
		{"a query", KindMeta, SourceSettings{"GraphURL": "https://example.com/?a="}, "Settings/GraphURL"},
		{"no flag", KindLinkedIn, SourceSettings{"AcceptUnsigned": "perhaps"}, "Settings/AcceptUnsigned"},
		{"no hosts", KindSalesforce, SourceSettings{"ReturnHosts": "https://example.com/x"}, "Settings/ReturnHosts"},
		{"an empty host", KindSalesforce, SourceSettings{"ReturnHosts": "a.example,,b.example"}, "Settings/ReturnHosts"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			wantFault(t, s.CreateSource(manager(), &Source{Name: "x", Kind: test.kind, Settings: test.settings}), fault.Invalid, test.target)
		})
	}
	hosts := addSource(t, s, Source{Kind: KindSalesforce, Settings: SourceSettings{"ReturnHosts": []any{"a.example", "b.example:8443"}}})
	if hosts.Settings["ReturnHosts"] != "a.example, b.example:8443" {
		t.Errorf("stored as %v", hosts.Settings)
	}
}
