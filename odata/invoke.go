package odata

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/uri"
)

// imported is the unbound operation that a path begins with, or nil.
func (q *request) imported(first uri.Segment) *target {
	for _, o := range q.s.imports {
		if o.name == first.Name {
			return &target{operation: o, arguments: first}
		}
	}
	return nil
}

// bound is the operation of that name, qualified or not, bound to t, or nil.
func (q *request) bound(t *target, name string) *operation {
	name = strings.TrimPrefix(name, q.s.Namespace+".")
	for _, o := range t.set.operations {
		if o.name == name && (o.entity != nil) == t.single && (t.single || t.link == nil) {
			return o
		}
	}
	return nil
}

// invoke runs an action or a function (Protocol 4.01, sections 11.5.3 and
// 11.5.4).
func (q *request) invoke(t *target) error {
	o := t.operation
	if o.outside && inGroup(q.Context()) {
		return fault.Newf(fault.NotImplemented, "the action %s is not served inside an atomic group (change set): send it alone", o.name)
	}
	if err := q.invocable(o); err != nil {
		return err
	}
	params, err := q.params(t)
	if err != nil {
		return err
	}
	var entity any
	switch {
	case o.entity != nil && o.function: // the preconditions are about what it gives
		entity, err = q.fetch(t)
	case o.entity != nil:
		entity, err = q.load(t)
	case t.set != nil:
		_, err = t.set.access(q.Context())
	}
	if err != nil {
		return err
	}
	result, err := o.run(q.Context(), entity, params)
	if err != nil {
		return err
	}
	return q.sendResult(o.declared.Returns, reflect.ValueOf(result))
}

// invocable checks the method and the options of a request to o.
func (q *request) invocable(o *operation) error {
	read := q.Method == http.MethodGet || q.Method == http.MethodHead
	switch {
	case o.function && !read:
		return q.notAllowed(http.MethodGet)
	case !o.function && q.Method != http.MethodPost:
		return q.notAllowed(http.MethodPost)
	}
	for _, option := range q.query.Names() {
		if option != "$format" {
			return fault.Newf(fault.NotImplemented, "%s on the result of %s is not served", option, o.name).At(option)
		}
	}
	return nil
}

// params decodes the parameters, into a pointer to their struct: those of an
// action from the body, those of a function from the URL.
func (q *request) params(t *target) (any, error) {
	o := t.operation
	params := reflect.New(o.params)
	given := &payload.Object{}
	decoder := payload.Decoder{Mode: payload.Create, IEEE754Compatible: true}
	var err error
	switch {
	case o.function:
		given, err = q.arguments(t)
	case t.arguments.Parens:
		err = fault.Newf(fault.NotFound, "%s is an action: its parameters go into the body", o.name)
	default:
		decoder = q.decoder(payload.Create, nil)
		given, err = q.object(true)
	}
	if err != nil {
		return nil, err
	}
	if o.paramsType == nil {
		if given.HasContent() {
			err = fault.Newf(fault.Invalid, "%s takes no parameters", o.name).At(given.Members[0].Name)
		}
		return params.Interface(), err
	}
	if _, err := decoder.Entity(given, o.paramsType, params.Elem()); err != nil {
		return nil, err
	}
	for _, p := range o.declared.Parameters {
		if !p.Optional() && !has(given, p.Name) {
			return nil, fault.Newf(fault.Invalid, "%s needs the parameter %s", o.name, p.Name).At(p.Name)
		}
	}
	return params.Interface(), nil
}

