package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/server/staff"
	"leadloop/store"
)

// sessionCookie holds the secret of the browser's session.
const sessionCookie = "leadloop_session"

func (c *Console) accountRoutes() []route {
	return []route{
		{pattern: "GET /console/signin", do: (*visit).signInPage, open: true},
		{pattern: "POST /console/signin", do: (*visit).signIn, open: true},
		{pattern: "GET /console/setup", do: (*visit).setUpPage, open: true},
		{pattern: "POST /console/setup", do: (*visit).setUp, open: true},
		{pattern: "POST /console/signout", do: (*visit).signOut},
		{pattern: "POST /console/language", do: (*visit).chooseLanguage, open: true},
		{pattern: "GET /console/profile", do: (*visit).profilePage},
		{pattern: "POST /console/profile", do: (*visit).saveProfile},
		{pattern: "POST /console/profile/password", do: (*visit).changePassword},
		{pattern: "POST /console/profile/sessions/{id}/end", do: (*visit).endSession},
	}
}

// enter finds who visits and in which language. Unauthorized if nobody is
// signed in; the language is known also then.
func (v *visit) enter() error {
	err := v.recognize()
	if settled := v.settle(); settled != nil {
		return settled
	}
	return err
}

func (v *visit) recognize() error {
	cookie, err := v.R.Cookie(sessionCookie)
	if err != nil {
		return fault.New(fault.Unauthorized, "Sign in first")
	}
	user, actor, err := v.Staff.Browsing(v.ctx(), cookie.Value)
	if err != nil {
		return err
	}
	v.User, v.Actor = user, actor
	v.R = v.R.WithContext(store.WithActor(v.ctx(), actor))
	if v.Known != nil {
		v.Known(v.ctx(), actor)
	}
	return nil
}

func (v *visit) signInForm() *Form {
	return &Form{
		Action: "/console/signin", Submit: v.T("signin.submit"), Hidden: map[string]string{"next": v.value("next")},
		Fields: []*Field{
			{Name: "email", Kind: "email", Label: v.T("signin.email"), Required: true, Autocomplete: "username", Ltr: true, Focus: true},
			{Name: "password", Kind: "password", Label: v.T("signin.password"), Required: true, Autocomplete: "current-password", Ltr: true},
		},
	}
}

func (v *visit) signInPage() error {
	if v.User != nil {
		return v.Go("/console/")
	}
	return v.Page("signin", page{Title: v.T("signin.title"), Bare: true, Data: v.signInForm()})
}

