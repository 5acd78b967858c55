package uri

import "strings"

// ComputeItem is one item of $compute (URL Conventions 4.01, section 5.1.2): an
// expression, and the name of the property that it computes.
type ComputeItem struct {
	At
	X    Expr
	Name string
}

func (p *parser) computeItems() (items []ComputeItem, err error) {
	for {
		if len(items) >= p.limits.Items {
			return nil, p.tooMany()
		}
		item := ComputeItem{}
		if item.X, err = p.expr(0); err != nil {
			return nil, err
		}
		if p.tok.kind != tokenName || !strings.EqualFold(p.tok.text, "as") {
			return nil, p.unexpected(`"as" and a name`)
		}
		p.next()
		item.At = p.at()
		if p.tok.kind != tokenName || strings.Contains(p.tok.text, ".") {
			return nil, p.unexpected("the name of a computed property")
		}
		item.Name = p.tok.text
		p.next()
		items = append(items, item)
		if !p.tok.is(",") {
			return items, nil
		}
		p.next()
	}
}
