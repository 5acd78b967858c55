package keys

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

var local = netip.MustParseAddr("127.0.0.1")

func TestAuthenticate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		in := func(d time.Duration) *time.Time { at := c.Now().Add(d); return &at }
		open := newConnection(t, s, Connection{CustomerID: customer, Name: "open", Scopes: []string{LeadsRead}})
		starting := newConnection(t, s, Connection{CustomerID: customer, StartsAt: in(0)})
		future := newConnection(t, s, Connection{CustomerID: customer, StartsAt: in(time.Microsecond)})
		ending := newConnection(t, s, Connection{CustomerID: customer, EndsAt: in(time.Microsecond)})
		ended := newConnection(t, s, Connection{CustomerID: customer, EndsAt: in(0)})
		fenced := newConnection(t, s, Connection{CustomerID: customer, AllowedNetworks: []string{"192.0.2.0/24", "2001:db8::/32", "::ffff:198.51.100.0/120"}})
		key := issue(t, s, open.ID).Key
		unknown := forge(key)
		wrong := wrongSecret(key)
		expired := issue(t, s, open.ID)
		set(t, db, "UPDATE keys SET expires_at = ? WHERE id = ?", c.Now(), expired.KeyID)
		living := issue(t, s, open.ID)
		set(t, db, "UPDATE keys SET expires_at = ? WHERE id = ?", c.Now().Add(time.Microsecond), living.KeyID)
		revoked := issue(t, s, open.ID)
		if err := s.Revoke(asStaff, revoked.KeyID); err != nil {
			t.Fatal(err)
		}
		fencedKey, other := issue(t, s, fenced.ID).Key, uuid.New()

		tests := []struct {
			name       string
			key        string
			connection *uuid.UUID
			remote     string
			ok         bool
		}{
			{"right", key, nil, "127.0.0.1", true},
			{"right with its connection", key, &open.ID, "127.0.0.1", true},
			{"no address", key, nil, "", true},
			{"another connection", key, &ended.ID, "127.0.0.1", false},
			{"unknown connection", key, &other, "127.0.0.1", false},
			{"empty", "", nil, "127.0.0.1", false},
			{"junk", strings.Repeat("x", keyLength), nil, "127.0.0.1", false},
			{"unknown id", unknown, nil, "127.0.0.1", false},
			{"wrong secret", wrong, nil, "127.0.0.1", false},
			{"expired key", expired.Key, nil, "127.0.0.1", false},
			{"key in its last moment", living.Key, nil, "127.0.0.1", true},
			{"revoked key", revoked.Key, nil, "127.0.0.1", false},
			{"connection that starts now", issue(t, s, starting.ID).Key, nil, "127.0.0.1", true},
			{"connection that starts later", issue(t, s, future.ID).Key, nil, "127.0.0.1", false},
			{"connection in its last moment", issue(t, s, ending.ID).Key, nil, "127.0.0.1", true},
			{"connection that ends now", issue(t, s, ended.ID).Key, nil, "127.0.0.1", false},
			{"inside the network", fencedKey, nil, "192.0.2.7", true},
			{"inside, written as IPv6", fencedKey, nil, "::ffff:192.0.2.7", true},
			{"inside the IPv6 network", fencedKey, nil, "2001:db8::1", true},
			{"inside, with a zone", fencedKey, nil, "2001:db8::1%eth0", true},
			{"inside a network written as IPv6", fencedKey, nil, "198.51.100.9", true},
			{"outside the networks", fencedKey, nil, "203.0.113.1", false},
			{"fenced, no address", fencedKey, nil, "", false},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				var remote netip.Addr
				if tt.remote != "" {
					remote = netip.MustParseAddr(tt.remote)
				}
				for _, round := range []string{"from the database", "from memory"} {
					got, err := s.Authenticate(ctx, tt.key, tt.connection, remote)
					if tt.ok && (err != nil || got.Kind != store.Machine || got.CustomerID != customer) {
						t.Errorf("%s: %+v, %v; want it let in", round, got, err)
					}
					if !tt.ok && (err != errRefused || got.Kind != store.Nobody) {
						t.Errorf("%s: %+v, %v; want the one refusal", round, got, err)
					}
				}
			})
		}

		got, err := s.Authenticate(ctx, key, nil, local)
		want := store.Actor{Kind: store.Machine, ConnectionID: open.ID, CustomerID: customer, Scopes: []string{LeadsRead}, Name: "open"}
		if err != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("actor %+v, %v; want %+v", got, err, want)
		}
	})
}

