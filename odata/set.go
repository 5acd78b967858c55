package odata

import (
	"context"
	"errors"
	"fmt"

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
	// Languages gives, of those in which the set's entities have texts, the ones for
	// a client whose Accept-Language is accept, best first. Properties tagged texts=…
	// are then read in the first of them that each entity has, and answers say so in
	// Content-Language and Vary.
	Languages func(ctx context.Context, accept string) ([]string, error)
	// Search names the properties that $search looks in. The database must have the
	// index that sqlgen.SearchIndex makes over them. Callers to whom one of them is
	// hidden cannot search.
	Search []string
	// New returns an entity with the defaults of a new one; nil takes T's zero.
	New func() *T
	// Create stores a new entity. It gets the decoded body and fills in what the
	// server sets, such as the key. A foreign key that the body gives as a plain
	// property is for Create and Update to check; one that it gives as a reference
	// leads to an entity that the caller may see.
	Create func(ctx context.Context, entity *T) error
	// Update stores an entity that was read and then changed by the body.
	Update func(ctx context.Context, entity *T) error
	// Delete removes an entity.
	Delete func(ctx context.Context, entity *T) error
	// Upsert lets PUT and PATCH create the entity whose key the URL gives, where
	// there is none. The key must be the clients' to give.
	Upsert bool
	// RequireIfMatch refuses changes of entities without an If-Match header.
	RequireIfMatch bool
	// Outside says that Create and Update do slow work, such as hashing a password,
	// and so are kept out of Options.Write where one entity alone is changed. They
	// must then guard against concurrent changes themselves.
	Outside bool
	// Actions and Functions are bound to one entity of the set or to the set;
	// functions have no side effects.
	Actions   []Operation
	Functions []Operation
	// Track lets clients follow the set's changes, by delta links (Protocol 4.01,
	// section 11.3). The database must have what CreateChangeLogs gives.
	Track bool
	// Keep names the properties that access predicates go by, so that callers
	// whose access is restricted can follow changes, too: for each change it is
	// noted what they were before. Keep names them by paths of at most one
	// navigation property, as in "MakerID", "Order/CustomerID", "Members/UserID".
	// Where a predicate follows navigation properties it needs a Was.
	Keep []string
	// Description tells in the metadata what is in the set.
	Description string
	// Annotations say more about the set, by terms of public vocabularies.
	Annotations []edm.Annotation
}

// set is a Set without its type parameter.
type set struct {
	*edm.EntitySet
	access      func(ctx context.Context) (Predicate, error)
	languages   func(ctx context.Context, accept string) ([]string, error)
	fresh       func() any // a pointer to a struct
	create      func(ctx context.Context, entity any) error
	update      func(ctx context.Context, entity any) error
	remove      func(ctx context.Context, entity any) error
	operations  []*operation
	description string

	tracked bool
	kept    []string
	log     *edm.ChangeLog // nil: not tracked

	upsert, requireIfMatch, outside bool
}

// checkUpsert returns an error where a set takes upserts and cannot.
func (x *set) checkUpsert() error {
	for _, p := range x.Type.Key {
		if x.upsert && (p.Computed || x.create == nil || x.update == nil) {
			return errors.New("odata: the set " + x.Name + " has Upsert and needs Create, Update and a key that is not computed")
		}
	}
	return nil
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
		for _, name := range d.Search {
			p := es.Type.Property(name)
			if p == nil || len(es.Type.Key) != 1 {
				return fmt.Errorf("entity set %s: Search names %q, which is no property, or the key is none of one part", d.Name, name)
			}
			es.Type.Search = append(es.Type.Search, p)
		}
		x := &set{EntitySet: es, access: d.Access, languages: d.Languages, description: d.Description, tracked: d.Track, kept: d.Keep}
		x.fresh = func() any { return new(T) }
		if d.New != nil {
			x.fresh = func() any { return d.New() }
		}
		x.upsert, x.requireIfMatch, x.outside = d.Upsert, d.RequireIfMatch, d.Outside
		x.create, x.update, x.remove = erase(d.Create), erase(d.Update), erase(d.Delete)
		es.Insertable, es.Updatable, es.Deletable = x.create != nil, x.update != nil, x.remove != nil
		es.Annotations = d.Annotations
		s.sets[es.Name] = x
		for _, o := range d.Actions {
			x.operations = append(x.operations, &o.operation)
		}
		for _, o := range d.Functions {
			o.function = true
			x.operations = append(x.operations, &o.operation)
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
