package console

import (
	"encoding/json"
	"strings"

	"leadloop/leads"
	"leadloop/store"
)

func (c *Console) personRoutes() []route {
	return []route{
		{pattern: "POST /console/settings/person", do: (*visit).findPerson, role: store.Manager},
		{pattern: "POST /console/settings/person/export", do: (*visit).exportPerson, role: store.Manager},
		{pattern: "POST /console/settings/person/erase", do: (*visit).erasePerson, role: store.Manager},
	}
}

// personForm asks whom to look for. It is posted, as addresses end up in histories.
func (v *visit) personForm() *Form {
	return &Form{
		Action: settingsURL("person"), Submit: v.T("person.find"),
		Fields: []*Field{
			{Name: "Phone", Label: v.T("person.phone"), Value: v.value("Phone"), Ltr: true, Half: true, Autocomplete: "off"},
			{Name: "Email", Label: v.T("person.email"), Value: v.value("Email"), Ltr: true, Half: true, Autocomplete: "off"},
		},
	}
}

// personData is what is found of a person.
type personData struct {
	Form   *Form
	Hidden map[string]string
	Table  *Table // nil before
	Erase  *Confirm
}

// person is whom the form asks for.
func (v *visit) person() leads.Person {
	return leads.Person{Phone: v.value("Phone"), Email: v.value("Email")}
}

func (v *visit) findPerson() error {
	data := personData{Form: v.personForm(), Hidden: map[string]string{"Phone": v.value("Phone"), "Email": v.value("Email")}}
	found, err := v.Leads.FindPerson(v.ctx(), v.person())
	if err != nil {
		if !data.Form.Fail(v, err) {
			return err
		}
		return v.Invalid("person", v.setting("retention", v.T("person.title"), data))
	}
	data.Table = &Table{
		Caption: v.T("person.found"),
		Columns: []Column{{Title: v.T("person.name"), Wide: true}, {Title: v.T("person.phone")}, {Title: v.T("person.email")}, {Title: v.T("person.received")}},
		Empty:   &Empty{Icon: "search", Title: v.T("person.none"), Text: v.T("person.none.text")},
	}
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	for _, l := range found {
		name := textCell(strings.TrimSpace(text(l.FirstName) + " " + text(l.LastName)))
		name.Sub = text(l.City)
		data.Table.Rows = append(data.Table.Rows, Row{
			URL:   leadURL(l.ID.String()),
			Cells: []Cell{name, codeCell(text(l.Phone)), codeCell(text(l.Email)), v.timeCell(&l.ReceivedAt)},
		})
	}
	if len(found) > 0 {
		name := v.value("Phone")
		if name == "" {
			name = v.value("Email")
		}
		data.Erase = &Confirm{
			ID: "erase", Title: v.T("person.erase.title", len(found)), Text: v.T("person.erase.text"), Name: name,
			Action: settingsURL("person") + "/erase", Submit: v.T("person.erase"), Hidden: data.Hidden,
		}
	}
	return v.Page("person", v.setting("retention", v.T("person.title"), data))
}

// exportPerson gives all that is held about a person, as a file.
func (v *visit) exportPerson() error {
	held, err := v.Privacy.Export(v.ctx(), v.person())
	if err != nil {
		return err
	}
	h := v.W.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="person.json"`)
	h.Set("Cache-Control", "no-store")
	out := json.NewEncoder(v.W)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	_ = out.Encode(held) // a client that left needs no answer
	return nil
}

// erasePerson empties all leads of a person, once their number or address is
// typed.
func (v *visit) erasePerson() error {
	p := v.person()
	if typed := v.value("confirm"); typed == "" || typed != p.Phone && typed != p.Email {
		v.Failed(errNotTyped)
		return v.Go(settingsURL("retention"))
	}
	found, err := v.Leads.FindPerson(v.ctx(), p)
	if err != nil {
		return err
	}
	for _, l := range found {
		if err := v.Privacy.Erase(v.ctx(), l.ID); err != nil {
			return err
		}
	}
	v.Done(v.T("person.erased", len(found)))
	return v.Go(settingsURL("retention"))
}
