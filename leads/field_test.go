package leads

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
)

type object = map[string]any

func TestNewLead(t *testing.T) {
	tests := []struct {
		name string
		body string
		want object
	}{
		{
			"our own names",
			`{"FirstName":"נועה","LastName":"לוי","Phone":"050-1234567","City":"Haifa","Budget":5000}`,
			object{"FirstName": "נועה", "LastName": "לוי", "Phone": "+972501234567", "PhoneRaw": "050-1234567", "City": "Haifa", "Budget": int64(5000)},
		},
		{
			"usual English names",
			`{"first_name":"Dana","Last Name":"Peretz","mobile":"054-765 4321","e-mail":" Dana@Example.COM ","comments":"call\r\nme","utm_source":"google","UTM-Medium":"cpc","lead_id":77}`,
			object{
				"FirstName": "Dana", "LastName": "Peretz", "Phone": "+972547654321", "PhoneRaw": "054-765 4321", "Email": "dana@example.com",
				"Message": "call\nme", "UtmSource": "google", "UtmMedium": "cpc", "ExternalID": "77",
			},
		},
		{
			"usual Hebrew names",
			`{"שם פרטי":"יוסי","שם משפחה":"כהן","טלפון נייד:":"\u200f052-9876543","דוא\"ל":"yossi@example.co.il","עיר":"באר שבע","הודעה *":"אשמח לפרטים"}`,
			object{
				"FirstName": "יוסי", "LastName": "כהן", "Phone": "+972529876543", "PhoneRaw": "\u200f052-9876543",
				"Email": "yossi@example.co.il", "City": "באר שבע", "Message": "אשמח לפרטים",
			},
		},
		{
			"a full name is split at the first space",
			`{"שם מלא":"  מרים  בת  אל "}`,
			object{"FirstName": "מרים", "LastName": "בת אל"},
		},
		{"a full name of one word", `{"name":"Cher"}`, object{"FirstName": "Cher"}},
		{"שם beside שם משפחה is the first name", `{"שם":"נועה","שם משפחה":"לוי"}`, object{"FirstName": "נועה", "LastName": "לוי"}},
		{"a full name beside the last name", `{"full_name":"Noa Bat El","last_name":"Bat El"}`, object{"FirstName": "Noa", "LastName": "Bat El"}},
		{"a full name beside the first name", `{"full_name":"Noa Levi","first_name":"Noa"}`, object{"FirstName": "Noa", "LastName": "Levi"}},
		{"a name beside the first name may be the form's", `{"name":"Summer form","first_name":"Noa"}`, object{"FirstName": "Noa", "name": "Summer form"}},
		{
			"a full name beside both is kept",
			`{"name":"Noa L.","first_name":"Noa","last_name":"Levi"}`,
			object{"FirstName": "Noa", "LastName": "Levi", "name": "Noa L."},
		},
		{
			"the surest name wins, the others are kept",
			`{"tel":"03-6123456","phone":"050-1234567","mobile":"052-7654321"}`,
			object{"Phone": "+972501234567", "PhoneRaw": "050-1234567", "tel": "03-6123456", "mobile": "052-7654321"},
		},
		{
			"an empty value is none",
			`{"phone":" ","mobile":"052-7654321","City":null,"Note":null,"Empty":""}`,
			object{"Phone": "+972527654321", "PhoneRaw": "052-7654321", "Empty": ""},
		},
		{"a phone that is none", `{"phone":"call me"}`, object{"PhoneRaw": "call me"}},
		{"a phone as a number", `{"Phone":972501234567}`, object{"Phone": "+972501234567", "PhoneRaw": "972501234567"}},
		{"a phone from abroad", `{"phone":"+45 32 12 34 56"}`, object{"Phone": "+4532123456", "PhoneRaw": "+45 32 12 34 56"}},
		{"an e-mail that is none", `{"email":"noa at example"}`, object{"EmailRaw": "noa at example"}},
		{"an e-mail with a name", `{"email":"Noa <Noa@Example.com>"}`, object{"Email": "noa@example.com"}},
		{"the sender's EmailRaw does not get in the way", `{"Email":"x","EmailRaw":"y"}`, object{"EmailRaw": "x", "_EmailRaw": "y"}},
		{
			"what only the server sets is never believed",
			`{"a":1,"ID":"x","State":"routed","receivedat":"y","Version":9,"SourceID":3,"DuplicateOfID":"z","Source":"facebook","Routings":[1],"RoutingID":"r","properties":{"a":1}}`,
			object{
				"a": int64(1), "_ID": "x", "_State": "routed", "_receivedat": "y", "_Version": int64(9), "_SourceID": int64(3),
				"_DuplicateOfID": "z", "_Source": "facebook", "_Routings": []any{int64(1)}, "_RoutingID": "r", "properties.a": int64(1),
			},
		},
		{
			"no control information of OData's",
			`{"@odata.id":"x","City@odata.type":"#Int","odata.etag":"y","ODATA.x":1,"@id":2,"_id":3,"a@b":4}`,
			object{"_odata.id": "x", "City_odata.type": "#Int", "_odata.etag": "y", "_ODATA.x": int64(1), "_id": int64(2), "__id": int64(3), "a_b": int64(4)},
		},
		{"a second spelling of a declared name", `{"City":"Haifa","CITY":"Acre"}`, object{"City": "Haifa", "_CITY": "Acre"}},
		{"nested objects flatten, lists stay", `{"a":{"b":{"c":1},"d":[1,{"e":"f"}]},"g":[]}`, object{"a.b.c": int64(1), "a.d": []any{int64(1), object{"e": "f"}}, "g": []any{}}},
		{"an object under a usual name flattens", `{"name":{"first":"Noa"},"City":"Acre"}`, object{"name.first": "Noa", "City": "Acre"}},
		{"a list of one", `{"email":["a@b.co"],"city":["a","b"]}`, object{"Email": "a@b.co", "_city": []any{"a", "b"}}},
		{"true is no name", `{"name":true}`, object{"name": true}},
		{
			"numbers stay exact",
			`{"a":9223372036854775807,"b":9223372036854775808,"c":0.1,"d":12.50,"e":0.1234567890123456789,"f":-0,"g":1e3,"h":"007"}`,
			object{
				"a": int64(9223372036854775807), "b": json.Number("9223372036854775808"), "c": 0.1, "d": 12.5,
				"e": json.Number("0.1234567890123456789"), "f": int64(0), "g": 1000.0, "h": "007",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := leadOf(test.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, text(l)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// leadOf makes a lead of the first object in a JSON body.
func leadOf(body string) (*Lead, error) {
	leads, err := parseJSON([]byte(body))
	if err != nil {
		return nil, err
	}
	l, err := newLead(leads[0])
	if err != nil {
		return nil, err
	}
	return l, l.prepare("IL")
}

func TestNewLeadRefuses(t *testing.T) {
	many := object{}
	for i := range maxFields + 1 {
		many[fmt.Sprint("f", i)] = 1
	}
	tooMany, _ := json.Marshal(many)
	long := strings.Repeat("א", maxCharacters+1)
	tests := []struct{ name, body, target string }{
		{"nothing", `{}`, ""},
		{"nothing but nothings", `{"a":null,"City":" ","b":{}}`, ""},
		{"an object as a phone", `{"Phone":{"number":"050"}}`, "Phone"},
		{"a list as a name", `{"FirstName":["Noa"]}`, "FirstName"},
		{"true as a city", `{"City":true}`, "City"},
		{"a test or not", `{"a":1,"is_test":"maybe"}`, "is_test"},
		{"a long message", `{"message":"` + long + `"}`, "message"},
		{"a long dynamic field", `{"a":"` + long + `"}`, "a"},
		{"a long list", `{"a":["` + long[:maxCharacters] + `","` + long[:maxCharacters+2] + `"]}`, "a"},
		{"a long far id", `{"lead_id":"` + strings.Repeat("x", 501) + `"}`, "ExternalID"},
		{"a long name", `{"` + strings.Repeat("x", maxName+1) + `":1}`, strings.Repeat("x", 40) + "…"},
		{"too many fields", string(tooMany), ""},
		{"U+0000", `{"a":"x\u0000"}`, "a"},
		{"U+0000 in a list", `{"a":["x\u0000"]}`, "a"},
		{"a number beyond all", `{"a":1e999}`, "a"},
		{"a number next to nothing", `{"a":1e-20000}`, "a"},
		{"a number of many digits", `{"a":` + strings.Repeat("1", 200) + `}`, "a"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := leadOf(test.body)
			wantFault(t, err, fault.Invalid, test.target)
		})
	}
}

func TestIsTest(t *testing.T) {
	for value, want := range map[string]bool{`true`: true, `"1"`: true, `1`: true, `"Yes"`: true, `false`: false, `"0"`: false, `"no"`: false, `null`: false, `""`: false} {
		l, err := leadOf(`{"City":"Acre","IsTest":` + value + `}`)
		if err != nil || l.IsTest != want {
			t.Errorf("%s: got %v, %v, want %v", value, l.IsTest, err, want)
		}
		if state := map[bool]string{true: StateTest, false: StateNew}[want]; l.State != state {
			t.Errorf("%s: state %s, want %s", value, l.State, state)
		}
	}
}

// Each usual name must lead to one target only.
func TestUsualNamesAreDistinct(t *testing.T) {
	n := len(textProperties) + 2 // IsTest and ConsentAt
	for target, names := range usualNames {
		for _, name := range names {
			n++
			if p, ok := placeOf(name); !ok || p.target != target {
				t.Errorf("%q goes to %v, want %s", name, p.target, target)
			}
		}
	}
	if n != len(places) {
		t.Errorf("%d names have %d places: %v", n, len(places), maps.Keys(places))
	}
}
