package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
)

func (c *Console) sourceRoutes() []route {
	return []route{
		{pattern: "GET /console/sources", do: (*visit).sourcesPage, nav: "sources"},
		{pattern: "GET /console/sources/new", do: (*visit).newSourcePage, role: store.Manager},
		{pattern: "POST /console/sources/new", do: (*visit).createSource},
		{pattern: "GET /console/sources/{id}", do: (*visit).sourcePage},
		{pattern: "POST /console/sources/{id}", do: (*visit).updateSource},
		{pattern: "POST /console/sources/{id}/rotate", do: (*visit).rotateToken},
		{pattern: "POST /console/sources/{id}/delete", do: (*visit).deleteSource},
		{pattern: "GET /console/sources/{id}/mapping", do: (*visit).mappingPage},
		{pattern: "POST /console/sources/{id}/mapping", do: (*visit).updateMapping},
		{pattern: "GET /console/sources/{id}/sieve", do: (*visit).sievePage},
		{pattern: "POST /console/sources/{id}/sieve", do: (*visit).updateSieve},
		{pattern: "GET /console/sources/{id}/rejections", do: (*visit).rejectionsPage},
		{pattern: "GET /console/sources/{id}/rejections/{rejection}", do: (*visit).rejectionPage},
		{pattern: "GET /console/sources/{id}/test", do: (*visit).testLeadPage, role: store.Manager},
		{pattern: "POST /console/sources/{id}/test", do: (*visit).sendTestLead},
	}
}

// sourceRow is a source in the list.
type sourceRow struct {
	ID         int64
	Name, Kind string
	Enabled    bool
	Leads      []struct{ ReceivedAt time.Time } // the last
	Rejections []struct{ Number int64 }         // the last
}

func (v *visit) sourcesPage() error {
	search, after := v.value("q"), v.value("after")
	filter := ""
	if search != "" {
		filter = "contains(tolower(Name),tolower(" + literal(search) + "))"
	}
	rows, err := readList[sourceRow](v, "Sources", 0, query{
		"$filter": filter, "$orderby": "Name,ID", "$skiptoken": after, "$select": "ID,Name,Kind,Enabled",
		"$expand": "Leads($orderby=ReceivedAt desc;$top=1;$select=ReceivedAt),Rejections($orderby=ReceivedAt desc,ID desc;$top=1;$select=Number)",
	})
	if err != nil {
		return err
	}
	today, err := v.todayBySource(filter, after)
	if err != nil {
		return err
	}
	data := customersData{
		Filters: Filters{Action: v.Path(), Target: "list", Search: search, Placeholder: v.T("sources.search")},
		Table:   v.sourcesTable(rows.Rows, today),
	}
	if search != "" {
		data.Table.Empty = &Empty{Icon: "search", Title: v.T("list.nothing"), Text: v.T("list.nothing.text"), Action: v.T("list.clear"), URL: v.Path()}
	}
	data.Table.Pages(v.Path(), url.Values{"q": {search}}, after, rows.After)
	return v.Page("sources", page{Title: v.T("nav.sources"), Data: data})
}

// sourceToday is how many leads and rejections of a source came in today.
type sourceToday struct {
	ID      int64
	Leads   int `json:"Leads@odata.count"`
	Refused int `json:"Rejections@odata.count"`
}

// todayBySource counts what came in today, as the reader's calendar has it, by the
// ID of the source: of the same page of sources.
func (v *visit) todayBySource(filter, after string) (map[int64]sourceToday, error) {
	y, m, d := v.now().In(v.place).Date()
	since := "($filter=ReceivedAt ge " + time.Date(y, m, d, 0, 0, 0, 0, v.place).UTC().Format(time.RFC3339) + ";$top=0;$count=true;$select=ID)"
	rows, err := readList[sourceToday](v, "Sources", 0, query{
		"$filter": filter, "$orderby": "Name,ID", "$skiptoken": after, "$select": "ID", "$expand": "Leads" + since + ",Rejections" + since,
	})
	counts := map[int64]sourceToday{}
	for _, r := range rows.Rows {
		counts[r.ID] = r
	}
	return counts, err
}

func (v *visit) sourcesTable(sources []sourceRow, today map[int64]sourceToday) Table {
	t := Table{
		Caption: v.T("nav.sources"),
		Columns: []Column{
			{Title: v.T("sources.name"), Wide: true},
			{Title: v.T("sources.state")},
			{Title: v.T("sources.today"), Number: true},
			{Title: v.T("sources.last")},
			{Title: v.T("sources.rejections"), Number: true},
		},
		Empty: &Empty{Icon: "download", Title: v.T("sources.empty"), Text: v.T("sources.empty.text")},
	}
	if v.Can("manager") {
		t.Empty.Action, t.Empty.URL = v.T("sources.new"), "/console/sources/new"
	}
	for _, s := range sources {
		name := textCell(s.Name)
		name.Sub = v.T("kind." + s.Kind)
		var last *time.Time
		if len(s.Leads) > 0 {
			last = &s.Leads[0].ReceivedAt
		}
		rejections := v.numberCell(0)
		if len(s.Rejections) > 0 {
			rejections = v.numberCell(s.Rejections[0].Number)
		}
		if n := today[s.ID].Refused; n > 0 {
			rejections.Sub = v.T("sources.rejections.today", n)
		}
		t.Rows = append(t.Rows, Row{
			URL:   sourceURL(s.ID),
			Cells: []Cell{name, badgeCell(v.enabled(s.Enabled)), v.numberCell(today[s.ID].Leads), v.agoCell(last), rejections},
		})
	}
	return t
}

