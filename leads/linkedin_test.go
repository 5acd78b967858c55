package leads

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

const linkedInBody = `{
	"id": "6f2f9d1c-5d3a-47c1-a7e6-0a2a9a3b7c11-1", "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:507404993"},
	"submitter": "urn:li:person:MpGcnvaU_p", "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
	"leadType": "SPONSORED", "testLead": false, "submittedAt": 1772388000123,
	"formResponse": {
		"answers": [
			{"questionId": 9007199254740993, "answerDetails": {"textQuestionAnswer": {"answer": "דנה"}}},
			{"questionId": "2", "answerDetails": {"textQuestionAnswer": {"answer": "Barak"}}},
			{"questionId": "3", "answerDetails": {"textQuestionAnswer": {"answer": "DANA@example.com"}}},
			{"questionId": "4", "answerDetails": {"multipleChoiceAnswer": {"options": [1, 3]}}},
			{"questionId": "5", "answerDetails": {"multipleChoiceAnswer": {"options": ["Haifa"]}}}
		],
		"consentResponses": [{"consentId": 1, "accepted": true}]}}`

func TestLinkedIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindLinkedIn, Secret: "client-secret", Settings: SourceSettings{"AcceptUnsigned": true}, Mapping: []FieldMapping{
			{Target: "FirstName", Field: "9007199254740993"}, {Target: "LastName", Field: "2"}, {Target: "Email", Source: "tolower(_3)"}, {Target: "City", Field: "5"},
		}})
		receipts, err := post(s, src, linkedInBody)
		if err != nil {
			t.Fatal(err)
		}
		want := object{
			"FirstName": "דנה", "LastName": "Barak", "Email": "dana@example.com", "City": "Haifa", "4": "1, 3", "3": "DANA@example.com",
			"ExternalID": "6f2f9d1c-5d3a-47c1-a7e6-0a2a9a3b7c11-1", "owner.sponsoredAccount": "urn:li:sponsoredAccount:507404993",
			"submitter": "urn:li:person:MpGcnvaU_p", "versionedLeadGenFormUrn": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
			"leadType": "SPONSORED", "submittedAt": int64(1772388000123), "consentResponses": []any{map[string]any{"consentId": int64(1), "accepted": true}},
		}
		if diff := cmp.Diff(want, text(stored(t, s, receipts[0]))); diff != "" {
			t.Error(diff)
		}
		if again, err := post(s, src, linkedInBody); err != nil || !again[0].Duplicate || again[0].ID != receipts[0].ID {
			t.Errorf("the same id again gave %+v, %v", again, err)
		}
		test, err := post(s, src, strings.NewReplacer("c11-1", "c11-2", `"testLead": false`, `"testLead": true`).Replace(linkedInBody))
		if err != nil || stored(t, s, test[0]).State != StateTest {
			t.Errorf("a test lead gave %+v, %v", test, err)
		}
	})
}

func TestLinkedInSignature(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	free := addSource(t, s, Source{Kind: KindLinkedIn, Secret: "client-secret", Settings: SourceSettings{"AcceptUnsigned": true}})
	strict := addSource(t, s, Source{Kind: KindLinkedIn, Secret: "client-secret"})
	good := linkedInPrefix + hex.EncodeToString(sign("client-secret", linkedInPrefix, linkedInBody))
	tests := []struct {
		name, signature string
		free, strict    bool
	}{
		{"right", good, true, true},
		{"without the prefix", strings.TrimPrefix(good, linkedInPrefix), true, true},
		{"none", "", true, false},
		{"wrong", linkedInPrefix + strings.Repeat("0", 64), false, false},
		{"no hex", "nonsense", false, false},
	}
	for _, test := range tests {
		for src, ok := range map[*Source]bool{free: test.free, strict: test.strict} {
			d := Delivery{Method: "POST", Body: []byte(linkedInBody), Header: textproto.MIMEHeader{}}
			if test.signature != "" {
				d.Header.Set(linkedInSignature, test.signature)
			}
			_, err := s.Receive(context.Background(), src.Token, d)
			switch {
			case ok && err != nil:
				t.Errorf("%s: %v", test.name, err)
			case !ok:
				wantFault(t, err, fault.Unauthorized, "X-LI-Signature")
			}
		}
	}
}

