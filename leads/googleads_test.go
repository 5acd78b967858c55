package leads

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

const googleLead = `{
	"lead_id": "CjwKleadOne", "api_version": "1.0", "form_id": 9007199254740993, "campaign_id": 20711998877,
	"google_key": "swordfish-7", "is_test": false, "gcl_id": "EAIaIQ", "adgroup_id": 1555, "creative_id": 9223372036854775807,
	"user_column_data": [
		{"column_id": "FULL_NAME", "column_name": "Full name", "string_value": "אורי שחר"},
		{"column_id": "PHONE_NUMBER", "column_name": "User Phone", "string_value": "+972547654321"},
		{"column_id": "EMAIL", "string_value": "Uri@Example.com"},
		{"column_id": "CITY", "string_value": "נתניה"},
		{"column_id": "POSTAL_CODE", "string_value": "4210203"},
		{"column_id": "מתי נוח לדבר?", "string_value": "בבוקר"},
		{"column_id": "מתי נוח לדבר?", "string_value": "בערב"},
		{"column_name": "Which model?", "string_value": "compact"}
	]}`

func TestGoogleAds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		routed := 0
		s.Route = func(_ *gorm.DB, _ *Lead, _ *Source) error { routed++; return nil }
		src := addSource(t, s, Source{Kind: KindGoogleAds, Secret: "swordfish-7"})

		receipts, err := post(s, src, googleLead)
		if err != nil {
			t.Fatal(err)
		}
		if want := (Receipt{ID: receipts[0].ID, Kind: KindGoogleAds}); receipts[0] != want {
			t.Errorf("receipt %+v, want %+v", receipts[0], want)
		}
		want := object{
			"FirstName": "אורי", "LastName": "שחר", "Phone": "+972547654321", "PhoneRaw": "+972547654321", "Email": "uri@example.com", "City": "נתניה",
			"ExternalID": "CjwKleadOne", "Campaign": "20711998877", "POSTAL_CODE": "4210203", "מתי נוח לדבר?": "בבוקר, בערב", "Which model?": "compact",
			"api_version": "1.0", "form_id": int64(9007199254740993), "gcl_id": "EAIaIQ", "adgroup_id": int64(1555), "creative_id": int64(9223372036854775807),
		}
		if diff := cmp.Diff(want, text(stored(t, s, receipts[0]))); diff != "" {
			t.Error(diff)
		}

		again, err := post(s, src, googleLead)
		if err != nil || !again[0].Duplicate || again[0].ID != receipts[0].ID {
			t.Errorf("the same lead_id again gave %+v, %v", again, err)
		}
		if routed != 1 {
			t.Errorf("routed %d times, want once", routed)
		}

		test, err := post(s, src, strings.NewReplacer(`"is_test": false`, `"is_test": true`, "leadOne", "leadTwo").Replace(googleLead))
		if err != nil {
			t.Fatal(err)
		}
		if l := stored(t, s, test[0]); l.State != StateTest || !l.IsTest || routed != 1 {
			t.Errorf("a test lead is %s, IsTest %v, routed %d times in all", l.State, l.IsTest, routed)
		}

		var payload Payload
		if err := db.Read(context.Background()).Where("lead_id = ?", receipts[0].ID).Take(&payload).Error; err != nil {
			t.Fatal(err)
		}
		if want := strings.Replace(googleLead, `: "swordfish-7"`, `:"***"`, 1); string(payload.Body) != want {
			t.Errorf("the payload is %s", payload.Body)
		}
	})
}

func TestGoogleAdsRefuses(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindGoogleAds, Secret: "swordfish-7"})
	tests := []struct {
		name, body string
		code       fault.Code
		target     string
	}{
		{"a wrong key", strings.Replace(googleLead, "swordfish-7", "swordfish-8", 1), fault.Unauthorized, "google_key"},
		{"no key", `{"lead_id":"x","user_column_data":[]}`, fault.Unauthorized, "google_key"},
		{"a number as the key", `{"google_key":7,"user_column_data":[]}`, fault.Unauthorized, "google_key"},
		{"two objects", "[" + googleLead + "," + googleLead + "]", fault.Invalid, ""},
		{"columns in an object", `{"google_key":"swordfish-7","user_column_data":"x"}`, fault.Invalid, "user_column_data"},
		{"a column of no kind", `{"google_key":"swordfish-7","user_column_data":[5]}`, fault.Invalid, "user_column_data[0]"},
		{"a nameless column", `{"google_key":"swordfish-7","user_column_data":[{"string_value":"x"}]}`, fault.Invalid, "user_column_data[0]"},
		{"an object as a value", `{"google_key":"swordfish-7","user_column_data":[{"column_id":"CITY","string_value":{}}]}`, fault.Invalid, "user_column_data[0]"},
		{"an object as lead_id", `{"google_key":"swordfish-7","lead_id":[1],"user_column_data":[]}`, fault.Invalid, "ExternalID"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := post(s, src, test.body)
			wantFault(t, err, test.code, test.target)
		})
	}
	if n := count(t, s, "leads"); n != 0 {
		t.Errorf("%d leads were stored", n)
	}
	rejections, err := s.Rejections(manager(), src.ID, 100)
	if err != nil || len(rejections) != len(tests) {
		t.Errorf("%d rejections, %v; want %d", len(rejections), err, len(tests))
	}
	for _, r := range rejections {
		if strings.Contains(string(r.Body), "swordfish") || strings.Contains(string(r.Body), "+97254") {
			t.Errorf("a rejection shows too much: %s", r.Body)
		}
	}
	if _, err := s.Receive(context.Background(), src.Token, Delivery{Method: "GET"}); fault.CodeOf(err) != fault.MethodNotAllowed {
		t.Errorf("GET gave %v", err)
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		t.Error(err)
	}
}
