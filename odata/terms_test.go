package odata_test

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/eval"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Piece has what the shop has not and expressions can speak of: enumerations held
// in each way, collections of values, complex values.
type Piece struct {
	ID     int64
	Grade  Grade
	Best   *Grade
	Stage  Stage
	Next   *Stage
	Traits Trait
	Marks  []string       `gorm:"serializer:json"`
	Counts []int64        `gorm:"serializer:json"`
	Rates  []float64      `gorm:"serializer:json"`
	Size   Size           `gorm:"serializer:json"`
	More   map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
}

var items = []Piece{
	{ID: 1, Grade: "Good", Best: ptr(Grade("Fair")), Stage: 5, Traits: 5, Marks: []string{"a", "b", "a"}, Counts: []int64{4, 1, 3}, Rates: []float64{0.5, 1}, Size: Size{Width: 3, Grade: "Poor"}, More: map[string]any{"List": []any{"x", 1, true}, "G": "Good"}},
	{ID: 2, Grade: "Poor", Stage: -1, Next: ptr(Stage(5)), Traits: 0, Marks: []string{}, Counts: []int64{1, 2}, Size: Size{Width: 3, Height: 7, Grade: "Good", Unit: ptr("cm")}, More: map[string]any{"List": "x", "N": 5}},
	{ID: 3, Grade: "Fair", Best: ptr(Grade("Good")), Stage: 0, Next: ptr(Stage(0)), Traits: 8, Marks: []string{"b"}, Counts: []int64{9007199254740993, 1, 1}, Size: Size{Width: 3, Grade: "Poor"}},
	{ID: 4, Grade: "Good", Best: ptr(Grade("Poor")), Stage: 5, Next: ptr(Stage(-1)), Traits: 7, Marks: []string{"ב", "a"}, Rates: []float64{1}, Size: Size{Width: 1, Grade: "Fair"}, More: map[string]any{"List": []any{1, 2.5, "x"}}},
}

