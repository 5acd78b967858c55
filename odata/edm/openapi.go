package edm

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
)

// OpenAPI is what an OpenAPI document says besides the model.
type OpenAPI struct {
	Title, Version string // of the service; "" takes the namespace and "1"
	Server         string // URL of the service root, absolute or a path
	// Security are the ways to sign in, by name: security scheme objects, each of
	// which is enough.
	Security map[string]any
	PageSize int  // entities of one answer at most
	Search   bool // $search is served
}

// WriteOpenAPI writes the service as an OpenAPI 3.1 document: the entity sets
// with what they take, the actions and functions, and the schemas of their
// bodies.
func (m *Model) WriteOpenAPI(w io.Writer, o OpenAPI) error {
	if o.Title == "" {
		o.Title = m.Namespace
	}
	if o.Version == "" {
		o.Version = "1"
	}
	doc := obj("openapi", "3.1.0",
		"info", obj("title", o.Title, "version", o.Version),
		"servers", []any{obj("url", o.Server)})
	components := obj("schemas", m.schemas(), "parameters", parameters(o), "responses", obj("Error", obj(
		"description", "What went wrong",
		"content", content(ref("schemas", "Error")))))
	if len(o.Security) > 0 {
		var ways []any
		schemes := obj()
		for _, name := range slices.Sorted(maps.Keys(o.Security)) {
			ways = append(ways, obj(name, []any{}))
			schemes.put(name, o.Security[name])
		}
		doc.put("security", ways)
		components.put("securitySchemes", schemes)
	}
	var tags []any
	for _, set := range m.Sets {
		tag := obj("name", set.Name)
		if text := set.description(); text != "" {
			tag.put("description", text)
		}
		tags = append(tags, tag)
	}
	doc.put("tags", tags).put("paths", m.paths(o)).put("components", components)
	return writeJSON(w, doc)
}

// description is the set's Core.Description.
func (set *EntitySet) description() string {
	for _, a := range set.Annotations {
		if text, ok := a.Value.(string); ok && a.Term == "Core.Description" {
			return text
		}
	}
	return ""
}

func ref(kind, name string) *object { return obj("$ref", "#/components/"+kind+"/"+name) }

// content is a body of JSON.
func content(schema *object) *object { return obj("application/json", obj("schema", schema)) }

// parameters are the query options and headers, each declared once.
func parameters(o OpenAPI) *object {
	option := func(name string, schema *object, description string) *object {
		return obj("name", name, "in", "query", "description", description, "schema", schema)
	}
	text := obj("type", "string")
	whole := obj("type", "integer", "minimum", 0)
	p := obj(
		"filter", option("$filter", text, "Only entities for which this expression is true"),
		"select", option("$select", text, "Only these properties"),
		"expand", option("$expand", text, "These related entities too"),
		"orderby", option("$orderby", text, "In this order"),
		"top", option("$top", whole, "At most so many entities"),
		"skip", option("$skip", whole, "Without the first so many entities"),
		"count", option("$count", obj("type", "boolean"), "With the number of entities, whatever page"),
	)
	if o.Search {
		p.put("search", option("$search", text, "Only entities in which this text is found"))
	}
	return p.put("ifMatch", obj("name", "If-Match", "in", "header", "schema", text,
		"description", "The ETag of the entity as it was read: if it has changed since, the answer is 412")).
		put("return", obj("name", "Prefer", "in", "header", "schema", obj("type", "string", "enum", []any{"return=representation", "return=minimal"}),
			"description", "Whether the answer carries the entity"))
}

// schemas are those of entities (as read, for a creation and for a change), of
// complex and enumeration types, and of errors.
func (m *Model) schemas() *object {
	o := obj()
	for _, e := range m.Enums {
		o.put(e.Name, e.schema())
	}
	for _, s := range m.Complex {
		o.put(s.Name, s.schema(reading))
	}
	for _, s := range m.Entities {
		o.put(s.Name, s.schema(reading))
	}
	for _, set := range m.Sets {
		if set.Insertable {
			o.put(set.Type.Name+"Create", set.Type.schema(creating))
		}
		if set.Updatable {
			o.put(set.Type.Name+"Update", set.Type.schema(updating))
		}
	}
	detail := []any{
		"code", obj("type", "string"), "message", obj("type", "string"),
		"target", obj("type", "string", "description", "The property, option or parameter that is wrong"),
	}
	inner := obj(append(detail, "details", obj("type", "array", "items",
		obj("type", "object", "required", []any{"code", "message"}, "properties", obj(detail...))))...)
	return o.put("Error", obj("type", "object", "required", []any{"error"}, "properties",
		obj("error", obj("type", "object", "required", []any{"code", "message"}, "properties", inner))))
}

func (e *Enum) schema() *object {
	if e.Flags {
		return obj("type", "string", "description", "Any of these, between commas: "+strings.Join(e.names(), ", "))
	}
	return obj("type", "string", "enum", e.names())
}

func (e *Enum) names() []string {
	var names []string
	for _, m := range e.Members {
		names = append(names, m.Name)
	}
	return names
}

