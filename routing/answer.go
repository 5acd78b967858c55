package routing

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Answer is what the expressions of a Connector see of an answer.
type Answer struct {
	ID int64 `gorm:"primaryKey" json:"-"`
	// Status is the HTTP status, or the reply code of a mail server.
	Status int64
	// Header are the headers, in any case, with _ for what a name in an expression
	// cannot hold: Header/OData_EntityId.
	Header Values `gorm:"serializer:json"`
	// Body is the body as its content tells: JSON, XML or text, whatever the
	// Content-Type says. See readBody.
	Body any `gorm:"serializer:json"`
	Text string
	// Settings are those of the rule that are not secret.
	Settings Values `gorm:"serializer:json"`
	// ExternalID is, for ExternalLink, the id that was picked.
	ExternalID *string
}

// Values are values by name.
type Values map[string]any

// answer gives x as expressions that use the names see it.
func (x *exchange) answer(names []string, settings map[string]any, id *string) *Answer {
	return &Answer{
		Status: int64(x.status), Header: headerValues(x.header, names), Body: readBody(x.body),
		Text: strings.ToValidUTF8(string(x.body), "\uFFFD"), Settings: settings, ExternalID: id,
	}
}

// headerValues gives headers under their names and under those of names that
// mean the same.
func headerValues(h http.Header, names []string) Values {
	values := make(Values, len(h))
	for name, list := range h {
		value, plain := strings.Join(list, ", "), identifier(name)
		values[plain] = value
		for _, asked := range names {
			if strings.EqualFold(asked, plain) {
				values[asked] = value
			}
		}
	}
	return values
}

// deepest is how deep an answer nests at most; what is deeper is not looked at.
const deepest = 100

// readBody reads a body by its content. JSON and XML become objects by name, XML
// below the name of its root element, other content is text.
//
// A list is an object with count, first, last and _0, _1 and so on; the members
// of its first element can be named without first. An object whose names are
// all numbers is the list of its members. A member whose name an expression
// cannot hold is found under that name with _ for what does not fit: _odata_id
// for @odata.id.
func readBody(body []byte) any {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(body) == 0 {
		return nil
	}
	if body[0] == '<' {
		if v, err := readXML(body); err == nil {
			return navigable(v, 0)
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) == nil {
		if _, err := decoder.Token(); err == io.EOF {
			return navigable(v, 0)
		}
	}
	return strings.ToValidUTF8(string(body), "\uFFFD")
}

// navigable gives v as readBody promises.
func navigable(v any, depth int) any {
	if depth > deepest {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		if list := numbered(v); list != nil {
			return navigable(list, depth)
		}
		object := make(map[string]any, len(v))
		for name, value := range v {
			object[name] = navigable(value, depth+1)
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if plain := identifier(name); object[plain] == nil {
				object[plain] = object[name]
			}
		}
		return object
	case []any:
		return listed(v, depth)
	}
	return v
}

func listed(v []any, depth int) any {
	list := map[string]any{}
	for i, value := range v {
		value = navigable(value, depth+1)
		if i == 0 {
			if members, ok := value.(map[string]any); ok {
				maps.Copy(list, members)
			}
			list["first"] = value
		}
		list["_"+strconv.Itoa(i)], list["last"] = value, value
	}
	list["count"] = int64(len(v))
	return list
}

// numbered gives the members of an object whose names are all numbers, in their
// order; nil for another.
func numbered(v map[string]any) []any {
	if len(v) == 0 {
		return nil
	}
	names := make([]int, 0, len(v))
	for name := range v {
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || strconv.Itoa(n) != name {
			return nil
		}
		names = append(names, n)
	}
	slices.Sort(names)
	list := make([]any, len(names))
	for i, n := range names {
		list[i] = v[strconv.Itoa(n)]
	}
	return list
}

// identifier gives name with _ for all that an identifier cannot hold.
func identifier(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name)
	if first, _ := utf8.DecodeRuneInString(plain); unicode.IsDigit(first) {
		plain = "_" + plain
	}
	return plain
}
