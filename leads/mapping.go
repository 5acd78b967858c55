package leads

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/fault"
)

// maxMapping is how many entries the mapping of a source may have.
const maxMapping = 200

// FieldMapping fills one property of a lead. Either Field or Source says with
// what.
type FieldMapping struct {
	// Target is a property of Lead that can be written, FullName, or the name of a
	// dynamic property.
	Target string
	// Field is the incoming field's name, as it is.
	Field string
	// Source is an expression over the incoming fields. What is nested is reached
	// by a path (utm/source), and a name that is no identifier by it with a _ for
	// each character that cannot be in one.
	Source string
	// Default is taken where there is no value.
	Default *string
}

// incoming is what expressions of mappings run over. A property's name can be no
// field's, as every name belongs to the sender.
type incoming struct {
	Key    int64          `gorm:"primaryKey" odata:"name=$key"`
	Fields map[string]any `gorm:"serializer:json" odata:"dynamic"`
}

// incomingEnv panics where the struct cannot be described, which no input can
// bring about.
var incomingEnv = sync.OnceValue(func() *eval.Env {
	env, err := eval.NewEnv(&incoming{})
	if err != nil {
		panic(fmt.Sprintf("leads: incoming fields as an expression's environment: %v", err))
	}
	return env
})

// fieldMap is a compiled mapping.
type fieldMap struct {
	entries []mappedField
	targets map[string]bool // the places taken
	read    map[string]bool // names that the expressions refer to
}

type mappedField struct {
	FieldMapping
	program *eval.Program // nil where there is a Field
}

// prepareMapping checks src's mapping.
func prepareMapping(src *Source) error {
	if src.Mapping == nil {
		src.Mapping = []FieldMapping{}
	}
	if len(src.Mapping) > maxMapping {
		return fault.Newf(fault.Invalid, "a mapping cannot have more than %d entries", maxMapping).At("Mapping")
	}
	_, err := compileMapping(src.Mapping)
	return err
}

// compileMapping returns Invalid with the target Mapping/2/Source and so on for
// everything wrong.
func compileMapping(entries []FieldMapping) (*fieldMap, error) {
	m := &fieldMap{targets: map[string]bool{}, read: map[string]bool{}}
	var p problems
	seen := map[string]bool{}
	for i, entry := range entries {
		at := fmt.Sprintf("Mapping/%d/", i)
		if problem := checkTarget(entry.Target); problem != "" {
			p.addf(at+"Target", "%s", problem)
		} else if seen[entry.Target] {
			p.addf(at+"Target", "the target %s is there twice", entry.Target)
		}
		seen[entry.Target] = true
		if place, ok := mappedPlace(entry.Target); ok {
			m.targets[place.target] = true
		}
		m.entries = append(m.entries, mappedField{FieldMapping: entry})
		switch {
		case entry.Field != "" && entry.Source != "":
			p.addf(at+"Source", "an entry has either a Field or a Source, not both")
		case entry.Field == "" && entry.Source == "" && entry.Default == nil:
			p.addf(at+"Field", "an entry needs a Field, a Source or a Default")
		case entry.Source != "":
			program, err := eval.Compile(incomingEnv(), at+"Source", entry.Source, nil)
			if err != nil {
				p.addf(at+"Source", "%s", messageOf(err))
				continue
			}
			m.entries[i].program = program
			for _, name := range program.Names() {
				m.read[name] = true
			}
		}
		checkEntry(&p, at, entry)
	}
	return m, p.err()
}

// checkEntry refuses an entry that is too long to be one.
func checkEntry(p *problems, at string, entry FieldMapping) {
	if entry.Default != nil {
		if err := checkText(*entry.Default); err != nil {
			p.addf(at+"Default", "%s", err.Message)
		}
	}
	if err := checkText(entry.Field); err != nil {
		p.addf(at+"Field", "%s", err.Message)
	}
}

