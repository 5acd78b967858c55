package odata_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Deal has what is to be exact: money in whole minor units.
type Deal struct {
	ID     int64
	Amount int64  `odata:"decimal=2"`
	Fee    *int64 `odata:"decimal=2"`
	Rate   *int32 `odata:"decimal=4"`
	Count  int64
}

var deals = []Deal{
	{ID: 1, Amount: 30, Fee: ptr(int64(30)), Rate: ptr(int32(3000)), Count: 3},
	{ID: 2, Amount: 10, Rate: ptr(int32(1)), Count: 1},
	{ID: 3, Amount: 12345678901234567, Fee: ptr(int64(12345678901234566)), Count: 7},
	{ID: 4, Amount: math.MaxInt64, Fee: ptr(int64(math.MaxInt64)), Count: math.MaxInt64},
	{ID: 5, Amount: math.MinInt64, Fee: ptr(int64(math.MaxInt64 - 1)), Rate: ptr(int32(-2500)), Count: math.MinInt64},
	{ID: 6, Amount: 0, Fee: ptr(int64(-5)), Count: 0},
}

// moneyFilters are filters over deals and the deals that satisfy them.
var moneyFilters = []struct{ filter, want string }{
	{"Amount eq 0.3", "1"},
	{"0.30 eq Amount", "1"},
	{"Amount eq 0.1 add 0.2", "1"},
	{"Amount add 0.1 eq 0.2", "2"},
	{"Amount mul 3 gt 0.3", "1 3 4"},
	{"Amount mul 3 eq 0.3", "2"},
	{"Amount eq 123456789012345.67", "3"},
	{"Amount gt 123456789012345.66 and Amount lt 123456789012345.68", "3"},
	{"Amount sub Fee eq 0.01", "3"},
	{"Amount sub Fee eq 0.00", "1 4"},
	{"Amount eq Fee", "1 4"},
	{"Amount gt Fee", "3 6"},
	{"Amount ne Fee", "2 3 5 6"},
	{"Fee eq null", "2"},
	{"Fee ne 0.3", "2 3 4 5 6"},
	{"not (Fee gt 0)", "2 6"},
	{"Amount eq Rate", "1"},
	{"Amount gt Rate", "2"},
	{"Amount eq 92233720368547758.07", "4"},
	{"Amount eq 92233720368547758.08", ""},
	{"Amount ge 92233720368547758.07", "4"},
	{"Amount lt 92233720368547758.08", "1 2 3 4 5 6"},
	{"Amount gt -92233720368547758.09", "1 2 3 4 5 6"},
	{"Amount eq -92233720368547758.08", "5"},
	{"Amount le -92233720368547758.08", "5"},
	{"Amount eq -92233720368547758.09", ""},
	{"Amount eq 0.301", ""},
	{"Amount ne 0.301", "1 2 3 4 5 6"},
	{"Amount lt 0.301 and Amount gt 0.299", "1"},
	{"Amount ge 0.301", "3 4"},
	{"Amount le 0.301", "1 2 5 6"},
	{"Fee gt -0.051 and Fee lt -0.049", "6"},
	{"Fee gt -0.05 and Fee lt 0", ""},
	{"Amount in (0.3,0.10,0.305,1e400)", "error"},
	{"Amount in (0.3,0.10,0.305)", "1 2"},
	{"Amount in (0,null)", "6"},
	{"Fee in (0.3,null)", "1 2"},
	{"not (Fee in (0.3,null))", "3 4 5 6"},
	{"Amount in (1e-1,3e-1)", "1 2"},
	{"(Amount mul 10) in (1,3.0)", "1 2"},
	{"(Amount add 0.01) in (0.31,123456789012345.68)", "1 3"},
	{"case(Count gt 5:Amount,true:0.5) eq 123456789012345.67", "3"},
	{"Rate eq 0.0001", "2"},
	{"Rate lt -0.24", "5"},
	{"Rate mul Amount eq 0.09", "1"},
	{"-Amount eq 92233720368547758.08", "5"},
	{"-Amount lt 0", "1 2 3 4"},
	{"round(Amount) eq 123456789012346", "3"},
	{"floor(Amount) eq 123456789012345", "3"},
	{"ceiling(Amount) eq 1", "1 2"},
	{"Amount mod 0.2 eq 0.1", "1 2"},
	{"Amount div 3 eq 0.1", "1"},
	{"Amount divby 3 eq 0.1", "1"},
	{"cast(Amount,Edm.String) eq '123456789012345.67'", "3"},
	{"cast(Amount,Edm.Int64) eq 123456789012345", "3"},
	{"Amount gt 1e3", "3 4"},
	{"Amount lt INF", "1 2 3 4 5 6"},
	{"Amount mul 1e0 gt 1e3", "3 4"},
	{"Count eq 9223372036854775807", "4"},
	{"Count eq '9223372036854775807'", "4"},
	{"Count eq -9223372036854775808", "5"},
	{"Count lt 9223372036854775807", "1 2 3 5 6"},
	{"Count in (9223372036854775807,-9223372036854775808)", "4 5"},
	{"Count add 1 eq null", "4"},
	{"Count sub 1 eq null", "5"},
	{"-Count eq null", "5"},
	{"Count mul 1.0 gt 9223372036854775806.5", "4"},
	{"Amount eq 'x'", "error"},
	{"Amount eq '0.30'", "1"},
}