// itemFilters are filters over items and the items that satisfy them.
var itemFilters = []struct{ filter, want string }{
	// Enumerations: literals with and without their type, in every place.
	{"Grade eq Depot.Grade'Good'", "1 4"},
	{"Depot.Grade'Good' eq Grade", "1 4"},
	{"Grade eq 'Good'", "1 4"},
	{"Grade ne Depot.Grade'Good'", "2 3"},
	{"Grade eq Depot.Grade'0'", "1 4"},
	{"Grade in ('Good',Depot.Grade'Fair')", "1 3 4"},
	{"not (Grade in ('Good',Depot.Grade'Fair'))", "2"},
	{"Best in ('Good',null)", "2 3"},
	{"Best eq null", "2"},
	{"Best ne Depot.Grade'Good'", "1 2 4"},
	{"Best eq Grade", ""},
	{"Grade eq 'Nope'", "error"},
	{"Grade eq Depot.Grade'Nope'", "error"},
	{"Grade eq Depot.Stage'Packed'", "error"},
	{"Grade eq Depot.Nope'Good'", "error"},
	{"Grade eq Depot.Grade'Good", "error"},
	{"Grade eq 5", "error"},
	{"Stage eq Depot.Stage'Shipped'", "1 4"},
	{"Stage eq Depot.Stage'5'", "1 4"},
	{"Stage eq '5'", "1 4"},
	{"Stage in (Depot.Stage'Lost',Depot.Stage'Packed')", "2 3"},
	{"Next eq Stage", "3"},
	{"Next eq null", "1"},
	{"Traits eq Depot.Trait'Fragile,Heavy'", "1"},
	{"Traits eq 'Heavy,Fragile'", "1"},
	{"Traits eq Depot.Trait'Fragile,4'", "1"},
	{"Traits eq Depot.Trait'8'", "3"},
	{"Size/Grade eq Depot.Grade'Poor'", "1 3"},
	{"Size/Grade ne 'Poor'", "2 4"},
	// They compare by their underlying values.
	{"Grade gt Depot.Grade'Good'", "2 3"},
	{"Grade ge 'Fair'", "2 3"},
	{"'Fair' gt Grade", "1 4"},
	{"Grade lt Best", "1 4"},
	{"not (Grade lt Best)", "2 3"},
	{"Best gt null", ""},
	{"Stage gt Depot.Stage'Packed'", "1 4"},
	{"Stage le Depot.Stage'Lost'", "2"},
	{"Stage gt Next", "4"},
	{"Traits gt Depot.Trait'Fragile,Heavy'", "3 4"},
	{"Size/Grade gt 'Good'", "1 3 4"},
	// has.
	{"Traits has Depot.Trait'Fragile'", "1 4"},
	{"Traits has 'Cold'", "4"},
	{"Traits has Depot.Trait'Fragile,Heavy'", "1 4"},
	{"Traits has Depot.Trait'8'", "3"},
	{"Traits has Depot.Trait'0'", "1 2 3 4"},
	{"not (Traits has 'Fragile')", "2 3"},
	{"Traits has Traits", "1 2 3 4"},
	{"Grade has Depot.Grade'Good'", "1 4"},
	{"Stage has Depot.Stage'Packed'", "3"},
	{"Best has 'Good'", "3"},
	{"not (Best has 'Good')", "1 4"}, // null of null
	{"Traits has null", ""},
	{"Traits has 1", "error"},
	{"ID has 1", "error"},
	{"Traits has Depot.Grade'Good'", "error"},
	// Casts.
	{"cast(Grade,Edm.String) eq 'Good'", "1 4"},
	{"startswith(cast(Stage,Edm.String),'Ship')", "1 4"},
	{"cast(Best,Edm.String) eq null", "2"},
	{"cast(Depot.Trait'5',Edm.String) eq 'Fragile,Heavy'", "1 2 3 4"},
	{"cast(Stage,Edm.Int64) eq 5", "1 4"},
	{"cast(Stage,Edm.Int64) add 1 eq 0", "2"},
	{"cast(Grade,Edm.Int32) eq 2", "2"},
	{"cast('Good',Depot.Grade) eq Grade", "1 4"},
	{"cast('Nope',Depot.Grade) eq null", "1 2 3 4"},
	{"cast(5,Depot.Stage) eq Stage", "1 4"},
	{"cast(ID,Depot.Grade) eq Depot.Grade'Fair'", "1"},
	{"cast(ID add 4,Depot.Stage) eq Depot.Stage'Shipped'", "1"},
	{"cast(G,Depot.Grade) eq Grade", "1"},
	{"cast(null,Depot.Grade) eq Best", "2"},
	{"isof(Grade,Depot.Grade)", "1 2 3 4"},
	{"isof(Best,Depot.Grade)", "1 3 4"},
	{"isof(Grade,Edm.String)", ""},
	// Collections of values within each other.
	{"hassubset(Marks,['a','b'])", "1"},
	{"hassubset(Marks,['a','a'])", "1"},
	{"hassubset(Marks,['a','a','a'])", ""},
	{"hassubset(Marks,[\"a\"])", "1 4"},
	{"hassubset(Marks,['ב'])", "4"},
	{"hassubset(Marks,[])", "1 2 3 4"},
	{"not hassubset(Marks,['a'])", "2 3"},
	{"hassubset(['a','b','a','ב'],Marks)", "1 2 3 4"},
	{"hassubset(Counts,[3,4])", "1"},
	{"hassubset(Counts,[1.0])", "1 2 3"},
	{"hassubset(Counts,[1e0])", "1 2 3"},
	{"hassubset(Counts,[9007199254740993])", "3"},
	{"hassubset(Counts,[9007199254740992])", ""},
	{"hassubset(Rates,[0.5,1])", "1"},
	{"hassubset(Counts,Rates)", "2 3"},
	{"hassubset([4,1,3],[3,1]) and hassubset([4,1,3],[1,3,4])", "1 2 3 4"},
	{"hassubset([4,1,3],[1,3,5]) or hassubset([1,2],[1,1,2])", ""},
	{"contains(Marks,['b','a'])", "1"},
	{"contains(Marks,['a','a'])", ""},
	{"contains(Marks,[])", "1 2 3 4"},
	{"contains(Counts,[1.0,3])", "1"},
	{"contains(List,[1,true])", "1"},
	{"not contains(List,['z'])", "1 4"},
	{"contains(['a','b','ב'],Marks)", "2 3"},
	{"startswith(Marks,['a'])", "1"},
	{"startswith(Marks,['a','b','a','a'])", ""},
	{"startswith(Counts,[1])", "2"},
	{"endswith(Marks,['a'])", "1 4"},
	{"endswith(Counts,[1,1])", "3"},
	{"endswith([1,2],Counts)", "2 4"},
	{"indexof(Marks,['a']) eq 1", "4"},
	{"indexof(Marks,['b','a']) eq 1", "1"},
	{"indexof(Counts,[1]) eq -1", "4"},
	{"indexof(Marks,[]) eq 0", "1 2 3 4"},
	{"indexof(List,['x']) eq null", "2 3"},
	{"length(Marks) eq 3", "1"},
	{"length(Counts) eq length(Marks)", "1"},
	{"length([1,2]) add length(Counts) eq 2", "4"},
	{"contains(Marks,null) eq null", "1 2 3 4"},
	{"contains(Marks,'a')", "error"},
	{"contains(Marks,[1])", "error"},
	{"contains(Grade,['a'])", "error"},
	{"hassubsequence(Marks,['a','b'])", "1"},
	{"hassubsequence(Marks,['b','a'])", "1"},
	{"hassubsequence(Marks,['b','b'])", ""},
	{"hassubsequence(Marks,['a','a'])", "1"},
	{"hassubsequence(Marks,[])", "1 2 3 4"},
	{"hassubsequence(Counts,[4,3])", "1"},
	{"hassubsequence(Counts,[3,4])", ""},
	{"hassubsequence(Counts,[1,1])", "3"},
	{"hassubsequence([4,1,3],[4,1,3]) and hassubsequence([4,1,3,1],[1,1])", "1 2 3 4"},
	{"hassubsequence([4,1,3],[1,3,4]) or hassubsequence([4,1,3],[3,1]) or hassubsequence([1,2],[1,1,2])", ""},
	{"hassubset(List,['x'])", "1 4"},
	{"hassubset(List,[1])", "1 4"},
	{"hassubset(List,[true,1])", "1"},
	{"hassubsequence(List,[1,2.5])", "4"},
	{"hassubset(List,[]) eq null", "2 3"},
	{"not hassubset(List,['y'])", "1 4"},
	{"hassubset(@list,Marks)", "2 3"},
	{"hassubset(Marks,@none) eq null", "1 2 3 4"},
	{"hassubset(Marks,null) eq null", "1 2 3 4"},
	{"hassubset(Marks,[1])", "error"},
	{"hassubset(Counts,['1'])", "error"},
	{"hassubset(Marks,Counts)", "error"},
	{"hassubset(Marks,'a')", "error"},
	{"hassubset(ID,[1])", "error"},
	{"hassubset(Marks)", "error"},
	{"hassubset(Marks,[ID])", "error"},
	// Membership in a collection.
	{"'a' in Marks", "1 4"},
	{"not ('a' in Marks)", "2 3"},
	{"null in Marks", ""},
	{"ID in Counts", "1 2"},
	{"ID in Rates", "1"},
	{"Stage in Counts", "error"},
	{"'a' in Counts", "error"},
	{"'a' in List", "error"},
	{"'a' in Size", "error"},
	{"ID in [1,3]", "1 3"},
	// Structured values.
	{`Size eq {"Width":3,"Height":0,"Grade":"Poor","Unit":null}`, "1 3"},
	{`Size eq {"Grade":"Poor","Height":0,"Width":3.0}`, "1 3"},
	{`{"Grade":"Poor","Height":0,"Width":3} eq Size`, "1 3"},
	{`Size ne {"Width":3,"Height":0,"Grade":"Poor"}`, "2 4"},
	{`not (Size eq {"Width":3,"Height":7,"Grade":"Good","Unit":"cm"})`, "1 3 4"},
	{`Size eq {"Width":3}`, ""},
	{`Size eq {"Width":"3","Height":0,"Grade":"Poor"}`, ""},
	{"Size eq @size", "2"},
	{"Size eq Size and Marks eq Marks", "1 2 3 4"},
	{"Size ne Size", ""},
	{"Size ne null", "1 2 3 4"},
	{"Marks eq ['a','b','a']", "1"},
	{"Marks eq ['a','a','b']", ""},
	{"Marks ne ['b']", "1 2 4"},
	{"Marks eq []", "2"},
	{"Marks eq @list", ""},
	{"Counts eq [1,2.0]", "2"},
	{"Rates eq []", "2 3"},
	{"['b'] eq Marks", "3"},
	{"List eq ['x',1,true]", "1"},
	{"List eq [1,2.5,'x']", "4"},
	{"[1,2] eq [1,2.0] and [1,2] ne [2,1]", "1 2 3 4"},
	{`{"a":[1,null]} eq {"a":[1,null],"b":null}`, "1 2 3 4"},
	{`Size eq {"Nope":3}`, "error"},
	{"Size eq Marks", "error"},
	{"Size eq 5", "error"},
	{`Size gt {"Width":3}`, "error"},
	{"Marks eq [1]", "error"},
	{"Marks eq Counts", "error"},
	{"Marks eq null", "error"},
	{"Marks eq 'a'", "error"},
	{"Marks in (['a'])", "error"},
	{`Size eq {"Width"`, "error"},
	{`{"a":1}`, "error"},
	{"[true]", "error"},
	{`{"a":"[[{\\\"{{"} eq {"a":"[[{\\\"{{"}`, "1 2 3 4"},
	{"case(ID gt 2:Grade,true:Depot.Grade'Poor') eq 'Poor'", "1 2"},
}

