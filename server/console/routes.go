package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"leadloop/odata/fault"
	"leadloop/store"
)

// route is an address and what answers there.
type route struct {
	pattern string // of http.ServeMux
	do      func(*visit) error
	role    store.Role // the least that may come here: Viewer unless set
	open    bool       // for anyone, without signing in
	nav     string     // of the navigation, which leads here: a key of navOrder
	body    int64      // bytes that a request may have; maxForm unless set
}

// routes are all pages. Each noun's file gives its own.
func (c *Console) routes() []route {
	return slices.Concat(
		c.accountRoutes(),

		c.todayRoutes(),
		c.leadRoutes(),
		c.customerRoutes(),
		c.connectionRoutes(),
		c.keyRoutes(),
		c.feedbackRoutes(),
		c.pullRoutes(),
		c.guideRoutes(),

		c.ruleRoutes(),

		c.sourceRoutes(),
		c.onwardRoutes(),
		c.transmissionRoutes(),

		c.settingsRoutes(),

		[]route{{pattern: "GET /console/{$}", do: func(v *visit) error { return v.Go(v.nav[0].url) }}},
	)
}

// navOrder is the navigation from top to bottom, with the icon of each. An item
// is shown once a route has its name.
var navOrder = []struct{ name, icon string }{
	{"today", "sun"},
	{"leads", "inbox"},
	{"customers", "building"},
	{"sources", "download"},
	{"transmissions", "send"},
	{"settings", "sliders"},
}

// navItem is a place in the navigation.
type navItem struct {
	name, icon, url string
	role            store.Role
	order           int
}

// addNav adds the route to the navigation, if it belongs there.
func addNav(nav []navItem, r route) []navItem {
	for i, n := range navOrder {
		if n.name == r.nav {
			_, url, _ := strings.Cut(r.pattern, " ")
			nav = append(nav, navItem{n.name, n.icon, url, r.role, i})
		}
	}
	slices.SortFunc(nav, func(a, b navItem) int { return cmp.Compare(a.order, b.order) })
	return nav
}

// navLink is an item of the navigation as one user sees it.
type navLink struct {
	Title, URL, Icon string
	Current          bool
}

func (v *visit) navigation() []navLink {
	var list []navLink
	for _, n := range v.nav {
		if v.Actor.Role >= max(n.role, store.Viewer) {
			current := v.Path() == n.url || strings.HasPrefix(v.Path(), n.url+"/")
			list = append(list, navLink{v.T("nav." + n.name), n.url, n.icon, current})
		}
	}
	return list
}

// handler answers one route: it finds who asks and in which language, and shows
// the errors.
func (c *Console) handler(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, max(r.body, maxForm))
		v := &visit{Console: c, W: w, R: req}
		err := v.enter()
		if signedOut := fault.CodeOf(err) == fault.Unauthorized; r.open && signedOut {
			err = nil
		}
		if err == nil && !r.open {
			err = store.Require(v.ctx(), max(r.role, store.Viewer))
		}
		if err == nil {
			err = r.do(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}
