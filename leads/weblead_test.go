package leads

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestWebToLead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindSalesforce, Settings: SourceSettings{"ReturnHosts": "thanks.example.com, example.com:8443"}})
		body := encoded("oid", "00D5g000004abcd", "retURL", "https://thanks.example.com/done?x=1", "first_name", "Avi", "last_name", "כהן", "email", "AVI@example.com",
			"phone", "052-1112233", "company", "Acme", "title", "CTO", "lead_source", "Web", "description", "Call me", "00N5g00000XyZab", "4 rooms", "submit", "Send")
		receipts, err := postForm(s, src, body)
		if err != nil {
			t.Fatal(err)
		}
		if got := receipts[0].Redirect; got != "https://thanks.example.com/done?x=1" {
			t.Errorf("sent on to %q", got)
		}
		want := object{
			"oid": "00D5g000004abcd", "FirstName": "Avi", "LastName": "כהן", "Email": "avi@example.com", "Phone": "+972521112233", "PhoneRaw": "052-1112233",
			"company": "Acme", "title": "CTO", "lead_source": "Web", "Message": "Call me", "00N5g00000XyZab": "4 rooms",
		}
		if diff := cmp.Diff(want, text(stored(t, s, receipts[0]))); diff != "" {
			t.Error(diff)
		}
		old, err := postForm(s, src, "encoding=windows-1255&last_name=%EB%E4%EF")
		if err != nil || *stored(t, s, old[0]).LastName != "כהן" {
			t.Errorf("an older character set gave %+v, %v", old, err)
		}
		_, err = postForm(s, src, "retURL=https%3A%2F%2Fthanks.example.com")
		wantFault(t, err, fault.Invalid, "")
	})
}

func TestRedirect(t *testing.T) {
	src := &Source{Settings: SourceSettings{"ReturnHosts": "thanks.example.com, example.com:8443"}}
	tests := []struct {
		url string
		ok  bool
	}{
		{"https://thanks.example.com/a", true},
		{"http://THANKS.example.com", true},
		{"https://example.com:8443/", true},
		{"https://example.com/", false},
		{"https://thanks.example.com:444/", false},
		{"https://thanks.example.com.evil.example/", false},
		{"https://thanks.example.com@evil.example/", false},
		{"https://evil.example/?thanks.example.com", false},
		{"//thanks.example.com/", false},
		{"javascript://thanks.example.com/%0aalert(1)", false},
		{"https://u:p@thanks.example.com/", false},
		{"", false},
		{"%zz", false},
	}
	for _, test := range tests {
		if got := redirect(src, test.url); (got != "") != test.ok {
			t.Errorf("%s: %q", test.url, got)
		}
	}
	if got := redirect(&Source{}, "https://thanks.example.com/"); got != "" {
		t.Errorf("a source without the setting sends on to %s", got)
	}
}
