// Package odata serves GORM models as an OData 4.01 service.
//
// A Service is an http.Handler made of entity sets. Each set is declared once,
// from a GORM struct: the struct's fields are the entity type's properties (the
// rules are at edm.Builder), and functions of the program's own carry out
// changes.
//
//	s := odata.New(odata.Options{Namespace: "Shop", Prefix: "/odata", Read: readDB})
//	odata.Add(s, odata.Set[Product]{
//		Name:   "Products",
//		Access: func(ctx context.Context) (odata.Predicate, error) { return odata.All, nil },
//		Create: shop.CreateProduct,
//		Actions:   []odata.Operation{odata.Bound("Discount", shop.Discount)},
//		Functions: []odata.Operation{odata.BoundToSet("Bestsellers", shop.Bestsellers)},
//	})
//	odata.AddActions(s, odata.Unbound("Close", shop.Close))
//	if err := s.Build(); err != nil { … }
//	http.Handle("/odata/", s)
//
// A read is planned against the model, with the caller's access predicate woven
// in wherever a set is reached, and becomes one SQL statement whose rows are
// finished JSON; they stream to the client with constant memory. A write is
// decoded and checked against the model and handed to the set's function. One
// that speaks of several entities (related ones inside the body, references, a
// delta payload) goes through the functions of their sets, all in one transaction
// of Options.Write; see Transactions for a plain GORM database.
//
// The plan of a read is kept, up to Limits.Plans of them, by the request's shape:
// its path and query without the values of literals in the path and in $filter. A
// read of the same shape skips parse, bind and SQL building, if the caller's access
// predicates are the same but for their arguments, and if it agrees with the plan's
// own request in every value that something was decided by: a constant keeps
// account of who looks at it (see plan.Lifts). Service.PlanStats tells how often
// that happens. A read asks the access function of a set once.
//
// $metadata (CSDL XML and CSDL JSON, for 4.0 and 4.01 clients) and openapi.json
// are written from that same model, once: what a client reads there is what its
// requests are checked against.
//
// Clients can follow the changes of a set that has Track, by delta links. For
// that the database keeps change logs, which triggers write: CreateChangeLogs
// gives the statements for a migration. A caller whose access is restricted is
// told that an entity is to be removed only if they could see it before, as far
// as the set's Keep and the predicate's Was tell; where they do not, or where the
// filter follows navigation properties that are not kept, the preference
// track-changes is not applied.
//
// The way of a request through the packages below: uri (text to syntax), plan
// (syntax and model to a typed plan), sqlgen (plan to SQL), and back as rows.
// Package eval runs the same expressions in Go, package payload reads and
// writes bodies, package batch those of $batch, package edm holds the model,
// package fault the errors.
package odata
