package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a part of a body that nests: an object or element with kids by name, a
// list with kids by index, or a value.
type node struct {
	name  string
	index int // in a list
	list  bool
	kids  []*node
	set   bool // it has a value
	value any
}

// step is one name or index of a target's path.
type step struct {
	name  string
	index int // -1: it is a name
}

// highestIndex is the highest index of a list in a target.
const highestIndex = 99

// pathOf takes a target apart: "Items[0].Name". A backslash takes a dot or
// bracket after it as part of the name.
func pathOf(target, format string) ([]step, error) {
	var path []step
	for _, part := range splitTarget(target) {
		name, brackets, _ := strings.Cut(part, "\x00[")
		name = strings.ReplaceAll(name, "\x00", "")
		if name == "" && (brackets == "" || len(path) > 0 || format == formatXML) {
			return nil, fmt.Errorf("the target %s has an empty name in it", target)
		}
		if format == formatXML && !xmlName.MatchString(strings.TrimPrefix(name, "@")) {
			return nil, fmt.Errorf("%q in the target %s is not a name for XML", name, target)
		}
		if name != "" {
			path = append(path, step{name, -1})
		}
		for brackets != "" {
			number, rest, closed := strings.Cut(brackets, "]")
			n, err := strconv.Atoi(number)
			if !closed || err != nil || n < 0 || n > highestIndex {
				return nil, fmt.Errorf("a list's index in the target %s must be [0] to [%d]", target, highestIndex)
			}
			path = append(path, step{"", n})
			if rest != "" && !strings.HasPrefix(rest, "\x00[") {
				return nil, fmt.Errorf("after ] in the target %s, a dot must follow", target)
			}
			brackets = strings.TrimPrefix(rest, "\x00[")
		}
	}
	return path, nil
}

// splitTarget splits at dots, and marks the brackets that are not escaped.
func splitTarget(target string) []string {
	if !strings.ContainsAny(target, `.[\`) {
		return []string{target}
	}
	parts := []string{""}
	for i := 0; i < len(target); i++ {
		last := &parts[len(parts)-1]
		switch c := target[i]; {
		case c == '\\' && i+1 < len(target) && strings.IndexByte(`.[\`, target[i+1]) >= 0:
			i++
			*last += target[i : i+1]
		case c == '.':
			parts = append(parts, "")
		case c == '[':
			*last += "\x00["
		default:
			*last += target[i : i+1]
		}
	}
	return parts
}

// treeOf makes the tree of the fields.
func treeOf(fields []field[any], format string) (*node, error) {
	tree := &node{}
	for _, f := range fields {
		if err := tree.put(f.name, f.value, format); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// put puts value at the target's place.
func (n *node) put(target string, value any, format string) error {
	path, err := pathOf(target, format)
	if err != nil {
		return err
	}
	for i, s := range path {
		if strings.HasPrefix(s.name, "@") && format == formatXML && i+1 < len(path) {
			return fmt.Errorf("the attribute in the target %s has parts", target)
		}
		if n = n.kid(s, format); n == nil {
			return fmt.Errorf("the target %s does not go with the others: one place is an object, a list and a value at once", target)
		}
	}
	if n.set || n.list || format == formatJSON && len(n.kids) > 0 {
		return fmt.Errorf("the target %s does not go with the others: one place is filled twice", target)
	}
	n.set, n.value = true, value
	return nil
}

// kid finds or makes the kid at s; nil where n is something else.
func (n *node) kid(s step, format string) *node {
	isIndex := s.index >= 0
	if n.set && (isIndex || format == formatJSON) || len(n.kids) > 0 && n.list != isIndex {
		return nil
	}
	n.list = isIndex
	at := len(n.kids)
	for i, k := range n.kids {
		if isIndex && k.index == s.index || !isIndex && k.name == s.name {
			return k
		}
		if isIndex && k.index > s.index {
			at = i
			break
		}
	}
	k := &node{name: s.name, index: s.index}
	n.kids = slices.Insert(n.kids, at, k)
	return k
}

// jsonBody writes the fields as one JSON object, in their order.
func jsonBody(fields []field[any]) ([]byte, error) {
	tree, err := treeOf(fields, formatJSON)
	if err != nil {
		return nil, err
	}
	w := jsonWriter{}
	w.enc = json.NewEncoder(&w.Buffer)
	w.enc.SetEscapeHTML(false)
	if err := w.node(tree); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

type jsonWriter struct {
	bytes.Buffer
	enc *json.Encoder
}

func (w *jsonWriter) node(n *node) error {
	switch {
	case n.set:
		if err := w.write(jsonValue(n.value)); err != nil {
			return fmt.Errorf("field %s: %w", n.name, err)
		}
		return nil
	case n.list:
		return w.kids('[', ']', n)
	}
	return w.kids('{', '}', n)
}

func (w *jsonWriter) kids(open, end byte, n *node) error {
	w.WriteByte(open)
	for i, kid := range n.kids {
		if i > 0 {
			w.WriteByte(',')
		}
		if !n.list {
			if err := w.write(kid.name); err != nil {
				return errors.New("a field's name cannot be written")
			}
			w.WriteByte(':')
		}
		if err := w.node(kid); err != nil {
			return err
		}
	}
	w.WriteByte(end)
	return nil
}

func (w *jsonWriter) write(v any) error {
	if text, ok := v.(string); ok && asItIs(text) {
		w.WriteByte('"')
		w.WriteString(text)
		w.WriteByte('"')
		return nil
	}
	if err := w.enc.Encode(v); err != nil {
		return err
	}
	w.Truncate(w.Len() - 1) // the line end that Encode adds
	return nil
}

// asItIs reports whether text stands in JSON as it is, which most does.
func asItIs(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == '"' || r == '\\' || r == '\u2028' || r == '\u2029'
	})
}
