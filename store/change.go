package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm/schema"
)

// hidden is what the audit trail shows in the place of a secret.
const hidden = "***"

// Change is what Audit is told: Action (create, update, delete, or the name of an
// action) was done to the Entity, a type's name, with Key. Before and After are
// pointers to the entity's model as it was and as it is, or nil for what was not
// there or is no more; or they are Facts.
//
// Only properties that differ become part of the trail. What the model keeps from
// readers (odata:"-", writeonly, gorm:"-"), or marks as audit:"secret", and
// sealed values are secrets. The version is left out, and so is what a model
// refers to.
type Change struct {
	Action string
	Entity string
	Key    any

	Before, After any
}

// key is the Key as text.
func (c Change) key() string {
	if c.Key == nil {
		return ""
	}
	return plainText(fmt.Sprint(c.Key))
}

// facts are the differences between Before and After.
func (c Change) facts() (before, after Facts, err error) {
	if before, err = factsOf(c.Before); err != nil {
		return nil, nil, err
	}
	if after, err = factsOf(c.After); err != nil {
		return nil, nil, err
	}
	if c.Before == nil || c.After == nil {
		return masked(before), masked(after), nil
	}
	for _, name := range slices.Collect(maps.Keys(after)) {
		was, is := before[name], after[name]
		if reflect.DeepEqual(was, is) {
			delete(before, name)
			delete(after, name)
			continue
		}
		old, isMap := was.(map[string]any)
		now, areMaps := is.(map[string]any)
		if isMap && areMaps { // settings, say: those that changed
			for _, k := range slices.Collect(maps.Keys(now)) {
				if v, there := old[k]; there && reflect.DeepEqual(v, now[k]) {
					delete(old, k)
					delete(now, k)
				}
			}
		}
	}
	return masked(before), masked(after), nil
}

// FactsOf are the properties of a model, a pointer to which is given, with its
// secrets hidden.
func FactsOf(model any) (Facts, error) {
	f, err := factsOf(model)
	return masked(f), err
}

// secret is a value that is compared, and shown as hidden.
type secret struct{ text string }

// factsOf are the properties of a model, or Facts, as JSON values.
func factsOf(v any) (Facts, error) {
	facts := Facts{}
	switch model := v.(type) {
	case nil:
		return facts, nil
	case Facts:
		for name, value := range model {
			plain, err := jsonOf(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			facts[name] = plain
		}
		return facts, nil
	}
	parsed, err := schema.Parse(v, &schemas, schema.NamingStrategy{IdentifierMaxLength: 64})
	if err != nil {
		return nil, err
	}
	row := reflect.ValueOf(v).Elem()
	for _, f := range parsed.Fields {
		terms := strings.Split(f.Tag.Get("odata"), ",")
		if _, related := parsed.Relationships.Relations[f.Name]; related || slices.Contains(terms, "etag") {
			continue
		}
		field := row.FieldByIndex(f.StructField.Index)
		if isSecret(f, terms) {
			if !field.IsZero() {
				facts[f.Name] = secret{fmt.Sprint(field.Interface())}
			}
			continue
		}
		if isNil(field) {
			switch field.Kind() {
			case reflect.Slice: // it is read back as an empty one
				facts[f.Name] = []any{}
			case reflect.Map:
				facts[f.Name] = map[string]any{}
			}
			continue
		}
		if facts[f.Name], err = jsonOf(field.Interface()); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return facts, nil
}

func isSecret(f *schema.Field, terms []string) bool {
	return f.DBName == "" || f.Tag.Get("audit") == "secret" || slices.Contains(terms, "-") || slices.Contains(terms, "writeonly")
}

var schemas sync.Map

// jsonOf is v as the JSON values it would be read back as, in a form that both
// databases give back as it is: no numbers with exponents, no NUL.
func jsonOf(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var plain any
	if err := d.Decode(&plain); err != nil {
		return nil, err
	}
	return steady(plain), nil
}

func steady(v any) any {
	switch v := v.(type) {
	case string:
		return plainText(v)
	case json.Number:
		if strings.ContainsAny(string(v), "eE") || v == "-0" {
			return string(v)
		}
	case []any:
		for i := range v {
			v[i] = steady(v[i])
		}
	case map[string]any:
		kept := make(map[string]any, len(v))
		for name, value := range v {
			kept[plainText(name)] = steady(value)
		}
		return kept
	}
	return v
}

// plainText is text that both databases can hold.
func plainText(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\ufffd"), "\ufffd")
}

// masked is f with its secrets hidden.
func masked(f Facts) Facts {
	for name, value := range f {
		f[name] = masking(value)
	}
	return f
}

func masking(v any) any {
	switch v := v.(type) {
	case secret:
		return hidden
	case string:
		if strings.HasPrefix(v, sealedPrefix) {
			return hidden
		}
	case []any:
		for i := range v {
			v[i] = masking(v[i])
		}
	case map[string]any:
		for name, value := range v {
			v[name] = masking(value)
		}
	}
	return v
}
