package console

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/leads"
	"leadloop/odata"
	"leadloop/routing"
	"leadloop/server/privacy"
	"leadloop/server/staff"
	"leadloop/store"
)

//go:embed static templates messages
var files embed.FS

// Options are what the console is made over.
type Options struct {
	Staff    *staff.Service
	Keys     *keys.Service
	Leads    *leads.Service
	Routing  *routing.Service
	Feedback *feedback.Service
	Privacy  *privacy.Service
	// OData answers the console's reads, in process, as whoever is signed in.
	OData http.Handler
	DB    *store.DB
	Log   *slog.Logger
	Now   func() time.Time
	// PublicURL is where the server is reached, if that is known.
	PublicURL string
	// Version is the program's, shown under the settings.
	Version string
	// Known is told who asks, once that is known.
	Known func(context.Context, store.Actor)
	// Proxies are believed what they say of the client and of TLS.
	Proxies odata.Proxies
}

// Console is the pages. Make one with New.
type Console struct {
	Options
	catalogues map[string]*catalogue
	assets     *assets
	sets       sync.Map // templateKey → *templateSet
	nav        []navItem
}

// New makes the console's handler, for everything below /console/.
func New(o Options) (http.Handler, error) {
	c := &Console{Options: o}
	var err error
	if c.catalogues, err = loadCatalogues(); err != nil {
		return nil, err
	}
	if c.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /console/static/", c.assets)
	for _, r := range c.routes() {
		mux.Handle(r.pattern, c.handler(r))
		c.nav = addNav(c.nav, r)
	}
	mux.Handle("/console/", c.handler(route{do: func(v *visit) error { return errNoPage }}))
	guard := http.NewCrossOriginProtection()
	if u, err := url.Parse(o.PublicURL); err == nil && u.Host != "" {
		if err := guard.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("public URL: %w", err)
		}
	}
	guard.SetDenyHandler(c.handler(route{open: true, do: func(v *visit) error { return errCrossOrigin }}))
	lost := c.handler(route{open: true, do: func(v *visit) error { return errNoPage }})
	return secured(tidy(guard.Handler(mux), lost)), nil
}

// tidy gives requests with a path that leads elsewhere once it is cleaned to lost:
// a mux would redirect them, out of the console too.
func tidy(next, lost http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if clean := path.Clean(r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
			lost.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// securityPolicy allows what the server itself serves, and no script or style
// inside a page.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// secured adds the headers that hold the browser to its word.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", securityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}

// templateSet are the templates of one language and time zone. Each page's are
// made when it is first asked for: there are many, and most are for few.
type templateSet struct {
	parts *template.Template // what every page can use
	pages sync.Map           // name → *template.Template
}

type templateKey struct{ lang, zone string }

// template gives the templates of templates/<name>.html, whose functions speak
// lang and tell the time in zone.
func (c *Console) template(lang, zone, name string) (*template.Template, error) {
	set, err := c.templates(lang, zone)
	if err != nil {
		return nil, err
	}
	if page, ok := set.pages.Load(name); ok {
		return page.(*template.Template), nil
	}
	page, err := set.parts.Clone()
	if err == nil {
		page, err = page.ParseFS(files, "templates/"+name+".html")
	}
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	set.pages.Store(name, page)
	return page, nil
}

func (c *Console) templates(lang, zone string) (*templateSet, error) {
	key := templateKey{lang, zone}
	if set, ok := c.sets.Load(key); ok {
		return set.(*templateSet), nil
	}
	l, err := c.locale(lang, zone)
	if err != nil {
		return nil, err
	}
	parts, err := template.New("").Funcs(c.funcs(l)).ParseFS(files, "templates/parts/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	set, _ := c.sets.LoadOrStore(key, &templateSet{parts: parts})
	return set.(*templateSet), nil
}

// digest is a short name for some content.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6])
}
