package plan

import (
	"bytes"
	"maps"
)

// Kept names the members of an object that are shown though they are null, and
// likewise what is kept inside of each: related entities that are expanded (JSON
// Format 4.01, section 8.3).
type Kept map[string]Kept

// Kept are the members that p shows in any case.
func (p *Projection) Kept() Kept {
	k := Kept{}
	for i := range p.Shapes {
		maps.Copy(k, p.Shapes[i].Show.Kept())
	}
	for i := range p.Nested {
		k[p.Nested[i].Name] = p.Nested[i].Show.Kept()
	}
	for _, x := range p.Expand {
		if !x.Count {
			k[x.Name] = x.Read.Show.Kept()
		}
	}
	return k
}

// AppendWithoutNulls appends to b a JSON text without the members of objects that
// are null, wherever they are and are not to be kept. The text must be valid JSON.
func AppendWithoutNulls(b, text []byte, keep Kept) []byte {
	n := nulls{text: text, out: b}
	n.value(keep)
	return n.out
}

// nulls copies a JSON text without the members that are null.
type nulls struct {
	text []byte
	at   int
	out  []byte
}

// peek is the next character that is not white space, 0 at the end.
func (n *nulls) peek() byte {
	for n.at < len(n.text) {
		switch c := n.text[n.at]; c {
		case ' ', '\t', '\n', '\r':
			n.at++
		default:
			return c
		}
	}
	return 0
}

// value copies the value that comes next and reports whether it was null.
func (n *nulls) value(keep Kept) (null bool) {
	switch n.peek() {
	case '{':
		n.list('}', keep)
	case '[':
		n.list(']', keep)
	default:
		start := len(n.out)
		n.scalar()
		return string(n.out[start:]) == "null"
	}
	return false
}

// list copies an object or an array.
func (n *nulls) list(closing byte, keep Kept) {
	n.out = append(n.out, n.text[n.at])
	n.at++
	empty := true
	for c := n.peek(); c != closing && c != 0; c = n.peek() {
		if c == ',' {
			n.at++
			continue
		}
		start := len(n.out)
		if !empty {
			n.out = append(n.out, ',')
		}
		if closing == ']' {
			n.value(keep)
		} else if !n.member(keep) {
			n.out = n.out[:start]
			continue
		}
		empty = false
	}
	n.out = append(n.out, closing)
	n.at++
}

// member copies the member that comes next and reports whether it is to stay.
func (n *nulls) member(keep Kept) bool {
	start := len(n.out)
	n.scalar()
	name := bytes.Trim(n.out[start:], `"`)
	inside, kept := keep[string(name)]
	n.peek()
	n.at++ // the colon
	n.out = append(n.out, ':')
	return !n.value(inside) || kept
}

// scalar copies a string, a number, true, false or null.
func (n *nulls) scalar() {
	quoted := n.peek() == '"'
	start := n.at
	if quoted {
		for n.at++; n.at < len(n.text) && n.text[n.at] != '"'; n.at++ {
			if n.text[n.at] == '\\' {
				n.at++
			}
		}
		n.at++
	} else if i := bytes.IndexAny(n.text[start:], ",]} \t\n\r"); i >= 0 {
		n.at += i
	} else {
		n.at = len(n.text)
	}
	n.at = min(n.at, len(n.text))
	n.out = append(n.out, n.text[start:n.at]...)
}
