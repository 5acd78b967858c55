package console

import (
	"strconv"

	"leadloop/leads"
	"leadloop/odata/fault"
)

// leadForm are the properties that are edited.
func (v *visit) leadForm(l *leads.Lead) *Form {
	f := &Form{
		Action: leadURL(l.ID.String()) + "/edit", Submit: v.T("form.save"), Cancel: leadURL(l.ID.String()),
		Hidden: map[string]string{"Version": strconv.FormatInt(l.Version, 10)}, ReadOnly: !v.Can("manager"),
	}
	for _, p := range editable(l) {
		field := &Field{Name: p.name, Label: v.T("lead." + p.name), Value: valueOr(*p.value), Half: p.half, Ltr: p.ltr, Focus: p.name == "FirstName"}
		if p.name == "Message" {
			field.Kind = "textarea"
		}
		f.Fields = append(f.Fields, field)
	}
	return f
}

type editableProperty struct {
	name      string
	value     **string
	half, ltr bool
}

// editable are the properties of l that people put right.
func editable(l *leads.Lead) []editableProperty {
	return []editableProperty{
		{"FirstName", &l.FirstName, true, false},
		{"LastName", &l.LastName, true, false},
		{"PhoneRaw", &l.PhoneRaw, true, true},
		{"Email", &l.Email, true, true},
		{"City", &l.City, true, false},
		{"ExternalID", &l.ExternalID, true, true},
		{"Message", &l.Message, false, false},
	}
}

func valueOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// editedLead is the lead of the address, as its domain has it.
func (v *visit) editedLead() (*leads.Lead, error) {
	id, err := v.leadID()
	if err != nil {
		return nil, err
	}
	return v.Leads.Lead(v.ctx(), id)
}

func (v *visit) editLeadPage() error {
	l, err := v.editedLead()
	if err != nil {
		return err
	}
	return v.Page("leadedit", v.editLeadView(l, v.leadForm(l)))
}

func (v *visit) editLeadView(l *leads.Lead, f *Form) page {
	return page{Title: v.T("lead.edit"), Crumb: &crumb{v.T("lead.back"), leadURL(l.ID.String())}, Data: f}
}

// updateLead saves what was edited. The toast takes it back.
func (v *visit) updateLead() error {
	l, err := v.editedLead()
	if err != nil {
		return err
	}
	f := v.leadForm(l)
	before := f.Values()
	f.Fill(v)
	if l.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	for _, p := range editable(l) {
		if value := f.Get(p.name); value != before[p.name] {
			*p.value = &value
			if value == "" {
				*p.value = nil
			}
		}
	}
	if err := v.Leads.UpdateLead(v.ctx(), l); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("leadedit", v.editLeadView(l, f))
	}
	before["Version"] = strconv.FormatInt(l.Version, 10)
	v.DoneUndo(v.T("form.saved"), leadURL(l.ID.String())+"/edit", before)
	return v.Go(leadURL(l.ID.String()))
}
