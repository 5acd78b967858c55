package odata_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The order book is what changes are tested on: relations whose foreign key may
// be null, may not, or may not change, a set with keys of the clients' own, and
// complex properties.
type (
	Client struct {
		ID      int64  `odata:"computed"`
		Name    string `validate:"required"`
		Region  string
		Rating  *int32
		Orders  []Order  `odata:"partner=Client"`
		Account *Account `odata:"partner=Client"`
		Version int64    `odata:"computed,etag"`
	}

	Account struct { // a client has at most one
		ID       int64 `odata:"computed"`
		ClientID *int64
		IBAN     string
		Client   *Client
	}

	Order struct {
		ID       int64 `odata:"computed"`
		ClientID *int64
		Title    string `gorm:"size:20" validate:"required"`
		Count    int32
		Price    *float64
		Due      *time.Time
		Data     []byte
		Tags     []string       `gorm:"serializer:json"`
		Ship     Address        `gorm:"serializer:json"`
		Bill     *Address       `gorm:"serializer:json"`
		Settings Settings       `gorm:"serializer:json"`
		More     map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		Placed   string         `odata:"immutable"`
		Version  int64          `odata:"computed,etag"`
		Client   *Client
		Lines    []Line `odata:"partner=Order"`
	}

	Address struct {
		Street, City string
		Zip          *string
	}

	Settings map[string]string

	Line struct {
		ID      int64 `odata:"computed"`
		OrderID int64 // never null
		Text    string
		Label   *string
		Order   *Order
		Tag     *Label `gorm:"foreignKey:Label;references:Code" odata:"partner=Lines"`
	}

	Label struct {
		Code    string `gorm:"primaryKey"`
		Text    string
		Rank    int64
		Since   string `odata:"immutable"`
		Version int64  `odata:"computed,etag"`
	}

	Entry struct { // nobody creates or changes entries
		ID       int64 `odata:"computed"`
		ClientID *int64
		Text     string
		Client   *Client `odata:"partner=Entries"`
	}

	Slip struct { // the slips are written by all and read by none
		ID   int64 `odata:"computed"`
		Text string
	}

	// repetition is a row of the tests' Repeats.
	repetition struct {
		Caller string      `gorm:"primaryKey"`
		ID     string      `gorm:"primaryKey"`
		Until  time.Time   `gorm:"not null"`
		Digest []byte      //
		Status int         //
		Header http.Header `gorm:"serializer:json"`
		Body   []byte
	}
)

// region is the context of a caller who sees one region's clients, and none of
// their ratings.
func region(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, regionKey{}, name)
}

type regionKey struct{}

func regional(expr string) func(ctx context.Context) (odata.Predicate, error) {
	return func(ctx context.Context) (odata.Predicate, error) {
		name, ok := ctx.Value(regionKey{}).(string)
		if !ok {
			return odata.All, nil
		}
		return odata.Predicate{Expr: expr, Args: map[string]any{"region": name}, Hide: []string{"Rating", "Rank"}, ReadOnly: name == "east"}, nil
	}
}

func newOrders(t testing.TB, dialect, dsn string) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), dsn, store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	tables := []any{&Client{}, &Account{}, &Label{}, &Order{}, &Line{}, &Entry{}, &Slip{}, &repetition{}}
	if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.AutoMigrate(tables...) }); err != nil {
		t.Fatal(err)
	}
	s.Service = odata.New(odata.Options{
		Namespace: "Shop", Prefix: "/shop", Read: db.Read, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Write: func(ctx context.Context, f func(ctx context.Context) error) error {
			return db.Write(ctx, func(tx *gorm.DB) error { return f(tx.Statement.Context) })
		},
		Repeats: repeats{db},
		Limits:  odata.Limits{Changes: 20},
		Now:     func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	s.addOrders()
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	return s
}

// kept makes the functions of a set that keeps its entities in a table.
func kept[T any](s *shop, name, access string, before func(*T, bool) error) odata.Set[T] {
	return odata.Set[T]{
		Name: name, Access: regional(access),
		Create: func(ctx context.Context, e *T) error {
			if err := errors.Join(fault.Validate(e), before(e, true)); err != nil {
				return err
			}
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit(relations...).Create(e).Error })
		},
		Update: func(ctx context.Context, e *T) error {
			if err := errors.Join(fault.Validate(e), before(e, false)); err != nil {
				return err
			}
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit(relations...).Save(e).Error })
		},
		Delete: func(ctx context.Context, e *T) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Delete(e).Error })
		},
	}
}

var relations = []string{"Client", "Order", "Orders", "Lines", "Account", "Tag"}