func newBank(t *testing.T, dialect string, limits odata.Limits) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	s.Service = odata.New(odata.Options{
		Namespace: "Bank", Prefix: "/shop", Read: db.Read, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	odata.Add(s.Service, odata.Set[Deal]{Name: "Deals", Access: own("ID eq @maker")})
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		rows := append([]Deal(nil), deals...)
		return errors.Join(tx.AutoMigrate(&Deal{}), tx.Create(&rows).Error)
	})
	if err = errors.Join(err, s.Build()); err != nil {
		t.Fatal(err)
	}
	return s
}

// filtered lists the keys of the set's entities that satisfy filter, "error" where
// it is refused.
func (s *shop) filtered(t *testing.T, set, filter, more string) string {
	t.Helper()
	a := s.get(t, "/"+set+"?$select=ID&$orderby=ID&$filter="+encode(filter)+more)
	switch a.status {
	case 200:
		return a.names("ID")
	case 400:
		return "error"
	}
	return a.body
}

// inGo lists the entities of list, by their place, that satisfy filter by a closure.
func inGo[T any](t *testing.T, env *eval.Env, list []T, filter string) string {
	t.Helper()
	p, err := eval.Compile(env, "$filter", filter, edm.Boolean)
	if err != nil {
		return "error"
	}
	var ids []string
	for i := range list {
		if p.Bool(env.Record(&list[i], nil)) {
			ids = append(ids, strconv.Itoa(i+1))
		}
	}
	return strings.Join(ids, " ")
}

