package odata

import (
	"context"
	"reflect"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// Predicate is a row access predicate: a Boolean expression over the entity
// type, with values for its parameter aliases.
type Predicate = plan.Predicate

// All is the predicate that every row satisfies.
var All = Predicate{}

// Set declares an entity set over the GORM struct T. A nil Create, Update or
// Delete means that the set does not take that request.
type Set[T any] struct {
	Name string
	// Type is the name of the entity type; "" takes the name of T.
	Type string
	// Access says which entities the caller in ctx may read, and so reach in
	// any other way: by key, in $expand, inside lambdas, for a change. It returns
	// a Forbidden fault where the caller has no business with the set.
	Access func(ctx context.Context) (Predicate, error)
	// New returns an entity with the defaults of a new one; nil takes T's zero.
	New func() *T
	// Create stores a new entity. It gets the decoded body and fills in what the
	// server sets, such as the key.
	Create func(ctx context.Context, entity *T) error
	// Update stores an entity that was read and then changed by the body.
	Update func(ctx context.Context, entity *T) error
	// Delete removes an entity.
	Delete func(ctx context.Context, entity *T) error
	// Actions are the actions bound to one entity of the set.
	Actions []Action
	// Track lets clients follow the set's changes, by delta links (Protocol 4.01,
	// section 11.3). The database must have what CreateChangeLogs gives.
	Track bool
	// Keep names the properties that access predicates go by, so that callers
	// whose access is restricted can follow changes, too: for each change it is
	// noted what they were before. Keep names them by paths of at most one
	// navigation property, as in "MakerID", "Order/CustomerID", "Members/UserID".
	// Where a predicate follows navigation properties it needs a Was.
	Keep []string
}

// set is a Set without its type parameter.
type set struct {
	*edm.EntitySet
	access  func(ctx context.Context) (Predicate, error)
	fresh   func() any // a pointer to a struct
	create  func(ctx context.Context, entity any) error
	update  func(ctx context.Context, entity any) error
	remove  func(ctx context.Context, entity any) error
	actions map[string]*action
	tracked bool
	kept    []string
	log     *edm.ChangeLog // nil: not tracked
}

// Add adds an entity set to the service. It panics when called after Build.
func Add[T any](s *Service, d Set[T]) {
	if s.model != nil {
		panic("odata: Add after Build")
	}
	s.errs = append(s.errs, func() error {
		es, err := s.builder.EntitySet(d.Name, d.Type, new(T))
		if err != nil {
			return err
		}
		x := &set{EntitySet: es, access: d.Access, actions: map[string]*action{}, tracked: d.Track, kept: d.Keep}
		x.fresh = func() any { return new(T) }
		if d.New != nil {
			x.fresh = func() any { return d.New() }
		}
		x.create, x.update, x.remove = erase(d.Create), erase(d.Update), erase(d.Delete)
		s.sets[es.Name] = x
		for i := range d.Actions {
			a := d.Actions[i].action
			x.actions[a.name] = &a
		}
		return nil
	}())
}

// erase forgets the type of a function's entity.
func erase[T any](f func(context.Context, *T) error) func(context.Context, any) error {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, entity any) error { return f(ctx, entity.(*T)) }
}

// Action is an action bound to an entity, made by Bound.
type Action struct{ action }

type action struct {
	name   string
	entity reflect.Type // what it is bound to
	params reflect.Type
	result reflect.Type
	run    func(ctx context.Context, entity, params any) (any, error)

	paramsType *edm.Struct
	resultType edm.Type // nil: no content
}

// None is the parameter type of an action without parameters, and the result
// type of one without a result.
type None struct{}

// Bound declares an action on entities of type T: run gets the entity and the
// parameters, which are the fields of the struct P, and returns a struct R (an
// entity or a complex value). The entity is one that the caller may read.
func Bound[T, P, R any](name string, run func(ctx context.Context, entity *T, params P) (R, error)) Action {
	return Action{action{
		name:   name,
		entity: reflect.TypeFor[T](),
		params: reflect.TypeFor[P](),
		result: reflect.TypeFor[R](),
		run: func(ctx context.Context, entity, params any) (any, error) {
			return run(ctx, entity.(*T), *params.(*P))
		},
	}}
}
