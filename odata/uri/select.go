package uri

import "strings"

// SelectItem is one item of $select (URL Conventions 4.01, section 5.1.4): a
// property, a path into complex properties, "*", or the qualified name of an
// operation. Options are those of the last segment.
type SelectItem struct {
	At
	Name    string   // the first segment; "*"; "Namespace.*"
	Path    []string // the segments after it
	Options Query
}

// selectOptions are the options that an item of $select takes.
var selectOptions = map[string]bool{
	"$select": true, "$filter": true, "$orderby": true, "$top": true, "$skip": true, "$count": true, "$search": true,
	"$compute": true, "$expand": true, "$levels": true,
}

func (p *parser) selectItems() (items []SelectItem, err error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	for {
		if len(items) >= p.limits.Items {
			return nil, p.tooMany()
		}
		if p.tok.is("$") {
			return nil, p.unexpected("a property")
		}
		item := SelectItem{At: p.at()}
		if item.Name, item.Path, err = p.itemPath(); err != nil {
			return nil, err
		}
		if p.tok.is("(") {
			if err := p.itemOptions(&item.Options, selectOptions); err != nil {
				return nil, err
			}
		}
		items = append(items, item)
		if !p.tok.is(",") {
			return items, nil
		}
		p.next()
	}
}

// itemPath reads the path of an item of $select or $expand.
func (p *parser) itemPath() (name string, path []string, err error) {
	for {
		if err := p.count(); err != nil {
			return "", nil, err
		}
		segment := "*"
		if p.tok.is("*") {
			p.next()
		} else if segment, err = p.name(); err != nil {
			return "", nil, err
		}
		if strings.HasSuffix(segment, ".") && p.tok.is("*") && !p.spaced { // every operation of a namespace
			segment += "*"
			p.next()
		}
		if name == "" {
			name = segment
		} else {
			path = append(path, segment)
		}
		if !p.tok.is("/") {
			return name, path, nil
		}
		p.next()
	}
}

// itemOptions reads the parenthesised options of an item, one of those allowed.
func (p *parser) itemOptions(q *Query, allowed map[string]bool) error {
	q.Given = map[string]bool{}
	p.next()
	for {
		at := p.at()
		option, err := p.optionName()
		if err != nil {
			return err
		}
		if !allowed[option] {
			return Errorf(p.what, at, "%s cannot stand inside %s", option, p.what)
		}
		if q.Given[option] {
			return Errorf(p.what, at, "%s is given twice", option)
		}
		q.Given[option] = true
		if err := p.option(q, option); err != nil {
			return err
		}
		if p.tok.is(")") {
			p.next()
			return nil
		}
		if !p.tok.is(";") {
			return p.unexpected(`";" or ")"`)
		}
		p.next()
	}
}
