package console

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"leadloop/odata/fault"
	"leadloop/server/staff"
	"leadloop/store"
)

func (c *Console) userRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/users", do: (*visit).usersPage, role: store.Admin},
		{pattern: "GET /console/settings/users/new", do: (*visit).newUserPage, role: store.Admin},
		{pattern: "POST /console/settings/users/new", do: (*visit).createUser, role: store.Admin},
		{pattern: "GET /console/settings/users/{id}", do: (*visit).userPage, role: store.Admin},
		{pattern: "POST /console/settings/users/{id}", do: (*visit).updateUser, role: store.Admin},
		{pattern: "POST /console/settings/users/{id}/password", do: (*visit).resetPassword, role: store.Admin},
		{pattern: "POST /console/settings/users/{id}/delete", do: (*visit).deleteUser, role: store.Admin},
	}
}

// signIns are the last sign-ins by user.
func (v *visit) signIns() (map[int64]staff.LastSignIn, error) {
	list, err := readList[staff.LastSignIn](v, "LastSignIns()", 1000, nil)
	by := map[int64]staff.LastSignIn{}
	for _, s := range list.Rows {
		by[s.UserID] = s
	}
	return by, err
}

func (v *visit) usersPage() error {
	users, err := readList[staff.User](v, "Users", 0, query{"$orderby": "Active desc,Email", "$skiptoken": v.value("after")})
	if err != nil {
		return err
	}
	seen, err := v.signIns()
	if err != nil {
		return err
	}
	t := Table{Caption: v.T("settings.tab.users"), Columns: []Column{
		{Title: v.T("user.email"), Wide: true}, {Title: v.T("user.role")}, {Title: v.T("user.state")}, {Title: v.T("user.seen")},
	}}
	for _, u := range users.Rows {
		name := textCell(u.Email)
		name.Sub = u.Name
		state := Badge{v.T("user.active"), "good"}
		if !u.Active {
			state = Badge{v.T("user.inactive"), ""}
		}
		var at *time.Time
		if s, ever := seen[u.ID]; ever {
			at = &s.At
		}
		t.Rows = append(t.Rows, Row{URL: thingURL("users", u.ID), Cells: []Cell{name, textCell(v.T("role." + u.Role)), badgeCell(state), v.agoCell(at)}})
	}
	t.Pages(v.Path(), nil, v.value("after"), users.After)
	return v.Page("users", v.settings("users", t))
}

// userView is what the page of a user shows.
type userView struct {
	Form     *Form
	User     *staff.User // nil for a new one
	Self     bool
	SignedIn *staff.LastSignIn
	Password *Confirm
	Delete   *Confirm
}

func (v *visit) userForm(u *staff.User) *Form {
	var roles []Option
	for _, r := range []string{"viewer", "manager", "admin"} {
		roles = append(roles, Option{r, v.T("role." + r)})
	}
	f := &Form{
		Action: thingURL("users", "new"), Submit: v.T("user.create"), Cancel: settingsURL("users"),
		Fields: []*Field{
			{Name: "Email", Kind: "email", Label: v.T("user.email"), Help: v.T("user.email.help"), Value: u.Email, Required: true, Ltr: true, Autocomplete: "off", Focus: u.ID == 0},
			{Name: "Name", Label: v.T("user.name"), Value: u.Name, Autocomplete: "off"},
		},
	}
	role := &Field{Name: "Role", Kind: "select", Label: v.T("user.role"), Help: v.T("user.role.help"), Value: u.Role, Options: roles}
	if u.ID == 0 {
		f.Fields = append(f.Fields, role)
		return f
	}
	f.Action, f.Submit, f.Cancel = thingURL("users", u.ID), v.T("form.save"), ""
	f.Hidden = map[string]string{"Version": strconv.FormatInt(u.Version, 10)}
	if u.ID != v.User.ID { // nobody locks themselves out
		f.Fields = append(f.Fields, role,
			&Field{Name: "Active", Kind: "checkbox", Label: v.T("user.may"), Help: v.T("user.may.help"), Value: strconv.FormatBool(u.Active)})
	}
	return f
}

