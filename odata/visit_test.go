package odata_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// Call has dates, times of day, durations and bytes.
type Call struct {
	ID    int64
	On    string  `odata:"type=Date"`
	Until *string `odata:"type=Date"`
	From  *string `odata:"type=TimeOfDay"`
	Lasts time.Duration
	Pause *time.Duration
	Data  []byte
	Photo *[]byte
}

var visits = []Call{
	{ID: 1, On: "2026-01-31", Until: ptr("2026-02-02"), From: ptr("09:30:00.000000"), Lasts: 90 * time.Minute, Data: []byte("\xff\xfe\x00a"), Photo: ptr([]byte{})},
	{ID: 2, On: "2024-02-29", From: ptr("23:59:59.500000"), Lasts: 36*time.Hour + 1500*time.Millisecond + 1, Pause: ptr(-time.Second), Data: []byte{}},
	{ID: 3, On: "2026-03-01", Until: ptr("2026-03-01"), Lasts: 0, Pause: ptr(2 * time.Microsecond), Data: []byte("hello"), Photo: ptr([]byte("hello"))},
}

var visitFilters = []struct{ filter, want string }{
	{"On eq 2026-01-31", "1"},
	{"On gt 2025-12-31", "1 3"},
	{"On eq Until", "3"},
	{"Until eq null", "2"},
	{"On in (2024-02-29,2026-03-01)", "2 3"},
	{"On eq '2026-01-31'", "1"},
	{"year(On) eq 2026 and month(On) eq 1 and day(On) eq 31", "1"},
	{"On add duration'P2D' eq Until", "1"},
	{"On sub duration'P1D' eq 2024-02-28", "2"},
	{"cast(On,Edm.String) eq '2026-03-01'", "3"},
	{"On eq 2026-02-30", "error"},
	{"On eq 5", "error"},
	{"From eq 09:30", "1"},
	{"From gt 09:30:00", "2"},
	{"From eq null", "3"},
	{"hour(From) eq 23 and second(From) eq 59 and fractionalseconds(From) eq 0.5", "2"},
	{"Lasts eq duration'PT1H30M'", "1"},
	{"Lasts gt duration'P1D'", "2"},
	{"Lasts eq duration'P1DT12H1.5S'", "2"},
	{"Lasts in (duration'PT0S',duration'PT90M')", "1 3"},
	{"Lasts mul 2 eq duration'PT3H'", "1"},
	{"-Lasts lt duration'-P1D'", "2"},
	{"totalseconds(Lasts) eq 5400", "1"},
	{"Lasts add Pause gt Lasts", "3"},
	{"Pause eq null", "1"},
	{"Pause lt duration'PT0S'", "2"},
	{"Pause eq duration'PT0.000002S'", "3"},
	{"not (Pause gt duration'PT0S')", "1 2"},
	{"cast(Lasts,Edm.String) eq 'P1DT43201.5S'", "2"},
	{"cast(Pause,Edm.String) eq '-PT1S' or cast(Lasts,Edm.String) eq 'PT0S'", "2 3"},
	{"Lasts eq 'PT1H30M'", "1"},
	{"Data eq binary'__4AYQ=='", "1"},
	{"Data eq binary'__4AYQ'", "1"},
	{"Data ne binary'aGVsbG8='", "1 2"},
	{"Data eq binary''", "2"},
	{"Data in (binary'aGVsbG8',binary'')", "2 3"},
	{"Data eq Photo", "3"},
	{"Photo eq null", "2"},
	{"Photo ne binary''", "2 3"},
	{"Data eq 'aGVsbG8='", "3"},
	{"Data gt binary''", "error"},
	{"Data eq binary'*'", "error"},
	{"contains(Data,'a')", "error"},
}

