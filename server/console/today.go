package console

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/keys"
	"leadloop/routing"
)

func (c *Console) todayRoutes() []route {
	return []route{{pattern: "GET /console/today", do: (*visit).todayPage, nav: "today"}}
}

// The spans that Today looks at.
const (
	todayHours = 24
	todayDays  = 30
)

// counts are counters of Activity added up: of an hour, a source or a customer.
type counts struct {
	At       time.Time
	ID       int64
	ReasonID int32

	Leads     float64
	Unmatched float64
	Routed    float64
	Delivered float64
	Rejected  float64
	Failed    float64
	Parked    float64
	Answered  float64
	Reports   float64
}

func (c *counts) add(o *counts) {
	c.Leads += o.Leads
	c.Unmatched += o.Unmatched
	c.Routed += o.Routed
	c.Delivered += o.Delivered
	c.Rejected += o.Rejected
	c.Failed += o.Failed
	c.Parked += o.Parked
	c.Answered += o.Answered
	c.Reports += o.Reports
}

// tally is what happened within the days that Today looks at. Hours come by
// themselves, sources and customers by the reason of the newest feedback.
type tally struct{ Hours, Sources, Customers []counts }

// todayData is what Today shows.
type todayData struct {
	Stats   []Stat
	Hours   drawing
	Days    drawing
	Cures   []cure
	Calm    bool // nothing needs a hand
	Steps   []step
	Table   Table // by customer
	Sources Table
	Active  bool // something came in within the span
}

// cure is something that needs a hand, and where that is done.
type cure struct {
	Icon, Tone, Title, Text, URL string
}

// step is one on the way to the first lead.
type step struct {
	Title, Text, URL, Action string
	Done, Next               bool
}

func (v *visit) todayPage() error {
	data := todayData{}
	now := v.now().In(v.place)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, v.place)
	since := midnight.AddDate(0, 0, 1-todayDays)
	sums, err := read[tally](v, "ActivitySince(Since="+since.UTC().Format(time.RFC3339)+")", nil)
	if err != nil {
		return err
	}
	data.Active = len(sums.Hours) > 0
	v.drawToday(&data, sums.Hours, now, midnight)
	if err := v.byWhom(&data, &sums); err != nil {
		return err
	}
	if data.Steps, err = v.firstSteps(); err != nil {
		return err
	}
	if data.Cures, err = v.cures(sums.Hours, since); err != nil {
		return err
	}
	data.Calm = len(data.Cures) == 0
	return v.Page("today", page{Title: v.T("nav.today"), Data: data})
}

// drawToday fills in the numbers of today and the charts.
func (v *visit) drawToday(data *todayData, rows []counts, now, midnight time.Time) {
	days := make([]counts, todayDays)
	hours := make([]counts, todayHours)
	firstDay, firstHour := midnight.AddDate(0, 0, 1-todayDays), now.Truncate(time.Hour).Add(-(todayHours-1)*time.Hour)
	for i := range rows {
		at := rows[i].At.In(v.place)
		day := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, v.place)
		if n := int(day.Sub(firstDay).Hours()+1) / 24; n >= 0 && n < todayDays { // noon to midnight, also where clocks change
			days[n].add(&rows[i])
		}
		if n := int(at.Sub(firstHour).Hours()); !at.Before(firstHour) && n < todayHours {
			hours[n].add(&rows[i])
		}
	}
	today, yesterday := days[todayDays-1], days[todayDays-2]
	for _, s := range todaySeries {
		trend := make([]float64, 0, 14)
		for i := range days[todayDays-14:] {
			trend = append(trend, s.of(&days[todayDays-14+i]))
		}
		data.Stats = append(data.Stats, Stat{
			Label: v.T("today." + s.name), Value: v.Number(s.of(&today)), Hint: v.T("today.yesterday", int64(s.of(&yesterday))), Trend: trend,
		})
	}
	data.Hours = v.series("hours", hours, func(i int) string { return firstHour.Add(time.Duration(i) * time.Hour).Format("15:04") }, "bar")
	data.Days = v.series("days", days, func(i int) string { return firstDay.AddDate(0, 0, i).Format("2.1") }, "line")
}

// todaySeries are what is counted of a time, in the order of a lead's way.
var todaySeries = []struct {
	name string
	of   func(*counts) float64
}{
	{"leads", func(c *counts) float64 { return c.Leads }},
	{"routed", func(c *counts) float64 { return c.Routed }},
	{"delivered", func(c *counts) float64 { return c.Delivered }},
	{"reports", func(c *counts) float64 { return c.Reports }},
}

func (v *visit) series(title string, rows []counts, label func(int) string, kind string) drawing {
	c := Chart{Title: v.T("today." + title), Kind: kind}
	for i := range rows {
		c.Labels = append(c.Labels, label(i))
	}
	for _, s := range todaySeries {
		series := Series{Name: v.T("today." + s.name)}
		for i := range rows {
			series.Values = append(series.Values, s.of(&rows[i]))
		}
		c.Series = append(c.Series, series)
	}
	return c.Draw(v.locale)
}

