// Package eval runs OData expressions in Go: a bound expression becomes a
// closure over a Record. It gives the same answers as package sqlgen's SQL; one
// suite holds both to that.
package eval

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// Var is a name that an expression may use besides the properties of the model.
type Var struct {
	Name string
	Type edm.Type
}

// Env names what expressions may refer to: the properties of one GORM struct,
// dynamic ones too if its type is open, and variables. It is safe for
// concurrent use.
type Env struct {
	root     *edm.Struct
	types    *edm.Model
	declared int    // properties of the struct; those after are variables
	needed   []bool // of the properties; nil: all
	// Now gives the time a Record is made at, for now().
	Now func() time.Time
}

// NewEnv returns the Env of model, a GORM struct or a pointer to one, and vars.
func NewEnv(model any, vars ...Var) (*Env, error) {
	extra := make([]*edm.Property, len(vars))
	for i, v := range vars {
		extra[i] = &edm.Property{Name: v.Name, Type: v.Type, Nullable: true}
	}
	s, types, err := edm.TypesOf(model, extra...)
	if err != nil {
		return nil, err
	}
	return &Env{root: s, types: types, declared: len(s.Properties) - len(vars), Now: time.Now}, nil
}

// Only returns an Env like e whose Records hold what the programs, compiled over e,
// refer to and nothing else. They are made the quicker.
func (e *Env) Only(programs ...*Program) *Env {
	other := *e
	other.needed = make([]bool, len(e.root.Properties))
	for _, program := range programs {
		for _, name := range program.Names() {
			if i := slices.IndexFunc(e.root.Properties, func(p *edm.Property) bool { return p.Name == name }); i >= 0 {
				other.needed[i] = true
			}
		}
	}
	return &other
}

// Record is what a Program runs over: one entity and the variables' values.
// Programs only read it.
type Record struct {
	values  []any
	dynamic map[string]any
	now     time.Time
}

// Record makes a Record of model, a struct (or pointer) like the Env's, with
// the variables' values by name.
func (e *Env) Record(model any, vars map[string]any) *Record {
	v := reflect.Indirect(reflect.ValueOf(model))
	r := &Record{values: make([]any, len(e.root.Properties)), now: e.Now().UTC().Truncate(time.Microsecond)}
	for i, p := range e.root.Properties {
		switch {
		case e.needed != nil && !e.needed[i]:
		case i >= e.declared:
			r.values[i] = plain(vars[p.Name])
		case p.Minor:
			if n, ok := plain(p.Value(v)).(int64); ok {
				r.values[i] = edm.DecimalOf(n).Shift(-p.Scale)
			}
		case !p.WriteOnly:
			r.values[i] = plain(p.Value(v))
		}
	}
	if e.root.Dynamic != nil {
		r.dynamic, _ = e.root.Dynamic.Value(v).(map[string]any)
	}
	return r
}

// At gives the same record at another time: what now() gives is at.
func (r *Record) At(at time.Time) *Record {
	other := *r
	other.now = at.UTC().Truncate(time.Microsecond)
	return &other
}

// plain widens v to the Go type that stands for its Edm type.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64, float64, uuid.UUID, json.Number:
		return v
	case []byte:
		if v == nil {
			return nil
		}
		return v
	case time.Duration:
		return v.Truncate(time.Microsecond)
	case time.Time:
		return v.UTC().Truncate(time.Microsecond)
	}
	switch x := reflect.ValueOf(v); x.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return x.Int()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int64(x.Uint())
	case reflect.Float32:
		return x.Float()
	case reflect.String:
		return x.String()
	case reflect.Bool:
		return x.Bool()
	}
	return v
}

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	text  string
	bound plan.Expr
	value closure
}

// Compile compiles text, called what in messages, over env. If want is not nil,
// the result must be of that type. Faults are Invalid and give the position.
func Compile(env *Env, what, text string, want edm.Type) (*Program, error) {
	syntax, err := uri.ParseExpr(text, what, uri.Limits{})
	if err != nil {
		return nil, err
	}
	binder := plan.Binder{Model: env.types, Limits: plan.DefaultLimits}
	bound, err := binder.Bind(syntax, plan.Root(env.root), what, nil, want)
	if err != nil {
		return nil, err
	}
	return &Program{text: text, bound: bound, value: (&compiler{elements: map[*plan.Var]int{}}).compile(bound)}, nil
}

// String is the expression's text.
func (p *Program) String() string { return p.text }

// Type is the type of the result.
func (p *Program) Type() edm.Type { return p.bound.Type() }

// Names are the properties and variables that the expression refers to.
func (p *Program) Names() []string {
	var names []string
	plan.Walk(p.bound, func(e plan.Expr) {
		switch e := e.(type) {
		case *plan.Prop:
			names = append(names, e.Prop.Name)
		case *plan.Dyn:
			names = append(names, e.Path...)
		}
	})
	return names
}

// Value runs the program: nil, bool, int64, float64, edm.DecimalValue, string,
// time.Time, uuid.UUID, or what a dynamic property holds.
func (p *Program) Value(r *Record) any { return p.value(&frame{record: r}) }

// Bool runs a program of type Boolean; null is false.
func (p *Program) Bool(r *Record) bool { return p.value(&frame{record: r}) == true }