func (v *visit) enabled(on bool) Badge {
	if on {
		return Badge{v.T("source.on"), "good"}
	}
	return Badge{v.T("source.off"), "warn"}
}

func sourceURL(id int64) string { return fmt.Sprintf("/console/sources/%d", id) }

// sourceTabs are the faces of a source; current is one of the paths below.
func (v *visit) sourceTabs(id int64, current string) []tab {
	paths := []string{"", "mapping", "sieve", "rejections", "onward"}
	if v.Can("manager") {
		paths = append(paths, "test")
	}
	list := make([]tab, len(paths))
	for i, path := range paths {
		list[i] = tab{
			Title: v.T("source.tab." + cmp.Or(path, "settings")), Current: path == current,
			URL: strings.TrimSuffix(sourceURL(id)+"/"+path, "/"),
		}
	}
	return list
}

// sourceView is the page of a source under one of its tabs.
func (v *visit) sourceView(src *leads.Source, name, current string, data any) page {
	return page{Title: name, Crumb: &crumb{v.T("nav.sources"), "/console/sources"}, Tabs: v.sourceTabs(src.ID, current), Data: data}
}

// source is the source of the page's address.
func (v *visit) source() (*leads.Source, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	src, err := read[leads.Source](v, fmt.Sprintf("Sources(%d)", id), nil)
	return &src, err
}

// kindChoice is a kind of source to choose.
type kindChoice struct{ Name, Title, Text, URL string }

// newSourceData is what the page of a new source shows: the kinds, or the form
// for the one chosen.
type newSourceData struct {
	Kinds []kindChoice
	Form  *Form
	Text  string // what the kind is for
}

func (v *visit) newSourcePage() error {
	kind, err := v.kindOf(v.value("kind"))
	if err != nil {
		return err
	}
	if kind != nil {
		src := leads.NewSource()
		src.Kind = kind.Name
		return v.Page("sourcenew", v.newSourceView(src, v.sourceForm(src, kind)))
	}
	kinds, err := v.kinds()
	if err != nil {
		return err
	}
	data := newSourceData{}
	for _, k := range kinds {
		data.Kinds = append(data.Kinds, kindChoice{k.Name, v.T("kind." + k.Name), v.T("kind.text." + k.Name), "/console/sources/new?kind=" + k.Name})
	}
	return v.Page("sourcenew", page{Title: v.T("sources.choose"), Crumb: &crumb{v.T("nav.sources"), "/console/sources"}, Data: data})
}

func (v *visit) newSourceView(src *leads.Source, f *Form) page {
	return page{
		Title: v.T("sources.new.of", v.T("kind."+src.Kind)), Crumb: &crumb{v.T("sources.choose"), "/console/sources/new"},
		Data: newSourceData{Form: f, Text: v.T("kind.text." + src.Kind)},
	}
}

func (v *visit) kinds() ([]leads.Kind, error) {
	list, err := read[list[leads.Kind]](v, "SourceKinds()", nil)
	return list.Rows, err
}

// kindOf is the kind called name, nil if there is none.
func (v *visit) kindOf(name string) (*leads.Kind, error) {
	kinds, err := v.kinds()
	if i := slices.IndexFunc(kinds, func(k leads.Kind) bool { return k.Name == name }); i >= 0 {
		return &kinds[i], err
	}
	return nil, err
}

func (v *visit) createSource() error {
	kind, err := v.kindOf(v.value("Kind"))
	if err != nil {
		return err
	}
	if kind == nil {
		return errNoPage
	}
	src := leads.NewSource()
	src.Kind = kind.Name
	f := v.sourceForm(src, kind)
	f.Fill(v)
	if err = v.fillSource(f, src, kind); err == nil {
		err = v.Leads.CreateSource(v.ctx(), src)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("sourcenew", v.newSourceView(src, f))
	}
	v.Done(v.T("sources.created", src.Name))
	return v.Go(sourceURL(src.ID))
}

func (v *visit) rotateToken() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	hours, err := strconv.Atoi(v.value("hours"))
	if err != nil {
		return fault.New(fault.Invalid, "OverlapHours is missing")
	}
	if _, err = v.Leads.RotateToken(v.ctx(), src.ID, time.Duration(min(max(hours, -1), 100_000))*time.Hour); err != nil {
		v.Failed(err)
	} else {
		v.Done(v.T("source.rotated"))
	}
	return v.Go(sourceURL(src.ID))
}

func (v *visit) deleteSource() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	if v.value("confirm") != src.Name {
		err = errNotTyped
	} else {
		err = v.Leads.DeleteSource(v.ctx(), src.ID)
	}
	if err != nil {
		v.Failed(err)
		return v.Go(sourceURL(src.ID))
	}
	v.Done(v.T("sources.deleted", src.Name))
	return v.Go("/console/sources")
}
