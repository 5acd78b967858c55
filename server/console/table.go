package console

import (
	"html/template"
	"net/url"
	"time"
)

// Table is a list of things: a table where there is room, cards where there is
// not. Templates show it by {{template "table" .Data.Table}}.
type Table struct {
	Caption string // for those who do not see it
	Columns []Column
	Rows    []Row
	First   string // address of the first page, on a later one
	Next    string // address of the next page, if there is one
	Empty   *Empty // instead, when there are no rows
}

// Pages sets the addresses of the first and the next page: path with the values
// of the filters, where after is what this page begins after and next what the
// next one does. Filters may be nil.
func (t *Table) Pages(path string, filters url.Values, after, next string) {
	if filters == nil {
		filters = url.Values{}
	}
	for name, values := range filters {
		if len(values) == 0 || values[0] == "" {
			delete(filters, name)
		}
	}
	if after != "" {
		t.First = path + "?" + filters.Encode()
	}
	if next != "" {
		filters.Set("after", next)
		t.Next = path + "?" + filters.Encode()
	}
}

// Column is a column; Number ones stand at the end of their place.
type Column struct {
	Title  string
	Number bool
	Wide   bool // takes the room that others leave
}

// Row is a row; the first cell links to URL, if given.
type Row struct {
	ID     string // of the element, for htmx
	URL    string
	Drawer bool // URL opens at the side
	Cells  []Cell
}

// Cell is what stands in a row under one column. Make it by one of the functions
// below.
type Cell struct {
	Text  string // in the language of the data
	Sub   string // smaller, under Text
	Code  string // an id, a phone number, an expression: left to right
	Copy  bool   // with a button to copy Code
	Badge *Badge
	At    *time.Time
	Ago   bool // At is told by how long ago that was
	HTML  template.HTML
}

// textCell shows words in whatever direction they have.
func textCell(text string) Cell { return Cell{Text: text} }

// codeCell shows an id, a phone number or an expression, left to right.
func codeCell(code string) Cell { return Cell{Code: code} }

// badgeCell shows a state.
func badgeCell(b Badge) Cell { return Cell{Badge: &b} }

// numberCell shows a number.
func (l *locale) numberCell(n any) Cell {
	return Cell{HTML: template.HTML(template.HTMLEscapeString(l.Number(n)))}
}

// agoCell shows when something was; a dash for never.
func (l *locale) agoCell(t *time.Time) Cell { return Cell{At: orNever(t), Ago: true} }

// timeCell shows when something is.
func (l *locale) timeCell(t *time.Time) Cell { return Cell{At: orNever(t)} }

func orNever(t *time.Time) *time.Time {
	if t == nil {
		return &time.Time{}
	}
	return t
}

// Badge is a state in a word. Tone is neutral (unless set), info, good, warn or
// bad.
type Badge struct{ Text, Tone string }

// tones are the tones of states, whatever they are states of.
var tones = map[string]string{
	"active": "good", "delivered": "good", "accepted": "good", "routed": "good", "closed": "good",
	"new": "info", "sending": "info", "tested": "info", "pending": "info",
	"paused": "warn", "parked": "warn", "unmatched": "warn", "retry": "warn", "half-open": "warn",
	"rejected": "bad", "failed": "bad", "open": "bad",
}

// State is the badge of a state of a lead, rule, routing or attempt: its message
// is state.<state>.
func (l *locale) State(state string) Badge { return Badge{l.T("state." + state), tones[state]} }

// Empty says what a place is for while there is nothing in it, and what to do
// next. Templates show it by {{template "empty" .}}.
type Empty struct {
	Icon, Title, Text string
	Action, URL       string // the button, if there is something to do
}

// Stat is a number that matters. Templates show it by {{template "stat" .}}.
type Stat struct {
	Label, Value, Hint string
	URL                string
	Tone               string
	Trend              []float64 // a small line, oldest first
}

// Event is an entry of a timeline: {{template "timeline" .Data.Events}}.
type Event struct {
	Time  time.Time
	Title string
	Text  string
	Tone  string
	Badge *Badge
	// Facts are shown when asked for, such as a request and its response.
	Facts []Fact
}

// Fact is something exact: a payload, headers, an expression.
type Fact struct{ Title, Code string }

// Reveal shows a secret once: {{template "reveal" .}}. Next is where to go when
// it is stored.
type Reveal struct{ Title, Text, Secret, Next string }

// Progress shows how far a long job is. What it stands in asks for itself again
// while the job runs, as the card of a Resend does.
type Progress struct {
	ID, Text    string
	Done, Total int64
}
