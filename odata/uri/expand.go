package uri

import "strings"

// ExpandItem is one item of $expand (URL Conventions 4.01, section 5.1.3): a
// navigation property with its options, or "*". Path holds further segments:
// $ref, $count, or the name of a type.
type ExpandItem struct {
	At
	Name    string
	Path    []string
	Options Query
}

// MaxLevels is $levels=max.
const MaxLevels = -1

// expandOptions are the options that an item of $expand takes.
var expandOptions = map[string]bool{
	"$select": true, "$expand": true, "$filter": true, "$orderby": true, "$top": true, "$skip": true, "$count": true,
	"$search": true, "$compute": true, "$levels": true, "$apply": true,
}

func (p *parser) expandItems() (items []ExpandItem, err error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	for {
		if len(items) >= p.limits.Items {
			return nil, p.tooMany()
		}
		item := ExpandItem{At: p.at()}
		if item.Name, item.Path, err = p.itemPath(); err != nil {
			return nil, err
		}
		if p.tok.is("(") {
			if err := p.itemOptions(&item.Options, expandOptions); err != nil {
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

// levels reads the value of $levels: a number of at least 1, or max.
func (p *parser) levels() (int, error) {
	if p.tok.kind == tokenName && strings.EqualFold(p.tok.text, "max") {
		p.next()
		return MaxLevels, nil
	}
	at := p.at()
	n, err := p.number()
	if err == nil && *n < 1 {
		err = Errorf(p.what, at, "$levels is max or at least 1")
	}
	if err != nil {
		return 0, err
	}
	return *n, nil
}