// forge gives a key of the same form that nobody issued.
func forge(key string) string {
	_, forged := compose([]byte("another id 16 by"), []byte(key[:32]))
	return forged
}

// wrongSecret gives a well-formed key with the id of key and another secret.
func wrongSecret(key string) string {
	body := key[:len(Prefix)+idDigits+1] + strings.Repeat("0", secretDigits)
	sum := checksum(body)
	return body + string(sum[:])
}

func set(t testing.TB, db *store.DB, sql string, args ...any) {
	t.Helper()
	if err := db.Write(ctx, func(tx *gorm.DB) error { return tx.Exec(sql, args...).Error }); err != nil {
		t.Fatal(err)
	}
}

func TestJunkNeverReachesTheDatabase(t *testing.T) {
	s := New(nil, storetest.Vault()) // a nil DB panics when it is asked
	key := forge(strings.Repeat("x", 32))
	flipped := key[:20] + string(key[20]^1) + key[21:]
	for _, junk := range []string{"", "junk", flipped, key[:len(key)-1], key + "x", strings.Repeat("a", 1<<20)} {
		if _, err := s.Authenticate(ctx, junk, nil, local); err != errRefused {
			t.Errorf("%.80q: %v, want the one refusal", junk, err)
		}
	}
}

func TestDatabaseFailureIsNoRefusal(t *testing.T) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		t.Run(dialect, func(t *testing.T) {
			db := storetest.Open(t, dialect)
			s, _, customer := newService(t, db)
			k := issue(t, s, newConnection(t, s, Connection{CustomerID: customer}).ID)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Authenticate(ctx, k.Key, nil, local); err == nil || err == errRefused {
				t.Errorf("with the database gone: %v", err)
			}
			if _, err := s.Authenticate(ctx, "junk", nil, local); err != errRefused {
				t.Errorf("junk with the database gone: %v", err)
			}
		})
	}
}

func TestChangesAreSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		here, c, customer := newService(t, db)
		there := New(db, storetest.Vault()) // another server on the same database
		there.Now = c.Now
		conn := newConnection(t, here, Connection{CustomerID: customer})
		k := issue(t, here, conn.ID)
		try := func(s *Service) bool {
			_, err := s.Authenticate(ctx, k.Key, nil, local)
			return err == nil
		}
		if !try(here) || !try(there) {
			t.Fatal("a new key does not work")
		}
		end := c.Now()
		conn.EndsAt = &end
		if err := here.UpdateConnection(asStaff, conn); err != nil {
			t.Fatal(err)
		}
		if try(here) {
			t.Error("the change is not seen at once where it was made")
		}
		c.advance(cacheLifetime)
		if try(there) {
			t.Error("the change is not seen elsewhere after the lifetime of the cache")
		}
		conn.EndsAt = nil
		if err := here.UpdateConnection(asStaff, conn); err != nil {
			t.Fatal(err)
		}
		if !try(here) {
			t.Error("the key does not work again at once")
		}
	})
}

// A grant read before a change must not be kept after it.
func TestPurgeBeatsALateRead(t *testing.T) {
	c, now := newCache(), time.Now()
	_, turn := c.get("id", now)
	c.purge()
	c.put("id", &grant{known: true, loaded: now}, turn)
	if g, _ := c.get("id", now); g != nil {
		t.Error("a grant from before the purge was kept")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c, now := newCache(), time.Now()
	_, turn := c.get("", now)
	c.put("real", &grant{known: true, loaded: now}, turn)
	for i := range 3 * cacheSize {
		c.put(base62([]byte{byte(i >> 16), byte(i >> 8), byte(i)}, idDigits), &grant{loaded: now}, turn)
	}
	if len(c.absent) != cacheSize {
		t.Errorf("%d unknown ids are kept, want %d", len(c.absent), cacheSize)
	}
	if g, _ := c.get("real", now); g == nil {
		t.Error("invented keys pushed out a real one")
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	for _, dialect := range []string{"sqlite", "postgres"} {
		db := storetest.Open(b, dialect)
		s, c, customer := newService(b, db)
		k := issue(b, s, newConnection(b, s, Connection{CustomerID: customer, AllowedNetworks: []string{"127.0.0.0/8"}, RequestsPerMinute: 1_000_000_000}).ID)
		b.Run(dialect+"/cached", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(dialect+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.advance(cacheLifetime)
				if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("junk", func(b *testing.B) {
		s, junk := New(nil, storetest.Vault()), strings.Repeat("0", keyLength)
		for b.Loop() {
			if _, err := s.Authenticate(ctx, junk, nil, local); err == nil {
				b.Fatal("junk was let in")
			}
		}
	})
}