// outcomes are what the newest feedback on routings says, by category.
type outcomes struct{ positive, progress, negative, sold float64 }

// score is a customer's, or a source's, part in what happened.
type score struct {
	counts
	outcomes
}

// reason is what a reason of feedback comes to.
type reason struct {
	ID           int32
	Category     string
	CountsAsSale bool
}

// byWhom fills in how customers and sources fare.
func (v *visit) byWhom(data *todayData, sums *tally) error {
	if len(sums.Hours) == 0 {
		return nil
	}
	reasons, err := readList[reason](v, "FeedbackReasons", 1000, query{"$select": "ID,Category,CountsAsSale"})
	if err != nil {
		return err
	}
	if data.Table, err = v.scores("Customers", "customers", scored(sums.Customers, reasons.Rows), false); err != nil {
		return err
	}
	data.Sources, err = v.scores("Sources", "sources", scored(sums.Sources, reasons.Rows), true)
	return err
}

// scored gives the scores by the ID of a source or customer.
func scored(rows []counts, reasons []reason) map[int64]*score {
	scores := map[int64]*score{}
	for i := range rows {
		r := &rows[i]
		s := scores[r.ID]
		if s == nil {
			s = &score{}
			scores[r.ID] = s
		}
		s.counts.add(r)
		n := slices.IndexFunc(reasons, func(reason reason) bool { return reason.ID == r.ReasonID })
		if n < 0 {
			continue
		}
		switch reasons[n].Category {
		case "positive":
			s.positive += r.Answered
		case "in_progress":
			s.progress += r.Answered
		default:
			s.negative += r.Answered
		}
		if reasons[n].CountsAsSale {
			s.sold += r.Answered
		}
	}
	return scores
}

// mostScores is how many lines each of the tables has.
const mostScores = 20

