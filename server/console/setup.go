package console

import (
	"leadloop/odata/fault"
)

// The first user of an installation is made by who has the link that the program
// printed when it was started.

var errNoSetUp = fault.New(fault.Gone, "This link has been used, or is too old, or there are users already.")

func (v *visit) setUpForm() *Form {
	return &Form{
		Action: "/console/setup", Submit: v.T("setup.submit"), Hidden: map[string]string{"token": v.value("token")},
		Fields: []*Field{
			{Name: "Name", Label: v.T("setup.name"), Autocomplete: "name", Focus: true},
			{Name: "Email", Kind: "email", Label: v.T("setup.email"), Help: v.T("setup.email.help"), Required: true, Autocomplete: "username", Ltr: true},
			{Name: "Password", Kind: "password", Label: v.T("setup.password"), Help: v.T("setup.password.help"), Required: true, Autocomplete: "new-password", Ltr: true},
		},
	}
}

func (v *visit) setUpView(f *Form) page { return page{Title: v.T("setup.title"), Bare: true, Data: f} }

func (v *visit) setUpPage() error {
	ok, err := v.Staff.CanSetUp(v.ctx(), v.value("token"))
	if err == nil && !ok {
		err = errNoSetUp
	}
	if err != nil {
		return err
	}
	return v.Page("setup", v.setUpView(v.setUpForm()))
}

// setUp makes the first admin and signs them in.
func (v *visit) setUp() error {
	f := v.setUpForm()
	f.Fill(v)
	password := v.R.PostFormValue("Password")
	if err := v.Staff.SetUp(v.ctx(), f.Hidden["token"], f.Get("Email"), f.Get("Name"), password); err != nil {
		if fault.CodeOf(err) == fault.Unauthorized { // nobody could sign in yet
			return errNoSetUp
		}
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("setup", v.setUpView(f))
	}
	if err := v.begin(f.Get("Email"), password); err != nil {
		return err
	}
	v.Done(v.T("setup.done"))
	return v.Go("/console/")
}