func newStore(t *testing.T, dialect string) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	s.Service = odata.New(odata.Options{
		Namespace: "Depot", Prefix: "/shop", Read: db.Read, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	odata.Add(s.Service, odata.Set[Piece]{Name: "Items", Access: own("ID eq @maker")})
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		rows := append([]Piece(nil), items...)
		return errors.Join(tx.AutoMigrate(&Piece{}), tx.Create(&rows).Error)
	})
	if err = errors.Join(err, s.Build()); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTerms runs every filter on both databases and as a closure.
func TestTerms(t *testing.T) {
	env, err := eval.NewEnv(Piece{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range itemFilters {
		if strings.Contains(c.filter, "$root") || strings.Contains(c.filter, "@") {
			continue
		}
		if got := inGo(t, env, items, c.filter); got != c.want {
			t.Errorf("Go: %s: got %q, want %q", c.filter, got, c.want)
		}
	}
	for _, dialect := range storetest.Dialects {
		s := newStore(t, dialect)
		for _, c := range itemFilters {
			if got := s.filtered(t, "Items", c.filter, "&@list="+encode(`["b","c"]`)+"&@size="+encode(`{"Width":3,"Height":7,"Grade":"Good","Unit":"cm"}`)); got != c.want {
				t.Errorf("%s: %s: got %q, want %q", dialect, c.filter, got, c.want)
			}
		}
		for order, want := range map[string]string{
			"Grade": "1 4 3 2", "Best desc": "4 1 3 2", "Stage desc,ID desc": "4 1 3 2", "Next": "1 4 3 2", "Traits": "2 1 4 3", "Size/Grade": "2 4 1 3",
		} {
			if got := s.get(t, "/Items?$select=ID&$orderby="+encode(order)).names("ID"); got != want {
				t.Errorf("%s: by %s: got %q, want %q", dialect, order, got, want)
			}
		}
	}
}
