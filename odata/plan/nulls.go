package plan

import "strings"

// WithoutNulls takes from the JSON text, wherever they are, the members of objects
// that are null. The text must be valid JSON.
func WithoutNulls(text string) string {
	n := nulls{text: text, out: make([]byte, 0, len(text))}
	n.value()
	return string(n.out)
}

// nulls copies a JSON text without the members that are null.
type nulls struct {
	text string
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
func (n *nulls) value() (null bool) {
	switch n.peek() {
	case '{':
		n.list('}', true)
	case '[':
		n.list(']', false)
	default:
		start := len(n.out)
		n.scalar()
		return string(n.out[start:]) == "null"
	}
	return false
}

// list copies an object or an array.
func (n *nulls) list(closing byte, members bool) {
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
		if members {
			n.scalar()
			n.peek()
			n.at++ // the colon
			n.out = append(n.out, ':')
		}
		if n.value() && members {
			n.out = n.out[:start]
			continue
		}
		empty = false
	}
	n.out = append(n.out, closing)
	n.at++
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
	} else if i := strings.IndexAny(n.text[start:], ",]} \t\n\r"); i >= 0 {
		n.at += i
	} else {
		n.at = len(n.text)
	}
	n.at = min(n.at, len(n.text))
	n.out = append(n.out, n.text[start:n.at]...)
}