func (s *shop) addOrders() {
	clients := kept(s, "Clients", "Region eq @region", func(c *Client, _ bool) error {
		c.Version++
		if c.Name == "bad" {
			return fault.New(fault.Invalid, "a bad name").At("Name")
		}
		return nil
	})
	clients.New = func() *Client { return &Client{Region: "north"} }
	clients.Actions = []odata.Action{
		odata.Bound("Praise", func(ctx context.Context, c *Client, p struct{ Points int32 }) (*Client, error) {
			err := s.write(ctx, func(tx *gorm.DB) error {
				rating := p.Points
				if c.Rating != nil {
					rating += *c.Rating
				}
				c.Rating = &rating
				return tx.Model(c).Update("rating", rating).Error
			})
			return c, err
		}),
		odata.Bound("Call", func(ctx context.Context, c *Client, _ odata.None) (odata.None, error) {
			return odata.None{}, nil
		}).Outside(),
	}
	odata.Add(s.Service, clients)
	odata.Add(s.Service, kept(s, "Accounts", "Client/Region eq @region", func(*Account, bool) error { return nil }))
	orders := kept(s, "Orders", "Client/Region eq @region", func(o *Order, _ bool) error { o.Version++; return nil })
	orders.New = func() *Order { return &Order{Count: 1, Settings: Settings{}} }
	odata.Add(s.Service, orders)
	odata.Add(s.Service, kept(s, "Lines", "", func(l *Line, _ bool) error {
		if l.Text == "boom" {
			return fault.New(fault.Conflict, "it went off").At("Text")
		}
		return nil
	}))
	labels := kept(s, "Labels", "Rank ge 0 and @region ne null", func(l *Label, _ bool) error { l.Version++; return nil })
	labels.Upsert, labels.RequireIfMatch = true, true
	labels.Create = func(ctx context.Context, l *Label) error {
		l.Version = 1
		return s.write(ctx, func(tx *gorm.DB) error { return tx.Create(l).Error })
	}
	odata.Add(s.Service, labels)
	odata.Add(s.Service, odata.Set[Entry]{Name: "Entries", Access: regional("")})
	odata.Add(s.Service, odata.Set[Slip]{
		Name: "Slips",
		Access: func(context.Context) (odata.Predicate, error) {
			return odata.All, fault.New(fault.Forbidden, "slips are secret")
		},
		Create: func(ctx context.Context, e *Slip) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Create(e).Error })
		},
	})
}

// eachOrders runs f on an order book with a few entries on every database.
func eachOrders(t *testing.T, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newOrders(t, dialect, storetest.DSN(t, dialect))
			s.fillOrders(t)
			f(t, s)
		})
	}
}

func (s *shop) fillOrders(t testing.TB) {
	t.Helper()
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		clients := []Client{{Name: "A", Region: "north", Rating: ptr(int32(5)), Version: 1}, {Name: "B", Region: "south", Version: 1}}
		orders := []Order{
			{
				ClientID: ptr(int64(1)), Title: "o1", Count: 7, Tags: []string{"x"}, Ship: Address{"Main St", "Haifa", ptr("31000")}, Placed: "web", Version: 1,
				Settings: Settings{"a": "1", "b": "2"}, More: map[string]any{"Color": "red", "Size": 3},
			},
			{ClientID: ptr(int64(1)), Title: "o2", Count: 1, Version: 1},
			{ClientID: ptr(int64(2)), Title: "o3", Count: 1, Version: 1},
		}
		lines := []Line{{OrderID: 1, Text: "l1"}, {OrderID: 1, Text: "l2"}}
		return errors.Join(tx.Create(&clients).Error, tx.Omit(relations...).Create(&orders).Error, tx.Omit(relations...).Create(&lines).Error,
			tx.Create(&Label{Code: "red", Text: "Red", Rank: 4, Since: "2020", Version: 1}).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// look reads a path and returns what it shows of the values, one by one.
func (s *shop) look(t testing.TB, path string, names ...string) string {
	t.Helper()
	a := s.get(t, path)
	if a.status >= 400 {
		return fmt.Sprint(a.status)
	}
	if a.json == nil {
		return a.body
	}
	var values []string
	for _, name := range names {
		values = append(values, fmt.Sprint(a.json[name]))
	}
	return strings.Join(values, "|")
}

// step is a request, what it has to be answered with, and what is to be seen
// afterwards.
type step struct {
	request, body string
	headers       []string
	status        int
	want          string // in the body, or as "Header: value"
	path          string // to be read afterwards
	look          []string
	see           string
}

// run sends the request and compares.
func (c step) run(t *testing.T, ctx context.Context, s *shop) {
	t.Helper()
	a := s.do(t, ctx, c.request, c.body, c.headers...)
	got := a.body
	if name, value, ok := strings.Cut(c.want, ": "); ok && !strings.ContainsAny(name, `"{ `) {
		got, c.want = a.header.Get(name), value
	}
	if a.status != c.status || !strings.Contains(got, c.want) {
		t.Errorf("%s %s: got %d %v %s, want %d %s", c.request, c.body, a.status, a.header, a.body, c.status, c.want)
	}
	if c.path == "" {
		return
	}
	if see := s.look(t, c.path, c.look...); see != c.see {
		t.Errorf("%s %s: then %s shows %s, want %s", c.request, c.body, c.path, see, c.see)
	}
}

// repeats is a Repeats over a table.
type repeats struct{ db *store.DB }

func caller(ctx context.Context) string { return fmt.Sprint(ctx.Value(regionKey{})) }

func (r repeats) Claim(ctx context.Context, id string, until time.Time) (earlier *odata.Repeat, err error) {
	err = r.db.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Exec("INSERT INTO repetitions (caller, id, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", caller(ctx), id, until)
		if res.Error != nil || res.RowsAffected == 1 {
			return res.Error
		}
		var row repetition
		err := tx.Where("caller = ? AND id = ?", caller(ctx), id).Take(&row).Error
		earlier = &odata.Repeat{Request: row.Digest, Status: row.Status, Header: row.Header, Body: row.Body}
		return err
	})
	return earlier, err
}

func (r repeats) Keep(ctx context.Context, id string, answer odata.Repeat) error {
	row := repetition{Caller: caller(ctx), ID: id, Digest: answer.Request, Status: answer.Status, Header: answer.Header, Body: answer.Body}
	return r.db.Write(ctx, func(tx *gorm.DB) error { return tx.Select("Digest", "Status", "Header", "Body").Updates(&row).Error })
}
