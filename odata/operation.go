package odata

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"leadloop/odata/edm"
)

// Operation is an action or a function (Protocol 4.01, section 11.5), made by
// Bound, BoundToSet or Unbound. Which of the two it is, is said where it is
// declared: among the Actions or the Functions of a Set, or by AddActions or
// AddFunctions.
//
// Parameters are the fields of a struct. Those whose type is a pointer, a slice
// or a map are optional. A result is an entity, a complex value (a struct), a
// primitive value, a slice of these, or None; a nil pointer is no content. What
// the caller may see of a result is the operation's own business.
type Operation struct{ operation }

// Action is the name of an Operation among others of its kind.
type Action = Operation

type operation struct {
	name        string
	description string
	function    bool
	unbound     bool
	entity      reflect.Type // what it is bound to one of; nil: to the set, or unbound
	params      reflect.Type
	result      reflect.Type
	run         func(ctx context.Context, entity, params any) (any, error)
	outside     bool // never in a transaction

	declared   *edm.Operation
	paramsType *edm.Struct // nil: takes none
}

// None is the parameter type of an operation without parameters, and the result
// type of one without a result.
type None struct{}

// Bound declares an operation on one entity of type T: run gets the entity,
// which is one that the caller may read, and the parameters.
func Bound[T, P, R any](name string, run func(ctx context.Context, entity *T, params P) (R, error)) Operation {
	o := declare[P, R](name, func(ctx context.Context, entity any, params P) (R, error) {
		return run(ctx, entity.(*T), params)
	})
	o.entity = reflect.TypeFor[T]()
	return o
}

// BoundToSet declares an operation on an entity set as a whole.
func BoundToSet[P, R any](name string, run func(ctx context.Context, params P) (R, error)) Operation {
	return declare[P, R](name, func(ctx context.Context, _ any, params P) (R, error) { return run(ctx, params) })
}

// Unbound declares an operation that is reached at the service root.
func Unbound[P, R any](name string, run func(ctx context.Context, params P) (R, error)) Operation {
	o := BoundToSet(name, run)
	o.unbound = true
	return o
}

func declare[P, R any](name string, run func(ctx context.Context, entity any, params P) (R, error)) Operation {
	return Operation{operation{
		name:   name,
		params: reflect.TypeFor[P](),
		result: reflect.TypeFor[R](),
		run: func(ctx context.Context, entity, params any) (any, error) {
			return run(ctx, entity, *params.(*P))
		},
	}}
}

// Describe gives the operation a description in the metadata.
func (o Operation) Describe(text string) Operation {
	o.description = text
	return o
}

// Outside declares that the operation does slow work, such as a call over the
// network, and so must not run inside a transaction: it is not repeatable, and
// answers 501 in an atomic group of a batch.
func (o Operation) Outside() Operation {
	o.outside = true
	return o
}

// AddActions adds actions that are reached at the service root. It panics when
// called after Build.
func AddActions(s *Service, actions ...Operation) { s.add(false, actions) }

// AddFunctions adds functions that are reached at the service root. It panics
// when called after Build.
func AddFunctions(s *Service, functions ...Operation) { s.add(true, functions) }

func (s *Service) add(function bool, list []Operation) {
	if s.model != nil {
		panic("odata: an operation added after Build")
	}
	for _, o := range list {
		o.function = function
		s.imports = append(s.imports, &o.operation)
	}
}

// declare adds an operation, bound to x or to its entities unless x is nil, to
// the model.
func (s *Service) declare(x *set, o *operation) error {
	if err := s.place(x, o); err != nil {
		return fmt.Errorf("odata: the operation %s %w", o.name, err)
	}
	op := &edm.Operation{Name: o.name, Function: o.function, Description: o.description}
	if x != nil {
		op.Binding, op.BindingCollection = x.Type, o.entity == nil
	}
	none := reflect.TypeFor[None]()
	if o.params != none {
		var err error
		if o.paramsType, err = s.builder.Parameters(o.name, o.params); err != nil {
			return err
		}
		op.Parameters = slices.Clone(o.paramsType.Properties)
		slices.SortStableFunc(op.Parameters, func(a, b *edm.Property) int {
			switch {
			case a.Optional() == b.Optional():
				return 0
			case b.Optional():
				return -1
			}
			return 1
		})
	}
	if o.result != none {
		var err error
		if op.Returns, err = s.builder.TypeOf(o.result); err != nil {
			return err
		}
	}
	o.declared = op
	s.builder.Operation(op)
	return nil
}

// place checks that an operation stands where it was made for.
func (s *Service) place(x *set, o *operation) error {
	switch {
	case o.function && o.result == reflect.TypeFor[None]():
		return fmt.Errorf("is a function and must have a result")
	case x == nil && !o.unbound:
		return fmt.Errorf("is bound and belongs into a Set")
	case x == nil && s.sets[o.name] != nil:
		return fmt.Errorf("has the name of an entity set")
	case x == nil:
		return nil
	case o.unbound:
		return fmt.Errorf("is unbound and cannot be in the set %s", x.Name)
	case o.entity != nil && o.entity != x.Type.GoType:
		return fmt.Errorf("is bound to %s and cannot be in the set %s", o.entity, x.Name)
	case x.Type.Property(o.name) != nil || x.Type.Nav(o.name) != nil:
		return fmt.Errorf("has the name of a property of %s", x.Type.Name)
	}
	return nil
}
