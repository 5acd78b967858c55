package leads

import (
	"context"
	"encoding/base64"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

const typeformLead = `{
	"event_id": "01JZQ0N6T7", "event_type": "form_response",
	"form_response": {
		"form_id": "kT4Z3j", "token": "a3a12ec67a1365927098a606107fac15", "landed_at": "2026-03-01T18:07:22Z", "submitted_at": "2026-03-01T18:17:02Z",
		"hidden": {"utm_source": "newsletter", "agent": "מירב"},
		"calculated": {"score": 9},
		"variables": [{"key": "winning", "type": "number", "number": 4}, {"key": "tone", "type": "text", "text": "warm"}],
		"definition": {"id": "kT4Z3j", "title": "Kitchens", "fields": [
			{"id": "DlXFaesGBpoF", "title": "מה שמך המלא?", "ref": "full_name", "type": "short_text"},
			{"id": "SMEUb7VJz92Q", "title": "Your best address", "ref": "b7c1", "type": "email"},
			{"id": "JwWggjAKtOkA", "title": "Where do we call?", "ref": "c0de", "type": "phone_number"},
			{"id": "RUqkXSeXBXSd", "title": "עיר", "ref": "d1ce", "type": "short_text"},
			{"id": "PNe8ZKBK8C2Q", "title": "Which *rooms*?", "ref": "e2e2", "type": "multiple_choice"},
			{"id": "k6TP9oLGgHjl", "title": "Style", "ref": "f00d", "type": "multiple_choice"},
			{"id": "NRsxU591jIW9", "title": "Budget", "ref": "budget", "type": "number"},
			{"id": "FXYBBYhkIfZ1", "title": "Owner?", "ref": "own", "type": "yes_no"},
			{"id": "WOTdC00F8A3h", "title": "Moving in", "ref": "when", "type": "date"},
			{"id": "Skipped00000", "title": "Skipped", "ref": "skip", "type": "short_text"},
			{"id": "PlanUpload00", "title": "Plan", "ref": "plan", "type": "file_upload"}]},
		"answers": [
			{"type": "text", "text": "נועה לוי", "field": {"id": "DlXFaesGBpoF", "type": "short_text", "ref": "full_name"}},
			{"type": "email", "email": "Noa@Example.com", "field": {"id": "SMEUb7VJz92Q", "type": "email", "ref": "b7c1"}},
			{"type": "phone_number", "phone_number": "+972501234567", "field": {"id": "JwWggjAKtOkA", "type": "phone_number", "ref": "c0de"}},
			{"type": "text", "text": "חיפה", "field": {"id": "RUqkXSeXBXSd", "type": "short_text", "ref": "d1ce"}},
			{"type": "choices", "choices": {"ids": ["a", "b"], "labels": ["Kitchen", "Bath"], "other": "Porch"}, "field": {"id": "PNe8ZKBK8C2Q", "ref": "e2e2"}},
			{"type": "choice", "choice": {"id": "m", "label": "Modern"}, "field": {"id": "k6TP9oLGgHjl", "ref": "f00d"}},
			{"type": "number", "number": 45000, "field": {"id": "NRsxU591jIW9", "ref": "budget"}},
			{"type": "boolean", "boolean": true, "field": {"id": "FXYBBYhkIfZ1", "ref": "own"}},
			{"type": "date", "date": "2026-09-01", "field": {"id": "WOTdC00F8A3h", "ref": "when"}},
			{"type": "file_url", "file_url": "https://files.example.com/plan.pdf", "field": {"id": "PlanUpload00", "ref": "plan"}}
		]}}`

const typeformSecret = "tf-secret-1"

func typeformSigned(body string) Delivery {
	mac := base64.StdEncoding.EncodeToString(sign(typeformSecret, body))
	return Delivery{
		Method: "POST", ContentType: "application/json", Body: []byte(body),
		Header: textproto.MIMEHeader{typeformSignature: {"sha256=" + mac}},
	}
}

func TestTypeform(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindTypeform, Secret: typeformSecret})
		if src.Secret != "" || strings.Contains(string(src.SealedSecret), typeformSecret) || src.SecretMAC != nil {
			t.Errorf("the secret is kept as %q, %x", src.Secret, src.SealedSecret)
		}
		receipts, err := s.Receive(context.Background(), src.Token, typeformSigned(typeformLead))
		if err != nil {
			t.Fatal(err)
		}
		want := object{
			"FirstName": "נועה", "LastName": "לוי", "Email": "noa@example.com", "Phone": "+972501234567", "PhoneRaw": "+972501234567", "City": "חיפה",
			"UtmSource": "newsletter", "ExternalID": "a3a12ec67a1365927098a606107fac15",
			"agent": "מירב", "score": int64(9), "winning": int64(4), "tone": "warm", "Which *rooms*?": "Kitchen, Bath, Porch", "Style": "Modern",
			"Budget": int64(45000), "Owner?": true, "Moving in": "2026-09-01", "Plan": "https://files.example.com/plan.pdf",
			"form_id": "kT4Z3j", "landed_at": "2026-03-01T18:07:22Z", "submitted_at": "2026-03-01T18:17:02Z", "event_id": "01JZQ0N6T7", "event_type": "form_response",
		}
		if diff := cmp.Diff(want, text(stored(t, s, receipts[0]))); diff != "" {
			t.Error(diff)
		}
		again, err := s.Receive(context.Background(), src.Token, typeformSigned(typeformLead))
		if err != nil || !again[0].Duplicate || again[0].ID != receipts[0].ID {
			t.Errorf("the same token again gave %+v, %v", again, err)
		}
		partial := typeformSigned(strings.Replace(typeformLead, `"form_response",`, `"form_response_partial",`, 1))
		if got, err := s.Receive(context.Background(), src.Token, partial); err != nil || len(got) != 0 {
			t.Errorf("a partial response gave %+v, %v", got, err)
		}
		forged := typeformSigned(typeformLead)
		forged.Body = []byte(strings.Replace(typeformLead, "45000", "45001", 1))
		_, err = s.Receive(context.Background(), src.Token, forged)
		wantFault(t, err, fault.Unauthorized, typeformSignature)
		forged.Header = nil
		_, err = s.Receive(context.Background(), src.Token, forged)
		wantFault(t, err, fault.Unauthorized, typeformSignature)
		if n, r := count(t, s, "leads"), count(t, s, "rejections"); n != 1 || r != 2 {
			t.Errorf("%d leads, %d rejections", n, r)
		}
	})
}

func TestTypeformRefuses(t *testing.T) {
	tests := []struct{ name, body, target string }{
		{"no response", `{"event_type":"form_response"}`, "form_response"},
		{"a response that is text", `{"form_response":"x"}`, "form_response"},
		{"two", `[{"form_response":{}},{"form_response":{}}]`, ""},
		{"answers in an object", `{"form_response":{"answers":7}}`, "form_response.answers"},
		{"an answer that is text", `{"form_response":{"answers":["x"]}}`, "form_response.answers[0]"},
		{"an answer to nothing", `{"form_response":{"answers":[{"type":"text","text":"x"}]}}`, "form_response.answers[0].field"},
		{"variables in an object", `{"form_response":{"variables":1}}`, "form_response.variables"},
		{"a nameless variable", `{"form_response":{"variables":[{}]}}`, "form_response.variables[0]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseTypeform([]byte(test.body))
			wantFault(t, err, fault.Invalid, test.target)
		})
	}
}
