package odata_test

import (
	"context"
	"strings"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata"
)

// TestHiddenETag: for whom the property of the ETag is hidden there is no ETag,
// neither shown nor to be guessed by a precondition.
func TestHiddenETag(t *testing.T) {
	each(t, func(t *testing.T, filled *shop) {
		s := &shop{db: filled.db}
		s.Service = odata.New(odata.Options{
			Namespace: "Shop", Prefix: "/shop", Read: s.db.Read,
			Write: func(ctx context.Context, f func(ctx context.Context) error) error {
				return s.db.Write(ctx, func(tx *gorm.DB) error { return f(tx.Statement.Context) })
			},
		})
		odata.Add(s.Service, odata.Set[Maker]{
			Name:   "Makers",
			Access: func(context.Context) (odata.Predicate, error) { return odata.Predicate{Hide: []string{"Version"}}, nil },
			Create: func(_ context.Context, m *Maker) error { m.ID, m.Version = 77, 5; return nil },
			Update: func(_ context.Context, m *Maker) error { m.Version++; return nil },
		})
		odata.Add(s.Service, odata.Set[Product]{Name: "Products", Access: func(context.Context) (odata.Predicate, error) { return odata.All, nil }})
		if err := s.Build(); err != nil {
			t.Fatal(err)
		}
		const maker, tag = "/Makers(3)", `W/"3"`
		if a := filled.get(t, maker); a.header.Get("ETag") != tag {
			t.Fatalf("the ETag is %s", a.header.Get("ETag"))
		}
		for _, c := range []struct {
			request, body, header string
			status                int
		}{
			{"GET " + maker, "", "", 200},
			{"GET /Makers", "", "", 200},
			{"GET /Makers?$select=Name", "", "", 200},
			{"GET /Products?$expand=Maker", "", "", 200},
			{"GET /Makers?$apply=filter(true)", "", "", 200},
			{"GET /Makers?$apply=concat(identity,identity)", "", "", 200},
			{"GET /Makers?$select=Version", "", "", 400},
			{"GET /Makers?$filter=Version eq 3", "", "", 400},
			{"GET " + maker + "/Version", "", "", 404},
			{"POST /Makers", `{"Name":"New"}`, "", 201},
			{"POST /Makers", `{"Name":"New"}`, "Prefer: return=minimal", 204},
			{"PATCH " + maker, `{"Name":"New"}`, "", 200},
			{"PATCH " + maker, `{"Name":"New"}`, "Prefer: return=minimal", 204},
			{"PATCH " + maker, `{"Name":"New"}`, "If-Match: *", 200},
			{"PATCH " + maker, `{"Name":"New"}`, "If-Match: " + tag, 412},
			{"PATCH " + maker, `{"Name":"New"}`, `If-Match: W/"4"`, 412},
			{"PATCH " + maker, `{"Name":"New"}`, "If-None-Match: " + tag, 200},
			{"PATCH " + maker, `{"Name":"New"}`, `If-None-Match: W/"4"`, 200},
			{"PATCH " + maker, `{"@odata.etag":"W/\"3\"","Name":"New"}`, "", 412},
			{"PATCH " + maker, `{"@odata.etag":"W/\"4\"","Name":"New"}`, "", 412},
			{"PUT " + maker + "/Name", `{"value":"New"}`, "", 204},
			{"PUT " + maker + "/Name", `{"value":"New"}`, "Prefer: return=representation", 200},
			{"PUT " + maker + "/Name", `{"value":"New"}`, "If-Match: " + tag, 412},
			{"PATCH /Makers", `{"@context":"#$delta","value":[{"ID":3,"Name":"New"}]}`, "Prefer: return=representation", 200},
			{"PATCH /Makers", `{"@context":"#$delta","value":[{"ID":3,"Name":"New","@etag":"W/\"3\""}]}`, "", 412},
		} {
			headers := []string{"Content-Type: application/json"}
			if c.header != "" {
				headers = append(headers, c.header)
			}
			a := s.do(t, t.Context(), c.request, c.body, headers...)
			if a.status != c.status {
				t.Errorf("%s %s %s: %d, want %d: %s", c.request, c.header, c.body, a.status, c.status, a.body)
			}
			if a.header.Get("ETag") != "" || a.status < 300 && (strings.Contains(a.body, "etag") || strings.Contains(a.body, "Version")) {
				t.Errorf("%s %s shows the ETag %q: %s", c.request, c.header, a.header.Get("ETag"), a.body)
			}
		}
	})
}
