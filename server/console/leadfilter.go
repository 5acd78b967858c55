package console

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"leadloop/odata/fault"
)

// leadQuery is what a list of leads shows: the values of the page's form, which
// are its address and what a saved view keeps.
type leadQuery struct {
	Search                          string
	Source, Customer, State, Reason string
	Test                            string // "", "only" or "all"; without it leads that are no tests
	From, To                        string // days of the reader, both inclusive
	Conditions                      []leadCondition
	Raw                             string   // an expression of $filter
	wide                            bool     // Customer has many of the leads
	Columns                         []string // empty: the usual ones
	Order                           string   // "oldest", or the newest first
}

// leadCondition is about one property, also of those that only some leads have.
type leadCondition struct{ Property, Op, Value string }

// maxConditions bounds what one form asks for.
const maxConditions = 20

// leadQuery reads the query of the page's address or form.
func (v *visit) leadQuery() (leadQuery, error) {
	q := leadQuery{
		Search: v.value("q"), Source: v.value("source"), Customer: v.value("customer"), State: v.value("state"), Reason: v.value("reason"),
		Test: v.value("test"), From: v.value("from"), To: v.value("to"), Raw: v.value("filter"), Order: v.value("order"),
	}
	names, ops, values := v.R.Form["p"], v.R.Form["op"], v.R.Form["v"]
	for i := range min(len(names), len(ops), len(values), maxConditions) {
		if name := strings.TrimSpace(names[i]); name != "" {
			q.Conditions = append(q.Conditions, leadCondition{name, ops[i], strings.TrimSpace(values[i])})
		}
	}
	for _, c := range v.R.Form["col"] {
		for _, name := range strings.Split(c, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(q.Columns, name) && len(q.Columns) < maxColumns {
				q.Columns = append(q.Columns, name)
			}
		}
	}
	if id, err := strconv.ParseInt(q.Customer, 10, 64); err == nil {
		if q.wide, err = v.Routing.Wide(v.ctx(), id); err != nil {
			return q, err
		}
	}
	return q, nil
}

// values is q as an address has it. What is not set is left out.
func (q *leadQuery) values() url.Values {
	u := url.Values{}
	for name, value := range map[string]string{
		"q": q.Search, "source": q.Source, "customer": q.Customer, "state": q.State, "reason": q.Reason,
		"test": q.Test, "from": q.From, "to": q.To, "filter": q.Raw, "order": q.Order,
	} {
		if value != "" {
			u.Set(name, value)
		}
	}
	for _, c := range q.Conditions {
		u.Add("p", c.Property)
		u.Add("op", c.Op)
		u.Add("v", c.Value)
	}
	for _, c := range q.Columns {
		u.Add("col", c)
	}
	return u
}

// narrowed reports whether q leaves leads out.
func (q *leadQuery) narrowed() bool {
	u := q.values()
	u.Del("col")
	u.Del("order")
	return len(u) > 0
}

// more is how many filters are set that stand behind "More filters".
func (q *leadQuery) more() int {
	n := len(q.Conditions)
	for _, s := range []string{q.Test, q.From, q.To, q.Raw, q.Reason} {
		if s != "" {
			n++
		}
	}
	return n
}

// conditionOps are the comparisons of the filter builder, in their order. A %s
// is the property and a second one the value.
var conditionOps = []struct{ name, expression string }{
	{"eq", "%s eq %s"},
	{"ne", "%s ne %s"},
	{"contains", "contains(tolower(%s),tolower(%s))"},
	{"startswith", "startswith(%s,%s)"},
	{"gt", "%s gt %s"},
	{"lt", "%s lt %s"},
	{"null", "%s eq null"},
	{"set", "%s ne null"},
}

// expression is the condition in words of $filter. A property that only some
// leads have may hold a number as a number or as text: both are asked for.
func (c *leadCondition) expression() (string, error) {
	if !plainName.MatchString(c.Property) {
		return "", fault.Newf(fault.Invalid, "%q is no name of a property", c.Property).At("p")
	}
	i := slices.IndexFunc(conditionOps, func(o struct{ name, expression string }) bool { return o.name == c.Op })
	if i < 0 {
		return "", fault.Newf(fault.Invalid, "%q is no comparison", c.Op).At("op")
	}
	op := conditionOps[i].expression
	if strings.Count(op, "%s") == 1 {
		return fmt.Sprintf(op, c.Property), nil
	}
	asText := fmt.Sprintf(op, c.Property, literal(c.Value))
	_, err := strconv.ParseFloat(c.Value, 64)
	number := err == nil && plainNumber.MatchString(c.Value)
	switch fixed := slices.ContainsFunc(leadProperties, func(p leadProperty) bool { return p.name == c.Property && !p.code }); {
	case c.Property == "ReceivedAt" || c.Property == "FeedbackAt" || c.Property == "ConsentAt", c.Property == "SourceID" || c.Property == "ReasonID" || c.Property == "IsTest" || c.Property == "ID":
		return fmt.Sprintf(op, c.Property, c.Value), nil
	case fixed || !number || c.Op == "contains" || c.Op == "startswith":
		return asText, nil
	case c.Op == "gt" || c.Op == "lt":
		return fmt.Sprintf(op, c.Property, c.Value), nil
	case c.Op == "ne":
		return "(" + asText + " and " + fmt.Sprintf(op, c.Property, c.Value) + ")", nil
	}
	return "(" + asText + " or " + fmt.Sprintf(op, c.Property, c.Value) + ")", nil
}