// mode is what a schema of an entity is for.
type mode uint8

const (
	reading mode = iota
	creating
	updating
)

func (s *Struct) schema(use mode) *object {
	properties := obj()
	var required []any
	if use == reading && s.ETag != nil {
		properties.put("@odata.etag", obj("type", "string"))
	}
	for _, p := range s.Properties {
		switch {
		case use == reading && p.WriteOnly, use != reading && p.Computed, use == updating && (p.Immutable || p.Key):
			continue
		case use == creating && p.Rules.Required:
			// Nothing is required of what is read: $select leaves out what it does not
			// name.
			required = append(required, p.Name)
		}
		properties.put(p.Name, p.schema())
	}
	if use == reading {
		for _, n := range s.Navigation {
			properties.put(n.Name, n.schema())
		}
	}
	o := obj("type", "object")
	if len(required) > 0 {
		o.put("required", required)
	}
	o.put("properties", properties)
	if s.Open {
		o.put("additionalProperties", true)
	}
	return o
}

// schema is what $expand shows of a navigation property.
func (n *Navigation) schema() *object {
	to := ref("schemas", n.Target.Name)
	switch {
	case n.Many:
		return obj("type", "array", "items", to, "description", "Shown by $expand")
	case n.Nullable():
		return obj("anyOf", []any{to, obj("type", "null")}, "description", "Shown by $expand")
	}
	return obj("allOf", []any{to}, "description", "Shown by $expand")
}

// schema is the JSON Schema of a property's values.
func (p *Property) schema() *object {
	t := p.Type
	c, many := t.(Collection)
	if many {
		t = c.Of
	}
	o := typeSchema(t)
	if text, _ := o.get("type").(string); text != "" {
		p.narrow(o, t)
		if p.Nullable && !many {
			o.members[0].Value = []any{text, "null"}
		}
	} else if p.Nullable && !many && len(o.members) > 0 {
		o = obj("anyOf", []any{o, obj("type", "null")})
	}
	if many {
		o = obj("type", "array", "items", o)
		if p.Rules.MinItems > 0 {
			o.put("minItems", p.Rules.MinItems)
		}
		if p.Rules.MaxItems > 0 {
			o.put("maxItems", p.Rules.MaxItems)
		}
	}
	if p.Description != "" {
		o.put("description", p.Description)
	}
	if p.Computed {
		o.put("readOnly", true)
	}
	if p.WriteOnly {
		o.put("writeOnly", true)
	}
	return o
}

// narrow adds what the property's facets and rules say of a value of type t.
func (p *Property) narrow(o *object, t Type) {
	r := &p.Rules
	if p.MaxLength > 0 && t == String {
		o.put("maxLength", p.MaxLength)
	}
	if least := max(r.MinLength, btoi(r.Required && t == String)); least > 0 {
		o.put("minLength", least)
	}
	if r.Pattern != "" {
		o.put("pattern", r.Pattern)
	}
	if r.Format != "" && r.Format != "cidr" && t == String {
		o.put("format", r.Format)
	}
	for _, b := range []struct {
		bound           *Bound
		name, exclusive string
	}{{r.Min, "minimum", "exclusiveMinimum"}, {r.Max, "maximum", "exclusiveMaximum"}} {
		switch {
		case b.bound == nil:
		case b.bound.Exclusive:
			o.put(b.exclusive, json.Number(b.bound.Value))
		default:
			o.put(b.name, json.Number(b.bound.Value))
		}
	}
	if len(r.Allowed) > 0 {
		var values []any
		for _, v := range r.Allowed {
			values = append(values, literal(t, v))
		}
		if p.Nullable && p.Type == t {
			values = append(values, nil)
		}
		o.put("enum", values)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// typeSchema is the JSON Schema of the values of a type; its first member is the
// type, where there is one.
func typeSchema(t Type) *object {
	switch t := t.(type) {
	case *Struct:
		return ref("schemas", t.Name)
	case *Enum:
		return ref("schemas", t.Name)
	case Collection:
		return obj("type", "array", "items", typeSchema(t.Of))
	}
	switch t {
	case Boolean:
		return obj("type", "boolean")
	case SByte, Byte, Int16:
		return obj("type", "integer")
	case Int32:
		return obj("type", "integer", "format", "int32")
	case Int64:
		return obj("type", "integer", "format", "int64")
	case Decimal:
		return obj("type", "number", "format", "decimal")
	case Single:
		return obj("type", "number", "format", "float")
	case Double:
		return obj("type", "number", "format", "double")
	case Date:
		return obj("type", "string", "format", "date")
	case TimeOfDay:
		return obj("type", "string", "format", "time")
	case DateTimeOffset:
		return obj("type", "string", "format", "date-time")
	case Duration:
		return obj("type", "string", "format", "duration")
	case Guid:
		return obj("type", "string", "format", "uuid")
	case Binary:
		return obj("type", "string", "contentEncoding", "base64url")
	case Untyped:
		return obj() // any value
	}
	return obj("type", "string")
}