func has(o *payload.Object, name string) bool {
	for _, m := range o.Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// arguments are the parameters of a function: those in parentheses, and query
// options of a parameter's name (URL Conventions 4.01, section 5.3, implicit
// parameter aliases).
func (q *request) arguments(t *target) (*payload.Object, error) {
	given := &payload.Object{}
	add := func(name string, e uri.Expr) error {
		if has(given, name) {
			return fault.Newf(fault.Invalid, "the parameter %s is given twice", name).At(name)
		}
		v, ok, err := q.argument(name, e)
		if ok && err == nil {
			given.Members = append(given.Members, payload.Member{Name: name, Value: v})
		}
		return err
	}
	for _, arg := range t.arguments.Args {
		if arg.Name == "" {
			return nil, fault.Newf(fault.Invalid, "%s: write each parameter as Name=value", t.operation.name)
		}
		if err := add(arg.Name, arg.Value); err != nil {
			return nil, err
		}
	}
	for pair := range strings.SplitSeq(q.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if t.operation.paramsType == nil || t.operation.paramsType.Property(name) == nil || has(given, name) {
			continue
		}
		text, err := url.PathUnescape(value)
		if err != nil {
			return nil, fault.Newf(fault.Invalid, "malformed percent-encoding in %q", pair).At(name)
		}
		v, err := q.argumentValue(name, text)
		if err != nil {
			return nil, err
		}
		given.Members = append(given.Members, payload.Member{Name: name, Value: v})
	}
	return given, nil
}

// argument is the value of one argument, in the form that bodies have; ok is
// false for a parameter alias without a value, which is a parameter not given.
func (q *request) argument(name string, e uri.Expr) (v any, ok bool, err error) {
	switch e := e.(type) {
	case *uri.Literal:
		return literalValue(e), true, nil
	case *uri.Alias:
		text, ok := q.query.Aliases[e.Name]
		if !ok {
			return nil, false, nil
		}
		v, err := q.argumentValue("@"+e.Name, text)
		return v, true, err
	}
	return nil, false, fault.Newf(fault.NotImplemented, "an expression as the parameter %s is not served: write its value", name).At(name)
}

// argumentValue reads the text of an argument: a literal, or JSON.
func (q *request) argumentValue(name, text string) (any, error) {
	if text = strings.TrimSpace(text); text != "" && strings.IndexByte(`[{"`, text[0]) >= 0 {
		o, err := payload.ParseObject([]byte(`{"value":` + text + `}`))
		if err != nil {
			return nil, err.(*fault.Error).At(name)
		}
		return o.Members[0].Value, nil
	}
	e, err := uri.ParseExpr(text, name, q.s.Limits.Expr)
	if err != nil {
		return nil, err
	}
	if l, ok := e.(*uri.Literal); ok {
		return literalValue(l), nil
	}
	return nil, fault.Newf(fault.NotImplemented, "an expression as the parameter %s is not served: write its value", name).At(name)
}

// literalValue is a literal as the value that payload.ParseObject would give.
func literalValue(l *uri.Literal) any {
	switch l.Kind {
	case uri.NullLiteral:
		return nil
	case uri.BooleanLiteral:
		return l.Text == "true"
	case uri.IntegerLiteral, uri.DecimalLiteral, uri.DoubleLiteral:
		if !strings.HasSuffix(l.Text, "INF") && l.Text != "NaN" {
			return json.Number(l.Text)
		}
	case uri.EnumLiteral:
		_, value := l.Enum()
		return value
	}
	return l.Text
}

// sendResult sends what an operation gave, of type t.
func (q *request) sendResult(t edm.Type, v reflect.Value) error {
	for t != nil && v.IsValid() && v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if t == nil || !v.IsValid() {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	hide, seen, err := q.resultSight(t)
	if err != nil {
		return err
	}
	if !seen {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	e := q.encoder(hide)
	if s, structured := t.(*edm.Struct); structured {
		tag := payload.ETag(s, v, hide)
		q.tag(tag)
		if q.Method != http.MethodPost {
			if done, err := q.conditional(tag); done || err != nil {
				return err
			}
		}
		e.Value(t, v)
	} else {
		e.Raw(`{"value":`)
		e.Value(t, v)
		e.Raw("}")
	}
	q.sendEntity(http.StatusOK, q.resultContext(t), e.Bytes())
	return nil
}

// resultSight is what the caller may see of entities that an operation gave; see
// sight.
func (q *request) resultSight(t edm.Type) (hide []string, seen bool, err error) {
	if c, ok := t.(edm.Collection); ok {
		t = c.Of
	}
	if s, ok := t.(*edm.Struct); ok && s.IsEntity() {
		return q.sight(q.s.sets[q.s.model.SetOf(s).Name])
	}
	return nil, true, nil
}

// resultContext is the context URL of what an operation gave (Protocol 4.01,
// sections 10.2, 10.4 and 10.11 to 10.16).
func (q *request) resultContext(t edm.Type) string {
	of, single := t, true
	if c, ok := t.(edm.Collection); ok {
		of, single = c.Of, false
	}
	if s, ok := of.(*edm.Struct); ok && s.IsEntity() {
		return q.contextURL(q.s.model.SetOf(s).Name, "", single)
	}
	return q.root() + "$metadata#" + t.String()
}