var (
	plainName   = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_]{0,127}$`)
	plainNumber = regexp.MustCompile(`^-?\d{1,15}(\.\d{1,10})?$`)
)

// filter is q as $filter, but for the search.
func (q *leadQuery) filter(l *locale) (string, error) {
	var all []string
	add := func(format, value string, valid func(string) bool) error {
		if value == "" {
			return nil
		}
		if !valid(value) {
			return fault.Newf(fault.Invalid, "%q is nothing to filter by", value)
		}
		all = append(all, fmt.Sprintf(format, value))
		return nil
	}
	number := func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil }
	for _, err := range []error{
		add("State eq '%s'", q.State, func(s string) bool { return slices.Contains(leadStates, s) }),
		add("SourceID eq %s", strings.TrimPrefix(q.Source, "none"), number),
		add(q.given(), q.Customer, number),
		add("ReasonID eq %s", strings.TrimPrefix(q.Reason, "none"), number),
		q.addDays(&all, l),
	} {
		if err != nil {
			return "", err
		}
	}
	if q.Source == "none" {
		all = append(all, "SourceID eq null")
	}
	if q.Reason == "none" {
		all = append(all, "ReasonID eq null")
	}
	switch q.Test {
	case "":
		if q.State != "test" {
			all = append(all, "IsTest eq false")
		}
	case "only":
		all = append(all, "IsTest eq true")
	}
	for i := range q.Conditions {
		e, err := q.Conditions[i].expression()
		if err != nil {
			return "", err
		}
		all = append(all, e)
	}
	if q.Raw != "" {
		all = append(all, "("+q.Raw+")")
	}
	return strings.Join(all, " and "), nil
}

// given is the condition that a customer got the lead. Said of each lead by itself
// no list is made of all that are the customer's, which takes long where those are
// many.
func (q *leadQuery) given() string {
	if q.wide {
		return "Routings/any(r:r/CustomerID eq %s and r/LeadID eq ID)"
	}
	return "Routings/any(r:r/CustomerID eq %s)"
}

// addDays adds the time range.
func (q *leadQuery) addDays(all *[]string, l *locale) error {
	for _, day := range []struct {
		text, op string
		days     int
	}{{q.From, "ge", 0}, {q.To, "lt", 1}} {
		if day.text == "" {
			continue
		}
		at, err := time.ParseInLocation(time.DateOnly, day.text, l.place)
		if err != nil {
			return fault.Newf(fault.Invalid, "%q is not a date", day.text)
		}
		*all = append(*all, "ReceivedAt "+day.op+" "+at.AddDate(0, 0, day.days).UTC().Format(time.RFC3339))
	}
	return nil
}

// searchExpression is what people type as $search has it: all of the words, each
// the beginning of one.
func searchExpression(typed string) string {
	var words []string
	for _, w := range strings.Fields(typed) {
		plain := strings.IndexFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) < 0
		switch w = strings.NewReplacer(`"`, "", `\`, "").Replace(w); {
		case w == "":
		case plain && w != "AND" && w != "OR" && w != "NOT":
			words = append(words, w)
		default:
			words = append(words, `"`+w+`"`)
		}
	}
	return strings.Join(words, " ")
}

// checkRaw reads nothing, but finds what is wrong with the expression typed. nil
// if nothing is.
func (v *visit) checkRaw(raw string) (*pointed, error) {
	if raw == "" {
		return nil, nil
	}
	_, err := v.ask("Leads", query{"$filter": raw, "$top": "0"}, 0)
	if err == nil {
		return nil, nil
	}
	f := v.told(err)
	if f.Code != fault.Invalid && f.Code != fault.NotImplemented {
		return nil, err
	}
	return v.pointAt(raw, f.Message), nil
}
