package server

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/server/staff"
	"leadloop/store"
)

// TestConsoleSession is signing in and out, and that a session ends at once
// wherever it is ended.
func TestConsoleSession(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		other := newBrowser(t, s.base, "he")
		other.open("/console/customers?q=x")
		other.at("/console/signin?next=" + url.QueryEscape("/console/customers?q=x"))
		other.fill("email", adminEmail)
		other.fill("password", "not the password")
		other.press("כניסה")
		other.see("כתובת הדואר או הסיסמה שגויים.")
		if got := js[string](other, "document.querySelector('[name=email]').value + document.querySelector('[name=password]').value"); got != adminEmail {
			t.Errorf("the form keeps %q", got)
		}
		other.complaints() // of the 422
		other.fill("password", adminPassword)
		other.press("כניסה")
		other.at("/console/customers?q=x")

		if got := js[string](b, "document.cookie"); got != "" {
			t.Errorf("scripts see the cookies %s", got)
		}
		b.open("/console/profile")
		b.see("This browser")
		b.press("End") // the other's, which was used last; hire left one of the API too
		b.see("The session has ended.")
		other.open("/console/customers")
		other.at("/console/signin?next=" + url.QueryEscape("/console/customers"))

		b.fill("Name", "דנה")
		b.press("Save changes")
		b.see("Saved.")
		b.press("עברית")
		b.see("הפרופיל שלי")
		b.press("English")
		b.see("Your profile")
		b.fill("Current", adminPassword)
		b.fill("Password", "short")
		b.press("Change the password")
		b.see("At least 10 characters, please.")
		b.complaints()
		b.fill("Current", adminPassword)
		b.fill("Password", "another horse battery")
		b.press("Change the password")
		b.see("The password is changed.")
		b.open("/console/customers") // this browser's session lives on
		b.at("/console/customers")
		b.press("Sign out")
		b.at("/console/signin")
		b.signIn(adminEmail, "another horse battery")
	})
}

// TestConsoleSetUp makes the first admin by the link, which works once.
func TestConsoleSetUp(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		vault, err := database{DB: dsn, SecretKeyFile: filepath.Join(dir, "leadloop.key")}.vault()
		if err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(asSystem, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(asSystem); err != nil {
			t.Fatal(err)
		}
		token, err := staff.New(db, vault).OfferSetUp(asSystem)
		if err != nil || token == "" {
			t.Fatal(token, err)
		}
		s := serveBy(t, program(t), dir, dsn)
		b := newBrowser(t, s.base, "he")
		b.open("/console/setup?token=" + token)
		b.fill("Name", "נועה")
		b.fill("Email", "noa@example.com")
		b.fill("Password", "short")
		b.press("התחלה")
		b.see("לפחות 10 תווים בבקשה.")
		b.fill("Password", "long enough by now")
		b.press("התחלה")
		b.at("/console/today")
		b.see("נועה")
		b.see("ארבעה צעדים עד הליד הראשון")
		other := newBrowser(t, s.base, "en")
		other.open("/console/setup?token=" + token)
		other.see("This link has been used")
		b.complaints()
		other.complaints()
	})
}

// TestConsoleGuards is what the console's answers promise the browser, and whom
// they refuse.
func TestConsoleGuards(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newBrowserStage(t, dir, dsn, "--trusted-proxies", "127.0.0.0/8")
		form := url.Values{"email": {adminEmail}, "password": {adminPassword}}.Encode()
		post := func(path, body string, header ...string) *http.Response {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			answer, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { answer.Body.Close() })
			return answer
		}
		if got := post("/console/signin", form, "Sec-Fetch-Site", "cross-site"); got.StatusCode != 403 || len(got.Cookies()) > 0 {
			t.Errorf("signing in from another site: %d with cookies %v", got.StatusCode, got.Cookies())
		}
		plain, secure := post("/console/signin", form), post("/console/signin", form, "X-Forwarded-Proto", "https")
		for _, c := range []struct {
			answer *http.Response
			want   http.Cookie
		}{
			{plain, http.Cookie{Path: "/console", HttpOnly: true, SameSite: http.SameSiteLaxMode}},
			{secure, http.Cookie{Path: "/console", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: true}},
		} {
			cookie := c.answer.Cookies()[0]
			got := http.Cookie{Path: cookie.Path, HttpOnly: cookie.HttpOnly, SameSite: cookie.SameSite, Secure: cookie.Secure}
			if diff := cmp.Diff(c.want, got); diff != "" || c.answer.StatusCode != 303 {
				t.Errorf("status %d; the session's cookie: %s", c.answer.StatusCode, diff)
			}
		}
		session := plain.Cookies()[0]
		s.anyone.with("Authorization", "Bearer "+session.Value).get("/odata/Users").want(401) // it opens the console alone
		if got := s.anyone.post("/auth/token", map[string]string{"refresh_token": session.Value}); got.status != 401 {
			t.Errorf("the cookie as a refresh token: %d", got.status)
		}
		if got := post("/console/signin", form+"&next=//evil.example", "Cookie", ""); got.Header.Get("Location") != "/console/" {
			t.Errorf("signing in leads to %s", got.Header.Get("Location"))
		}
		signIn := s.anyone.get("/console/signin").want(200)
		policy := signIn.header.Get("Content-Security-Policy")
		if policy == "" || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || signIn.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers: %v", signIn.header)
		}
		for _, inline := range []string{" style=", " onclick=", "<style", "<script>"} {
			if strings.Contains(string(signIn.body), inline) {
				t.Errorf("the page has %s, which the policy forbids", inline)
			}
		}
	})
}
