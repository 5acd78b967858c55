package routing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// pageLimit is how long a page of items may be, in bytes.
const pageLimit = 4 << 20

// Reader reads a customer's system by its connector's Reading, under all the
// restrictions of transmissions.
type Reader struct {
	Ordered bool // see Reading

	service *Service
	reading Reading
	sender  *sender
	picks   *picks
	clock   clockwork
	pages   bool
}

// Place is where a reading goes on.
type Place struct {
	Since time.Time
	Page  int    // how many pages since then were read
	Next  string // the address of the page, as the last one gave it
}

// Page is what a reading found at a Place.
type Page struct {
	Items []Item
	More  bool // there may be a further page
	Next  string
	// Sum tells pages apart.
	Sum [sha256.Size]byte
	// Request and Response are for people, with secrets masked.
	Request, Response string
	// After is how long the system wants to be left alone; 0: it did not say.
	After time.Duration
}

// Item is one thing that was read, "" or zero for what it does not tell.
type Item struct {
	RoutingID, ExternalID string
	Status, ReasonID      string
	Comment               string
	Amount, Currency      string
	OccurredAt            time.Time
}

// Reader makes the reader of a connector with the settings, which CheckReading
// has seen before. It returns an error that says what is missing or wrong.
func (s *Service) Reader(db *gorm.DB, connectorID int64, given Settings) (*Reader, error) {
	c, err := load[Connector](db, "connector", connectorID)
	if err != nil {
		return nil, err
	}
	if c.Reading.URL == "" {
		return nil, fmt.Errorf("the connector %s has no Reading", c.Name)
	}
	d := c.reading()
	values, secrets, err := d.open(s.vault, given)
	if err != nil {
		return nil, err
	}
	out := &Reader{service: s, reading: c.Reading, Ordered: c.Reading.Ordered, pages: d.pages()}
	out.sender = &sender{connector: d, values: values, secrets: secrets, method: d.Method}
	if out.sender.root, err = fill(d.Root, values); err != nil {
		return nil, err
	}
	if out.sender.scheme, err = d.scheme(s.exprs, values); err != nil {
		return nil, err
	}
	out.sender.scheme.hidden = secrets
	if _, err := out.request(Place{}); err != nil {
		return nil, err
	}
	if out.clock, err = c.Reading.timed(); err != nil {
		return nil, err
	}
	var wrong problems
	if out.picks, err = s.exprs.picks(&wrong, &c.Reading); err == nil {
		err = wrong.err()
	}
	return out, err
}

// CheckReading returns the settings as they are to be stored, secrets sealed; those
// that are as before stay what they were. Invalid, with a target for everything
// wrong, for a connector without a Reading and for settings it cannot read by.
func (s *Service) CheckReading(tx *gorm.DB, connectorID int64, given, before Settings) (Settings, error) {
	var p problems
	c, err := load[Connector](tx, "connector", connectorID)
	if err != nil {
		p.addf("ConnectorID", "there is no connector %d", connectorID)
		return nil, p.err()
	}
	if c.Reading.URL == "" {
		p.addf("ConnectorID", "the connector %s has no Reading: it can send, and not be read", c.Name)
		return nil, p.err()
	}
	checkSettings(&p, s.vault, c, given)
	if err := p.err(); err != nil {
		return nil, err
	}
	sealed := c.seal(s.vault, given, before)
	if _, err := s.Reader(tx, connectorID, sealed); err != nil {
		var missing errNoValue
		if errors.As(err, &missing) {
			p.addf("Settings/"+missing.name, "%s is required to read", missing.name)
		} else {
			p.addf("Settings", "%s", err)
		}
	}
	return sealed, p.err()
}

// Read makes one exchange and gives the items at the place. With an error, which
// is for people, the Page has what there is of the exchange.
func (r *Reader) Read(ctx context.Context, at Place) (Page, error) {
	q, err := r.request(at)
	if err != nil {
		return Page{}, err
	}
	q.limit = pageLimit
	x := r.converse(ctx, q)
	page := Page{Request: x.request, Response: x.response, After: retryAfter(x.header, r.service.now())}
	switch {
	case !x.accepted() || x.err != nil:
		return page, errors.New(x.problem())
	case len(x.body) >= pageLimit:
		return page, fmt.Errorf("the answer has %d MB or more: a smaller page is needed", pageLimit>>20)
	}
	list, err := itemsOf(x.body, r.reading.Items)
	if err != nil {
		return page, err
	}
	page.Sum = sha256.Sum256(x.body)
	for _, item := range list {
		page.Items = append(page.Items, r.pick(item))
	}
	return page, r.goOn(&page, &x, len(list))
}

