package odata_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/sqlgen"
	"leadloop/store/storetest"
)

// relink is a delta link with its token's text changed.
func relink(t *testing.T, link string, change func(token string) string) string {
	t.Helper()
	before, token, _ := strings.Cut(link, "$deltatoken=")
	decoded, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	return before + "$deltatoken=" + base64.RawURLEncoding.EncodeToString([]byte(change(string(decoded))))
}

func replace(pattern, with string) func(string) string {
	return func(s string) string { return regexp.MustCompile(pattern).ReplaceAllString(s, with) }
}

func TestDeltaTokens(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 10)
			s.exec(t, add(1, 1, "one", 1))
			link := s.follow(t, 1, "/Items?$filter=Price%20lt%205").link
			every := s.follow(t, 0, "/Items").link
			s.exec(t, add(2, 1, "two", 2))
			for _, c := range []struct {
				what   string
				user   int64
				link   string
				status int
				want   string
			}{
				{"as it is", 1, link, 200, "two"},
				{"spelt otherwise", 1, strings.Replace(link, "%20lt%20", "%20%6C%74%20", 1), 200, "two"},
				{"another filter", 1, strings.Replace(link, "%205", "%206", 1), 400, "for this request"},
				{"no filter", 1, strings.Replace(link, "$filter=Price%20lt%205&", "", 1), 400, "for this request"},
				{"a selection", 1, link + "&$select=Name", 400, "for this request"},
				{"another set", 0, strings.Replace(every, "/Items", "/Notes", 1), 400, "for this request"},
				{"a set that is not tracked", 0, strings.Replace(every, "/Items", "/Shelves", 1), 410, "cannot be followed"},
				{"an order", 1, link + "&$orderby=Name", 400, "$orderby does not go with $deltatoken"},
				{"a count", 1, link + "&$count=true", 501, "$count with $deltatoken"},
				{"just the count", 1, strings.Replace(link, "/Items?", "/Items/$count?", 1), 501, "/$count with $deltatoken"},
				{"an expansion", 1, strings.Replace(link, "/Items", "/Notes", 1) + "&$expand=Shelf", 400, "$expand does not go with $deltatoken"},
				{"no token", 1, "http://shop.test/shop/Items?$deltatoken=x", 400, "for this request"},
				{"garbage", 1, strings.Replace(link, "$deltatoken=", "$deltatoken=*", 1), 400, "for this request"},
				{"another version", 1, relink(t, link, replace(`"v":1`, `"v":2`)), 400, "for this request"},
				{"no JSON", 1, relink(t, link, func(string) string { return "{" }), 400, "for this request"},
				{"another user", 2, link, 410, "what you may read has changed"},
				{"nobody", -1, link, 403, "nothing for you"},
				{"from before all", 1, relink(t, link, replace(`"f":\d+`, `"f":0`)), 410, "too old"},
				{"from the future", 1, relink(t, link, replace(`"f":\d+`, `"f":9999999999999999`)), 410, "another database"},
				{"a negative number", 1, relink(t, link, replace(`"k":`, `"i":[-1],"k":`)), 400, "for this request"},
				{"half a walk", 1, relink(t, link, replace(`}$`, `,"b":5}`)), 400, "for this request"},
				{"to the future", 1, relink(t, link, replace(`}$`, `,"n":{"f":1,"k":1},"b":9999999999999999}`)), 410, "another database"},
			} {
				a := s.do(t, user(t.Context(), c.user), "GET "+strings.TrimPrefix(c.link, "http://shop.test/shop"), "")
				if a.status != c.status || !strings.Contains(a.body, c.want) {
					t.Errorf("%s: got %d %s, want %d %s", c.what, a.status, a.body, c.status, c.want)
				}
				at, err := url.Parse(a.header.Get("Location"))
				if err != nil || (a.status == http.StatusGone) != (at.Host != "") || at.Query().Has("$deltatoken") {
					t.Errorf("%s: Location %q", c.what, at)
				}
			}
		})
	}
}

