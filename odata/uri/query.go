package uri

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// Query is the system query options of a request, or of an expand item
// (URL Conventions 4.01, section 5.1). Nil and empty mean not given.
type Query struct {
	Apply     []Transformation
	Filter    Expr
	Select    []SelectItem
	Expand    []ExpandItem
	OrderBy   []OrderItem
	Top, Skip *int
	Count     bool
	Compute   []ComputeItem
	Search    Search
	Levels    int // of an expand item: 0 not given, MaxLevels
	SkipToken string
	Format    string
	// SchemaVersion is the version of the model that the client was made for.
	SchemaVersion string
	ID            string // of the entity that a reference is to
	// DeltaToken is where a delta link starts.
	DeltaToken string
	// Aliases are the parameter aliases, @name → the text given for it. Those of an
	// item of $select or $expand hold inside it.
	Aliases map[string]string
	// Given holds the names of the system query options present, with their $.
	Given map[string]bool
}

// Names are the system query options present, with their $, in the order of the
// alphabet: of several that are wrong the same one is told of each time.
func (q *Query) Names() []string {
	if len(q.Given) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(q.Given))
}

// OrderItem is one item of $orderby.
type OrderItem struct {
	X    Expr
	Desc bool
}

// served are the system query options, and whether they are served.
var served = map[string]bool{
	"$filter": true, "$select": true, "$expand": true, "$orderby": true, "$top": true, "$skip": true, "$count": true,
	"$skiptoken": true, "$format": true, "$id": true, "$apply": true,
	"$compute": true, "$search": true, "$levels": true, "$schemaversion": true,
	"$deltatoken": true, "$index": false,
}

// Served reports whether the system query option, with its $, is served.
func Served(option string) bool { return served[option] }

// systemOption returns the canonical name of a system query option: with its $
// and in lower case, as both may be left out and any case is taken (Protocol
// 4.01, section 13.2.1 items 6 and 7). Known is false for custom options.
func systemOption(name string) (canonical string, known bool) {
	canonical = "$" + strings.ToLower(strings.TrimPrefix(name, "$"))
	_, known = served[canonical]
	return canonical, known
}

func notServed(option string) error {
	return fault.Newf(fault.NotImplemented, "the query option %s is not served", option).At(option)
}

// ParseQuery reads the query part of a URL, still percent-encoded. A plus sign
// in quotes is a plus sign (URL Conventions 4.01, section 2), unless the value was
// clearly encoded as a form. Options that are not OData's are passed over.
func ParseQuery(raw string, limits Limits) (*Query, error) { return parseQuery(raw, limits, nil) }

func parseQuery(raw string, limits Limits, numbered *int) (*Query, error) {
	q := &Query{Given: map[string]bool{}}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err1 := url.PathUnescape(rawName)
		value, err2 := optionText(rawValue)
		if err1 != nil || err2 != nil {
			return nil, fault.Newf(fault.Invalid, "malformed percent-encoding in %q", pair).At(name)
		}
		if alias, ok := strings.CutPrefix(name, "@"); ok {
			if q.Aliases == nil {
				q.Aliases = map[string]string{}
			}
			if _, given := q.Aliases[alias]; given {
				return nil, fault.Newf(fault.Invalid, "%s is given twice", name).At(name)
			}
			q.Aliases[alias] = value
			continue
		}
		option, known := systemOption(name)
		if !known {
			if strings.HasPrefix(name, "$") {
				return nil, fault.Newf(fault.Invalid, "%s is not a query option", name).At(name)
			}
			continue
		}
		if q.Given[option] {
			return nil, fault.Newf(fault.Invalid, "%s is given twice", option).At(option)
		}
		q.Given[option] = true
		if option == "$levels" {
			return nil, fault.New(fault.Invalid, "$levels stands inside $expand only").At(option)
		}
		p, err := newParser(value, option, limits)
		if numbered != nil && liftedOption(rawName) {
			p.numberLiterals(numbered)
		}
		if err == nil {
			err = p.option(q, option)
		}
		if err == nil {
			err = p.end()
		}
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

// optionText decodes the value of a query option.
func optionText(raw string) (string, error) {
	if formEncoded(raw) {
		return url.QueryUnescape(raw)
	}
	return url.PathUnescape(raw)
}

// formEncoded reports whether a value was encoded as forms are, with spaces as
// pluses: pluses stand in it, its quotes are encoded, and no space is. Between
// tokens a plus is a space anyway; this is about text in quotes.
func formEncoded(raw string) bool {
	return strings.Contains(raw, "+") && strings.Contains(raw, "%27") && !strings.ContainsAny(raw, "' ") && !strings.Contains(raw, "%20")
}

// option reads the value of a system query option into q.
func (p *parser) option(q *Query, name string) (err error) {
	if !served[name] {
		return notServed(name)
	}
	switch name {
	case "$apply":
		q.Apply, err = p.transformations()
	case "$filter":
		q.Filter, err = p.expr(0)
	case "$orderby":
		q.OrderBy, err = p.orderBy()
	case "$select":
		q.Select, err = p.selectItems()
	case "$expand":
		q.Expand, err = p.expandItems()
	case "$top":
		q.Top, err = p.number()
	case "$skip":
		q.Skip, err = p.number()
	case "$count":
		q.Count = p.tok.text == "true"
		if !p.tok.isLiteral(BooleanLiteral) {
			return p.unexpected("true or false")
		}
		p.next()
	case "$skiptoken":
		q.SkipToken = p.rest()
	case "$deltatoken":
		q.DeltaToken = p.rest()
	case "$format":
		q.Format = p.rest()
	case "$compute":
		q.Compute, err = p.computeItems()
	case "$search":
		q.Search, err = p.search()
	case "$levels":
		q.Levels, err = p.levels()
	case "$schemaversion":
		q.SchemaVersion = p.rest()
	case "$id":
		q.ID = p.rest()
	}
	return err
}

// rest takes the whole text as it is.
func (p *parser) rest() string {
	p.tok, p.start = token{kind: tokenEnd, end: len(p.text)}, len(p.text)
	return p.text
}

func (p *parser) number() (*int, error) {
	n, err := strconv.Atoi(p.tok.text)
	if !p.tok.isLiteral(IntegerLiteral) || err != nil || n < 0 {
		return nil, p.unexpected("a whole number of at least 0")
	}
	p.next()
	return &n, nil
}

func (p *parser) tooMany() error {
	return p.errorf("more than %d items (limit Items)", p.limits.Items)
}

func (p *parser) orderBy() (items []OrderItem, err error) {
	for {
		item := OrderItem{}
		if item.X, err = p.expr(0); err != nil {
			return nil, err
		}
		if len(items) >= p.limits.Items {
			return nil, p.tooMany()
		}
		if p.tok.kind == tokenName {
			switch strings.ToLower(p.tok.text) {
			case "desc":
				item.Desc = true
			case "asc":
			default:
				return nil, p.unexpected("asc, desc or a comma")
			}
			p.next()
		}
		items = append(items, item)
		if !p.tok.is(",") {
			return items, nil
		}
		p.next()
	}
}

// optionName reads the name of a system query option and its equals sign.
func (p *parser) optionName() (string, error) {
	at := p.at()
	name, err := p.name()
	if err != nil {
		return "", err
	}
	option, known := systemOption(name)
	if !known {
		return "", Errorf(p.what, at, "%s is not a query option", name)
	}
	return option, p.expect("=")
}