func (v *visit) newUserPage() error {
	return v.Page("user", v.setting("users", v.T("user.new"), userView{Form: v.userForm(&staff.User{Role: "viewer"})}))
}

// createUser makes a user with a password that is shown this once.
func (v *visit) createUser() error {
	u := staff.NewUser()
	f := v.userForm(u)
	f.Fill(v)
	u.Email, u.Name, u.Role, u.Password = f.Get("Email"), f.Get("Name"), f.Get("Role"), rand.Text()
	password := u.Password
	if err := v.Staff.CreateUser(v.ctx(), u); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("user", v.setting("users", v.T("user.new"), userView{Form: f}))
	}
	return v.revealPassword(u, password)
}

func (v *visit) revealPassword(u *staff.User, password string) error {
	return v.Page("secret", v.setting("users", u.Email, Reveal{
		Title: v.T("user.password.title", u.Email), Text: v.T("user.password.once"), Secret: password, Next: thingURL("users", u.ID),
	}))
}

// user is the user of the page's address.
func (v *visit) user() (*staff.User, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	u, err := read[staff.User](v, fmt.Sprintf("Users(%d)", id), query{"$expand": "Groups($expand=Group)"})
	return &u, err
}

func (v *visit) userPage() error {
	u, err := v.user()
	if err != nil {
		return err
	}
	return v.showUser(v.Page, u, v.userForm(u))
}

// showUser shows the page of a user, by Page or Invalid.
func (v *visit) showUser(show func(string, page) error, u *staff.User, f *Form) error {
	seen, err := v.signIns()
	if err != nil {
		return err
	}
	view := userView{Form: f, User: u, Self: u.ID == v.User.ID}
	if s, ever := seen[u.ID]; ever {
		view.SignedIn = &s
	}
	if !view.Self {
		view.Password = &Confirm{
			ID: "password", Title: v.T("user.reset.title", u.Email), Text: v.T("user.reset.text"),
			Action: thingURL("users", u.ID) + "/password", Submit: v.T("user.reset"),
		}
		view.Delete = &Confirm{
			ID: "delete", Title: v.T("user.delete.title", u.Email), Text: v.T("user.delete.text"), Name: u.Email,
			Action: thingURL("users", u.ID) + "/delete", Submit: v.T("user.delete.submit"),
		}
	}
	return show("user", v.setting("users", u.Email, view))
}

// updateUser saves a user. The toast takes it back.
func (v *visit) updateUser() error {
	u, err := v.user()
	if err != nil {
		return err
	}
	f := v.userForm(u)
	before := f.Values()
	f.Fill(v)
	next := staff.User{ID: u.ID, Email: f.Get("Email"), Name: f.Get("Name"), Role: u.Role, Active: u.Active}
	if f.Field("Role") != nil {
		next.Role, next.Active = f.Get("Role"), f.Get("Active") == "true"
	}
	if next.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	next.Language, next.TimeZone = u.Language, u.TimeZone
	if err := v.Staff.UpdateUser(v.ctx(), &next); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.showUser(v.Invalid, u, f)
	}
	before["Version"] = strconv.FormatInt(next.Version, 10)
	v.DoneUndo(v.T("form.saved"), thingURL("users", u.ID), before)
	return v.Go(thingURL("users", u.ID))
}

// resetPassword gives a user another password, which is shown this once, and ends
// their sessions. Whoever acts changes their own on their profile.
func (v *visit) resetPassword() error {
	u, err := v.user()
	if err != nil {
		return err
	}
	if u.ID == v.User.ID {
		return v.Go("/console/profile")
	}
	password := rand.Text()
	if err := v.Staff.SetPassword(v.ctx(), u.ID, password); err != nil {
		return err
	}
	return v.revealPassword(u, password)
}

func (v *visit) deleteUser() error {
	u, err := v.user()
	if err != nil {
		return err
	}
	return v.deleteTyped("users", u.Email, thingURL("users", u.ID), v.T("user.deleted", u.Email),
		func() error { return v.Staff.DeleteUser(v.ctx(), u.ID) })
}
