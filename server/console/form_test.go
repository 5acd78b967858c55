package console

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
)

func TestFormFail(t *testing.T) {
	en, _ := speakers(t)
	v := &visit{locale: en}
	for name, c := range map[string]struct {
		err  error
		want map[string]string // by field; "" is the form
	}{
		"a field":           {fault.New(fault.Invalid, "Name is required").At("Name"), map[string]string{"Name": "Please fill this in"}},
		"inside a field":    {fault.New(fault.Invalid, "odd").At("Settings.URL[2]"), map[string]string{"Settings": "odd"}},
		"the closest field": {fault.New(fault.Invalid, "odd").At("Settings.Region"), map[string]string{"Settings.Region": "odd"}},
		"no field":          {fault.New(fault.Conflict, "taken").At("Email"), map[string]string{"": "Email: taken"}},
		"several": {&fault.Error{Code: fault.Invalid, Details: []fault.Detail{
			{Message: "Name is required", Target: "Name"}, {Message: "odd", Target: "Settings"}, {Message: "and more"},
		}}, map[string]string{"Name": "Please fill this in", "Settings": "odd", "": "and more"}},
	} {
		f := &Form{Fields: []*Field{{Name: "Name"}, {Name: "Settings"}, {Name: "Settings.Region"}}}
		if !f.Fail(v, c.err) {
			t.Errorf("%s: not shown", name)
		}
		got := map[string]string{}
		if f.Error != "" {
			got[""] = f.Error
		}
		for _, field := range f.Fields {
			if field.Error != "" {
				got[field.Name] = field.Error
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, err := range []error{errors.New("disk"), fault.New(fault.Unauthorized, ""), fault.New(fault.Forbidden, ""), fault.New(fault.NotFound, "")} {
		if f := (&Form{}); f.Fail(v, err) {
			t.Errorf("%v is shown over the form", err)
		}
	}
}