// TestMoney: numbers in minor units are exact, whatever their size, on every
// back end.
func TestMoney(t *testing.T) {
	env, err := eval.NewEnv(Deal{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range moneyFilters {
		if got := inGo(t, env, deals, c.filter); got != c.want {
			t.Errorf("Go: %s: got %q, want %q", c.filter, got, c.want)
		}
	}
	for _, dialect := range storetest.Dialects {
		s := newBank(t, dialect, odata.Limits{})
		for _, c := range moneyFilters {
			if got := s.filtered(t, "Deals", c.filter, ""); got != c.want {
				t.Errorf("%s: %s: got %q, want %q", dialect, c.filter, got, c.want)
			}
		}
	}
}

// TestMoneyAgrees draws comparisons of money, which have one answer everywhere.
func TestMoneyAgrees(t *testing.T) {
	env, err := eval.NewEnv(Deal{})
	if err != nil {
		t.Fatal(err)
	}
	var shops []*shop
	for _, dialect := range storetest.Dialects {
		shops = append(shops, newBank(t, dialect, odata.Limits{}))
	}
	operand := rapid.OneOf(
		rapid.SampledFrom([]string{"Amount", "Fee", "Rate", "Count", "0", "0.3", "0.31", "-0.05", "0.0001", "123456789012345.67", "92233720368547758.07", "-92233720368547758.08", "92233720368547758.075", "1e3", "3e-1", "null", "'0.3'"}),
		rapid.Custom(func(t *rapid.T) string {
			side := rapid.SampledFrom([]string{"Amount", "Fee", "Rate", "0.1", "3", "0.305"})
			return "(" + side.Draw(t, "l") + rapid.SampledFrom([]string{" add ", " sub ", " mul ", " div ", " divby ", " mod "}).Draw(t, "op") + side.Draw(t, "r") + ")"
		}),
	)
	rapid.Check(t, func(r *rapid.T) {
		filter := operand.Draw(r, "l") + rapid.SampledFrom([]string{" eq ", " ne ", " gt ", " ge ", " lt ", " le "}).Draw(r, "op") + operand.Draw(r, "r")
		want := inGo(t, env, deals, filter)
		for i, s := range shops {
			if got := s.filtered(t, "Deals", filter, ""); got != want {
				r.Fatalf("%s: %s: got %q, in Go %q", storetest.Dialects[i], filter, got, want)
			}
		}
	})
}

// TestMoneyTogether: what is aggregated, computed and shown of money is exact too.
func TestMoneyTogether(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		s := newBank(t, dialect, odata.Limits{})
		for _, c := range []struct{ query, want string }{
			{"$apply=filter(ID le 3)/aggregate(Amount with sum as S,Amount with max as M,Fee with min as N)", `[{"S":123456789012346.07,"M":123456789012345.67,"N":0.3}]`},
			{"$apply=filter(ID eq 4 or ID eq 3)/aggregate(Amount with sum as S)", `[{"S":92357177157560103.74}]`},
			{"$apply=aggregate(Fee with sum as S)", `[{"S":184590897526107862.04}]`},
			{"$apply=filter(ID eq 5)/aggregate(Amount with sum as S,Amount with min as M)", `[{"S":-92233720368547758.08,"M":-92233720368547758.08}]`},
			{"$apply=filter(false)/aggregate(Amount with sum as S,Amount with average as A,Amount with max as M)", `[{"S":null,"A":null,"M":null}]`},
			{"$apply=filter(ID le 2)/aggregate(Amount with average as A,Amount with countdistinct as D)", `[{"A":0.2,"D":2}]`},
			{"$apply=filter(ID le 3)/aggregate(Amount mul 3 with sum as S,Amount mul 3 with max as M,Amount mul 3 with min as N)", `[{"S":370370367037038.21,"M":370370367037037.01,"N":0.3}]`},
			{"$apply=groupby((Fee),aggregate(Amount with sum as S))/filter(S eq 123456789012345.67)", `[{"Fee":123456789012345.66,"S":123456789012345.67}]`},
			{"$apply=groupby((Fee),aggregate(Amount with sum as S))&$orderby=S desc&$top=2", `[{"Fee":92233720368547758.07,"S":92233720368547758.07},{"Fee":123456789012345.66,"S":123456789012345.67}]`},
			{"$apply=groupby((Amount))/filter(Amount in (0.3,0.1))&$orderby=Amount", `[{"Amount":0.10},{"Amount":0.30}]`},
			{"$apply=filter(ID le 3)/compute(Amount mul 3 as T,Amount add Fee as U)&$select=ID,T,U", `[{"ID":1,"T":0.9,"U":0.6},{"ID":2,"T":0.3,"U":null},{"ID":3,"T":370370367037037.01,"U":246913578024691.33}]`},
			{"$apply=compute(Amount mul 3 as T)/filter(T eq 370370367037037.01)&$select=ID", `[{"ID":3}]`},
			{"$apply=topcount(2,Amount mul 3)&$select=ID&$orderby=ID", `[{"ID":3},{"ID":4}]`},
			{"$apply=compute(Amount mul 1.5 as T)/aggregate(T with average as A)", `[{"A":30864197253086.516}]`},
			{"$compute=Count div 2 as D,Count div -1 as N&$select=D,N&$filter=ID in (4,5)", `[{"D":4611686018427387903,"N":-9223372036854775807},{"D":-4611686018427387904,"N":null}]`},
			// A property is shown with all its places, also by another name; what is calculated as short as it can be.
			{"$compute=Amount as A,Rate as R,Amount mul 1.50 as M,2.50 as C&$select=A,R,M,C&$top=1", `[{"A":0.30,"R":0.3000,"M":0.45,"C":2.5}]`},
			{"$apply=filter(ID eq 1)/compute(Amount as A,Rate as R,Amount mul 1.50 as M,2.50 as C)&$select=A,R,M,C", `[{"A":0.30,"R":0.3000,"M":0.45,"C":2.5}]`},
			{"$apply=filter(ID le 2)/compute(Amount as A)/filter(A gt 0.1)/groupby((A,Fee),aggregate(A with sum as S,A with max as M))", `[{"A":0.30,"Fee":0.30,"S":0.3,"M":0.3}]`},
			{"$apply=filter(ID le 2)/concat(groupby((Amount)),groupby((Rate)),compute(Amount as A))&$select=Amount,Rate,A", `[{"Amount":0.10},{"Amount":0.30},{"Rate":0.0001},{"Rate":0.3000},{"Amount":0.10,"Rate":0.0001,"A":0.10},{"Amount":0.30,"Rate":0.3000,"A":0.30}]`},
			{"$apply=filter(ID le 2)/concat(groupby((Amount)),aggregate(Amount with sum as A),compute(Amount as A))&$select=Amount,A&$orderby=A desc,Amount", `[{"A":0.4},{"Amount":0.30,"A":0.3},{"Amount":0.10,"A":0.1},{"Amount":0.10},{"Amount":0.30}]`},
			{"$apply=filter(ID eq 1)/groupby((Amount,Rate),aggregate(Amount mul 100 with sum as S))&$format=application/json;odata.metadata=none;IEEE754Compatible=true", `[{"Amount":"0.30","Rate":"0.3000","S":"30"}]`},
			{"$apply=filter(ID eq 1)/compute(Amount mul 100 as T,Amount divby 3 as D)&$select=T,D&$format=application/json;odata.metadata=none;IEEE754Compatible=true", `[{"T":"30","D":"0.1"}]`},
			// Casts to another type of number.
			{"$compute=cast(Count,Edm.Decimal) div 2 as D,cast(Count,Edm.Double) div 2 as F,cast(Count div 2,Edm.Decimal) as W,cast(1.5e0,Edm.Decimal) mul 3 as P,cast(Amount,Edm.Double) as A,cast(1e300,Edm.Int64) as N&$select=D,F,W,P,A,N&$top=1", `[{"D":1.5,"F":1.5,"W":1,"P":4.5,"A":0.3,"N":null}]`},
		} {
			if !strings.Contains(c.query, "$format") {
				c.query += "&$format=application/json;odata.metadata=none"
			}
			a := s.get(t, "/Deals?"+strings.ReplaceAll(c.query, " ", "%20"))
			var got bytes.Buffer
			_ = json.Compact(&got, []byte(a.body))
			if got.String() != `{"value":`+c.want+`}` {
				t.Errorf("%s: %s:\n got %s\nwant %s", dialect, c.query, a.body, c.want)
			}
		}
	}
}

// TestMoneyPages walks orders by money, page by page.
func TestMoneyPages(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		for size := 1; size <= 4; size++ {
			limits := odata.Limits{}
			limits.PageSize = size
			s := newBank(t, dialect, limits)
			for order, want := range map[string]string{
				"Amount": "5 6 2 1 3 4", "Amount desc": "4 3 1 2 6 5",
				"Fee": "2 6 1 3 5 4", "Fee desc": "4 5 3 1 6 2",
				"Amount mul 3": "5 6 2 1 3 4", "Fee sub 0.01 desc": "4 5 3 1 6 2", "Rate desc,ID": "1 2 5 3 4 6",
			} {
				if got := s.walk(t, "/Deals?$select=ID&$orderby="+encode(order)); got != want {
					t.Errorf("%s, pages of %d by %s: got %q, want %q", dialect, size, order, got, want)
				}
			}
		}
	}
}
