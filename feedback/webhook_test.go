package feedback

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/text/encoding/charmap"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Each form of a delivery says the same.
func TestReceive(t *testing.T) {
	hebrew, err := charmap.Windows1255.NewEncoder().String("לא ענה")
	if err != nil {
		t.Fatal(err)
	}
	var parts bytes.Buffer
	form := multipart.NewWriter(&parts)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0].String()
		if err := w.exec(`UPDATE connections SET allow_get = true, feedback_fields = '{"Comment":"deal.note","ReasonID":"deal.stage"}' WHERE id = ?`, w.acme.connection); err != nil {
			t.Fatal(err)
		}
		parts.Reset()
		form = multipart.NewWriter(&parts)
		for name, value := range map[string]string{"Routing ID": id, "deal.stage": "3", "deal.note": "לא ענה"} {
			if err := form.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
		if err := form.Close(); err != nil {
			t.Fatal(err)
		}
		values := url.Values{"routing_id": {id}, "deal.stage": {"3"}, "deal.note": {"לא ענה"}}
		tests := []struct {
			name string
			d    Delivery
		}{
			{"JSON", Delivery{ContentType: "application/json; charset=utf-8", Body: []byte(`{"RoutingID":"` + id + `","ReasonID":9,"deal":{"stage":3,"note":"לא ענה","x":[1]}}`)}},
			{"a form", Delivery{ContentType: "application/x-www-form-urlencoded", Body: []byte(values.Encode())}},
			{"a form in Hebrew of old", Delivery{
				ContentType: "application/x-www-form-urlencoded; charset=windows-1255",
				Body:        []byte("routing-id=" + id + "&deal.stage=3&deal.note=" + url.QueryEscape(hebrew)),
			}},
			{"a form in parts", Delivery{ContentType: form.FormDataContentType(), Body: parts.Bytes()}},
			{"XML", Delivery{ContentType: "text/xml", Body: []byte(`<?xml version="1.0"?><r xmlns="urn:x" RoutingID="` + id + `">
				<!-- --><deal stage="3"><note><![CDATA[לא]]> ענה</note></deal><ReasonID>9</ReasonID></r>`)}},
			{"XML in Hebrew of old", Delivery{ContentType: "application/soap+xml", Body: []byte(`<?xml version="1.0" encoding="windows-1255"?><r><routingid>` + id +
				`</routingid><deal><stage>3</stage><note>` + hebrew + `</note></deal></r>`)}},
			{"the address", Delivery{Get: true, Query: values}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				done, many, err := w.Receive(w.acme.asClient, tt.d)
				if err != nil || many || len(done) != 1 || done[0].Err != nil {
					t.Fatalf("%+v, %v, %v", done, many, err)
				}
				if f := done[0].Feedback; f.RoutingID.String() != id || *f.ReasonID != 3 || *f.Comment != "לא ענה" {
					t.Errorf("%+v", f)
				}
			})
		}
		done, many, err := w.Receive(w.acme.asClient, Delivery{ContentType: "application/json", Body: []byte(`[{"RoutingID":"` + id + `","deal":{"stage":"2"}}, 7, {"RoutingID":"` + uuid.NewString() + `","deal":{"stage":"2"}}]`)})
		if err != nil || !many || len(done) != 3 || done[0].Err != nil {
			t.Fatalf("a list: %+v, %v", done, err)
		}
		wantFault(t, done[1].Err, fault.Invalid, "")
		wantFault(t, done[2].Err, fault.NotFound, "RoutingID")
	})
}

func TestReceiveRefuses(t *testing.T) {
	w := newWorld(t, storetest.Open(t, store.SQLite))
	_, _, err := w.Receive(w.acme.asClient, Delivery{Get: true, Query: url.Values{}})
	wantFault(t, err, fault.MethodNotAllowed, "")
	_, _, err = w.Receive(background, Delivery{ContentType: "application/json", Body: []byte("{")})
	wantFault(t, err, fault.Unauthorized, "-")
	tests := []struct {
		kind, body string
		code       fault.Code
	}{
		{"", "x=1", fault.Unsupported},
		{"text/plain", "x=1", fault.Unsupported},
		{"application/", "x=1", fault.Unsupported},
		{"application/json", "", fault.Invalid},
		{"application/json", "7", fault.Invalid},
		{"application/json", "null", fault.Invalid},
		{"application/json", `{"a":1}{}`, fault.Invalid},
		{"application/json", `[{"a":1}`, fault.Invalid},
		{"application/json", "{\"a\":\"\xff\"}", fault.Invalid},
		{"application/json", strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20), fault.Invalid},
		{"application/json", "[" + strings.Repeat("{},", MaxReports) + "{}]", fault.TooLarge},
		{"application/xml", "", fault.Invalid},
		{"application/xml", "<a><b></a>", fault.Invalid},
		{"application/xml", strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20), fault.Invalid},
		{"application/xml", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a><c>&b;</c></a>`, fault.Invalid},
		{"application/xml", "<a>" + strings.Repeat("<b>1</b>", 600) + "</a>", fault.Invalid},
		{"application/xml", `<?xml version="1.0" encoding="ebcdic"?><a/>`, fault.Invalid},
		{"application/x-www-form-urlencoded", "a=%zz", fault.Invalid},
		{"application/x-www-form-urlencoded; charset=klingon", "a=1", fault.Unsupported},
		{"multipart/form-data", "a=1", fault.Invalid},
		{"multipart/form-data; boundary=x", "a=1", fault.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.body[:min(len(tt.body), 20)], func(t *testing.T) {
			_, _, err := w.Receive(w.acme.asClient, Delivery{ContentType: tt.kind, Body: []byte(tt.body)})
			wantFault(t, err, tt.code, "-")
		})
	}
	if n := w.count(t); n != 0 {
		t.Errorf("%d reports stored", n)
	}
}

func TestInstants(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-01T10:00:00+02:00":  "2026-03-01T08:00:00Z",
		"2026-03-01T10:00:00.5Z":     "2026-03-01T10:00:00.5Z",
		"2026-03-01 10:00":           "2026-03-01T10:00:00Z",
		"2026-03-01 10:00:01":        "2026-03-01T10:00:01Z",
		"2026-03-01 10:00:01+02:00":  "2026-03-01T08:00:01Z",
		"2026-03-01":                 "2026-03-01T00:00:00Z",
		"1772359200":                 "2026-03-01T10:00:00Z",
		"1772359200123":              "2026-03-01T10:00:00.123Z",
		"01/03/2026":                 "", // March or January?
		"yesterday":                  "",
		"2026-02-30":                 "",
		"20260301":                   "",
		"-62135596800":               "",
		"99999999999999999999999999": "",
	} {
		got, err := instant(text)
		if want == "" {
			wantFault(t, err, fault.Invalid, "OccurredAt")
		} else if err != nil || got.UTC().Format("2006-01-02T15:04:05.999Z") != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