// converse sends q. A token may be refused otherwise than by 401, which the
// transmission knows of: a new one is tried once.
func (r *Reader) converse(ctx context.Context, q *request) exchange {
	x := r.service.converse(ctx, r.sender, q, "")
	if !r.sender.scheme.usesToken() || x.status != http.StatusBadRequest && x.status != http.StatusForbidden {
		return x
	}
	token, failed := r.service.token(ctx, r.sender.scheme)
	if failed != nil {
		return x
	}
	r.service.tokens.drop(r.sender.scheme.key(), token)
	return r.service.converse(ctx, r.sender, q, "")
}

// goOn says whether and where a further page is.
func (r *Reader) goOn(page *Page, x *exchange, items int) error {
	if r.picks.next == nil {
		page.More = r.pages && items >= r.reading.pageSize()
		return nil
	}
	next := valueText(r.picks.next, r.picks.answer.Record(x.answer(r.picks.next.Names(), nil, nil), nil))
	if next == "" {
		return nil
	}
	base, err := url.Parse(r.address())
	if err != nil {
		return errors.New("the address is not a URL")
	}
	to, err := base.Parse(next)
	if err != nil || to.Host != base.Host || to.Scheme != base.Scheme {
		return errors.New("the address of the next page leads to another system")
	}
	page.More, page.Next = true, to.String()
	return nil
}

// address is where the first page is, near enough to resolve others by.
func (r *Reader) address() string {
	q, err := r.request(Place{})
	if err != nil {
		return ""
	}
	return q.url
}

// request makes the request for the place.
func (r *Reader) request(at Place) (*request, error) {
	d, values := r.sender.connector, maps.Clone(r.sender.values)
	size, first := r.reading.pageSize(), 1
	if r.reading.FromZero {
		first = 0
	}
	values["Page"], values["PageSize"] = strconv.Itoa(at.Page+first), strconv.Itoa(size)
	values["Offset"] = strconv.Itoa(at.Page * size)
	values["Since"] = "0"
	if r.clock.write != nil {
		values["Since"] = r.clock.write(at.Since)
	}
	q := &request{method: d.Method, url: at.Next, secrets: r.sender.secrets}
	if at.Next == "" {
		var err error
		if q.url, err = d.address(d.URL, values); err != nil {
			return nil, err
		}
		q.url = withQuery(q.url, anyFields(fillPairs(d.Query, values)))
	}
	contentType := ""
	if d.Format != formatQuery {
		var err error
		if contentType, q.body, err = encode(d.Format, r.sender.root, d.bodyFields(values)); err != nil {
			return nil, err
		}
	}
	for _, h := range r.sender.headers(contentType, uuid.Nil, values) {
		if h.name != "webhook-id" {
			q.header = append(q.header, h)
		}
	}
	return q, nil
}

// pick reads an item.
func (r *Reader) pick(raw any) Item {
	record := r.picks.item.Record(&ItemRead{Item: navigable(raw, 0)}, nil)
	item := Item{
		RoutingID: valueText(r.picks.routingID, record), ExternalID: valueText(r.picks.externalID, record),
		Status: valueText(r.picks.status, record), ReasonID: valueText(r.picks.reasonID, record),
		Comment: valueText(r.picks.comment, record),
		Amount:  strings.TrimSpace(valueText(r.picks.amount, record)), Currency: valueText(r.picks.currency, record),
	}
	if at, ok := r.clock.parse(strings.TrimSpace(valueText(r.picks.occurred, record))); ok {
		item.OccurredAt = at.UTC().Truncate(time.Microsecond)
	}
	return item
}

// itemsOf gives the list at the dotted path of a body, in JSON or XML. A list
// that XML leaves out is empty; one whose beginning is not there is an error,
// as the body is then another than the one meant.
func itemsOf(body []byte, path string) ([]any, error) {
	v, err := decoded(body)
	if err != nil {
		return nil, err
	}
	if path != "" {
		for i, name := range strings.Split(path, ".") {
			members, ok := v.(map[string]any)
			next, there := members[name]
			if i == 0 && !there {
				return nil, fmt.Errorf("the answer has no %s", name)
			}
			if !ok || !there {
				return nil, nil
			}
			v = next
		}
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		return v, nil
	case map[string]any:
		if path != "" {
			return []any{v}, nil
		}
	case string:
		if v == "" {
			return nil, nil
		}
	}
	return nil, errors.New("the answer has no list where the items should be")
}

// decoded reads a body by its content.
func decoded(body []byte) (any, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 {
		return nil, nil
	}
	if body[0] == '<' {
		v, err := readXML(body)
		if err != nil {
			return nil, errors.New("the answer is XML that cannot be read")
		}
		return v, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil, errors.New("the answer is neither JSON nor XML")
	}
	return v, nil
}
