package console

import (
	"fmt"
	"slices"

	"leadloop/store"
)

func (c *Console) settingsRoutes() []route {
	return slices.Concat(
		[]route{{pattern: "GET /console/settings", do: func(v *visit) error { return v.Go(settingsURL("reasons")) }, nav: "settings"}},
		c.reasonRoutes(), c.connectorRoutes(), c.userRoutes(), c.groupRoutes(), c.noticeRoutes(),
		c.retentionRoutes(), c.personRoutes(), c.fileRoutes(), c.auditRoutes(), c.systemRoutes(),
	)
}

// settingsTabs are the pages of the settings, and the least role that is shown
// each.
var settingsTabs = []struct {
	name string
	role store.Role
}{
	{"reasons", store.Viewer},
	{"connectors", store.Viewer},
	{"users", store.Admin},
	{"groups", store.Admin},
	{"notices", store.Viewer},
	{"retention", store.Viewer},
	{"files", store.Manager},
	{"audit", store.Admin},
	{"system", store.Admin},
}

func settingsURL(name string) string { return "/console/settings/" + name }

// thingURL is the address of one of the things on a page of the settings.
func thingURL(name string, id any) string { return fmt.Sprintf("%s/%v", settingsURL(name), id) }

// settings is the page of the settings with this name.
func (v *visit) settings(name string, data any) page {
	p := page{Title: v.T("nav.settings"), Data: data}
	for _, t := range settingsTabs {
		if v.Actor.Role >= t.role {
			p.Tabs = append(p.Tabs, tab{Title: v.T("settings.tab." + t.name), URL: settingsURL(t.name), Current: t.name == name})
		}
	}
	return p
}

// setting is the page of one of the things on the page with this name.
func (v *visit) setting(name, title string, data any) page {
	return page{Title: title, Crumb: &crumb{v.T("settings.tab." + name), settingsURL(name)}, Data: data}
}

// deleteTyped deletes what has a name, if that was typed, and goes on to the page
// that it was on; where that fails, back to what is still there.
func (v *visit) deleteTyped(name, title, here, done string, remove func() error) error {
	err := error(errNotTyped)
	if v.value("confirm") == title {
		err = remove()
	}
	if err != nil {
		v.Failed(err)
		return v.Go(here)
	}
	v.Done(done)
	return v.Go(settingsURL(name))
}
