package console

import (
	"fmt"
	"strings"

	"leadloop/routing"
)

func (c *Console) noticeRoutes() []route {
	return []route{{pattern: "GET /console/settings/notices", do: (*visit).noticesPage}}
}

// noticeRow is a notice in the list.
type noticeRow struct {
	routing.Notice
	Title string // what kind it is, in words
	Tone  string
	Text  string
	About string
	URL   string // where it is cured
	Cure  string
}

// noticesData is what the page of notices shows.
type noticesData struct {
	Rows        []noticeRow
	First, Next string
	// Host and Email are where notices are sent, as far as the reader may know.
	Told        bool
	Host, Email string
}

func (v *visit) noticesPage() error {
	list, err := readList[routing.Notice](v, "Notices", 0, query{
		"$orderby": "LastAt desc,ID desc", "$skiptoken": v.value("after"), "$expand": "Rule($select=ID,Name),Customer($select=ID,Name)",
	})
	if err != nil {
		return err
	}
	data := noticesData{}
	for _, n := range list.Rows {
		data.Rows = append(data.Rows, v.noticeRow(n))
	}
	var t Table
	t.Pages(v.Path(), nil, v.value("after"), list.After)
	data.First, data.Next = t.First, t.Next
	if v.Can("admin") {
		s, err := read[system](v, "System()", nil)
		if err != nil {
			return err
		}
		data.Told, data.Host, data.Email = true, s.NoticeHost, s.NoticeEmail
	}
	return v.Page("notices", v.settings("notices", data))
}

var noticeTones = map[string]string{
	routing.NoticePaused: "bad", routing.NoticeFailed: "bad", routing.NoticeCap: "warn", routing.NoticeShutOut: "bad", routing.NoticePull: "bad",
}

func (v *visit) noticeRow(n routing.Notice) noticeRow {
	row := noticeRow{Notice: n, Title: n.Kind, Tone: noticeTones[n.Kind], Text: v.faultMessage(n.Message)}
	if key := "notice.kind." + strings.ReplaceAll(n.Kind, " ", "-"); v.known(key) {
		row.Title = v.T("notice.kind." + strings.ReplaceAll(n.Kind, " ", "-"))
	}
	if n.Rule != nil {
		row.About = n.Rule.Name
	} else if n.Customer != nil {
		row.About = n.Customer.Name
	}
	switch {
	case n.Kind == routing.NoticeFailed:
		row.URL, row.Cure = "/console/transmissions?state=failed", v.T("notice.cure.transmissions")
	case n.RuleID != nil:
		row.URL, row.Cure = fmt.Sprintf("/console/rules/%d", *n.RuleID), v.T("notice.cure.rule")
	case n.CustomerID != nil:
		row.URL, row.Cure = customerURL(*n.CustomerID), v.T("notice.cure.customer")
	}
	return row
}
