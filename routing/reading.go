package routing

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"leadloop/odata/eval"
)

// Reading is how to ask a kind of system what became of the leads it was given: a
// request for what changed since a time, page by page. Its templates know the
// connector's settings and {Since}, {Page}, {Offset} and {PageSize}; the
// connector's Headers and Auth go with it. Without a URL there is none.
//
// What is picked from each item is an expression over Item, which is made of the
// item as Body is of an answer: Item/status/name.
type Reading struct {
	Method string `json:",omitempty" validate:"omitempty,oneof=GET POST"` // GET unless given
	URL    string `json:",omitempty" validate:"max=2000"`
	Query  []Pair `json:",omitempty" validate:"max=50,dive"`
	// Format, Root and Fields are the body of a POST.
	Format string `json:",omitempty" validate:"omitempty,oneof=json form xml"`
	Root   string `json:",omitempty" validate:"max=200"`
	Fields []Pair `json:",omitempty" validate:"max=50,dive"`

	// PageSize is how many items a page has at most, 100 unless given. A page with
	// fewer is the last one.
	PageSize int `json:",omitempty" validate:"min=0,max=1000"`
	// FromZero says that pages count from 0, and not from 1.
	FromZero bool `json:",omitempty"`
	// Next is an expression over the answer: the address of the next page, of the
	// same host.
	Next string `json:",omitempty" validate:"max=2000"`
	// Ordered says that the items come in the order of OccurredAt, the oldest
	// first. What changes meanwhile then moves no other item to a page already read.
	Ordered bool `json:",omitempty"`

	// Items is the dotted path of the list in the answer; the answer itself unless
	// given. What is no list is the only item.
	Items string `json:",omitempty" validate:"max=200"`
	// RoutingID, or else the ExternalID that the transmission brought back, tells
	// which routing an item is about.
	RoutingID  string `json:",omitempty" validate:"max=2000"`
	ExternalID string `json:",omitempty" validate:"max=2000"`
	// Status is the customer's own word, ReasonID the number of a reason.
	Status   string `json:",omitempty" validate:"max=2000"`
	ReasonID string `json:",omitempty" validate:"max=2000"`
	// OccurredAt is when the item changed.
	OccurredAt string `json:",omitempty" validate:"max=2000"`
	Comment    string `json:",omitempty" validate:"max=2000"`
	// Amount is what it was sold for, and Currency its code; the latter may be a text
	// of its own, such as 'EUR'.
	Amount   string `json:",omitempty" validate:"max=2000"`
	Currency string `json:",omitempty" validate:"max=2000"`
	// TimeFormat is how OccurredAt is written, and SinceFormat how {Since} is to be:
	// a pattern such as yyyy-MM-dd HH:mm:ss, unix or unixms; as RFC 3339 has it
	// unless given. TimeZone is the zone of times that name none, UTC unless given.
	TimeFormat  string `json:",omitempty" validate:"max=100"`
	SinceFormat string `json:",omitempty" validate:"max=100"`
	TimeZone    string `json:",omitempty" validate:"max=100"`
}

// ItemRead is what the expressions of a Reading see of an item.
type ItemRead struct {
	ID   int64 `gorm:"primaryKey" json:"-"`
	Item any   `gorm:"serializer:json"`
}

// ofReading are the names that the templates of a Reading know besides the
// settings.
var ofReading = []string{"Since", "Page", "Offset", "PageSize"}

// reading is c as it reads: with the request of its Reading in place of its own.
func (c *Connector) reading() *Connector {
	r := c.Reading
	d := *c
	d.Method, d.URL, d.Query, d.Fields, d.Root, d.Format = r.Method, r.URL, r.Query, r.Fields, r.Root, r.Format
	if d.Method == "" {
		d.Method = http.MethodGet
	}
	if d.Method == http.MethodGet {
		d.Format, d.Fields = formatQuery, nil
	} else if d.Format == "" {
		d.Format = formatJSON
	}
	return &d
}

// checkReading adds a problem for everything wrong with c's Reading.
func (c *Connector) checkReading(p *problems, e expressions, values map[string]string) error {
	r := c.Reading
	if r.URL == "" {
		return nil
	}
	all := map[string]string{}
	for name, value := range values {
		all[name] = value
	}
	for _, name := range ofReading {
		if c.setting(name) != nil {
			p.addf("Settings", "{%s} has a meaning of its own in the templates of a Reading", name)
		}
		all[name] = "1"
	}
	delete(all, "KnownID")
	delete(all, "RoutingID")
	d := c.reading()
	d.checkAddress(p, "Reading/URL", d.URL, all)
	for i, pair := range d.Query {
		checkNames(p, fmt.Sprintf("Reading/Query/%d/Value", i), pair.Value, all)
	}
	for i, pair := range d.Fields {
		checkNames(p, fmt.Sprintf("Reading/Fields/%d/Value", i), pair.Value, all)
	}
	var inner problems
	d.checkRoot(&inner, all)
	for _, wrong := range inner.details {
		p.addf("Reading/"+wrong.Target, "%s", wrong.Message)
	}
	if err := d.checkTree(); err != nil {
		p.addf("Reading/Fields", "%s", err)
	}
	if r.RoutingID == "" && r.ExternalID == "" {
		p.addf("Reading/RoutingID", "a reading needs RoutingID or ExternalID")
	}
	if r.Status == "" && r.ReasonID == "" {
		p.addf("Reading/Status", "a reading needs Status or ReasonID")
	}
	if r.OccurredAt == "" {
		p.addf("Reading/OccurredAt", "a reading needs OccurredAt: by it, what was read before is known again")
	}
	if r.Amount != "" && r.Currency == "" {
		p.addf("Reading/Currency", "an Amount needs a Currency; one that is always the same is written 'EUR'")
	}
	if _, err := r.timed(); err != nil {
		p.addf("Reading/TimeFormat", "%s", err)
	}
	_, err := e.picks(p, &r)
	return err
}

