package console

import (
	"errors"
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// Form is a form with its values and what is wrong with them. Templates show it
// by {{template "form" .Data.Form}}. A handler makes the same form for showing
// and for saving:
//
//	form := v.customerForm(customer)
//	form.Fill(v)
//	customer.Name = form.Get("Name")
//	if err := v.Routing.UpdateCustomer(v.ctx(), customer); err != nil {
//		if !form.Fail(v, err) {
//			return err
//		}
//		return v.Invalid("customer", page{…, Data: form})
//	}
type Form struct {
	Action string // where it is posted to
	Fields []*Field
	Hidden map[string]string
	Submit string // the button's text
	Cancel string // address of the way back, if there is one
	Error  string // what is wrong with no field in particular
	// Account is whose password the form is about, for password managers.
	Account string
	// ReadOnly shows the values to who may not change them, without buttons.
	ReadOnly bool
}

// Field is a field of a form. Name is that of the entity's property, so that
// faults find it.
type Field struct {
	Name, Label string
	Help        string // under the field, always there
	// Kind is one of text (unless set), textarea, email, password, number, url,
	// search, date, datetime-local, select, checkbox, secret. A secret is not a
	// password of the reader's, which browsers would offer to keep.
	Kind         string
	Value        string // "true" for a checkbox that is set
	Options      []Option
	Placeholder  string
	Section      string // a heading before this field
	Autocomplete string
	Error        string
	Required     bool
	ReadOnly     bool
	Ltr          bool // reads from left to right in every language, such as a URL or a phone number
	Half         bool // stands beside the next half one
	Focus        bool
	Min, Max     string
	Rows         int    // of a textarea; 4 unless set
	List         string // id of a datalist with what is offered
}

// Option is a choice of a select.
type Option struct{ Value, Label string }

// Field is the field of a name, nil if there is none.
func (f *Form) Field(name string) *Field {
	for _, field := range f.Fields {
		if field.Name == name {
			return field
		}
	}
	return nil
}

// Get is the value of a field.
func (f *Form) Get(name string) string {
	if field := f.Field(name); field != nil {
		return field.Value
	}
	return ""
}

// number is the value of a number field, nil where it is empty.
func (f *Form) number(name string) (*int, error) {
	text := f.Get(name)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "%q is not a number", text).At(name)
	}
	return &n, nil
}

// numberText is n as a number field has it.
func numberText(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// Values are the values by name, for a toast that takes a change back.
func (f *Form) Values() map[string]string {
	values := map[string]string{}
	for _, field := range f.Fields {
		values[field.Name] = field.Value
	}
	return values
}

// Fill takes the values of the request over. Passwords are not kept.
func (f *Form) Fill(v *visit) {
	for _, field := range f.Fields {
		if field.ReadOnly || field.Kind == "password" {
			continue
		}
		field.Value = strings.TrimSpace(v.R.PostFormValue(field.Name))
	}
	for name := range f.Hidden {
		f.Hidden[name] = v.R.PostFormValue(name)
	}
}

// Fail puts what a fault says next to the fields it is about, and the rest over
// the form. It returns false for an error that the form cannot cure, such as
// Unauthorized, NotFound and whatever is no fault.
func (f *Form) Fail(v *visit, err error) bool {
	var e *fault.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case fault.Invalid, fault.Conflict, fault.PreconditionFailed, fault.RateLimited, fault.TooLarge, fault.Gone, fault.Unavailable:
	default:
		return false
	}
	details := e.Details
	if len(details) == 0 {
		details = []fault.Detail{{Message: e.Message, Target: e.Target}}
	}
	for _, d := range details {
		message := v.faultMessage(d.Message)
		field := f.at(d.Target)
		switch {
		case field != nil:
			field.Error = join(field.Error, message)
			for _, other := range f.Fields {
				other.Focus = false // the first that is wrong has it
			}
		case d.Target != "":
			f.Error = join(f.Error, d.Target+": "+message)
		default:
			f.Error = join(f.Error, message)
		}
	}
	return true
}

// at is the field a target is about: Settings/URL and Mapping[2] belong to
// fields of these names, or to Settings and Mapping.
func (f *Form) at(target string) *Field {
	if field := f.Field(target); field != nil || target == "" {
		return field
	}
	if i := strings.LastIndexAny(target, "./["); i > 0 {
		return f.at(target[:i])
	}
	return nil
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// errNotTyped says that a Confirm's name was typed wrong.
var errNotTyped = fault.New(fault.Invalid, "the name you typed is not the one shown")

// Confirm is a dialog that asks before something is done, opened by a button
// with data-dialog="<ID>". Templates show it by {{template "confirm" .}}. With
// Name, the name of what is lost must be typed first.
type Confirm struct {
	ID, Title, Text string
	Action, Submit  string
	Name            string
	Hidden          map[string]string
}

// Filters is the bar over a list: a search box and further fields, which change
// the element with the id Target as they are changed. Templates show it by
// {{template "filters" .}}.
type Filters struct {
	Action, Target string
	Search         string // its text; Placeholder says what is searched
	Placeholder    string
	Fields         []*Field // select and checkbox, date
}
