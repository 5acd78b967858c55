package edm

import "strings"

// paths are the resources of the service with what can be done with each.
func (m *Model) paths(o OpenAPI) *object {
	paths := obj()
	served := o.Search
	for _, set := range m.Sets {
		o.Search = served && len(set.Type.Search) > 0
		paths.put("/"+set.Name, set.collectionPath(o))
		paths.put("/"+set.Name+"/$count", set.countPath(o))
		paths.put("/"+set.Name+keyTemplate(set.Type), set.entityPath())
		for _, op := range m.Operations {
			if op.Binding == set.Type {
				m.operationPath(paths, set, op)
			}
		}
	}
	for _, op := range m.Operations {
		if op.Binding == nil {
			m.operationPath(paths, nil, op)
		}
	}
	return paths
}

// keyTemplate is the key predicate of an entity, with its key's parts as
// parameters.
func keyTemplate(s *Struct) string {
	var parts []string
	for _, p := range s.Key {
		part := template(p)
		if len(s.Key) > 1 {
			part = p.Name + "=" + part
		}
		parts = append(parts, part)
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// template is a parameter inside a path, in the form of a literal.
func template(p *Property) string {
	if p.Type == String {
		return "'{" + p.Name + "}'"
	}
	return "{" + p.Name + "}"
}

func keyParameters(s *Struct) []any {
	var list []any
	for _, p := range s.Key {
		list = append(list, obj("name", p.Name, "in", "path", "required", true, "schema", typeSchema(p.Type)))
	}
	return list
}

func options(names ...string) []any {
	var list []any
	for _, name := range names {
		list = append(list, ref("parameters", name))
	}
	return list
}

// collectionOptions are the query options of a collection.
func collectionOptions(o OpenAPI) []any {
	list := options("filter", "select", "expand", "orderby", "top", "skip", "count")
	if o.Search {
		list = append(list, options("search")...)
	}
	return list
}

// responses are an answer of success and, for all else, an error.
func responses(status string, success *object) *object {
	return obj(status, success, "default", ref("responses", "Error"))
}

// does is an operation object of a set.
func (set *EntitySet) does(verb, summary string) *object {
	return obj("operationId", verb+set.Name, "tags", []any{set.Name}, "summary", summary)
}

func (set *EntitySet) collectionPath(o OpenAPI) *object {
	page := obj("type", "object", "required", []any{"value"}, "properties", obj(
		"@odata.count", obj("type", "integer", "format", "int64", "description", "With $count"),
		"value", obj("type", "array", "items", ref("schemas", set.Type.Name), "maxItems", o.PageSize),
		"@odata.nextLink", obj("type", "string", "format", "uri-reference", "description", "The next page, where there is one")))
	path := obj("get", set.does("list", "Entities of "+set.Name).
		put("parameters", collectionOptions(o)).
		put("responses", responses("200", obj("description", "A page of entities", "content", content(page)))))
	if !set.Insertable {
		return path
	}
	return path.put("post", set.does("create", "Add an entity to "+set.Name).
		put("parameters", options("return")).
		put("requestBody", obj("required", true, "content", content(ref("schemas", set.Type.Name+"Create")))).
		put("responses", responses("201", obj(
			"description", "The entity as it was stored",
			"headers", obj("Location", obj("description", "Its URL", "schema", obj("type", "string", "format", "uri"))),
			"content", content(ref("schemas", set.Type.Name)))).
			put("204", obj("description", "Stored, with Prefer: return=minimal"))))
}

func (set *EntitySet) countPath(o OpenAPI) *object {
	list := options("filter")
	if o.Search {
		list = append(list, options("search")...)
	}
	return obj("get", set.does("count", "The number of entities of "+set.Name).
		put("parameters", list).
		put("responses", responses("200", obj("description", "The number",
			"content", obj("text/plain", obj("schema", obj("type", "integer", "format", "int64")))))))
}

func (set *EntitySet) entityPath() *object {
	body := func(description string) *object {
		return obj("description", description, "content", content(ref("schemas", set.Type.Name)))
	}
	path := obj("parameters", keyParameters(set.Type))
	path.put("get", set.does("get", "One entity of "+set.Name).
		put("parameters", options("select", "expand")).
		put("responses", responses("200", body("The entity"))))
	if set.Updatable {
		path.put("patch", set.does("update", "Change an entity of "+set.Name).
			put("parameters", options("ifMatch", "return")).
			put("requestBody", obj("required", true, "content", content(ref("schemas", set.Type.Name+"Update")))).
			put("responses", responses("200", body("The entity as it is now")).
				put("204", obj("description", "Changed, with Prefer: return=minimal"))))
	}
	if set.Deletable {
		path.put("delete", set.does("delete", "Remove an entity of "+set.Name).
			put("parameters", options("ifMatch")).
			put("responses", responses("204", obj("description", "Removed"))))
	}
	return path
}

// operationPath adds the path of an operation: of one bound to set or to its
// entities, or of an unbound one where set is nil.
func (m *Model) operationPath(paths *object, set *EntitySet, op *Operation) {
	prefix, id, tag := "", op.Name, "Operations"
	var list []any
	if set != nil {
		prefix, id, tag = "/"+set.Name, set.Name+op.Name, set.Name
		if !op.BindingCollection {
			prefix += keyTemplate(set.Type)
			list = keyParameters(set.Type)
		}
	}
	x := obj("operationId", id, "tags", []any{tag}, "summary", op.Name)
	if op.Description != "" {
		x.put("description", op.Description)
	}
	path := prefix + "/" + op.Name
	if op.Function {
		template, arguments := op.arguments()
		path += template
		list = append(list, arguments...)
	} else if len(op.Parameters) > 0 {
		x.put("requestBody", op.body())
	}
	if len(list) > 0 {
		x.put("parameters", list)
	}
	x.put("responses", op.responses())
	method := "post"
	if op.Function {
		method = "get"
	}
	paths.put(path, obj(method, x))
}

// arguments are the parameters of a function: those that must be given stand in
// the path, the optional ones are parameter aliases, whose values are literals.
func (op *Operation) arguments() (path string, list []any) {
	var parts []string
	for _, p := range op.Parameters {
		if _, ok := p.Type.(Primitive); ok && !p.Optional() && !op.keyed(p.Name) {
			parts = append(parts, p.Name+"="+template(p))
			list = append(list, obj("name", p.Name, "in", "path", "required", true, "schema", p.schema()))
			continue
		}
		parts = append(parts, p.Name+"=@"+p.Name)
		x := obj("name", "@"+p.Name, "in", "query", "schema", obj("type", "string"), "description", "A literal, or JSON")
		if !p.Optional() {
			x.put("required", true)
		}
		list = append(list, x)
	}
	return "(" + strings.Join(parts, ",") + ")", list
}

// keyed reports whether a parameter's name is taken by the key before it.
func (op *Operation) keyed(name string) bool {
	if op.Binding == nil || op.BindingCollection {
		return false
	}
	p := op.Binding.Property(name)
	return p != nil && p.Key
}

// body is the request body of an action.
func (op *Operation) body() *object {
	properties := obj()
	var required []any
	for _, p := range op.Parameters {
		properties.put(p.Name, p.schema())
		if !p.Optional() {
			required = append(required, p.Name)
		}
	}
	schema := obj("type", "object", "properties", properties)
	if len(required) > 0 {
		schema.put("required", required)
	}
	return obj("required", len(required) > 0, "content", content(schema))
}

func (op *Operation) responses() *object {
	none := obj("description", "Done, without a result")
	var schema *object
	switch op.Returns.(type) {
	case nil:
		return responses("204", none)
	case *Struct:
		return responses("200", obj("description", "The result", "content", content(typeSchema(op.Returns)))).put("204", none)
	default:
		schema = obj("type", "object", "required", []any{"value"}, "properties", obj("value", typeSchema(op.Returns)))
	}
	return responses("200", obj("description", "The result", "content", content(schema)))
}