// pageSize is PageSize with its default.
func (r *Reading) pageSize() int {
	if r.PageSize == 0 {
		return 100
	}
	return r.PageSize
}

// picks are the expressions of a Reading, compiled; nil ones were not given.
type picks struct {
	item, answer                                               *eval.Env
	routingID, externalID, status, reasonID, occurred, comment *eval.Program
	amount, currency, next                                     *eval.Program
}

// picks compiles the expressions of r, and adds a problem for each that is wrong.
func (e expressions) picks(p *problems, r *Reading) (*picks, error) {
	out := &picks{item: e.item, answer: e.answer}
	for _, x := range []struct {
		target, text string
		env          *eval.Env
		into         **eval.Program
	}{
		{"RoutingID", r.RoutingID, e.item, &out.routingID},
		{"ExternalID", r.ExternalID, e.item, &out.externalID},
		{"Status", r.Status, e.item, &out.status},
		{"ReasonID", r.ReasonID, e.item, &out.reasonID},
		{"OccurredAt", r.OccurredAt, e.item, &out.occurred},
		{"Comment", r.Comment, e.item, &out.comment},
		{"Amount", r.Amount, e.item, &out.amount},
		{"Currency", r.Currency, e.item, &out.currency},
		{"Next", r.Next, e.answer, &out.next},
	} {
		if x.text == "" {
			continue
		}
		program, err := eval.Compile(x.env, "Reading/"+x.target, x.text, nil)
		if err != nil {
			if err := p.addError("Reading/"+x.target, err); err != nil {
				return nil, err
			}
			continue
		}
		*x.into = program
	}
	return out, nil
}

// clockwork reads and writes times as a Reading has them.
type clockwork struct {
	parse func(text string) (time.Time, bool)
	write func(at time.Time) string
}

// timed makes r's clockwork.
func (r *Reading) timed() (clockwork, error) {
	var c clockwork
	in, err := time.UTC, error(nil)
	if r.TimeZone != "" {
		if in, err = time.LoadLocation(r.TimeZone); err != nil || r.TimeZone == "Local" {
			return c, fmt.Errorf("%q is not a time zone; one is Asia/Jerusalem", r.TimeZone)
		}
	}
	write, err := formatOf(r.SinceFormat, r.TimeZone)
	if err != nil {
		return c, err
	}
	c.write = func(at time.Time) string {
		if write == nil {
			return at.UTC().Format(time.RFC3339)
		}
		return formText(write(at))
	}
	c.parse, err = timeParser(r.TimeFormat, in)
	return c, err
}

// timeParser makes what reads times of a format.
func timeParser(format string, in *time.Location) (func(text string) (time.Time, bool), error) {
	switch format {
	case "":
		return func(text string) (time.Time, bool) {
			if at, ok := eval.Instant(text); ok {
				return at, true
			}
			at, err := time.ParseInLocation("2006-01-02T15:04:05", text, in)
			return at, err == nil
		}, nil
	case "unix", "unixms":
		unit := map[string]time.Duration{"unix": time.Second, "unixms": time.Millisecond}[format]
		return func(text string) (time.Time, bool) {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 || n > int64(1<<62)/int64(unit) {
				return time.Time{}, false
			}
			return time.Unix(0, 0).Add(time.Duration(n) * unit), true
		}, nil
	}
	parts, err := datePattern(format)
	if err != nil {
		return nil, err
	}
	layout := ""
	for _, part := range parts {
		layout += part.text
	}
	return func(text string) (time.Time, bool) {
		at, err := time.ParseInLocation(layout, text, in)
		return at, err == nil
	}, nil
}

// pages reports whether d's templates, those of a Reading, lead to further pages.
func (d *Connector) pages() bool {
	templates := []string{d.URL}
	for _, list := range [][]Pair{d.Query, d.Fields} {
		for _, pair := range list {
			templates = append(templates, pair.Value)
		}
	}
	for _, t := range templates {
		names := places(t)
		if slices.Contains(names, "Page") || slices.Contains(names, "Offset") {
			return true
		}
	}
	return false
}
