package console

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
)

func (v *visit) rejectionsPage() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	after := v.value("after")
	rows, err := readList[leads.Rejection](v, fmt.Sprintf("Sources(%d)/Rejections", src.ID), 0, query{
		"$orderby": "ReceivedAt desc,ID desc", "$skiptoken": after, "$select": "ID,ReceivedAt,Code,Reason,Target",
	})
	if err != nil {
		return err
	}
	t := Table{
		Caption: v.T("source.tab.rejections"),
		Columns: []Column{{Title: v.T("rejections.reason"), Wide: true}, {Title: v.T("rejections.target")}, {Title: v.T("rejections.kind")}, {Title: v.T("rejections.at")}},
		Empty:   &Empty{Icon: "check", Title: v.T("rejections.empty"), Text: v.T("rejections.empty.text")},
	}
	for _, r := range rows.Rows {
		t.Rows = append(t.Rows, Row{
			URL: fmt.Sprintf("%s/rejections/%d", sourceURL(src.ID), r.ID), Drawer: true,
			Cells: []Cell{textCell(v.faultMessage(r.Reason)), codeCell(r.Target), badgeCell(v.rejectionBadge(r.Code)), v.agoCell(&r.ReceivedAt)},
		})
	}
	t.Pages(v.Path(), url.Values{}, after, rows.After)
	return v.Page("sourcerejections", v.sourceView(src, src.Name, "rejections", t))
}

// rejectionBadge says in a word what was wrong with a delivery.
func (v *visit) rejectionBadge(code string) Badge {
	tone := "warn"
	switch code {
	case "spam":
		tone = ""
	case "unauthorized", "unavailable":
		tone = "bad"
	case "invalid", "rate_limited":
	default:
		code = "other"
	}
	return Badge{v.T("rejection." + code), tone}
}

// rejectionData is what is shown of one refused delivery.
type rejectionData struct {
	leads.Rejection
	Said  string
	Badge Badge
	Body  Fact
}

func (v *visit) rejectionPage() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	var id int64
	if _, err := fmt.Sscanf(v.R.PathValue("rejection"), "%d", &id); err != nil {
		return errNoPage
	}
	r, err := read[leads.Rejection](v, fmt.Sprintf("Rejections(%d)", id), nil)
	if err != nil {
		return err
	}
	if r.SourceID != src.ID {
		return errNoPage
	}
	data := rejectionData{r, v.faultMessage(r.Reason), v.rejectionBadge(r.Code), Fact{v.T("rejections.body"), r.Body}}
	if v.part("drawer-body") {
		return v.Part("sourcerejection", "drawer", data)
	}
	p := v.sourceView(src, src.Name, "rejections", data)
	return v.Page("sourcerejection", p)
}

// testLeadData is what the page shows that sends a test lead.
type testLeadData struct {
	Form   *Form
	Off    bool // the source is disabled
	Lead   *leads.Lead
	URL    string // of the lead's page
	Events []Event
}

func (v *visit) testLeadForm(src *leads.Source) *Form {
	return &Form{
		Action: sourceURL(src.ID) + "/test", Submit: v.T("testlead.send"), ReadOnly: !src.Enabled,
		Fields: []*Field{
			{Name: "FirstName", Label: v.T("testlead.first"), Value: v.T("testlead.first.example"), Half: true},
			{Name: "LastName", Label: v.T("testlead.last"), Value: v.T("testlead.last.example"), Half: true},
			{Name: "Phone", Label: v.T("testlead.phone"), Value: "050-1234567", Ltr: true, Half: true},
			{Name: "Email", Label: v.T("testlead.email"), Value: "test@example.com", Ltr: true, Half: true},
			{Name: "City", Label: v.T("testlead.city"), Half: true},
			{Name: "Campaign", Label: v.T("testlead.campaign"), Half: true},
			{Name: "Message", Label: v.T("testlead.message"), Kind: "textarea", Rows: 2},
			{Name: "More", Label: v.T("testlead.more"), Help: v.T("testlead.more.help"), Kind: "textarea", Rows: 3, Placeholder: "rooms=4"},
		},
	}
}

func (v *visit) testLeadPage() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	data := testLeadData{Form: v.testLeadForm(src), Off: !src.Enabled}
	if id, err := uuid.Parse(v.value("lead")); err == nil {
		if err := v.showTestLead(&data, id); err != nil {
			return err
		}
	}
	return v.Page("sourcetest", v.sourceView(src, src.Name, "test", data))
}

// showTestLead adds what became of a test lead.
func (v *visit) showTestLead(data *testLeadData, id uuid.UUID) error {
	lead, err := read[leads.Lead](v, fmt.Sprintf("Leads(%s)", id), query{"$select": "ID,FirstName,LastName,Phone,PhoneRaw,Email,City,Campaign,Message,State,ReceivedAt"})
	if err != nil {
		return err
	}
	e, err := read[routing.Explanation](v, fmt.Sprintf("Leads(%s)/Explain()", id), nil)
	if err != nil {
		return err
	}
	data.Lead = &lead
	data.URL = leadURL(id.String())
	for _, r := range e.Would {
		event := Event{Title: cmp.Or(r.Rule, fmt.Sprint(r.RuleID)), Text: r.Customer, Badge: &Badge{v.T("would." + r.Code), verdictTone(r.Code)}}
		if event.Tone = event.Badge.Tone; r.Condition != "" {
			event.Facts = []Fact{{v.T("testlead.condition"), r.Condition}}
		}
		data.Events = append(data.Events, event)
	}
	return nil
}

func verdictTone(code string) string {
	switch code {
	case string(routing.Chosen):
		return "good"
	case string(routing.Full), string(routing.Shut), string(routing.Stopped):
		return "warn"
	case string(routing.Broken):
		return "bad"
	}
	return ""
}

func (v *visit) sendTestLead() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	f := v.testLeadForm(src)
	f.ReadOnly = false
	f.Fill(v)
	fields, err := testFields(f)
	var lead *leads.Lead
	if err == nil {
		lead, err = v.Leads.SendTest(v.ctx(), src.ID, fields)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("sourcetest", v.sourceView(src, src.Name, "test", testLeadData{Form: f, Off: !src.Enabled}))
	}
	v.Done(v.T("testlead.sent"))
	return v.Go(sourceURL(src.ID) + "/test?lead=" + lead.ID.String())
}

// testFields are the fields of a test lead: those of the form that have a value,
// and those in More, a line each.
func testFields(f *Form) (map[string]any, error) {
	fields := map[string]any{}
	for _, field := range f.Fields {
		if field.Name != "More" && field.Value != "" {
			fields[field.Name] = field.Value
		}
	}
	for line := range strings.Lines(f.Get("More")) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if name = strings.TrimSpace(name); name == "" && !ok {
			continue
		}
		if _, twice := fields[name]; name == "" || !ok || twice {
			return nil, fault.Newf(fault.Invalid, "%s is no line of the form name=value, or its name is there already", strings.TrimSpace(line)).At("More")
		}
		fields[name] = strings.TrimSpace(value)
	}
	return fields, nil
}
