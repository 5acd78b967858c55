package console

import (
	"fmt"
	"slices"
	"strconv"

	"leadloop/odata/fault"
	"leadloop/server/staff"
	"leadloop/store"
)

func (c *Console) groupRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/groups", do: (*visit).groupsPage, role: store.Admin},
		{pattern: "GET /console/settings/groups/new", do: (*visit).newGroupPage, role: store.Admin},
		{pattern: "POST /console/settings/groups/new", do: (*visit).createGroup, role: store.Admin},
		{pattern: "GET /console/settings/groups/{id}", do: (*visit).groupPage, role: store.Admin},
		{pattern: "POST /console/settings/groups/{id}", do: (*visit).updateGroup, role: store.Admin},
		{pattern: "POST /console/settings/groups/{id}/members", do: (*visit).addMember, role: store.Admin},
		{pattern: "POST /console/settings/groups/{id}/members/{user}/remove", do: (*visit).removeMember, role: store.Admin},
		{pattern: "POST /console/settings/groups/{id}/delete", do: (*visit).deleteGroup, role: store.Admin},
	}
}

func (v *visit) groupsPage() error {
	groups, err := readList[staff.Group](v, "Groups", 0, query{"$orderby": "Name,ID", "$expand": "Members", "$skiptoken": v.value("after")})
	if err != nil {
		return err
	}
	t := Table{
		Caption: v.T("settings.tab.groups"),
		Columns: []Column{{Title: v.T("group.name"), Wide: true}, {Title: v.T("group.members"), Number: true}, {Title: v.T("group.since")}},
		Empty: &Empty{
			Icon: "user", Title: v.T("groups.empty"), Text: v.T("groups.empty.text"),
			Action: v.T("group.new"), URL: thingURL("groups", "new"),
		},
	}
	for _, g := range groups.Rows {
		name := textCell(g.Name)
		name.Sub = g.Description
		t.Rows = append(t.Rows, Row{URL: thingURL("groups", g.ID), Cells: []Cell{name, v.numberCell(len(g.Members)), v.agoCell(&g.CreatedAt)}})
	}
	t.Pages(v.Path(), nil, v.value("after"), groups.After)
	return v.Page("groups", v.settings("groups", t))
}

// groupView is what the page of a group shows.
type groupView struct {
	Form   *Form
	Group  *staff.Group // nil for a new one
	Others []staff.User // who could be added
	Delete *Confirm
}

func (v *visit) groupForm(g *staff.Group) *Form {
	f := &Form{
		Action: thingURL("groups", "new"), Submit: v.T("group.create"), Cancel: settingsURL("groups"),
		Fields: []*Field{
			{Name: "Name", Label: v.T("group.name"), Value: g.Name, Required: true, Focus: g.ID == 0},
			{Name: "Description", Label: v.T("group.description"), Value: g.Description, Kind: "textarea"},
		},
	}
	if g.ID != 0 {
		f.Action, f.Submit, f.Cancel = thingURL("groups", g.ID), v.T("form.save"), ""
		f.Hidden = map[string]string{"Version": strconv.FormatInt(g.Version, 10)}
	}
	return f
}

func (v *visit) newGroupPage() error {
	return v.Page("group", v.setting("groups", v.T("group.new"), groupView{Form: v.groupForm(&staff.Group{})}))
}

func (v *visit) createGroup() error {
	g := &staff.Group{}
	f := v.groupForm(g)
	f.Fill(v)
	g.Name, g.Description = f.Get("Name"), f.Get("Description")
	if err := v.Staff.CreateGroup(v.ctx(), g); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("group", v.setting("groups", v.T("group.new"), groupView{Form: f}))
	}
	v.Done(v.T("group.created", g.Name))
	return v.Go(thingURL("groups", g.ID))
}

// group is the group of the page's address.
func (v *visit) group() (*staff.Group, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	g, err := read[staff.Group](v, fmt.Sprintf("Groups(%d)", id), query{"$expand": "Members($expand=User)"})
	return &g, err
}

func (v *visit) groupPage() error {
	g, err := v.group()
	if err != nil {
		return err
	}
	return v.showGroup(v.Page, g, v.groupForm(g))
}

func (v *visit) showGroup(show func(string, page) error, g *staff.Group, f *Form) error {
	users, err := readList[staff.User](v, "Users", 1000, query{"$orderby": "Email", "$filter": "Active"})
	if err != nil {
		return err
	}
	view := groupView{Form: f, Group: g, Delete: &Confirm{
		ID: "delete", Title: v.T("group.delete.title", g.Name), Text: v.T("group.delete.text", len(g.Members)), Name: g.Name,
		Action: thingURL("groups", g.ID) + "/delete", Submit: v.T("group.delete.submit"),
	}}
	view.Others = slices.DeleteFunc(users.Rows, func(u staff.User) bool {
		return slices.ContainsFunc(g.Members, func(m staff.GroupMember) bool { return m.UserID == u.ID })
	})
	return show("group", v.setting("groups", g.Name, view))
}

// updateGroup saves a group's name. The toast takes it back.
func (v *visit) updateGroup() error {
	g, err := v.group()
	if err != nil {
		return err
	}
	f := v.groupForm(g)
	before := f.Values()
	f.Fill(v)
	next := staff.Group{ID: g.ID, Name: f.Get("Name"), Description: f.Get("Description"), CreatedAt: g.CreatedAt}
	if next.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	if err := v.Staff.UpdateGroup(v.ctx(), &next); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.showGroup(v.Invalid, g, f)
	}
	before["Version"] = strconv.FormatInt(next.Version, 10)
	v.DoneUndo(v.T("form.saved"), thingURL("groups", g.ID), before)
	return v.Go(thingURL("groups", g.ID))
}

func (v *visit) addMember() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	user, err := strconv.ParseInt(v.value("UserID"), 10, 64)
	if err != nil {
		return fault.Newf(fault.Invalid, "%q is not a number", v.value("UserID"))
	}
	if err := v.Staff.AddMember(v.ctx(), &staff.GroupMember{GroupID: id, UserID: user}); err != nil {
		return err
	}
	v.DoneUndo(v.T("group.added"), fmt.Sprintf("%s/members/%d/remove", thingURL("groups", id), user), nil)
	return v.Go(thingURL("groups", id))
}

func (v *visit) removeMember() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	user, err := strconv.ParseInt(v.R.PathValue("user"), 10, 64)
	if err != nil {
		return errNoPage
	}
	if err := v.Staff.RemoveMember(v.ctx(), id, user); err != nil {
		return err
	}
	v.DoneUndo(v.T("group.removed"), thingURL("groups", id)+"/members", map[string]string{"UserID": strconv.FormatInt(user, 10)})
	return v.Go(thingURL("groups", id))
}

func (v *visit) deleteGroup() error {
	g, err := v.group()
	if err != nil {
		return err
	}
	return v.deleteTyped("groups", g.Name, thingURL("groups", g.ID), v.T("group.deleted", g.Name),
		func() error { return v.Staff.DeleteGroup(v.ctx(), g.ID) })
}