// A source of a kind that signs is not made, nor left, without the secret to check
// by, unless staff say that it takes what anybody sends.
func TestUnsigned(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		for kind, c := range map[string]struct{ target, header, body string }{
			KindLinkedIn: {"Secret", linkedInSignature, linkedInBody},
			KindTypeform: {"Secret", typeformSignature, typeformLead},
			KindMeta:     {"Settings/AppSecret", metaSignature, metaAnswer("77")},
		} {
			wantFault(t, s.CreateSource(manager(), &Source{Name: "x", Kind: kind}), fault.Invalid, c.target)
			wantFault(t, s.CreateSource(manager(), &Source{Name: "x", Kind: kind, Settings: SourceSettings{"AcceptUnsigned": false}}), fault.Invalid, c.target)
			src := addSource(t, s, Source{Kind: kind, Settings: SourceSettings{"AcceptUnsigned": true}})
			forged := Delivery{Method: "POST", ContentType: "application/json", Body: []byte(c.body), Header: textproto.MIMEHeader{}}
			forged.Header.Set(c.header, "sha256=00")
			for _, d := range []Delivery{forged, {Method: "POST", ContentType: "application/json", Body: []byte(c.body)}} {
				if got, err := s.Receive(context.Background(), src.Token, d); err != nil || len(got) != 1 {
					t.Errorf("%s that takes anything: %+v, %v", kind, got, err)
				}
			}
			src.Settings = SourceSettings{}
			wantFault(t, s.UpdateSource(manager(), src), fault.Invalid, c.target)

			// One that came to be without a secret takes nothing, not even what is
			// signed with none.
			if err := db.Write(t.Context(), func(tx *gorm.DB) error {
				return tx.Exec("UPDATE sources SET settings = '{}' WHERE id = ?", src.ID).Error
			}); err != nil {
				t.Fatal(err)
			}
			empty := map[string]string{
				KindLinkedIn: linkedInPrefix + hex.EncodeToString(sign("", linkedInPrefix, c.body)),
				KindTypeform: "sha256=" + base64.StdEncoding.EncodeToString(sign("", c.body)),
				KindMeta:     "sha256=" + hex.EncodeToString(sign("", c.body)),
			}
			forged.Header.Set(c.header, empty[kind])
			_, err := New(db, storetest.Vault()).Receive(context.Background(), src.Token, forged)
			wantFault(t, err, fault.Unauthorized, c.header)
		}
	})
}

func TestLinkedInRefuses(t *testing.T) {
	tests := []struct{ name, body, target string }{
		{"a notice", `{"type":"LEAD_ACTION","leadGenFormResponse":"urn:li:leadGenFormResponse:x"}`, "formResponse.answers"},
		{"answers in an object", `{"formResponse":{"answers":7}}`, "formResponse.answers"},
		{"an answer that is text", `{"formResponse":{"answers":["x"]}}`, "formResponse.answers[0]"},
		{"an answer to nothing", `{"formResponse":{"answers":[{"answerDetails":{}}]}}`, "formResponse.answers[0].questionId"},
		{"one of several", `[{"formResponse":{"answers":[]}},{}]`, "[1].formResponse.answers"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseLinkedIn([]byte(test.body))
			wantFault(t, err, fault.Invalid, test.target)
		})
	}
}

// The platforms' checks of the address.
func TestVerify(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		meta := addSource(t, s, Source{Kind: KindMeta, Settings: SourceSettings{"VerifyToken": "knock", "AppSecret": "as"}})
		bare := addSource(t, s, Source{Kind: KindMeta, Settings: SourceSettings{"AcceptUnsigned": true}})
		linkedIn := addSource(t, s, Source{Kind: KindLinkedIn, Secret: "client-secret"})
		open := addSource(t, s, Source{Kind: KindLinkedIn, Settings: SourceSettings{"AcceptUnsigned": true}})
		form := addSource(t, s, Source{Kind: KindForm})
		tests := []struct {
			name   string
			token  string
			query  string
			body   string // "": no handshake, unless there is a code
			code   fault.Code
			target string
		}{
			{"meta", meta.Token, "hub.mode=subscribe&hub.verify_token=knock&hub.challenge=1158201444", "1158201444", "", ""},
			{"a wrong token", meta.Token, "hub.mode=subscribe&hub.verify_token=knok&hub.challenge=1", "", fault.Forbidden, "hub.verify_token"},
			{"no token", meta.Token, "hub.mode=subscribe&hub.challenge=1", "", fault.Forbidden, "hub.verify_token"},
			{"a source without one", bare.Token, "hub.mode=subscribe&hub.verify_token=&hub.challenge=1", "", fault.Forbidden, "hub.verify_token"},
			{"another mode", meta.Token, "hub.mode=unsubscribe&hub.verify_token=knock", "", fault.Invalid, "hub.mode"},
			{"a long one", meta.Token, "hub.mode=subscribe&hub.verify_token=knock&hub.challenge=" + strings.Repeat("1", 1001), "", fault.Invalid, "hub.challenge"},
			{
				"linkedin", linkedIn.Token, "challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0",
				`{"challengeCode":"890e4665-4dfe-4ab1-b689-ed553bceeed0","challengeResponse":"8ab4bbad570533d66462deba280bde93c1cad8b543e7f526d3e962acaf6c391a"}`, "", "",
			},
			{"linkedin without a secret", open.Token, "challengeCode=x", "", fault.Invalid, "challengeCode"},
			{"another kind", form.Token, "challengeCode=x&hub.mode=subscribe", "", "", ""},
			{"nobody", strings.Repeat("x", tokenLength), "challengeCode=x", "", fault.NotFound, ""},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				query, err := url.ParseQuery(test.query)
				if err != nil {
					t.Fatal(err)
				}
				v, err := s.Verify(context.Background(), test.token, Delivery{Method: "GET", Query: query})
				if test.code != "" {
					wantFault(t, err, test.code, test.target)
					return
				}
				got := ""
				if v != nil {
					got = string(v.Body)
				}
				if err != nil || got != test.body {
					t.Errorf("got %s, %v", got, err)
				}
			})
		}
		if n := count(t, s, "rejections"); n != 6 {
			t.Errorf("%d rejections", n)
		}
		list, _ := s.Rejections(manager(), meta.ID, 10)
		if body := string(list[len(list)-1].Body); strings.Contains(body, "knok") {
			t.Errorf("a rejection shows the token: %s", body)
		}
	})
}
