package leads

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestLeadManager(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindLeadManager, Secret: "k3y-of-form"})
		tests := []struct {
			name string
			d    Delivery
			want object
			body string
		}{
			{
				"earlier",
				Delivery{Method: "POST", ContentType: urlencoded, Body: []byte(encoded("lm_form", "812", "lm_key", "k3y-of-form", "subscribers_name", "רונית גל", "subscribers_phone", "04-8123456",
					"subscribers_email", "r@example.com", "fld_1177", "בוקר", "fields[REF]", "A-9", "lm_supplier", "55", "lm_bc", "web", "utm_source", "fb"))},
				object{
					"lm_form": "812", "FirstName": "רונית", "LastName": "גל", "Phone": "+97248123456", "PhoneRaw": "04-8123456", "Email": "r@example.com",
					"fld_1177": "בוקר", "fields[REF]": "A-9", "lm_supplier": "55", "lm_bc": "web", "UtmSource": "fb",
				},
				"lm_form=812&lm_key=***&subscribers_name",
			},
			{
				"later",
				Delivery{Method: "GET", Query: url.Values{
					"name": {"רונית גל"}, "phone": {"048123456"}, "email": {"r@example.com"}, "msg": {strings.Repeat("א", 3500)}, "lm_redirect": {"no"}, "lm_key": {"k3y-of-form"},
				}},
				object{
					"FirstName": "רונית", "LastName": "גל", "Phone": "+97248123456", "PhoneRaw": "048123456", "Email": "r@example.com", "Message": strings.Repeat("א", 3500),
				},
				"email=r%40example.com&lm_key=***&lm_redirect=no",
			},
			{
				"as multipart",
				Delivery{Method: "POST", ContentType: "multipart/form-data; boundary=bb", Body: []byte(
					"--bb\r\nContent-Disposition: form-data; name=\"lm_key\"\r\n\r\nk3y-of-form\r\n--bb\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nגל\r\n--bb--\r\n")},
				object{"FirstName": "גל"},
				"name=\"lm_key\"\r\n\r\n***\r\n",
			},
		}
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				receipts, err := s.Receive(context.Background(), src.Token, test.d)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, text(stored(t, s, receipts[0]))); diff != "" {
					t.Error(diff)
				}
				var payload Payload
				if err := db.Read(context.Background()).Where("lead_id = ?", receipts[0].ID).Take(&payload).Error; err != nil {
					t.Fatal(err)
				}
				if got := string(payload.Body); !strings.Contains(got, test.body) || strings.Contains(got, "k3y-of-form") {
					t.Errorf("the payload is %s", got)
				}
			})
		}
		before := count(t, s, "leads")
		for _, body := range []string{"name=x&lm_key=k3y-of-farm", "name=x"} {
			_, err := postForm(s, src, body)
			wantFault(t, err, fault.Unauthorized, "lm_key")
		}
		if n := count(t, s, "leads"); n != before {
			t.Error("a lead with a wrong key was stored")
		}
		list, err := s.Rejections(manager(), src.ID, 10)
		if err != nil || len(list) != 2 || strings.Contains(string(list[1].Body), "k3y") {
			t.Errorf("%d rejections, the first of %s, %v", len(list), list[1].Body, err)
		}
		open := addSource(t, s, Source{Kind: KindLeadManager})
		if _, err := postForm(s, open, "name=x&lm_key=whatever"); err != nil {
			t.Errorf("a source without a secret: %v", err)
		}
	})
}