// Links survive a restart, but not for ever.
func TestDeltaLasts(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			dsn := storetest.DSN(t, dialect)
			s := libraryAt(t, dsn, 1)
			s.createLibrary(t, dialect)
			s.exec(t, add(1, 1, "one", 1))
			r, idle := s.follow(t, 1, "/Items"), s.follow(t, 0, "/Items")
			s.exec(t, add(2, 1, "two", 2))
			if err := s.db.Close(); err != nil {
				t.Fatal(err)
			}

			s = libraryAt(t, dsn, 2)
			r.s, idle.s = s, s
			s.exec(t, add(3, 1, "three", 3))
			if r.sync(t); r.ids() != "1 2 3" {
				t.Errorf("after a restart: %s", r.ids())
			}
			forget := func(before time.Time) {
				t.Helper()
				for dropped := int64(1); dropped > 0; {
					if err := s.write(t.Context(), func(tx *gorm.DB) (err error) {
						dropped, err = s.ForgetChanges(tx, before)
						return err
					}); err != nil {
						t.Fatal(err)
					}
				}
			}
			forget(time.Now().Add(-time.Hour))
			s.exec(t, "DELETE FROM items WHERE id = '"+item(1)+"'")
			forget(time.Now().Add(time.Hour))
			a := s.do(t, t.Context(), "GET "+strings.TrimPrefix(idle.link, "http://shop.test/shop"), "")
			if a.status != http.StatusGone || a.header.Get("Location") != "http://shop.test/shop/Items" || !strings.Contains(a.body, "too old") {
				t.Errorf("an old link: %d %v %s", a.status, a.header, a.body)
			}
			for _, r := range []*replica{s.follow(t, 0, "/Items"), s.follow(t, 0, "/Notes")} {
				s.exec(t, add(4, 1, "four", 4), set(4, "price = 5"))
				if r.sync(t); r.set == "Items" && r.ids() != "2 3 4" || len(r.removed) > 0 {
					t.Errorf("%s after forgetting: %s", r.set, r.ids())
				}
				s.exec(t, "DELETE FROM items WHERE id = '"+item(4)+"'")
			}
			s.recreate(t, dialect)
			s.exec(t, add(9, 1, "nine", 9), set(9, "price = 5"))
			a = s.do(t, user(t.Context(), 1), "GET "+strings.TrimPrefix(r.link, "http://shop.test/shop"), "")
			if a.status != http.StatusGone {
				t.Errorf("a link from before the log was made anew: %d %s", a.status, a.body)
			}
			r = s.follow(t, 1, "/Items")
			s.exec(t, "DELETE FROM items")
			if r.sync(t); r.ids() != "" {
				t.Errorf("a log made anew: %s", r.ids())
			}
		})
	}
}

// recreate drops the change logs and creates them again.
func (s *shop) recreate(t testing.TB, dialect string) {
	t.Helper()
	err := s.write(t.Context(), func(tx *gorm.DB) (err error) {
		d := sqlgen.Dialect(dialect)
		for _, q := range slices.Concat(s.DropChangeLogs(d), s.CreateChangeLogs(d)) {
			err = errors.Join(err, tx.Exec(q).Error)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Where changes cannot be followed exactly the preference is not applied, and
// the answer is as without it.
func TestTrackingDeclined(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newLibrary(t, dialect, 10)
			s.exec(t, "INSERT INTO shelves (id, owner_id) VALUES (1, 1)", "INSERT INTO notes (id, shelf_id, text) VALUES (1, 1, 'a')", add(1, 1, "one", 1),
				"INSERT INTO documents (id, title) VALUES ('d1', 'a')", "INSERT INTO grants (id, document_id, user_id) VALUES (1, 'd1', 1)")
			for _, c := range []struct {
				user    int64
				path    string
				applied bool
			}{
				{0, "/Items?$filter=Name eq 'one' and Color eq null&$orderby=Price&$top=1&$skip=0&$format=json", true},
				{0, "/Items/$count", false},
				{0, "/Items(" + item(1) + ")", false},
				{0, "/Shelves", false},
				{0, "/Shelves(1)/Notes", false},
				{0, "/Notes?$expand=Shelf", false},
				{0, "/Notes?$filter=Shelf/OwnerID eq 1", true}, // kept
				{0, "/Notes?$filter=Shelf/ID eq 1", true},
				{0, "/Notes?$filter=Shelf/Notes/any(n:n/Text eq 'a')", false},
				{1, "/Notes", true},
				{1, "/Notes?$filter=Shelf/OwnerID eq 1", false}, // the caller's access to shelves
				{1, "/Documents", true},
				{0, "/Documents?$filter=Grants/any(g:g/UserID eq 1)", true},
				{0, "/Documents?$filter=Grants/any(g:g/ID eq 1)", false}, // not kept
				{0, "/Documents?$filter=Grants/$count gt 0", true},
				{0, "/Grants", true},
				{1, "/Grants", false}, // UserID is not kept
				{0, "/Items?$filter=year(now()) gt 2000", false},
			} {
				a := s.do(t, user(t.Context(), c.user), "GET "+c.path, "", "Prefer: return=minimal, track-changes")
				link, _ := a.json["@odata.deltaLink"].(string)
				if a.status != 200 || (link != "") != c.applied || a.header.Get("Preference-Applied") != map[bool]string{true: "track-changes"}[c.applied] {
					t.Errorf("%d %s: %d %v %s", c.user, c.path, a.status, a.header, a.body)
				}
				b := s.do(t, user(t.Context(), c.user), "GET "+c.path, "")
				if strings.Contains(b.body, "deltaLink") || c.applied != (a.body != b.body) {
					t.Errorf("%d %s: %s\nwithout the preference: %s", c.user, c.path, a.body, b.body)
				}
			}
		})
	}
}
