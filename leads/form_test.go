package leads

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
)

const urlencoded = "application/x-www-form-urlencoded"

// multipartBody is one with a field in Hebrew, a repeated field, one in a
// character set of its own, and a file.
var multipartBody = strings.ReplaceAll(`--bound
Content-Disposition: form-data; name="שם מלא"

רות אלון
--bound
Content-Disposition: form-data; name="topic"

kitchen
--bound
Content-Disposition: form-data; name="topic"

garden
--bound
Content-Disposition: form-data; name="city"
Content-Type: text/plain; charset=windows-1255

`+"\xe7\xe9\xf4\xe4"+`
--bound
Content-Disposition: form-data; name="plan"; filename="plan.pdf"
Content-Type: application/pdf

%PDF-1.7 much of it
--bound--
`, "\n", "\r\n")

func TestParseForm(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		query, body string
		want        object
	}{
		{
			"urlencoded", urlencoded, "", "name=%D7%A0%D7%95%D7%A2%D7%94+%D7%9C%D7%95%D7%99&tel=050-1234567&Budget=5000&agree",
			object{"FirstName": "נועה", "LastName": "לוי", "Phone": "+972501234567", "PhoneRaw": "050-1234567", "Budget": "5000", "agree": ""},
		},
		{
			"Hebrew labels as names", urlencoded + "; charset=UTF-8", "",
			"%D7%A9%D7%9D+%D7%A4%D7%A8%D7%98%D7%99=%D7%93%D7%A0%D7%94&%D7%A1%D7%95%D7%92+%D7%93%D7%99%D7%A8%D7%94=4+%D7%97%D7%93%D7%A8%D7%99%D7%9D",
			object{"FirstName": "דנה", "סוג דירה": "4 חדרים"},
		},
		{"windows-1255", urlencoded + "; charset=windows-1255", "", "%F9%ED+%EE%EC%E0=%F8%E5%FA+%E0%EC%E5%EF", object{"FirstName": "רות", "LastName": "אלון"}},
		{"repeated fields", urlencoded, "", "a=1&a=&b[]=x&a=2&b[]=y", object{"a": "1, 2", "b[]": "x, y"}},
		{"no content type", "", "", "city=Acre", object{"City": "Acre"}},
		{"a query", "", "city=%D7%A2%D7%9B%D7%95&x=1&x=2&utm_source=fb", "", object{"City": "עכו", "x": "1, 2", "UtmSource": "fb"}},
		{"a body and a query", urlencoded, "utm_source=fb&city=Eilat", "city=Acre", object{"City": "Acre", "UtmSource": "fb"}},
		{
			"multipart", "multipart/form-data; boundary=bound", "", multipartBody,
			object{"FirstName": "רות", "LastName": "אלון", "topic": "kitchen, garden", "City": "חיפה", "plan": "plan.pdf"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			query, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			fields, err := parseForm(Delivery{Method: "POST", ContentType: test.contentType, Query: query, Body: []byte(test.body)})
			if err != nil {
				t.Fatal(err)
			}
			l, err := newLead(fields)
			if err == nil {
				err = l.prepare("IL")
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, text(l)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseFormRefuses(t *testing.T) {
	tests := []struct {
		name              string
		contentType, body string
		code              fault.Code
		target            string
	}{
		{"JSON", "application/json", `{"a":1}`, fault.Unsupported, ""},
		{"a malformed content type", "a/b; c", "a=1", fault.Unsupported, ""},
		{"an unknown character set", urlencoded + "; charset=klingon", "a=1", fault.Unsupported, ""},
		{"a bad escape in a value", urlencoded, "city=%zz", fault.Invalid, "city"},
		{"a bad escape in a name", urlencoded, "c%=1", fault.Invalid, "c%"},
		{"invalid UTF-8", urlencoded, "city=%F9%ED", fault.Invalid, "city"},
		{"U+0000", urlencoded, "city=a%00b", fault.Invalid, "city"},
		{"too many fields", urlencoded, strings.Repeat("a&", 1) + manyPairs(), fault.Invalid, ""},
		{"a field too long once joined", urlencoded, strings.Repeat("a="+strings.Repeat("x", 9000)+"&", 6), fault.Invalid, "a"},
		{"no boundary", "multipart/form-data", "x", fault.Invalid, ""},
		{"half a multipart body", "multipart/form-data; boundary=bound", multipartBody[:80], fault.Invalid, "שם מלא"},
		{"an unknown character set of a part", "multipart/form-data; boundary=bound", strings.Replace(multipartBody, "windows-1255", "klingon", 1), fault.Unsupported, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseForm(Delivery{Method: "POST", ContentType: test.contentType, Body: []byte(test.body)})
			wantFault(t, err, test.code, test.target)
		})
	}
}

func manyPairs() string {
	var b strings.Builder
	for i := range maxFields {
		b.WriteString("f" + string(rune('א'+i)) + "=1&")
	}
	return b.String()
}
