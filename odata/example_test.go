package odata_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/sqlgen"
)

// Genre is an enumeration type: the database holds the member's name.
type Genre string

func (Genre) ODataEnum() []edm.Member {
	return []edm.Member{{Name: "Fiction"}, {Name: "Poetry"}, {Name: "Travel"}}
}

// Author and Book are GORM models as they might be found anywhere.
type Author struct {
	ID   int64  `odata:"computed"`
	Name string `validate:"required,max=80" doc:"As on the cover"`
}

type Book struct {
	ID       int64          `odata:"computed"`
	AuthorID int64          `odata:"immutable"`
	Title    string         `validate:"required"`
	Genre    Genre          `doc:"Where it stands"`
	Price    int64          `odata:"decimal=2"` // in cents
	Lent     bool           `odata:"computed"`
	More     map[string]any `gorm:"serializer:json" odata:"dynamic"`
	Author   *Author        `odata:"partner=Books"`
}

// A library's books: entity sets over GORM models, a caller who may not see
// everything, and an action.
func Example() {
	db, done := openLibrary()
	defer done()

	everything := func(context.Context) (odata.Predicate, error) { return odata.All, nil }
	s := odata.New(odata.Options{
		Namespace: "Library", Prefix: "/odata",
		Read: func(ctx context.Context) *gorm.DB { return db.WithContext(ctx) },
	})
	odata.Add(s, odata.Set[Author]{Name: "Authors", Access: everything})
	odata.Add(s, odata.Set[Book]{
		Name: "Books",
		// Whatever a request asks for, a reader meets only books up to a price.
		Access: func(context.Context) (odata.Predicate, error) {
			return odata.Predicate{Expr: "Price le @most", Args: map[string]any{"most": int64(50)}}, nil
		},
		Create: func(ctx context.Context, b *Book) error {
			if err := fault.Validate(b); err != nil {
				return err
			}
			return db.WithContext(ctx).Omit("Author").Create(b).Error
		},
		Actions: []odata.Operation{
			odata.Bound("Lend", func(ctx context.Context, b *Book, _ odata.None) (*Book, error) {
				if b.Lent {
					return nil, fault.Newf(fault.Conflict, "%s is lent already", b.Title)
				}
				b.Lent = true
				return b, db.WithContext(ctx).Model(b).Update("lent", true).Error
			}),
		},
	})
	if err := s.Build(); err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(s) // or: http.Handle("/odata/", s)
	defer server.Close()

	show(http.Get(server.URL + "/odata/Books?$select=Title,Price,Shelf&$orderby=Price%20desc&$filter=Genre%20ne%20'Travel'"))
	show(http.Get(server.URL + "/odata/Authors?$select=Name&$expand=Books($select=Title;$filter=startswith(Title,'T'))&$filter=Books/any()"))
	show(http.Post(server.URL+"/odata/Books", "application/json", strings.NewReader(`{"AuthorID":2,"Title":"Zima","Genre":"Poetry","Price":7.5,"Shelf":"B4"}`)))
	show(http.Post(server.URL+"/odata/Books(1)/Lend", "application/json", nil))
	show(http.Post(server.URL+"/odata/Books(1)/Lend", "application/json", nil))
	show(http.Get(server.URL + "/odata/Books(3)"))

	// Output:
	// 200 {"@odata.context":"/odata/$metadata#Books(Title,Price,Shelf)","value":[{"@odata.id":"Books(1)","Title":"The Dispossessed","Price":12.00,"Shelf":"A1"},{"@odata.id":"Books(2)","Title":"Map","Price":9.90,"Shelf":null}]}
	// 200 {"@odata.context":"/odata/$metadata#Authors(Name,Books(Title))","value":[{"@odata.id":"Authors(1)","Name":"Le Guin","Books":[{"@odata.id":"Books(1)","Title":"The Dispossessed"}]},{"@odata.id":"Authors(2)","Name":"Szymborska","Books":[]}]}
	// 201 {"@odata.context":"/odata/$metadata#Books/$entity","ID":4,"AuthorID":2,"Title":"Zima","Genre":"Poetry","Price":7.50,"Lent":false,"Shelf":"B4"}
	// 200 {"@odata.context":"/odata/$metadata#Books/$entity","ID":1,"AuthorID":1,"Title":"The Dispossessed","Genre":"Fiction","Price":12.00,"Lent":true,"Shelf":"A1"}
	// 409 {"error":{"code":"conflict","message":"The Dispossessed is lent already"}}
	// 404 {"error":{"code":"not_found","message":"Books has no entity with this key"}}
}

// openLibrary opens a database with a few books, on connections that have the
// functions the service's SQL uses.
func openLibrary() (db *gorm.DB, done func()) {
	sql.Register("sqlite3_odata", &sqlite3.SQLiteDriver{ConnectHook: sqlgen.RegisterSQLite})
	dir, err := os.MkdirTemp("", "library")
	if err != nil {
		log.Fatal(err)
	}
	db, err = gorm.Open(sqlite.Dialector{DriverName: "sqlite3_odata", DSN: filepath.Join(dir, "library.db")})
	if err == nil {
		err = db.AutoMigrate(&Author{}, &Book{})
	}
	if err == nil {
		err = db.Create([]Author{{Name: "Le Guin"}, {Name: "Szymborska"}}).Error
	}
	if err == nil {
		err = db.Create([]Book{
			{AuthorID: 1, Title: "The Dispossessed", Genre: "Fiction", Price: 1200, More: map[string]any{"Shelf": "A1"}},
			{AuthorID: 2, Title: "Map", Genre: "Poetry", Price: 990},
			{AuthorID: 1, Title: "The First Edition", Genre: "Fiction", Price: 90000},
		}).Error
	}
	if err != nil {
		log.Fatal(err)
	}
	return db, func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
		_ = os.RemoveAll(dir)
	}
}

// show prints an answer, without what changes from run to run.
func show(r *http.Response, err error) {
	if err != nil {
		log.Fatal(err)
	}
	defer r.Body.Close()
	var body bytes.Buffer
	var compact bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		log.Fatal(err)
	}
	if err := json.Compact(&compact, body.Bytes()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.StatusCode, strings.ReplaceAll(compact.String(), "http://"+r.Request.URL.Host, ""))
}
