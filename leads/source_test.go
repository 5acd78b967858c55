package leads

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestSources(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Name: " Site form ", Kind: KindJSON, MaxRoutings: 1})
		token := src.Token
		var err error
		if src.Token, err = s.Vault.OpenText(kept(t, s, src.ID).Token); err != nil || src.Token != token {
			t.Errorf("the token %s is kept as that of %s, %v", token, src.Token, err)
		}
		src.Token = kept(t, s, src.ID).Token
		want := Source{
			ID: src.ID, Name: "Site form", Kind: KindJSON, Token: src.Token, TokenMAC: src.TokenMAC, Region: "IL", MaxRoutings: 1, Enabled: true,
			CreatedAt: src.CreatedAt, Version: 1, Settings: SourceSettings{}, Mapping: []FieldMapping{}, Checks: []Check{},
			OnwardSettings: SourceSettings{}, OnwardMapping: []MappingEntry{}, OnwardBreaker: "closed",
		}
		got := kept(t, s, src.ID)
		if diff := cmp.Diff(want, got); diff != "" || cmp.Diff(want, *src) != "" {
			t.Error(diff, cmp.Diff(want, *src))
		}
		if !plausibleToken(token) || src.ID == 0 || src.CreatedAt.IsZero() {
			t.Errorf("got %+v", src)
		}

		next := *src
		next.MaxRoutings, next.Region, next.Token = 0, "dk", "mine"
		if err := s.UpdateSource(manager(), &next); err != nil {
			t.Fatal(err)
		}
		want.MaxRoutings, want.Region, want.Version = 0, "DK", 2
		if diff := cmp.Diff(want, kept(t, s, src.ID)); diff != "" {
			t.Error(diff)
		}
		wantFault(t, s.UpdateSource(manager(), src), fault.PreconditionFailed, "")
		wantFault(t, s.UpdateSource(manager(), &Source{ID: 99, Name: "x", Kind: KindForm}), fault.NotFound, "")

		if _, err := post(s, &Source{Token: token}, `{"City":"Haifa"}`); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.DeleteSource(manager(), src.ID), fault.Conflict, "")
		empty := addSource(t, s, Source{Kind: KindForm})
		if _, err := post(s, empty, ``); err == nil { // leaves a rejection
			t.Error("an empty delivery was taken")
		}
		if err := s.DeleteSource(manager(), empty.ID); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.DeleteSource(manager(), empty.ID), fault.NotFound, "")
		if _, err := post(s, empty, `a=1`); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("the token of a deleted source gave %v", err)
		}
	})
}

// kept is the source as it is in the database.
func kept(t testing.TB, s *Service, id int64) (src Source) {
	t.Helper()
	if err := s.DB.Read(context.Background()).Where("id = ?", id).Take(&src).Error; err != nil {
		t.Fatal(err)
	}
	return src
}

func TestSourcesRefuse(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	tests := []struct {
		name   string
		source Source
		target string
	}{
		{"no name", Source{Name: " ", Kind: KindJSON}, "Name"},
		{"a long name", Source{Name: strings.Repeat("א", 201), Kind: KindJSON}, "Name"},
		{"no kind", Source{Name: "x"}, "Kind"},
		{"a kind there is not", Source{Name: "x", Kind: "fax"}, "Kind"},
		{"google-ads without a secret", Source{Name: "x", Kind: KindGoogleAds}, "Secret"},
		{"a MAC of one's own", Source{Name: "x", Kind: KindGoogleAds, SecretMAC: []byte("x")}, "Secret"},
		{"a secret nobody checks", Source{Name: "x", Kind: KindJSON, Secret: "y"}, "Secret"},
		{"a country there is not", Source{Name: "x", Kind: KindJSON, Region: "QQ"}, "Region"},
		{"a country's name", Source{Name: "x", Kind: KindJSON, Region: "Israel"}, "Region"},
		{"less than none", Source{Name: "x", Kind: KindJSON, MaxRoutings: -1}, "MaxRoutings"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { wantFault(t, s.CreateSource(manager(), &test.source), fault.Invalid, test.target) })
	}
	if n := count(t, s, "sources"); n != 0 {
		t.Errorf("%d sources were stored", n)
	}
}