func (v *visit) signIn() error {
	form := v.signInForm()
	form.Fill(v)
	if err := v.begin(form.Get("email"), v.R.PostFormValue("password")); err != nil {
		if !form.Fail(v, err) {
			return err
		}
		return v.Invalid("signin", page{Title: v.T("signin.title"), Bare: true, Data: form})
	}
	next := v.R.PostFormValue("next")
	if !strings.HasPrefix(next, "/console/") || strings.Contains(next, `\`) {
		next = "/console/"
	}
	return v.Go(next)
}

// begin opens a session of this browser and gives it the cookie.
func (v *visit) begin(email, password string) error {
	secret, err := v.Staff.OpenBrowser(v.ctx(), email, password,
		staff.Client{Agent: v.R.UserAgent(), Address: v.Proxies.Origin(v.R).Client})
	if err != nil {
		if f := v.told(err); f.Code == fault.Unauthorized { // here it is a form's error, and no reason to sign in first
			return &fault.Error{Code: fault.Invalid, Message: f.Message}
		}
		return err
	}
	v.setCookie(&http.Cookie{Name: sessionCookie, Value: secret, MaxAge: int(staff.BrowserLifetime.Seconds())})
	return nil
}

func (v *visit) signOut() error {
	if err := v.Staff.EndSession(v.ctx(), v.Actor.SessionID); err != nil {
		return err
	}
	v.setCookie(&http.Cookie{Name: sessionCookie, MaxAge: -1})
	return v.Go("/console/signin")
}

func (v *visit) chooseLanguage() error {
	lang := v.value("language")
	v.speak(lang)
	if v.User != nil && spoken(lang) {
		err := v.Staff.SaveProfile(v.ctx(), staff.Profile{Name: v.User.Name, Language: lang, TimeZone: v.User.TimeZone})
		if err != nil {
			return err
		}
	}
	next := v.value("next")
	if !strings.HasPrefix(next, "/console/") || strings.Contains(next, `\`) {
		next = "/console/"
	}
	return v.Go(next)
}

// profileData is what the profile's page shows.
type profileData struct {
	Profile, Password *Form
	Sessions          []staff.SignedIn
}

func (v *visit) profileData() (*profileData, error) {
	sessions, err := v.Staff.Sessions(v.ctx())
	if err != nil {
		return nil, err
	}
	languageOptions := []Option{{"", v.T("profile.language.browser")}}
	for _, l := range languages {
		languageOptions = append(languageOptions, Option{l.code, l.name})
	}
	return &profileData{
		Profile: &Form{Action: "/console/profile", Submit: v.T("form.save"), Fields: []*Field{
			{Name: "Name", Label: v.T("profile.name"), Value: v.User.Name, Autocomplete: "name"},
			{Name: "Language", Label: v.T("profile.language"), Kind: "select", Value: v.User.Language, Options: languageOptions},
			{Name: "TimeZone", Label: v.T("profile.zone"), Help: v.T("profile.zone.help"), Kind: "select", Value: v.zone, Options: zoneOptions(v.zone)},
		}},
		Password: &Form{Action: "/console/profile/password", Submit: v.T("profile.password.submit"), Account: v.User.Email, Fields: []*Field{
			{Name: "Current", Label: v.T("profile.password.current"), Kind: "password", Required: true, Autocomplete: "current-password", Ltr: true},
			{Name: "Password", Label: v.T("profile.password.new"), Help: v.T("profile.password.help"), Kind: "password", Required: true, Autocomplete: "new-password", Ltr: true},
		}},
		Sessions: sessions,
	}, nil
}

// zoneOptions are time zones to choose from, with the one that is chosen.
func zoneOptions(chosen string) (list []Option) {
	zones := timeZones
	if chosen != "" && !slices.Contains(zones, chosen) {
		zones = append([]string{chosen}, zones...)
	}
	for _, z := range zones {
		list = append(list, Option{z, strings.ReplaceAll(z, "_", " ")})
	}
	return list
}

// timeZones are those offered first; any of the tz database may be set.
var timeZones = []string{
	"Asia/Jerusalem", "UTC", "Europe/London", "Europe/Berlin", "Europe/Copenhagen", "Europe/Bucharest", "Europe/Kyiv",
	"America/New_York", "America/Chicago", "America/Los_Angeles", "Asia/Dubai", "Asia/Kolkata", "Asia/Singapore", "Australia/Sydney",
}

func (v *visit) profilePage() error {
	data, err := v.profileData()
	if err != nil {
		return err
	}
	return v.Page("profile", page{Title: v.T("profile.title"), Data: data})
}

func (v *visit) saveProfile() error {
	data, err := v.profileData()
	if err != nil {
		return err
	}
	f := data.Profile
	f.Fill(v)
	err = v.Staff.SaveProfile(v.ctx(), staff.Profile{Name: f.Get("Name"), Language: f.Get("Language"), TimeZone: f.Get("TimeZone")})
	if err == nil {
		v.speak(f.Get("Language"))
		v.Done(v.T("form.saved"))
		return v.Go("/console/profile")
	}
	if !f.Fail(v, err) {
		return err
	}
	return v.Invalid("profile", page{Title: v.T("profile.title"), Data: data})
}

// changePassword ends all sessions of the user but this.
func (v *visit) changePassword() error {
	data, err := v.profileData()
	if err != nil {
		return err
	}
	f := data.Password
	f.Fill(v)
	if err := v.Staff.ChangePassword(v.ctx(), v.R.PostFormValue("Current"), v.R.PostFormValue("Password")); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("profile", page{Title: v.T("profile.title"), Data: data})
	}
	v.Done(v.T("profile.password.done"))
	return v.Go("/console/profile")
}

func (v *visit) endSession() error {
	id, err := uuid.Parse(v.R.PathValue("id"))
	if err != nil {
		return errNoPage
	}
	if err := v.Staff.EndSession(v.ctx(), id); err != nil {
		return err
	}
	v.Done(v.T("profile.sessions.ended"))
	return v.Go("/console/profile")
}
