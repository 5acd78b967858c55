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
//		Actions: []odata.Action{
//			odata.Bound("Discount", shop.Discount),
//		},
//	})
//	if err := s.Build(); err != nil { … }
//	http.Handle("/odata/", s)
//
// A read is planned against the model, with the caller's access predicate woven
// in wherever a set is reached, and becomes one SQL statement whose rows are
// finished JSON; they stream to the client with constant memory. A write is
// decoded and checked against the model and handed to the set's function.
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
// writes bodies, package edm holds the model, package fault the errors.
package odata
