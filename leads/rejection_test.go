package leads

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMask(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"JSON", `{"Phone":"050-1234567","Email":"noa@example.com","Budget":5000}`, `{"Phone":"***67","Email":"n***@***","Budget":5000}`},
		{"escaped JSON", `{"e":"noa\u0040example.com","p":"\u0030501234567"}`, `{"e":"n***@***","p":"***67"}`},
		{"a form", `tel=%2B972+50+123+4567&email=noa%40example.com&city=%D7%A2%D7%9B%D7%95`, `tel=***67&email=n***@***&city=עכו`},
		{"secrets", `{"google_key": "abc def", "x":1}&lm_password=hunter2`, `{"google_key": "*** def", "x":1}&lm_password=***`},
		{"a windows-1255 body", "city=\xe7\xe9\xf4\xe4", "city=\ufffd"},
		{"NUL", "a\x00b", "ab"},
		{"a Hebrew address", "נועה@דוגמה.ישראל", "נ***@***"},
	}
	for _, test := range tests {
		if got := mask(Delivery{Body: []byte(test.body)}); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	if got := mask(Delivery{Query: url.Values{"tel": {"0501234567"}}}); got != "tel=***67" {
		t.Errorf("a query: got %s", got)
	}
}

func TestMaskIsBounded(t *testing.T) {
	for shift := range 40 { // so that the cut falls everywhere
		body := strings.Repeat("א", (maxRejectedBody-60)/2) + strings.Repeat("x", shift) + `","mail":"someone@example.com","phone":"0501234567"` + strings.Repeat("z", maxRejectedBody)
		got := mask(Delivery{Body: []byte(body)})
		if len(got) > maxRejectedBody || !utf8.ValidString(got) || strings.Contains(string(got), "omeone") || strings.Contains(string(got), "050") {
			t.Fatalf("shift %d: %d bytes ending in %s", shift, len(got), got[len(got)-60:])
		}
	}
}

func TestRejections(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src, other := addSource(t, s, Source{Kind: KindJSON}), addSource(t, s, Source{Kind: KindJSON})
		_, err := post(s, src, `{"Phone":["050-1234567"]}`)
		wantFault(t, err, fault.Invalid, "Phone")
		if _, err := post(s, other, "{}"); err == nil {
			t.Error("an empty delivery was taken")
		}
		list, err := s.Rejections(manager(), src.ID, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d rejections, %v", len(list), err)
		}
		if r := list[0]; r.Reason != "Phone cannot be a list" || r.Target != "Phone" || r.Body != `{"Phone":["***67"]}` || r.ReceivedAt.IsZero() {
			t.Errorf("got %+v, %s", r, r.Body)
		}
		if _, err := s.Rejections(context.Background(), src.ID, 10); fault.CodeOf(err) != fault.Unauthorized {
			t.Errorf("nobody may read rejections, got %v", err)
		}
	})
}

func TestRejectionsAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src, other := addSource(t, s, Source{Kind: KindJSON}), addSource(t, s, Source{Kind: KindJSON})
		if _, err := post(s, other, "{}"); err == nil {
			t.Fatal("an empty delivery was taken")
		}
		rows := make([]Rejection, maxRejections)
		for i := range rows {
			rows[i] = Rejection{SourceID: src.ID, ReceivedAt: s.Now(), Reason: fmt.Sprint(i)}
		}
		if err := s.DB.Write(context.Background(), writeAll(rows)); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := post(s, src, "{}"); err == nil {
				t.Fatal("an empty delivery was taken")
			}
		}
		list, err := s.Rejections(manager(), src.ID, 2*maxRejections)
		if err != nil || len(list) != maxRejections || list[len(list)-1].Reason != "3" {
			t.Errorf("%d rejections, the oldest %+v, %v", len(list), list[len(list)-1], err)
		}
		if n := count(t, s, "rejections"); n != maxRejections+1 {
			t.Errorf("%d rejections in all, want the other source's too", n)
		}
	})
}

// A refusal stays one when it cannot be written down.
func TestRefusalWithoutDatabase(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindJSON})
	if _, err := s.sourceOf(context.Background(), src.Token); err != nil { // so that it is in the cache
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := post(s, src, "{}")
	wantFault(t, err, fault.Invalid, "")
}