// scores is the table of a set's scores, those with the most leads first.
func (v *visit) scores(set, title string, scores map[int64]*score, sources bool) (Table, error) {
	t := Table{Caption: v.T("today." + title), Columns: []Column{{Title: v.T("today." + title + ".one"), Wide: true}}}
	if sources {
		t.Columns = append(t.Columns, Column{Title: v.T("today.leads"), Number: true}, Column{Title: v.T("today.unmatched"), Number: true})
	}
	for _, name := range []string{"routed", "accepted", "answered", "positive", "negative", "sold"} {
		t.Columns = append(t.Columns, Column{Title: v.T("today." + name), Number: true})
	}
	names, err := v.named(set)
	if err != nil {
		return t, err
	}
	ids := make([]int64, 0, len(scores))
	for id, s := range scores {
		if s.Leads+s.Routed > 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b int64) int {
		return cmp.Or(cmp.Compare(scores[b].Leads+scores[b].Routed, scores[a].Leads+scores[a].Routed), cmp.Compare(a, b))
	})
	for _, id := range ids[:min(len(ids), mostScores)] {
		s := scores[id]
		name := v.T("leads.source.none")
		if i := slices.IndexFunc(names, func(o Option) bool { return o.Value == strconv.FormatInt(id, 10) }); i >= 0 {
			name = names[i].Label
		}
		row := Row{URL: "/console/leads?" + url.Values{map[bool]string{true: "source", false: "customer"}[sources]: {cmp.Or(strings.TrimPrefix(strconv.FormatInt(id, 10), "0"), "none")}}.Encode()}
		row.Cells = append(row.Cells, textCell(name))
		if sources {
			row.Cells = append(row.Cells, v.numberCell(s.Leads), v.numberCell(s.Unmatched))
		}
		row.Cells = append(row.Cells, v.numberCell(s.Routed), v.shareCell(s.Delivered, s.Delivered+s.Rejected+s.Failed),
			v.shareCell(s.Answered, s.Delivered), v.shareCell(s.positive, s.Answered), v.shareCell(s.negative, s.Answered), v.numberCell(s.sold))
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// shareCell is the share of a part in the whole; a dash of nothing.
func (v *visit) shareCell(part, whole float64) Cell {
	if whole == 0 {
		return textCell("–")
	}
	return textCell(v.Percent(min(part/whole, 1)))
}

// firstSteps are those to the first lead; none once one came in by a source and a
// rule is active.
func (v *visit) firstSteps() ([]step, error) {
	steps := []step{
		{Title: "source", URL: "/console/sources"},
		{Title: "customer", URL: "/console/customers/new"},
		{Title: "rule", URL: "/console/customers"},
		{Title: "test", URL: "/console/sources"},
	}
	customer := int64(0)
	for i, ask := range []struct{ set, filter string }{{"Sources", ""}, {"Customers", ""}, {"Rules", "State eq 'active'"}, {"Leads", ""}} {
		rows, err := readList[struct{ ID any }](v, ask.set, 1, query{"$select": "ID", "$filter": ask.filter, "$top": "1"})
		if err != nil {
			return nil, err
		}
		steps[i].Done = len(rows.Rows) > 0
		if id, ok := firstID(rows.Rows); ok && ask.set == "Customers" {
			customer = id
		}
	}
	if customer != 0 {
		steps[2].URL = rulesURL(customer) + "/new"
	}
	next := slices.IndexFunc(steps, func(s step) bool { return !s.Done })
	if next < 0 {
		return nil, nil
	}
	for i := range steps {
		name := steps[i].Title
		steps[i].Title, steps[i].Text, steps[i].Action = v.T("today.step."+name), v.T("today.step."+name+".text"), v.T("today.step."+name+".action")
		steps[i].Next = i == next
	}
	return steps, nil
}

func firstID(rows []struct{ ID any }) (int64, bool) {
	if len(rows) == 0 {
		return 0, false
	}
	id, ok := rows[0].ID.(float64)
	return int64(id), ok
}

// soon is how long before its end a key is said to expire.
const soon = 14 * 24 * time.Hour

// mostCures is how many of one kind are shown each by itself.
const mostCures = 5

// cures are what needs a hand.
func (v *visit) cures(hours []counts, since time.Time) (list []cure, err error) {
	for _, find := range []func() ([]cure, error){v.rulesToCure, v.statusesToCure, v.keysToCure, v.returnsToCure} {
		found, err := find()
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	var sum counts
	for i := range hours {
		sum.add(&hours[i])
	}
	from := since.Format(time.DateOnly)
	if n := int(sum.Failed + sum.Parked); n > 0 {
		state := routing.Failed
		if sum.Failed == 0 {
			state = routing.Parked
		}
		list = append(list, cure{"send", "bad", v.T("today.dead", n), v.T("today.dead.text"), "/console/transmissions?state=" + state})
	}
	if n := int(sum.Unmatched); n > 0 {
		list = append(list, cure{"inbox", "warn", v.T("today.unmatched.some", n), v.T("today.unmatched.text"), "/console/leads?" + url.Values{"state": {"unmatched"}, "from": {from}}.Encode()})
	}
	return list, nil
}

// rulesToCure are paused rules and open breakers.
func (v *visit) rulesToCure() (list []cure, err error) {
	rules, err := readList[routing.Rule](v, "Rules", mostCures*2, query{
		"$filter": "State eq 'paused' or Breaker ne 'closed'", "$orderby": "ID desc", "$expand": "Customer($select=Name)",
		"$select": "ID,CustomerID,Name,State,Breaker,BreakerUntil,PauseReason",
	})
	for _, r := range rules.Rows {
		at := ruleURL(r.ID)
		c := cure{"pause", "warn", v.T("today.paused", r.Name, r.Customer.Name), v.T("today.paused.text"), at}
		if r.PauseReason != nil {
			c.Text = v.faultMessage(*r.PauseReason)
		}
		if r.State != routing.Paused {
			c = cure{"alert", "bad", v.T("today.breaker", r.Customer.Name, r.Name), v.T("today.breaker.text"), at}
		}
		list = append(list, c)
	}
	return list, err
}

func (v *visit) statusesToCure() (list []cure, err error) {
	statuses, err := readList[struct {
		CustomerID int64
		Status     string
		Count      int64
		Customer   struct{ Name string }
	}](v, "UnmappedStatuses", mostCures, query{"$filter": "not Mapped", "$orderby": "Count desc", "$expand": "Customer($select=Name)"})
	for _, s := range statuses.Rows {
		list = append(list, cure{
			"message", "warn", v.T("today.status", s.Status, s.Customer.Name), v.T("today.status.text", s.Count),
			feedbackURL(s.CustomerID),
		})
	}
	return list, err
}

func (v *visit) keysToCure() (list []cure, err error) {
	now := v.now().UTC()
	expiring, err := readList[keys.Key](v, "Keys", mostCures, query{
		"$filter":  "RevokedAt eq null and ExpiresAt gt " + now.Format(time.RFC3339) + " and ExpiresAt lt " + now.Add(soon).Format(time.RFC3339),
		"$orderby": "ExpiresAt",
	})
	for _, k := range expiring.Rows {
		c, err := read[keys.Connection](v, "Connections("+k.ConnectionID.String()+")", nil)
		if err != nil {
			return nil, err
		}
		list = append(list, cure{
			"key", "warn", v.T("today.key", c.Name), v.T("today.key.text", v.Time(*k.ExpiresAt)),
			connectionURL(c.ID),
		})
	}
	return list, err
}

func (v *visit) returnsToCure() (list []cure, err error) {
	returns, err := readList[struct {
		Comment *string
		Routing struct {
			LeadID   string
			Customer struct{ Name string }
		}
	}](v, "Feedback", mostCures, query{
		"$filter": "ReturnState eq 'requested'", "$orderby": "ID", "$select": "ID,Comment",
		"$expand": "Routing($select=LeadID;$expand=Customer($select=Name))",
	})
	for _, r := range returns.Rows {
		text := v.T("today.return.text")
		if r.Comment != nil {
			text = clipped(*r.Comment, 200)
		}
		list = append(list, cure{"undo", "warn", v.T("today.return", r.Routing.Customer.Name), text, leadURL(r.Routing.LeadID)})
	}
	return list, err
}
