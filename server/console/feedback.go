package console

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/feedback"
	"leadloop/odata/fault"
	"leadloop/routing"
)

func (c *Console) feedbackRoutes() []route {
	return []route{
		{pattern: "GET /console/customers/{id}/feedback", do: (*visit).feedbackTab},
		{pattern: "POST /console/customers/{id}/returns/{feedback}", do: (*visit).decideReturn},
		{pattern: "POST /console/customers/{id}/statuses", do: (*visit).mapStatus},
		{pattern: "POST /console/customers/{id}/statuses/{map}/delete", do: (*visit).unmapStatus},
		{pattern: "POST /console/customers/{id}/statuses/all", do: (*visit).mapAllStatuses},
	}
}

func feedbackURL(customer int64) string { return customerURL(customer) + "/feedback" }

// feedbackData is what the tab of a customer's feedback shows.
type feedbackData struct {
	URL      string
	Customer int64
	Periods  []choice
	Stats    []Stat
	Chart    *drawing // nil: nothing was reported
	Returns  []returnRow
	Unmapped []unmappedRow
	Settling []feedback.UnmappedStatus // that are mapped, and whose reports are being given their reason
	Mapped   []mappedRow
	More     int // mapped ones that only the JSON shows
	Reasons  []Option
	Whole    *Form
	Pulls    []pullCard
}

// choice is one of a few ways to look at something.
type choice struct {
	Title, URL string
	Current    bool
}

// period is how far back the chart goes, and what its columns are.
type period struct {
	days int
	step string // day, week or month
}

var periods = []period{{30, "day"}, {90, "week"}, {365, "month"}}

// returnRow is a lead that the customer wants to return.
type returnRow struct {
	ID          uuid.UUID
	Lead        string
	LeadID      uuid.UUID
	Reason      string
	Comment     string
	At          time.Time
	Decide, URL string // the dialog, and where it posts; empty for who may not
}

type unmappedRow struct {
	feedback.UnmappedStatus
	Suggest string // the reason whose name it is
}

type mappedRow struct {
	feedback.StatusMap
	Reason string
	Remove string // where its removal is posted to
}

func (v *visit) feedbackTab() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	view, err := v.feedbackView(customer, nil)
	if err != nil {
		return err
	}
	return v.Page("feedback", view)
}

// feedbackView is the tab; whole is the form of the whole map, if it has errors.
func (v *visit) feedbackView(customer *routing.Customer, whole *Form) (page, error) {
	reasons, err := readAll[feedback.Reason](v, "FeedbackReasons", query{"$orderby": "Position,ID"})
	if err != nil {
		return page{}, err
	}
	data := &feedbackData{URL: feedbackURL(customer.ID), Customer: customer.ID, Whole: whole}
	for i := range reasons {
		r := &reasons[i]
		r.Name = cmp.Or(r.Names[v.lang], r.Name)
		if r.Active {
			data.Reasons = append(data.Reasons, Option{strconv.Itoa(int(r.ID)), r.Name})
		}
	}
	chosen := periods[0]
	for _, p := range periods {
		if strconv.Itoa(p.days) == v.value("days") {
			chosen = p
		}
	}
	for _, p := range periods {
		data.Periods = append(data.Periods, choice{v.T("feedback.period", p.days), fmt.Sprintf("%s?days=%d", data.URL, p.days), p == chosen})
	}
	for _, fill := range []func() error{
		func() error { return v.feedbackChart(data, reasons, chosen) },
		func() error { return v.feedbackReturns(data) },
		func() error { return v.feedbackStatuses(data, reasons) },
		func() (err error) { data.Pulls, err = v.pullCards(customer.ID); return err },
	} {
		if err := fill(); err != nil {
			return page{}, err
		}
	}
	return page{
		Title: customer.Name, Crumb: &crumb{v.T("nav.customers"), "/console/customers"},
		Tabs: v.customerTabs(customer.ID, "feedback"), Data: data,
	}, nil
}

