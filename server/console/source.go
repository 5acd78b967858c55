package console

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"leadloop/leads"
	"leadloop/odata/fault"
)

// sourceData is what the page of a source's settings shows.
type sourceData struct {
	Source  *leads.Source
	Form    *Form
	State   Badge
	Address string // "" for who may not see it
	Guide   pasteGuide
	Overlap *Field   // of the rotation
	Delete  *Confirm // nil for who may not
}

// settingField is the name of the field of a setting, as faults call it.
const settingField = "Settings/"

func (v *visit) sourceForm(src *leads.Source, kind *leads.Kind) *Form {
	f := &Form{
		Action: "/console/sources/new", Submit: v.T("sources.create"), Cancel: "/console/sources/new", ReadOnly: !v.Can("manager"),
		Hidden: map[string]string{"Kind": src.Kind},
		Fields: []*Field{
			{Name: "Name", Label: v.T("sources.name"), Help: v.T("source.name.help"), Value: src.Name, Required: true, Focus: src.ID == 0, Autocomplete: "off"},
		},
	}
	if kind.Secret != "" && !f.ReadOnly {
		secret := &Field{Name: "Secret", Kind: "password", Label: v.T("source.secret." + kind.Name), Help: v.T("source.secret.text." + kind.Name), Ltr: true, Autocomplete: "new-password"}
		secret.Required = kind.SecretRequired && src.ID == 0
		if src.ID != 0 {
			secret.Placeholder = v.T("source.secret.keep")
		}
		f.Fields = append(f.Fields, secret)
	}
	for _, s := range kind.Settings {
		f.Fields = append(f.Fields, v.settingOf(src, s))
	}
	f.Fields = append(
		f.Fields,
		&Field{Name: "Region", Label: v.T("source.region"), Help: v.T("source.region.help"), Value: src.Region, Ltr: true, Half: true, Section: v.T("source.leads")},
		&Field{
			Name: "MaxRoutings", Label: v.T("source.max"), Help: v.T("source.max.help"), Value: strconv.Itoa(src.MaxRoutings),
			Kind: "number", Min: "0", Max: "1000", Half: true, Required: true,
		},
	)
	if src.ID != 0 {
		enabled := &Field{Name: "Enabled", Kind: "checkbox", Label: v.T("source.enabled"), Help: v.T("source.enabled.help")}
		if src.Enabled {
			enabled.Value = "true"
		}
		f.Fields = append(f.Fields, enabled)
		f.Action, f.Submit, f.Cancel = sourceURL(src.ID), v.T("form.save"), ""
		f.Hidden = map[string]string{"Version": strconv.FormatInt(src.Version, 10)}
	}
	return f
}

// settingOf is the field of a setting of the source's kind.
func (v *visit) settingOf(src *leads.Source, s leads.KindSetting) *Field {
	stored, _ := src.Settings[s.Name].(string)
	f := &Field{Name: settingField + s.Name, Label: v.T("source.setting." + s.Name), Help: v.T("source.setting.text." + s.Name), Value: stored, Ltr: true}
	switch {
	case s.Secret:
		f.Kind, f.Value, f.Autocomplete = "password", "", "new-password"
		if stored != "" {
			f.Placeholder = v.T("source.secret.keep")
		}
	case s.Type == leads.SettingBoolean:
		f.Kind = "checkbox"
	case s.Type == leads.SettingURL:
		f.Kind, f.Placeholder = "url", "https://graph.facebook.com"
	case s.Type == leads.SettingHosts:
		f.Placeholder = "example.com, www.example.com"
	}
	return f
}

// fillSource takes the form's values over into src. A secret that is not given
// stays what it is.
func (v *visit) fillSource(f *Form, src *leads.Source, kind *leads.Kind) error {
	src.Name, src.Region = f.Get("Name"), f.Get("Region")
	src.Secret = v.R.PostFormValue("Secret")
	if src.ID != 0 {
		src.Enabled = f.Get("Enabled") == "true"
	}
	settings := maps.Clone(src.Settings)
	if settings == nil {
		settings = leads.SourceSettings{}
	}
	for _, s := range kind.Settings {
		value := f.Get(settingField + s.Name)
		if s.Secret {
			if value = v.R.PostFormValue(settingField + s.Name); value == "" {
				continue
			}
		}
		settings[s.Name] = value
	}
	src.Settings = settings
	n, err := f.number("MaxRoutings")
	if err == nil && n == nil {
		err = fault.New(fault.Invalid, "MaxRoutings is required").At("MaxRoutings")
	}
	if err == nil {
		src.MaxRoutings = *n
	}
	return err
}

func (v *visit) sourcePage() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	kind, err := v.kindOf(src.Kind)
	if err != nil {
		return err
	}
	data, err := v.sourceDetails(src, src.Name, v.sourceForm(src, kind))
	if err != nil {
		return err
	}
	return v.Page("source", data)
}

func (v *visit) sourceDetails(src *leads.Source, name string, f *Form) (page, error) {
	data := sourceData{Source: src, Form: f, State: v.enabled(src.Enabled)}
	if v.Can("manager") {
		token, err := v.Leads.IntakeToken(v.ctx(), src.ID)
		if err != nil {
			return page{}, err
		}
		data.Address = v.intakeAddress(token)
	}
	data.Guide = v.pasteGuideOf(src.Kind, data.Address)
	if v.Can("manager") {
		data.Overlap = &Field{Name: "hours", Kind: "select", Label: v.T("source.overlap"), Help: v.T("source.overlap.help"), Value: "24"}
		for _, hours := range []int{0, 1, 24, 72, 168, 720} {
			data.Overlap.Options = append(data.Overlap.Options, Option{strconv.Itoa(hours), v.T("source.overlap." + strconv.Itoa(hours))})
		}
		data.Delete = &Confirm{
			ID: "delete", Title: v.T("source.delete"), Text: v.T("source.delete.text"), Name: name,
			Action: sourceURL(src.ID) + "/delete", Submit: v.T("source.delete.submit"),
		}
	}
	return v.sourceView(src, name, "", data), nil
}

// intakeAddress is the address that senders of the source are given.
func (v *visit) intakeAddress(token string) string {
	base := v.PublicURL
	if base == "" {
		o := v.Proxies.Origin(v.R)
		base = o.Scheme + "://" + o.Host + o.Prefix
	}
	return base + "/intake/" + token
}

// updateSource saves the settings. The toast takes them back, but for secrets.
func (v *visit) updateSource() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	kind, err := v.kindOf(src.Kind)
	if err != nil {
		return err
	}
	f, name := v.sourceForm(src, kind), src.Name
	before := f.Values()
	f.Fill(v)
	if src.Version, err = f.version(); err != nil {
		return err
	}
	if err = v.fillSource(f, src, kind); err == nil {
		err = v.Leads.UpdateSource(v.ctx(), src)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		data, err := v.sourceDetails(src, name, f)
		if err != nil {
			return err
		}
		return v.Invalid("source", data)
	}
	return v.savedSource(src, sourceURL(src.ID), before)
}

// savedSource ends a change of src, which posting before to path takes back.
func (v *visit) savedSource(src *leads.Source, path string, before map[string]string) error {
	before["Version"] = strconv.FormatInt(src.Version, 10)
	size := 0
	for name, value := range before {
		size += len(name) + len(value)
	}
	if size < maxUndo {
		v.DoneUndo(v.T("form.saved"), path, before)
	} else {
		v.Done(v.T("form.saved"))
	}
	return v.Go(path)
}

// maxUndo is how many bytes fit into the cookie of a toast.
const maxUndo = 1500

// version is the Version that the form was made of.
func (f *Form) version() (int64, error) {
	n, err := strconv.ParseInt(f.Hidden["Version"], 10, 64)
	if err != nil {
		return 0, fault.New(fault.Invalid, "Version is missing")
	}
	return n, nil
}

// indexes are the numbers i of the values named prefix<i>suffix that were
// posted, in order.
func indexes(r *http.Request, prefix, suffix string) []int {
	var list []int
	for i := range maxRows {
		if r.PostForm.Has(prefix + strconv.Itoa(i) + suffix) {
			list = append(list, i)
		}
	}
	return slices.Clip(list)
}

// maxRows bounds the rows of an editor.
const maxRows = 250