func messageOf(err error) string {
	if e := (*fault.Error)(nil); errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// mappedPlace is where an entry with that target leads: no name is guessed at,
// only FullName is more than a property.
func mappedPlace(target string) (place, bool) {
	p, ok := placeOf(target)
	return p, ok && (p.target == target || target == "FullName")
}

// checkTarget says why name cannot be the target of an entry, or "".
func checkTarget(name string) string {
	if name == "" {
		return "the target is empty"
	}
	if _, declared := mappedPlace(name); declared {
		return ""
	}
	own, err := ownName(name)
	switch {
	case err != nil:
		return messageOf(err)
	case own != name && reserved(name):
		return fmt.Sprintf("a mapping cannot fill %s; it can fill %s and further properties", name, writable())
	case own != name:
		return fmt.Sprintf("%s cannot be the name of a property; %s can", name, own)
	}
	return ""
}

// writable are the declared properties that a mapping can fill, for people.
func writable() string {
	var names []string
	for _, p := range textProperties {
		names = append(names, p.name)
	}
	return strings.Join(append(names, toIsTest, "FullName"), ", ")
}

// mappings keeps the compiled mapping of each source's newest version.
type mappings struct {
	mu   sync.Mutex
	byID map[int64]versionedMapping
}

type versionedMapping struct {
	version int64
	mapping *fieldMap
}

// of returns the compiled mapping of src, nil if it has none.
func (c *mappings) of(src *Source) (*fieldMap, error) {
	if len(src.Mapping) == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if got, ok := c.byID[src.ID]; ok && got.version == src.Version {
		return got.mapping, nil
	}
	m, err := compileMapping(src.Mapping)
	if err != nil {
		return nil, fmt.Errorf("the stored mapping of source %d: %s", src.ID, err) // no fault of the sender
	}
	if c.byID == nil || len(c.byID) >= cacheSize {
		c.byID = map[int64]versionedMapping{}
	}
	c.byID[src.ID] = versionedMapping{src.Version, m}
	return m, nil
}

// apply gives the fields as the mapping wants them: what it fills comes first,
// under the target's name, and wins over fields with the same place. Fields it
// took by name are not kept again; nor is a field that an expression made the
// value of that field's own place of, as trim(phone) for Phone.
func (m *fieldMap) apply(fields []field) ([]field, error) {
	if m == nil {
		return fields, nil
	}
	named := byName(fields)
	record, err := m.record(fields)
	if err != nil {
		return nil, err
	}
	used := make([]bool, len(fields))
	mapped := make([]field, 0, len(m.entries)+len(fields))
	for _, entry := range m.entries {
		var value any
		if i, ok := named[entry.Field]; ok && entry.Field != "" {
			value, used[i] = fields[i].value, true
		}
		if entry.program != nil {
			value = received(entry.program.Value(record))
		}
		if empty(value) {
			if entry.Default == nil {
				continue
			}
			value = *entry.Default
		}
		mapped = append(mapped, field{name: entry.Target, value: fitted(entry.Target, value), mapped: true})
	}
	for i, f := range fields {
		if used[i] || m.superseded(f) {
			continue
		}
		if m.targets[f.name] && len(f.also) > 0 {
			f.name = f.also[0] // what it had been given as its place is taken
		}
		mapped = append(mapped, f)
	}
	return mapped, nil
}

// superseded reports whether an expression over f, or one that may be, has taken
// the place f would go to.
func (m *fieldMap) superseded(f field) bool {
	place, ok := placeOf(f.name)
	return ok && m.targets[place.target] && (m.read[f.name] || m.read[identifier(f.name)])
}

// byName finds a field by any of its names, its own first.
func byName(fields []field) map[string]int {
	index := make(map[string]int, len(fields))
	for i, f := range fields {
		if _, taken := index[f.name]; !taken {
			index[f.name] = i
		}
	}
	for i, f := range fields {
		for _, name := range f.also {
			if _, taken := index[name]; !taken {
				index[name] = i
			}
		}
	}
	return index
}

// empty reports whether a value is none.
func empty(v any) bool {
	text, ok := v.(string)
	return v == nil || v == (nested{}) || ok && strings.TrimSpace(text) == ""
}

// fitted gives v in the form that target takes: declared properties take text.
func fitted(target string, v any) any {
	if _, declared := mappedPlace(target); !declared {
		return v
	}
	if text, ok := listed(v); ok {
		return text
	}
	return v
}

// listed is textOf for lists of any length too: their texts, with commas.
func listed(v any) (string, bool) {
	list, ok := v.([]any)
	if !ok {
		return textOf(v)
	}
	var texts []string
	for _, item := range list {
		text, ok := textOf(item)
		if !ok {
			return "", false
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", "), true
}

// received gives the result of an expression as a value that could have come in.
func received(v any) any {
	switch v := v.(type) {
	case nil, bool, string, json.Number, []any, map[string]any:
		return v
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return json.Number(eval.Text(v))
	case int64, edm.DecimalValue:
		return json.Number(eval.Text(v))
	}
	return eval.Text(v)
}

// record makes what the expressions run over; nil where there are none.
func (m *fieldMap) record(fields []field) (*eval.Record, error) {
	if !slices.ContainsFunc(m.entries, func(e mappedField) bool { return e.program != nil }) {
		return nil, nil
	}
	tree := map[string]any{}
	for _, f := range fields {
		if f.value == (nested{}) {
			continue
		}
		value, err := property(f.name, f.value)
		if err != nil {
			return nil, err
		}
		plant(tree, strings.Split(f.name, "."), value)
	}
	for _, f := range fields {
		for _, name := range append([]string{f.name}, f.also...) {
			id := identifier(name)
			if _, taken := tree[id]; taken || f.value == (nested{}) {
				continue
			}
			value, err := property(f.name, f.value)
			if err != nil {
				return nil, err
			}
			tree[id] = value
		}
	}
	return incomingEnv().Record(&incoming{Fields: tree}, nil), nil
}

// plant puts v at the path, unless something else is in the way.
func plant(tree map[string]any, path []string, v any) {
	for len(path) > 1 {
		if _, there := tree[path[0]]; !there {
			tree[path[0]] = map[string]any{}
		}
		inner, ok := tree[path[0]].(map[string]any)
		if !ok {
			return
		}
		tree, path = inner, path[1:]
	}
	if _, there := tree[path[0]]; !there {
		tree[path[0]] = v
	}
}

// identifier is name as expressions can write it.
func identifier(name string) string {
	id := strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) {
			return r
		}
		return '_'
	}, name)
	if first, _ := utf8.DecodeRuneInString(id); !unicode.IsLetter(first) && first != '_' {
		return "_" + id
	}
	return id
}