// counted is how many reports came on a day with a reason, nil for none yet.
type counted struct {
	Day      string
	ReasonID *int32
	N        int
}

// feedbackChart counts the reports by reason and time, and what was sold.
func (v *visit) feedbackChart(data *feedbackData, reasons []feedback.Reason, p period) error {
	now := v.now().In(v.place)
	from := time.Date(now.Year(), now.Month(), now.Day()-p.days+1, 0, 0, 0, 0, v.place)
	since := fmt.Sprintf("Routing/CustomerID eq %d and ReceivedAt ge %s", data.Customer, from.UTC().Format(time.RFC3339))
	_, offset := now.Zone() // days begin as they do now, also on the other side of summer time
	rows, err := readAll[counted](v, "Feedback", query{
		"$apply": fmt.Sprintf(
			"filter(%s)/compute(date(ReceivedAt add duration'PT%dS') as Day)/groupby((Day,ReasonID),aggregate($count as N))", since, offset),
	})
	if err != nil {
		return err
	}
	var sale []string
	for _, r := range reasons {
		if r.CountsAsSale {
			sale = append(sale, strconv.Itoa(int(r.ID)))
		}
	}
	total := 0
	for _, c := range rows {
		total += c.N
	}
	data.Stats = append(data.Stats, Stat{Label: v.T("feedback.reports"), Value: v.Number(total)})
	if err := v.feedbackSales(data, since, strings.Join(sale, ",")); err != nil || total == 0 {
		return err
	}
	chart := feedbackSeries(v, rows, reasons, from, now, p.step)
	chart.Title = v.T("feedback.chart." + p.step)
	drawn := chart.Draw(v.locale)
	data.Chart = &drawn
	return nil
}

// feedbackSales counts leads that stand as sold, and adds up the highest amount
// that was reported for each.
func (v *visit) feedbackSales(data *feedbackData, since, sale string) error {
	if sale == "" {
		return nil
	}
	sold, err := readAll[struct {
		Currency *string
		Total    *float64
		N        int
	}](v, "Feedback", query{"$apply": fmt.Sprintf("filter(%s and ReasonID in (%s) and ReasonID eq Routing/ReasonID and Routing/ReturnedAt eq null)"+
		"/groupby((RoutingID,Currency),aggregate(Amount with max as Most))/groupby((Currency),aggregate(Most with sum as Total,$count as N))", since, sale)})
	if err != nil {
		return err
	}
	leads := 0
	for _, s := range sold {
		leads += s.N
	}
	data.Stats = append(data.Stats, Stat{Label: v.T("feedback.sales"), Value: v.Number(leads), Tone: "good"})
	for _, s := range sold {
		if s.Total != nil && s.Currency != nil {
			data.Stats = append(data.Stats, Stat{Label: v.T("feedback.amount"), Value: v.Money(*s.Total, *s.Currency)})
		}
	}
	return nil
}

// mostSeries is how many reasons have a colour of their own.
const mostSeries = 5

// feedbackSeries spreads the counts over the columns of a chart.
func feedbackSeries(v *visit, rows []counted, reasons []feedback.Reason, from, to time.Time, step string) Chart {
	chart := Chart{Kind: "stacked"}
	column := map[string]int{}
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		key, label := columnOf(v, day, from, step)
		if _, known := column[key]; !known {
			column[key] = len(chart.Labels)
			chart.Labels = append(chart.Labels, label)
		}
	}
	sums, values := map[int32]int{}, map[int32][]float64{}
	for _, c := range rows {
		id := int32(0) // no reason yet
		if c.ReasonID != nil {
			id = *c.ReasonID
		}
		day, err := time.ParseInLocation(time.DateOnly, c.Day, v.place)
		if err != nil {
			continue
		}
		if values[id] == nil {
			values[id] = make([]float64, len(chart.Labels))
		}
		key, _ := columnOf(v, day, from, step)
		if at, known := column[key]; known {
			values[id][at] += float64(c.N)
			sums[id] += c.N
		}
	}
	names := map[int32]string{0: v.T("feedback.unmapped")}
	for _, r := range reasons {
		names[r.ID] = r.Name
	}
	ids := slices.SortedFunc(maps.Keys(sums), func(a, b int32) int { return cmp.Or(sums[b]-sums[a], int(a-b)) })
	rest := Series{Name: v.T("feedback.others"), Tone: "6", Values: make([]float64, len(chart.Labels))}
	for i, id := range ids {
		if i < mostSeries {
			chart.Series = append(chart.Series, Series{Name: names[id], Tone: strconv.Itoa(i + 1), Values: values[id]})
			continue
		}
		for j, n := range values[id] {
			rest.Values[j] += n
		}
	}
	if len(ids) > mostSeries {
		chart.Series = append(chart.Series, rest)
	}
	return chart
}