func TestSourcesNeedAManager(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	viewer := store.WithActor(context.Background(), store.Actor{Kind: store.Staff, Role: store.Viewer})
	machine := store.WithActor(context.Background(), store.Actor{Kind: store.Machine})
	for ctx, code := range map[context.Context]fault.Code{context.Background(): fault.Unauthorized, viewer: fault.Forbidden, machine: fault.Forbidden} {
		for _, err := range []error{
			s.CreateSource(ctx, &Source{Name: "x", Kind: KindJSON}), s.UpdateSource(ctx, &Source{}), s.DeleteSource(ctx, 1),
			s.CreateLead(ctx, &Lead{}), s.UpdateLead(ctx, &Lead{}),
		} {
			if fault.CodeOf(err) != code {
				t.Errorf("got %v, want %s", err, code)
			}
		}
	}
}

func TestSecret(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindGoogleAds, Secret: "swordfish-7"})
	if src.Secret != "" || bytes.Contains(src.SecretMAC, []byte("swordfish")) || !s.proves(src, "swordfish-7") || s.proves(src, "") {
		t.Errorf("got %+v", src)
	}
	src.Name = "renamed"
	if err := s.UpdateSource(manager(), src); err != nil || !s.proves(src, "swordfish-7") {
		t.Errorf("an update without a Secret must keep it: %v", err)
	}
	src.Secret = "swordfish-8"
	if err := s.UpdateSource(manager(), src); err != nil || !s.proves(src, "swordfish-8") || s.proves(src, "swordfish-7") {
		t.Errorf("an update with a Secret must change it: %v", err)
	}
	src.Kind = KindJSON
	if err := s.UpdateSource(manager(), src); err != nil || src.SecretMAC != nil {
		t.Errorf("json needs no secret: %v", err)
	}
}

func TestNewToken(t *testing.T) {
	token, err := newToken(bytes.NewReader(append([]byte{0, 61, 62, 63, 64 + 10}, make([]byte, 40)...)))
	if want := "0zA" + strings.Repeat("0", 19); err != nil || token != want {
		t.Errorf("got %s, %v, want %s", token, err, want)
	}
	if _, err := newToken(strings.NewReader("short")); err == nil {
		t.Error("too little randomness gave a token")
	}
}

// Sources come from memory for two seconds, but changes made here show at once.
func TestSourceCache(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := &clock{store.Now()}
		s, elsewhere := New(db, storetest.Vault()), New(db, storetest.Vault())
		s.Now = clock.Now
		src := addSource(t, s, Source{Kind: KindJSON})
		receives := func() bool {
			_, err := post(s, src, `{"City":"Haifa"}`)
			return err == nil
		}
		if !receives() {
			t.Fatal("a new source does not receive")
		}
		src.Enabled = false
		if err := elsewhere.UpdateSource(manager(), src); err != nil {
			t.Fatal(err)
		}
		clock.now = clock.now.Add(1900 * time.Millisecond)
		if !receives() {
			t.Error("not taken from memory")
		}
		clock.now = clock.now.Add(100 * time.Millisecond)
		if receives() {
			t.Error("still from memory after two seconds")
		}
		src.Enabled = true
		if err := s.UpdateSource(manager(), src); err != nil || !receives() {
			t.Errorf("a change made here does not show at once: %v", err)
		}
	})
}

func TestSourceCacheIsBounded(t *testing.T) {
	c := newSourceCache()
	for i := range cacheSize + 10 {
		c.put(string(rune(0x400+i)), cachedSource{}, 0)
	}
	if len(c.entries) != cacheSize {
		t.Errorf("%d entries", len(c.entries))
	}
	_, turn := c.get("x", time.Time{})
	c.purge()
	c.put("x", cachedSource{}, turn)
	if len(c.entries) != 0 {
		t.Error("a source read before the purge was kept after it")
	}
}
