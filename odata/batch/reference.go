package batch

import (
	"bytes"
	"encoding/json"
	"strings"
)

// systemResources are the first segments that are what they are, even where a
// request has the same identifier (Protocol 4.01, section 11.7.4).
var systemResources = map[string]bool{
	"batch": true, "crossjoin": true, "all": true, "entity": true, "root": true, "id": true, "metadata": true,
	"query": true,
}

// maxDepth is how deep a body may nest to have its references replaced.
const maxDepth = 64

// Reference takes apart a URL whose first segment refers to another request:
// "$1/Orders?$top=5" is the identifier "1" and the rest "/Orders?$top=5". It is
// false for any other URL.
func Reference(url string) (id, rest string, ok bool) {
	text, ok := strings.CutPrefix(url, "$")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(text, "/?#")
	if end < 0 {
		end = len(text)
	}
	id = text[:end]
	return id, text[end:], validID(id) && !systemResources[id]
}

// ReplaceReferences returns a JSON body with the references in it replaced by
// URLs: those in the values of @odata.bind, @bind, @odata.id and @id. What resolve
// does not know stays as it is; its error is returned. A body that is not JSON is
// left for others to refuse.
func ReplaceReferences(body []byte, resolve func(id string) (url string, ok bool, err error)) ([]byte, error) {
	if !bytes.Contains(body, []byte(`"$`)) {
		return body, nil
	}
	var out []byte
	done := 0 // bytes of body that are in out
	err := eachLink(body, func(start, end int, text string) error {
		id, rest, ok := Reference(text)
		if !ok {
			return nil
		}
		url, ok, err := resolve(id)
		if err != nil || !ok {
			return err
		}
		quoted, err := json.Marshal(url + rest)
		if err != nil {
			return err
		}
		out = append(append(out, body[done:start]...), quoted...)
		done = end
		return nil
	})
	if err != nil || done == 0 {
		return body, err
	}
	return append(out, body[done:]...), nil
}

// eachLink calls f for each string in body that links to an entity, with the
// place of its JSON.
func eachLink(body []byte, f func(start, end int, text string) error) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	type level struct {
		array bool
		key   string // the name read last, in an object
		named bool   // a name was read, its value not yet
		link  bool   // an array of links
	}
	var stack []level
	for {
		before := int(d.InputOffset())
		t, err := d.Token()
		if err != nil || len(stack) > maxDepth {
			return nil // the end, or nothing that anyone will take
		}
		top := level{array: true}
		if len(stack) > 0 {
			top = stack[len(stack)-1]
		}
		if text, ok := t.(string); ok && !top.array && !top.named {
			stack[len(stack)-1].key, stack[len(stack)-1].named = text, true
			continue
		}
		link := top.link || !top.array && isLink(top.key)
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{})
			continue
		case json.Delim('['):
			stack = append(stack, level{array: true, link: link})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		default:
			if text, ok := t.(string); ok && link {
				start := before + bytes.IndexByte(body[before:], '"')
				if err := f(start, int(d.InputOffset()), text); err != nil {
					return err
				}
			}
		}
		if len(stack) > 0 {
			stack[len(stack)-1].named = false
		}
	}
}

// isLink reports whether a member's value is the URL of an entity, or several.
func isLink(name string) bool {
	return strings.HasSuffix(name, "@odata.bind") || strings.HasSuffix(name, "@bind") || name == "@odata.id" || name == "@id"
}