// columnOf names the column of a day, and how it is labelled.
func columnOf(v *visit, day, from time.Time, step string) (key, label string) {
	switch step {
	case "month":
		return day.Format("2006-01"), day.Format("1/2006")
	case "week":
		begins := from.AddDate(0, 0, int(day.Sub(from).Hours()+1)/24/7*7)
		return begins.Format(time.DateOnly), begins.Format("2.1")
	}
	return day.Format(time.DateOnly), day.Format("2.1")
}

// feedbackReturns lists the leads that the customer wants to return.
func (v *visit) feedbackReturns(data *feedbackData) error {
	rows, err := readList[feedback.Feedback](v, "Feedback", 100, query{
		"$filter":  fmt.Sprintf("Routing/CustomerID eq %d and ReturnState eq 'requested'", data.Customer),
		"$select":  "ID,Comment,ReceivedAt,RoutingID,ReasonID",
		"$orderby": "ReceivedAt", "$expand": "Reason,Routing($select=ID,LeadID;$expand=Lead($select=ID,FirstName,LastName))",
	})
	if err != nil {
		return err
	}
	for _, f := range rows.Rows {
		row := returnRow{ID: f.ID, At: f.ReceivedAt, Comment: value(f.Comment), Lead: f.RoutingID.String()}
		if f.Reason != nil {
			row.Reason = cmp.Or(f.Reason.Names[v.lang], f.Reason.Name)
		}
		if f.Routing != nil && f.Routing.Lead != nil {
			row.LeadID = f.Routing.LeadID
			if name := strings.TrimSpace(value(f.Routing.Lead.FirstName) + " " + value(f.Routing.Lead.LastName)); name != "" {
				row.Lead = name
			}
		}
		if v.Can("manager") {
			row.Decide, row.URL = "decide-"+f.ID.String(), fmt.Sprintf("%s/returns/%v", customerURL(data.Customer), f.ID)
		}
		data.Returns = append(data.Returns, row)
	}
	if len(rows.Rows) > 0 {
		data.Stats = append(data.Stats, Stat{Label: v.T("feedback.returns"), Value: v.Number(len(rows.Rows)), Tone: "warn", URL: "#returns"})
	}
	return nil
}

func (v *visit) decideReturn() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	id, err := uuid.Parse(v.R.PathValue("feedback"))
	if err != nil {
		return errNoPage
	}
	if _, err := read[struct{ ID uuid.UUID }](v, fmt.Sprintf("Feedback(%v)", id), query{"$select": "ID"}); err != nil {
		return err
	}
	approve := v.value("decision") == "1"
	var comment *string
	if text := v.value("comment"); text != "" {
		comment = &text
	}
	if err := v.Feedback.DecideReturn(v.ctx(), id, approve, comment); err != nil {
		if fault.CodeOf(err) != fault.Invalid {
			return err
		}
		v.Failed(err)
		return v.Go(feedbackURL(customer.ID) + "#returns")
	}
	if approve {
		v.Done(v.T("feedback.return.approved"))
	} else {
		v.Done(v.T("feedback.return.declined"))
	}
	return v.Go(feedbackURL(customer.ID) + "#returns")
}
