package leads

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// manager is a context in which staff with the role manager acts.
func manager() context.Context {
	return store.WithActor(context.Background(), store.Actor{Kind: store.Staff, UserID: 1, Role: store.Manager})
}

// addSource stores a source, fails the test if it cannot, and returns it.
func addSource(t testing.TB, s *Service, src Source) *Source {
	t.Helper()
	if src.Name == "" {
		src.Name = "טופס באתר"
	}
	src.Enabled = true
	if err := s.CreateSource(manager(), &src); err != nil {
		t.Fatal(err)
	}
	return &src
}

// post receives a JSON body.
func post(s *Service, src *Source, body string) ([]Receipt, error) {
	return s.Receive(context.Background(), src.Token, Delivery{Method: "POST", ContentType: "application/json", Body: []byte(body)})
}

// stored returns the lead of a receipt as it is in the database.
func stored(t testing.TB, s *Service, r Receipt) *Lead {
	t.Helper()
	var l Lead
	if err := s.DB.Read(context.Background()).Where("id = ?", r.ID).Take(&l).Error; err != nil {
		t.Fatal(err)
	}
	return &l
}

// count counts the rows of a table.
func count(t testing.TB, s *Service, table string) int64 {
	t.Helper()
	var n int64
	if err := s.DB.Read(context.Background()).Table(table).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// wantFault checks an error's code and target.
func wantFault(t testing.TB, err error, code fault.Code, target string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code || e.Target != target {
		t.Errorf("got the error %v, want %s at %q", err, code, target)
		if e != nil {
			t.Logf("it was %s at %q", e.Code, e.Target)
		}
	}
}

// text shows a lead's text properties that are set, and its dynamic ones.
func text(l *Lead) map[string]any {
	m := map[string]any{}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	var all map[string]any
	if err := json.Unmarshal(b, &all); err != nil {
		panic(err)
	}
	for _, p := range textProperties {
		if v := all[p.name]; v != nil {
			m[p.name] = v
		}
	}
	for name, v := range l.Properties {
		m[name] = v
	}
	return m
}

// clock is a time that tests set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }
