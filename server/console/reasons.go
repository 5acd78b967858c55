package console

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"leadloop/feedback"
	"leadloop/odata/fault"
	"leadloop/store"
)

func (c *Console) reasonRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/reasons", do: (*visit).reasonsPage},
		{pattern: "POST /console/settings/reasons/order", do: (*visit).orderReasons},
		{pattern: "GET /console/settings/reasons/new", do: (*visit).newReasonPage, role: store.Manager},
		{pattern: "POST /console/settings/reasons/new", do: (*visit).createReason},
		{pattern: "GET /console/settings/reasons/{id}", do: (*visit).reasonPage},
		{pattern: "POST /console/settings/reasons/{id}", do: (*visit).updateReason},
		{pattern: "POST /console/settings/reasons/{id}/active", do: (*visit).useReason},
		{pattern: "POST /console/settings/reasons/{id}/delete", do: (*visit).deleteReason},
	}
}

// reasonRow is a reason in the list.
type reasonRow struct {
	feedback.Reason
	Title    string // in the reader's language
	Others   string // its other names
	Category Badge
	Flags    []string
	Used     int    // reports with it
	Mapped   int    // words of customers that stand for it
	Up, Down string // the order in which it is one place higher, or lower
}

func (v *visit) reasonsPage() error {
	rows, err := v.reasonRows("")
	if err != nil {
		return err
	}
	return v.Page("reasons", v.settings("reasons", rows))
}

// reasonRows are the reasons in their order, or those of a filter.
func (v *visit) reasonRows(filter string) ([]reasonRow, error) {
	reasons, err := readList[feedback.Reason](v, "FeedbackReasons", 1000, query{"$orderby": "Position,ID", "$filter": filter})
	if err != nil {
		return nil, err
	}
	used, err := v.reasonUse("Feedback")
	if err != nil {
		return nil, err
	}
	mapped, err := v.reasonUse("StatusMaps")
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(reasons.Rows))
	for i, r := range reasons.Rows {
		ids[i] = strconv.Itoa(int(r.ID))
	}
	rows := make([]reasonRow, len(reasons.Rows))
	for i, r := range reasons.Rows {
		rows[i] = reasonRow{
			Reason: r, Title: v.reasonName(&r), Category: v.reasonCategory(r.Category), Flags: v.reasonFlags(&r),
			Used: used[r.ID], Mapped: mapped[r.ID],
		}
		for _, lang := range slices.Sorted(maps.Keys(r.Names)) {
			if name := r.Names[lang]; name != rows[i].Title {
				rows[i].Others = strings.TrimPrefix(rows[i].Others+" · "+name, " · ")
			}
		}
		if i > 0 {
			rows[i].Up = swapped(ids, i-1)
		}
		if i < len(ids)-1 {
			rows[i].Down = swapped(ids, i)
		}
	}
	return rows, nil
}

// swapped is the order of ids with that at i after the next.
func swapped(ids []string, i int) string {
	ids = slices.Clone(ids)
	ids[i], ids[i+1] = ids[i+1], ids[i]
	return strings.Join(ids, ",")
}

// reasonUse is how many of a set refer to each reason.
func (v *visit) reasonUse(set string) (map[int32]int, error) {
	rows, err := readList[struct {
		ReasonID *int32
		Times    int
	}](v, set, 1000, query{"$apply": "groupby((ReasonID),aggregate($count as Times))"})
	if err != nil {
		return nil, err
	}
	use := map[int32]int{}
	for _, r := range rows.Rows {
		if r.ReasonID != nil {
			use[*r.ReasonID] = r.Times
		}
	}
	return use, nil
}

// reasonName is the reason's name in the reader's language, or else its first.
func (v *visit) reasonName(r *feedback.Reason) string {
	if name := r.Names[v.lang]; name != "" {
		return name
	}
	return r.Name
}

var categoryTones = map[string]string{"positive": "good", "in_progress": "info", "negative": "bad", "invalid": "warn"}

func (v *visit) reasonCategory(category string) Badge {
	return Badge{v.T("reason.category." + category), categoryTones[category]}
}

func (v *visit) reasonFlags(r *feedback.Reason) (flags []string) {
	if r.ClosesLead {
		flags = append(flags, v.T("reason.closes"))
	}
	if r.CountsAsSale {
		flags = append(flags, v.T("reason.sale"))
	}
	if r.AsksForReturn {
		flags = append(flags, v.T("reason.return"))
	}
	return flags
}

// orderReasons takes an order: all IDs, with commas between. Where htmx asks, the
// list follows.
func (v *visit) orderReasons() error {
	var ids []int32
	for text := range strings.SplitSeq(v.value("ids"), ",") {
		id, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fault.Newf(fault.Invalid, "%q is not a number", text)
		}
		ids = append(ids, int32(id))
	}
	if err := v.Feedback.OrderReasons(v.ctx(), ids); err != nil {
		return err
	}
	if v.part("reasons") {
		return v.reasonsPage()
	}
	return v.Go(settingsURL("reasons"))
}

// reasonView is what the page of a reason shows.
type reasonView struct {
	Form   *Form
	Row    *reasonRow // nil for a new one
	Delete *Confirm
}

// reasonForm asks for the English name as Name, and for the others as Names[he].
func (v *visit) reasonForm(r *feedback.Reason) *Form {
	f := &Form{
		Action: thingURL("reasons", "new"), Submit: v.T("reason.create"), Cancel: settingsURL("reasons"), ReadOnly: !v.Can("manager"),
		Fields: []*Field{{Name: "Name", Label: v.T("reason.name", "English"), Value: r.Names["en"], Focus: r.ID == 0, Half: true}},
	}
	if r.ID != 0 {
		f.Action, f.Submit, f.Cancel = thingURL("reasons", r.ID), v.T("form.save"), ""
		f.Hidden = map[string]string{"Version": strconv.FormatInt(r.Version, 10)}
	}
	known := []string{"en"}
	for _, l := range languages {
		if l.code != "en" {
			known = append(known, l.code)
			f.Fields = append(f.Fields, &Field{Name: nameField(l.code), Label: v.T("reason.name", l.name), Value: r.Names[l.code], Half: true})
		}
	}
	for _, code := range slices.Sorted(maps.Keys(r.Names)) {
		if !slices.Contains(known, code) {
			f.Fields = append(f.Fields, &Field{Name: nameField(code), Label: v.T("reason.name", code), Value: r.Names[code], Half: true})
		}
	}
	var categories []Option
	for _, c := range []string{"positive", "in_progress", "negative", "invalid"} {
		categories = append(categories, Option{c, v.T("reason.category." + c)})
	}
	flag := func(name, label string, set bool) *Field {
		return &Field{Name: name, Label: v.T("reason." + label), Help: v.T("reason." + label + ".help"), Kind: "checkbox", Value: strconv.FormatBool(set)}
	}
	f.Fields = append(f.Fields,
		&Field{Name: "AddLanguage", Label: v.T("reason.language"), Help: v.T("reason.language.help"), Placeholder: "fr", Ltr: true, Half: true},
		&Field{Name: "AddName", Label: v.T("reason.language.name"), Half: true},
		&Field{Name: "Category", Label: v.T("reason.category"), Help: v.T("reason.category.help"), Kind: "select", Value: r.Category, Options: categories, Section: v.T("reason.outcome")},
		flag("ClosesLead", "closes", r.ClosesLead), flag("CountsAsSale", "sale", r.CountsAsSale), flag("AsksForReturn", "return", r.AsksForReturn),
	)
	if f.ReadOnly {
		f.Fields = slices.DeleteFunc(f.Fields, func(field *Field) bool { return field.Name == "AddLanguage" || field.Name == "AddName" })
	}
	return f
}

func nameField(language string) string { return "Names[" + language + "]" }

// fillReason takes the form's values over into r.
func fillReason(f *Form, r *feedback.Reason) {
	r.Name, r.Names = f.Get("Name"), feedback.Names{}
	if r.Name != "" {
		r.Names["en"] = r.Name
	}
	for _, field := range f.Fields {
		if code, is := strings.CutPrefix(field.Name, "Names["); is && field.Value != "" {
			r.Names[strings.TrimSuffix(code, "]")] = field.Value
		}
	}
	if code := f.Get("AddLanguage"); code != "" || f.Get("AddName") != "" {
		r.Names[code] = f.Get("AddName")
	}
	r.Category = f.Get("Category")
	r.ClosesLead, r.CountsAsSale, r.AsksForReturn = f.Get("ClosesLead") == "true", f.Get("CountsAsSale") == "true", f.Get("AsksForReturn") == "true"
}

