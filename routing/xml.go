package routing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// xmlName is what elements and attributes may be called, with a prefix or not.
var xmlName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{M}\p{N}._-]*(:[\p{L}_][\p{L}\p{M}\p{N}._-]*)?$`)

// rootNames takes a dotted path of elements apart.
func rootNames(path string) ([]string, error) {
	names := strings.Split(path, ".")
	for _, name := range names {
		if !xmlName.MatchString(name) {
			return nil, fmt.Errorf("%q is not an element's name", name)
		}
	}
	return names, nil
}

// xmlBody writes the fields as an XML document, in their order, inside the
// elements that root is the dotted path of. A target's dots nest elements, an @
// before its last name makes an attribute, [0], [1] repeat an element.
func xmlBody(root string, fields []field[any]) ([]byte, error) {
	tree, err := treeOf(fields, formatXML)
	if err != nil {
		return nil, err
	}
	names, err := rootNames(root)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	for _, name := range names[:len(names)-1] {
		b.WriteString("<" + name + ">")
	}
	writeElement(&b, names[len(names)-1], tree)
	for i := len(names) - 2; i >= 0; i-- {
		b.WriteString("</" + names[i] + ">")
	}
	return b.Bytes(), nil
}

// writeElement writes n as an element; a list as one for each of its items.
func writeElement(b *bytes.Buffer, name string, n *node) {
	if n.list {
		for _, kid := range n.kids {
			writeElement(b, name, kid)
		}
		return
	}
	if items, ok := n.value.([]any); ok {
		for _, item := range items {
			writeElement(b, name, &node{set: true, value: item})
		}
		return
	}
	b.WriteString("<" + name)
	for _, kid := range n.kids {
		if attribute, ok := strings.CutPrefix(kid.name, "@"); ok {
			b.WriteString(" " + attribute + `="`)
			escapeXML(b, formText(kid.value))
			b.WriteByte('"')
		}
	}
	b.WriteByte('>')
	if n.set {
		escapeXML(b, formText(n.value))
	}
	for _, kid := range n.kids {
		if !strings.HasPrefix(kid.name, "@") {
			writeElement(b, kid.name, kid)
		}
	}
	b.WriteString("</" + name + ">")
}

func escapeXML(b *bytes.Buffer, text string) {
	_ = xml.EscapeText(b, []byte(text)) // a Buffer takes everything
}

// readXML reads a document as objects: below the root element's name its
// content. An element without attributes and elements is its text; of another,
// attributes and elements are members, text beside them is _text, elements of one
// name are a list. No entities but XML's own are known.
func readXML(body []byte) (any, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		encoding, err := htmlindex.Get(label)
		if err != nil {
			return nil, err
		}
		return encoding.NewDecoder().Reader(input), nil
	}
	for {
		t, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		if start, ok := t.(xml.StartElement); ok {
			content, err := readElement(decoder, start, 0)
			if err != nil {
				return nil, err
			}
			return map[string]any{start.Name.Local: content}, nil
		}
	}
}

func readElement(decoder *xml.Decoder, start xml.StartElement, depth int) (any, error) {
	if depth > deepest {
		return nil, errors.New("too deep")
	}
	members, text := map[string]any{}, strings.Builder{}
	for _, a := range start.Attr {
		members[a.Name.Local] = a.Value
	}
	seen := map[string]int{} // elements of each name
	for {
		t, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			value, err := readElement(decoder, t, depth+1)
			if err != nil {
				return nil, err
			}
			name := t.Name.Local
			switch seen[name]++; seen[name] {
			case 1:
				members[name] = value
			case 2:
				members[name] = []any{members[name], value}
			default:
				members[name] = append(members[name].([]any), value)
			}
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			content := strings.TrimSpace(text.String())
			if len(members) == 0 {
				return content, nil
			}
			if content != "" {
				members["_text"] = content
			}
			return members, nil
		}
	}
}
