package odata_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The library is what changes are followed in: items by their own owner, notes
// by that of the shelf they lie on, documents by who was granted them.
type (
	Shelf struct {
		ID      int64
		OwnerID int64
	}
	Item struct {
		ID         uuid.UUID `gorm:"type:uuid;primaryKey"`
		OwnerID    int64
		Name       string
		Price      *float64
		Tags       []string       `gorm:"serializer:json"`
		Properties map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		Internal   string         `odata:"-"`
		Version    int64          `odata:"etag"`
	}
	Note struct {
		ID      int64
		ShelfID *int64
		Text    string
		Shelf   *Shelf `gorm:"constraint:OnDelete:CASCADE" odata:"partner=Notes"`
	}
	Document struct {
		ID    string `gorm:"primaryKey"`
		Title string
	}
	Grant struct {
		ID         int64
		DocumentID *string
		UserID     int64
		Document   *Document `odata:"partner=Grants"`
	}
	Pair struct {
		A    int64 `gorm:"primaryKey;autoIncrement:false"`
		B    int64 `gorm:"primaryKey;autoIncrement:false"`
		Text string
	}
)

type userKey struct{}

// user is the context of a caller who sees what is their own; 0 sees all.
func user(ctx context.Context, id int64) context.Context {
	if id == 0 {
		return ctx
	}
	return context.WithValue(ctx, userKey{}, id)
}

// mine is an access function: everything, or what expr gives a user.
func mine(expr, was string) func(context.Context) (odata.Predicate, error) {
	return func(ctx context.Context) (odata.Predicate, error) {
		id, ok := ctx.Value(userKey{}).(int64)
		switch {
		case !ok:
			return odata.All, nil
		case id < 0:
			return odata.All, fault.New(fault.Forbidden, "nothing for you")
		}
		return odata.Predicate{Expr: expr, Was: was, Args: map[string]any{"user": id}}, nil
	}
}

// newLibrary is a library in an empty database of dialect.
func newLibrary(t testing.TB, dialect string, pageSize int) *shop {
	t.Helper()
	s := libraryAt(t, storetest.DSN(t, dialect), pageSize)
	s.createLibrary(t, dialect)
	return s
}

// createLibrary creates the tables and the change logs.
func (s *shop) createLibrary(t testing.TB, dialect string) {
	t.Helper()
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		err := tx.AutoMigrate(&Shelf{}, &Item{}, &Note{}, &Document{}, &Grant{}, &Pair{})
		for _, q := range s.CreateChangeLogs(sqlgen.Dialect(dialect)) {
			err = errors.Join(err, tx.Exec(q).Error)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// libraryAt is a service over the database dsn.
func libraryAt(t testing.TB, dsn string, pageSize int) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), dsn, store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	limits := odata.Limits{}
	limits.PageSize = pageSize
	s := &shop{db: db, Service: odata.New(odata.Options{Namespace: "Library", Prefix: "/shop", Read: db.Read, Limits: limits})}
	odata.Add(s.Service, odata.Set[Shelf]{Name: "Shelves", Access: mine("OwnerID eq @user", "")})
	odata.Add(s.Service, odata.Set[Item]{Name: "Items", Access: mine("OwnerID eq @user", ""), Track: true, Keep: []string{"OwnerID"}})
	odata.Add(s.Service, odata.Set[Note]{Name: "Notes", Access: mine("Shelf/OwnerID eq @user", "OwnerID eq @user"), Track: true, Keep: []string{"Shelf/OwnerID"}})
	odata.Add(s.Service, odata.Set[Document]{Name: "Documents", Access: mine("Grants/any(g:g/UserID eq @user)", "UserID eq @user"), Track: true, Keep: []string{"Grants/UserID"}})
	odata.Add(s.Service, odata.Set[Grant]{Name: "Grants", Access: mine("UserID eq @user", ""), Track: true})
	odata.Add(s.Service, odata.Set[Pair]{Name: "Pairs", Access: mine("", ""), Track: true})
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	return s
}

// exec changes the database by statements with ? for arguments, in one
// transaction.
func (s *shop) exec(t testing.TB, statements ...string) {
	t.Helper()
	if err := s.write(t.Context(), func(tx *gorm.DB) error {
		for _, q := range statements {
			if err := tx.Exec(q).Error; err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// replica is a client that follows a collection: what it holds, by id.
type replica struct {
	s        *shop
	user     int64
	set      string
	link     string
	rows     map[string]string
	removed  []string // by the last sync, as id:reason
	received int      // entities of the last sync
	pages    int
}

// follow reads a collection and gets its delta link.
func (s *shop) follow(t testing.TB, userID int64, path string) *replica {
	t.Helper()
	set, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	r := &replica{s: s, user: userID, set: set, link: "http://shop.test/shop" + path, rows: map[string]string{}}
	r.sync(t)
	return r
}

// sync follows the link and applies what it gives.
func (r *replica) sync(t testing.TB) {
	t.Helper()
	r.removed, r.received, r.pages = nil, 0, 0
	for range 1000 {
		a := r.s.do(t, user(t.Context(), r.user), "GET "+strings.TrimPrefix(r.link, "http://shop.test/shop"), "", "Prefer: odata.track-changes")
		if a.status != 200 || a.header.Get("Preference-Applied") != "odata.track-changes" {
			t.Fatalf("%s: %d %v %s", r.link, a.status, a.header, a.body)
		}
		r.pages++
		for _, x := range a.json["value"].([]any) {
			r.apply(t, x.(map[string]any))
		}
		next, more := a.json["@odata.nextLink"].(string)
		if !more {
			next, more = a.json["@odata.deltaLink"].(string)
			if !more {
				t.Fatalf("no delta link: %s", a.body)
			}
			r.link = next
			return
		}
		r.link = next
	}
	t.Fatal("endless")
}

func (r *replica) apply(t testing.TB, e map[string]any) {
	t.Helper()
	if removed, ok := e["@removed"].(map[string]any); ok {
		id := strings.TrimSuffix(e["@id"].(string), ")")
		id = id[strings.LastIndex(id, "(")+1:]
		id = strings.ReplaceAll(id, "%27", "'")
		r.removed = append(r.removed, id+":"+removed["reason"].(string))
		delete(r.rows, id)
		return
	}
	r.received++
	id := idOf(e)
	delete(e, "@odata.id")
	r.rows[id] = marshal(e)
}

// idOf is the key of an entity as its address has it.
func idOf(e map[string]any) string {
	if id, ok := e["@odata.id"].(string); ok {
		return strings.TrimSuffix(id[strings.LastIndex(id, "(")+1:], ")")
	}
	if a, ok := e["A"]; ok {
		return "A=" + marshal(a) + ",B=" + marshal(e["B"])
	}
	id := strings.Trim(marshal(e["ID"]), `"`)
	if strings.HasPrefix(id, "d") {
		id = "'" + id + "'"
	}
	return id
}

// ids are the keys of what the replica holds.
func (r *replica) ids() string {
	list := slices.Sorted(maps.Keys(r.rows))
	for i := range list {
		list[i] = strings.TrimLeft(strings.ReplaceAll(list[i], "-", ""), "0")
	}
	return strings.Join(list, " ")
}

// gone are the keys that the last sync removed, with reasons.
func (r *replica) gone() string {
	slices.Sort(r.removed)
	list := slices.Clone(r.removed)
	for i := range list {
		list[i] = strings.TrimLeft(strings.ReplaceAll(list[i], "-", ""), "0")
	}
	return strings.Join(list, " ")
}