// failReason puts what is wrong with a language that was added to its fields.
func (v *visit) failReason(f *Form, err error) bool {
	if language := f.Field("AddLanguage"); language != nil && (language.Value != "" || f.Get("AddName") != "") && f.Field(nameField(language.Value)) == nil {
		added := &Field{Name: nameField(language.Value)}
		both := Form{Fields: append(slices.Clone(f.Fields), added)}
		failed := both.Fail(v, err)
		language.Error, f.Error = join(language.Error, added.Error), both.Error
		return failed
	}
	return f.Fail(v, err)
}

func (v *visit) newReasonPage() error {
	r := feedback.NewReason()
	r.Category = "positive"
	return v.Page("reason", v.setting("reasons", v.T("reason.new"), reasonView{Form: v.reasonForm(r)}))
}

// createReason makes a reason, which comes last.
func (v *visit) createReason() error {
	r := feedback.NewReason()
	f := v.reasonForm(r)
	f.Fill(v)
	fillReason(f, r)
	last, err := readList[feedback.Reason](v, "FeedbackReasons", 1, query{"$orderby": "Position desc", "$top": "1"})
	if err != nil {
		return err
	}
	for _, l := range last.Rows {
		r.Position = l.Position + 1
	}
	if err := v.Feedback.CreateReason(v.ctx(), r); err != nil {
		if !v.failReason(f, err) {
			return err
		}
		return v.Invalid("reason", v.setting("reasons", v.T("reason.new"), reasonView{Form: f}))
	}
	v.Done(v.T("reason.created", v.reasonName(r), int(r.ID)))
	return v.Go(settingsURL("reasons"))
}

// reason is the reason of the page's address.
func (v *visit) reason() (*reasonRow, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	rows, err := v.reasonRows(fmt.Sprintf("ID eq %d", id))
	if err == nil && len(rows) == 0 {
		err = errNoPage
	}
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

func (v *visit) reasonPage() error {
	row, err := v.reason()
	if err != nil {
		return err
	}
	return v.Page("reason", v.reasonView(row, v.reasonForm(&row.Reason)))
}

func (v *visit) reasonView(row *reasonRow, f *Form) page {
	view := reasonView{Form: f, Row: row}
	if v.Can("manager") && row.Used+row.Mapped == 0 {
		view.Delete = &Confirm{
			ID: "delete", Title: v.T("reason.delete.title", row.Title), Text: v.T("reason.delete.text"), Name: row.Title,
			Action: thingURL("reasons", row.ID) + "/delete", Submit: v.T("reason.delete.submit"),
		}
	}
	return v.setting("reasons", row.Title, view)
}

// updateReason saves a reason. The toast takes it back.
func (v *visit) updateReason() error {
	row, err := v.reason()
	if err != nil {
		return err
	}
	f := v.reasonForm(&row.Reason)
	before := f.Values()
	f.Fill(v)
	r := row.Reason
	if r.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	fillReason(f, &r)
	if err := v.Feedback.UpdateReason(v.ctx(), &r); err != nil {
		if !v.failReason(f, err) {
			return err
		}
		return v.Invalid("reason", v.reasonView(row, f))
	}
	before["Version"] = strconv.FormatInt(r.Version, 10)
	v.DoneUndo(v.T("form.saved"), thingURL("reasons", r.ID), before)
	return v.Go(thingURL("reasons", r.ID))
}

// useReason retires a reason, or brings it back into use.
func (v *visit) useReason() error {
	row, err := v.reason()
	if err != nil {
		return err
	}
	r := row.Reason
	r.Active = v.value("active") == "true"
	if err := v.Feedback.UpdateReason(v.ctx(), &r); err != nil {
		return err
	}
	said := v.T("reason.retired", row.Title)
	if r.Active {
		said = v.T("reason.reactivated", row.Title)
	}
	v.DoneUndo(said, thingURL("reasons", r.ID)+"/active", map[string]string{"active": strconv.FormatBool(!r.Active)})
	return v.Go(thingURL("reasons", r.ID))
}

func (v *visit) deleteReason() error {
	row, err := v.reason()
	if err != nil {
		return err
	}
	return v.deleteTyped("reasons", row.Title, thingURL("reasons", row.ID), v.T("reason.deleted", row.Title),
		func() error { return v.Feedback.DeleteReason(v.ctx(), row.ID) })
}
