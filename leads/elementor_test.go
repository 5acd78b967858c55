package leads

import (
	"context"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/store"
	"leadloop/store/storetest"
)

// postForm receives an urlencoded body.
func postForm(s *Service, src *Source, body string) ([]Receipt, error) {
	return s.Receive(context.Background(), src.Token, Delivery{Method: "POST", ContentType: urlencoded, Body: []byte(body), RemoteAddress: "2001:db8::7"})
}

// encoded makes an urlencoded body of names and values in turn.
func encoded(pairs ...string) string {
	body := ""
	for i := 0; i < len(pairs); i += 2 {
		body += "&" + url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1])
	}
	return body[1:]
}

var elementorAdvanced = encoded(
	"form[id]", "3c1bf9a", "form[name]", "צור קשר",
	"fields[name][id]", "name", "fields[name][type]", "text", "fields[name][title]", "שם", "fields[name][value]", "יעל בן דוד", "fields[name][raw_value]", "יעל בן דוד", "fields[name][required]", "1",
	"fields[field_a1][id]", "field_a1", "fields[field_a1][type]", "tel", "fields[field_a1][title]", "איפה תופסים אותך?", "fields[field_a1][value]", "050-7654321",
	"fields[field_a2][type]", "tel", "fields[field_a2][title]", "Office", "fields[field_a2][value]", "03-6123456",
	"fields[field_b2][id]", "field_b2", "fields[field_b2][type]", "email", "fields[field_b2][title]", "", "fields[field_b2][value]", "Yael@Example.com",
	"fields[field_c3][id]", "field_c3", "fields[field_c3][type]", "checkbox", "fields[field_c3][title]", "נושא", "fields[field_c3][value]", "מטבח, אמבטיה",
	"fields[message][type]", "textarea", "fields[message][title]", "איך נוכל לעזור?", "fields[message][value]", "שלום",
	"meta[date][title]", "תאריך", "meta[date][value]", "1 במרץ 2026", "meta[page_url][title]", "Page URL",
	"meta[page_url][value]", "https://example.com/contact?utm_source=google&utm_campaign=%D7%90%D7%91%D7%99%D7%91", "meta[remote_ip][title]", "Remote IP", "meta[remote_ip][value]", "2001:db8::1",
)

func TestElementor(t *testing.T) {
	tests := []struct {
		name, body string
		mapping    []FieldMapping
		want       object
	}{
		{"advanced", elementorAdvanced, nil, object{
			"FirstName": "יעל", "LastName": "בן דוד", "Phone": "+972507654321", "PhoneRaw": "050-7654321", "Email": "yael@example.com", "Message": "שלום",
			"Office": "03-6123456", "נושא": "מטבח, אמבטיה", "form_id": "3c1bf9a", "form_name": "צור קשר", "date": "1 במרץ 2026", "remote_ip": "2001:db8::1",
			"page_url": "https://example.com/contact?utm_source=google&utm_campaign=%D7%90%D7%91%D7%99%D7%91", "UtmSource": "google", "UtmCampaign": "אביב",
		}},
		{"mapped by all its names", elementorAdvanced, []FieldMapping{
			{Target: "Interest", Field: "נושא"}, {Target: "Topic", Field: "field_c3"}, {Target: "Phone", Field: "fields[field_a2][value]"}, {Target: "Campaign", Field: "form[name]"},
		}, object{
			"FirstName": "יעל", "LastName": "בן דוד", "Phone": "+97236123456", "PhoneRaw": "03-6123456", "איפה תופסים אותך?": "050-7654321", "Email": "yael@example.com", "Message": "שלום",
			"Interest": "מטבח, אמבטיה", "Topic": "מטבח, אמבטיה", "Campaign": "צור קשר", "form_id": "3c1bf9a", "date": "1 במרץ 2026", "remote_ip": "2001:db8::1",
			"page_url": "https://example.com/contact?utm_source=google&utm_campaign=%D7%90%D7%91%D7%99%D7%91", "UtmSource": "google", "UtmCampaign": "אביב",
		}},
		{
			"simple",
			encoded("שם מלא", "יעל בן דוד", "טלפון נייד", "050-7654321", "No Label email", "yael@example.com", "No Label field_77", "x", "Date", "מרץ 1, 2026",
				"Page URL", "https://example.com/?utm_medium=cpc", "Remote IP", "2001:db8::1", "form_id", "9f", "form_name", "Footer"),
			nil,
			object{
				"FirstName": "יעל", "LastName": "בן דוד", "Phone": "+972507654321", "PhoneRaw": "050-7654321", "Email": "yael@example.com", "field_77": "x",
				"Date": "מרץ 1, 2026", "Page URL": "https://example.com/?utm_medium=cpc", "Remote IP": "2001:db8::1", "form_id": "9f", "form_name": "Footer", "UtmMedium": "cpc",
			},
		},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				src := addSource(t, s, Source{Kind: KindElementor, Mapping: test.mapping})
				receipts, err := postForm(s, src, test.body)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, text(stored(t, s, receipts[0]))); diff != "" {
					t.Error(diff)
				}
				var payload Payload
				if err := db.Read(context.Background()).Where("lead_id = ?", receipts[0].ID).Take(&payload).Error; err != nil || payload.RemoteAddress != "2001:db8::7" {
					t.Errorf("came from %s, %v", payload.RemoteAddress, err)
				}
			})
		}
	})
}