func newVisits(t *testing.T, dialect string, limits odata.Limits) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	s.Service = odata.New(odata.Options{Namespace: "Clinic", Prefix: "/shop", Read: db.Read, Limits: limits})
	odata.Add(s.Service, odata.Set[Call]{
		Name: "Visits", Access: own("ID eq @maker"),
		Create: func(ctx context.Context, v *Call) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Create(v).Error })
		},
	})
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		rows := append([]Call(nil), visits...)
		return errors.Join(tx.AutoMigrate(&Call{}), tx.Create(&rows).Error)
	})
	if err = errors.Join(err, s.Build()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVisits(t *testing.T) {
	env, err := eval.NewEnv(Call{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range visitFilters {
		if got := inGo(t, env, visits, c.filter); got != c.want {
			t.Errorf("Go: %s: got %q, want %q", c.filter, got, c.want)
		}
	}
	for _, dialect := range storetest.Dialects {
		s := newVisits(t, dialect, odata.Limits{})
		for _, c := range visitFilters {
			if got := s.filtered(t, "Visits", c.filter, ""); got != c.want {
				t.Errorf("%s: %s: got %q, want %q", dialect, c.filter, got, c.want)
			}
		}
	}
}

// TestVisitsShown: what is read is what was written, in the forms of JSON.
func TestVisitsShown(t *testing.T) {
	compact := func(text string) string {
		var b bytes.Buffer
		_ = json.Compact(&b, []byte(text))
		return b.String()
	}
	for _, dialect := range storetest.Dialects {
		limits := odata.Limits{}
		limits.PageSize = 1
		s := newVisits(t, dialect, limits)
		for _, c := range []struct{ path, want string }{
			{"/Visits(1)", `{"ID":1,"On":"2026-01-31","Until":"2026-02-02","From":"09:30:00.000000","Lasts":"PT5400S","Pause":null,"Data":"__4AYQ==","Photo":""}`},
			{"/Visits(2)", `{"ID":2,"On":"2024-02-29","Until":null,"From":"23:59:59.500000","Lasts":"P1DT43201.5S","Pause":"-PT1S","Data":"","Photo":null}`},
		} {
			if a := s.get(t, c.path+"?$format=application/json;odata.metadata=none"); compact(a.body) != c.want {
				t.Errorf("%s: %s:\n got %s\nwant %s", dialect, c.path, a.body, c.want)
			}
		}
		body := `{"ID":9,"On":"2030-12-31","Until":"2031-01-01","From":"07:05","Lasts":"PT1H0.25S","Pause":"-P1D","Data":"-_8","Photo":"AA=="}`
		created := s.do(t, t.Context(), "POST /Visits", body)
		read := s.get(t, "/Visits(9)")
		if created.status != 201 || compact(created.body) != compact(read.body) || !strings.Contains(compact(read.body), `"From":"07:05:00.000000","Lasts":"PT3600.25S","Pause":"-P1D","Data":"-_8=","Photo":"AA=="`) {
			t.Errorf("%s: created %d %s, read %s", dialect, created.status, created.body, read.body)
		}
		for _, wrong := range []string{`{"On":"2026-02-30"}`, `{"On":"today"}`, `{"On":5}`, `{"From":"24:00"}`, `{"Lasts":"1h"}`, `{"Lasts":5}`, `{"Data":"*"}`} {
			if a := s.do(t, t.Context(), "POST /Visits", wrong); a.status != 400 {
				t.Errorf("%s: %s: %d %s", dialect, wrong, a.status, a.body)
			}
		}
		for order, want := range map[string]string{"On": "2 1 3 9", "From desc": "2 1 9 3", "Lasts": "3 9 1 2", "Pause desc": "3 2 9 1", "Lasts add Pause": "1 9 3 2"} {
			if got := s.walk(t, "/Visits?$select=ID&$orderby="+encode(order)); got != want {
				t.Errorf("%s: by %s: got %q, want %q", dialect, order, got, want)
			}
		}
		if a := s.get(t, "/Visits?$orderby=Data"); a.status != 400 {
			t.Errorf("%s: %d %s", dialect, a.status, a.body)
		}
		a := s.get(t, "/Visits?$format=application/json;odata.metadata=none&$apply=filter(ID eq 3)/groupby((On,Lasts,Pause,Data))")
		if got := compact(a.body); got != `{"value":[{"On":"2026-03-01","Lasts":"PT0S","Pause":"PT0.000002S","Data":"aGVsbG8="}]}` {
			t.Errorf("%s: %s", dialect, a.body)
		}
		if a := s.get(t, "/$metadata"); !strings.Contains(a.body, `Name="From" Type="Edm.TimeOfDay"`) || !strings.Contains(a.body, `Name="Lasts" Type="Edm.Duration"`) || !strings.Contains(a.body, `Name="On" Type="Edm.Date" Nullable="false"`) {
			t.Error(a.body)
		}
	}
}
