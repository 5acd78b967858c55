package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/server/staff"
	"leadloop/store"
)

var (
	errNoPage      = fault.New(fault.NotFound, "There is no such page.")
	errCrossOrigin = fault.New(fault.Forbidden, "This request came from another site.")
)

// maxForm bounds the body of a request in bytes.
const maxForm = 1 << 20

// visit is one request to a page: who asks, in which language, and the ways to
// answer. A handler ends with one of its methods Page, Part, Go and Back, or
// with an error, which is shown as a page of its own.
type visit struct {
	*Console
	*locale
	W     http.ResponseWriter
	R     *http.Request
	User  *staff.User // nil on open pages where nobody is signed in
	Actor store.Actor // who the user is to the domain functions
}

// ctx carries the actor, and ends with the request.
func (v *visit) ctx() context.Context { return v.R.Context() }

// Can reports whether the user has at least the role. Templates leave out by it
// what would be refused; the domain functions refuse.
func (v *visit) Can(role string) bool {
	r, ok := store.ParseRole(role)
	return ok && v.Actor.Kind == store.Staff && v.Actor.Role >= r
}

// id is the number {id} of the page's address. NotFound if it is none.
func (v *visit) id() (int64, error) {
	id, err := strconv.ParseInt(v.R.PathValue("id"), 10, 64)
	if err != nil {
		return 0, errNoPage
	}
	return id, nil
}

// value is a value of the form or the query, without space around it.
func (v *visit) value(name string) string { return strings.TrimSpace(v.R.FormValue(name)) }

// part reports whether htmx asks, for the element with this id.
func (v *visit) part(target string) bool {
	return v.R.Header.Get("HX-Request") == "true" && v.R.Header.Get("HX-Target") == target
}

// page is what the layout shows. Templates see it as the dot.
type page struct {
	*visit
	Title string // in the reader's language
	Crumb *crumb // where the page hangs, if not on the navigation
	Tabs  []tab
	Data  any
	Flash *flash
	Nav   []navLink
	Bare  bool // without navigation, as signing in is
}

// crumb is the way back up.
type crumb struct{ Title, URL string }

// tab is one of the faces of a thing.
type tab struct {
	Title, URL string
	Current    bool
	Count      int // shown when above zero
}

// Page answers with a page of templates/<name>.html.
func (v *visit) Page(name string, p page) error { return v.pageStatus(http.StatusOK, name, p) }

// Invalid answers with the page of a form that has errors, which keeps what was
// put in.
func (v *visit) Invalid(name string, p page) error {
	return v.pageStatus(http.StatusUnprocessableEntity, name, p)
}

func (v *visit) pageStatus(status int, name string, p page) error {
	p.visit, p.Nav, p.Flash = v, v.navigation(), v.takeFlash()
	return v.write(status, name, "layout", p)
}

// Part answers with the definition part of templates/<name>.html alone, for
// htmx. Data is its dot's Data.
func (v *visit) Part(name, part string, data any) error {
	return v.write(http.StatusOK, name, part, page{visit: v, Data: data})
}

func (v *visit) write(status int, name, part string, p page) error {
	templates, err := v.template(v.lang, v.zone, name)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, part, p); err != nil {
		return err
	}
	h := v.W.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "HX-Request")
	v.W.WriteHeader(status)
	_, _ = body.WriteTo(v.W) // a client that left needs no answer
	return nil
}

// Go answers a change by leading on to a page of the console. Where htmx asks,
// the whole page follows.
func (v *visit) Go(url string) error {
	if v.R.Header.Get("HX-Request") == "true" {
		v.W.Header().Set("HX-Redirect", url)
		v.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(v.W, v.R, url, http.StatusSeeOther)
	return nil
}

// flash is a message that the next page shows as a toast. Where Undo is set,
// that is where a POST takes back what was done, with Fields.
type flash struct {
	Kind   string // "done" or "failed"
	Text   string
	Undo   string
	Fields map[string]string
}

const flashCookie = "leadloop_flash"

// Done lets the next page say that something was done.
func (v *visit) Done(text string) { v.setFlash(flash{Kind: "done", Text: text}) }

// DoneUndo is Done with a way back.
func (v *visit) DoneUndo(text, undo string, fields map[string]string) {
	v.setFlash(flash{Kind: "done", Text: text, Undo: undo, Fields: fields})
}

// Failed lets the next page say why something was not done.
func (v *visit) Failed(err error) { v.setFlash(flash{Kind: "failed", Text: v.faultText(v.told(err))}) }

func (v *visit) setFlash(f flash) {
	text, _ := json.Marshal(f) // texts always marshal
	v.setCookie(&http.Cookie{Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString(text), MaxAge: 60})
}

// takeFlash gives the message left for this page, once.
func (v *visit) takeFlash() *flash {
	cookie, err := v.R.Cookie(flashCookie)
	if err != nil {
		return nil
	}
	v.setCookie(&http.Cookie{Name: flashCookie, MaxAge: -1})
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	var f flash
	if err != nil || json.Unmarshal(text, &f) != nil || f.Undo != "" && !strings.HasPrefix(f.Undo, "/console/") {
		return nil
	}
	return &f
}

// setCookie sets a cookie of the console, which scripts cannot read.
func (v *visit) setCookie(c *http.Cookie) {
	c.Path, c.HttpOnly, c.SameSite = "/console", true, http.SameSiteLaxMode
	c.Secure = v.Proxies.Origin(v.R).Scheme == "https"
	http.SetCookie(v.W, c)
}

// told is err as a fault that may be shown; what is none is logged.
func (v *visit) told(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	if v.ctx().Err() == nil { // else who asked has left, and htmx leaves often
		v.Log.ErrorContext(v.ctx(), "console", "path", v.R.URL.Path, "error", err)
	}
	return fault.New(fault.Internal, "something went wrong here; it has been logged")
}

// fail answers with an error: as a page, or as a toast where htmx asks. Who is
// not signed in is led to do so and back.
func (v *visit) fail(err error) {
	f := v.told(err)
	switch {
	case f.Code == fault.Unauthorized:
		next := "/console/"
		if v.R.Method == http.MethodGet {
			next = v.R.URL.RequestURI()
		}
		_ = v.Go("/console/signin?" + url.Values{"next": {next}}.Encode())
		return
	case v.R.Header.Get("HX-Request") == "true":
		v.W.Header().Set("HX-Retarget", "#toasts")
		v.W.Header().Set("HX-Reswap", "beforeend")
		err = v.write(odata.Status(f.Code), "error", "toast", page{visit: v, Flash: &flash{Kind: "failed", Text: v.faultText(f)}})
	default:
		err = v.pageStatus(odata.Status(f.Code), "error", page{Title: v.T("error.title"), Bare: v.User == nil, Data: v.faultText(f)})
	}
	if err != nil {
		v.Log.ErrorContext(v.ctx(), "console", "path", v.R.URL.Path, "error", err)
		http.Error(v.W, f.Message, odata.Status(f.Code))
	}
}

// Path is the address of the page, for its own links.
func (v *visit) Path() string { return v.R.URL.Path }

// Who is what the navigation calls the user.
func (v *visit) Who() string { return cmp.Or(v.User.Name, v.User.Email) }
