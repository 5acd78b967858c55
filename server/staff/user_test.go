package staff

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// TestMain stops the database server the tests used.
func TestMain(m *testing.M) { storetest.Main(m) }

// clock is a Now that stands still until it is told otherwise.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var (
	background = context.Background()
	asSystem   = store.WithActor(background, store.Actor{Kind: store.System, Name: "test"})
	home       = netip.MustParseAddr("192.0.2.1")
)

const goodPassword = "סיסמה ארוכה 1"

// newStaff returns a Service whose hashing is cheap, and its clock.
func newStaff(db *store.DB) (*Service, *clock) {
	s, c := New(db, storetest.Vault()), &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s.Now, s.Cost = c.Now, Cost{Memory: 64, Passes: 1, Threads: 1}
	return s, c
}

func addUser(t testing.TB, s *Service, email, role string) *User {
	t.Helper()
	u := &User{Email: email, Role: role, Password: goodPassword, Active: true}
	if err := s.CreateUser(asSystem, u); err != nil {
		t.Fatal(err)
	}
	return u
}

// wantFault checks the code and, unless it is "-", the target of an error.
func wantFault(t testing.TB, err error, code fault.Code, target string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code || target != "-" && e.Target != target {
		t.Errorf("error %v, want code %s at %q", err, code, target)
	}
}

func TestCreateUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		u := &User{Email: " Admin@Example.COM ", Name: "דנה", Role: "admin", Password: goodPassword, Active: true}
		if err := s.CreateUser(asSystem, u); err != nil {
			t.Fatal(err)
		}
		if u.ID == 0 || u.Email != "admin@example.com" || !u.Active || !u.CreatedAt.Equal(c.Now()) || u.Version != 1 || u.Password != "" {
			t.Errorf("created %+v", u)
		}
		if !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(u.PasswordHash, goodPassword) {
			t.Errorf("hash %q", u.PasswordHash)
		}
		found, err := s.UserByEmail(asSystem, "ADMIN@example.com")
		if err != nil || found.ID != u.ID || found.Name != "דנה" {
			t.Errorf("found %+v, %v", found, err)
		}
		_, err = s.UserByEmail(asSystem, "nobody@example.com")
		wantFault(t, err, fault.NotFound, "")

		off := &User{Email: "off@example.com", Role: "viewer", Password: goodPassword}
		if err := s.CreateUser(asSystem, off); err != nil {
			t.Fatal(err)
		}
		list, err := s.ListUsers(asSystem)
		if err != nil || len(list) != 2 || list[0].Email != "admin@example.com" || list[1].Active {
			t.Errorf("list %+v, %v", list, err)
		}

		tests := []struct {
			name   string
			user   User
			code   fault.Code
			target string
		}{
			{"taken address", User{Email: "ADMIN@example.com", Role: "viewer", Password: goodPassword}, fault.Conflict, "Email"},
			{"no address", User{Role: "viewer", Password: goodPassword}, fault.Invalid, "Email"},
			{"not an address", User{Email: "admin", Role: "viewer", Password: goodPassword}, fault.Invalid, "Email"},
			{"no role", User{Email: "a@example.com", Password: goodPassword}, fault.Invalid, "Role"},
			{"unknown role", User{Email: "a@example.com", Role: "root", Password: goodPassword}, fault.Invalid, "Role"},
			{"no password", User{Email: "a@example.com", Role: "viewer"}, fault.Invalid, "Password"},
			{"nine characters", User{Email: "a@example.com", Role: "viewer", Password: "אבגדהוזחט"}, fault.Invalid, "Password"},
			{"a book", User{Email: "a@example.com", Role: "viewer", Password: strings.Repeat("x", maxPassword+1)}, fault.Invalid, "Password"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { wantFault(t, s.CreateUser(asSystem, &tt.user), tt.code, tt.target) })
		}
	})
}

func TestUpdateUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		addUser(t, s, "admin@example.com", "admin")
		u := addUser(t, s, "dana@example.com", "manager")
		stale := *u
		u.Name, u.Role = "Dana", "viewer"
		if err := s.UpdateUser(asSystem, u); err != nil || u.Version != 2 {
			t.Fatalf("version %d, %v", u.Version, err)
		}
		if _, err := s.SignIn(background, u.Email, goodPassword, home); err != nil {
			t.Errorf("the password is gone after an update without one: %v", err)
		}
		wantFault(t, s.UpdateUser(asSystem, &stale), fault.PreconditionFailed, "")
		gone := *u
		gone.ID = 999
		wantFault(t, s.UpdateUser(asSystem, &gone), fault.NotFound, "")
		u.Password = "short"
		wantFault(t, s.UpdateUser(asSystem, u), fault.Invalid, "Password")
		u.Password = "another password"
		if err := s.UpdateUser(asSystem, u); err != nil || u.Password != "" {
			t.Fatalf("%q left, %v", u.Password, err)
		}
		if _, err := s.SignIn(background, u.Email, "another password", home); err != nil {
			t.Errorf("the new password: %v", err)
		}
	})
}

func TestAnAdminIsLeft(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		u := addUser(t, s, "admin@example.com", "admin")
		addUser(t, s, "viewer@example.com", "viewer")
		demoted, off := *u, *u
		demoted.Role, off.Active = "viewer", false
		wantFault(t, s.UpdateUser(asSystem, &demoted), fault.Conflict, "")
		wantFault(t, s.UpdateUser(asSystem, &off), fault.Conflict, "")
		wantFault(t, s.DeleteUser(asSystem, u.ID), fault.Conflict, "")
		addUser(t, s, "second@example.com", "admin")
		if err := s.DeleteUser(asSystem, u.ID); err != nil {
			t.Errorf("with another admin left: %v", err)
		}
		wantFault(t, s.DeleteUser(asSystem, u.ID), fault.NotFound, "")
	})
}

// Of two admins who take each other's role or access away at the same instant, one
// is too late.
func TestAdminsApart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		a, b := addUser(t, s, "a@example.com", "admin"), addUser(t, s, "b@example.com", "admin")
		as := func(ctx context.Context, u *User) context.Context {
			return store.WithActor(ctx, store.Actor{Kind: store.Staff, UserID: u.ID, Role: store.Admin})
		}
		ended := make(chan error, 1)
		err := db.Write(t.Context(), func(tx *gorm.DB) error {
			demoted := *b
			demoted.Role = "viewer"
			if err := s.UpdateUser(as(tx.Statement.Context, a), &demoted); err != nil {
				return err
			}
			go func() { // while that is not committed
				barred := *a
				barred.Active = false
				ended <- s.UpdateUser(as(t.Context(), b), &barred)
			}()
			if db.Dialect() == store.SQLite { // has one writer, which we are
				return nil
			}
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				var waiting int
				if err := db.Read(t.Context()).Raw(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting).Error; err != nil || waiting > 0 {
					return err
				}
			}
			return errors.New("the other does not wait")
		})
		if err != nil {
			t.Fatal(err)
		}
		wantFault(t, <-ended, fault.Conflict, "")
		for _, u := range []*User{a, b} {
			now, err := s.UserByEmail(asSystem, u.Email)
			if err != nil || !now.Active || (now.Role == "admin") != (u == a) {
				t.Errorf("%+v, %v", now, err)
			}
		}
	})
}

func TestOnlyAdminsKeepUsers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		u := addUser(t, s, "admin@example.com", "admin")
		manager := store.WithActor(background, store.Actor{Kind: store.Staff, Role: store.Manager, UserID: u.ID})
		for name, call := range map[string]func(context.Context) error{
			"create": func(ctx context.Context) error {
				return s.CreateUser(ctx, &User{Email: "a@example.com", Role: "admin", Password: goodPassword})
			},
			"update": func(ctx context.Context) error { return s.UpdateUser(ctx, u) },
			"delete": func(ctx context.Context) error { return s.DeleteUser(ctx, u.ID) },
			"passwd": func(ctx context.Context) error { return s.SetPassword(ctx, u.ID, goodPassword) },
			"list":   func(ctx context.Context) error { _, err := s.ListUsers(ctx); return err },
			"find":   func(ctx context.Context) error { _, err := s.UserByEmail(ctx, u.Email); return err },
		} {
			t.Run(name, func(t *testing.T) {
				wantFault(t, call(manager), fault.Forbidden, "")
				wantFault(t, call(background), fault.Unauthorized, "")
			})
		}
	})
}

func TestChangePassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		u := addUser(t, s, "dana@example.com", "viewer")
		dana := store.WithActor(background, store.Actor{Kind: store.Staff, Role: store.Viewer, UserID: u.ID})
		wantFault(t, s.ChangePassword(dana, "wrong password", "another password"), fault.Invalid, "Current")
		wantFault(t, s.ChangePassword(dana, goodPassword, "short"), fault.Invalid, "Password")
		wantFault(t, s.ChangePassword(asSystem, goodPassword, "another password"), fault.Forbidden, "")
		if err := s.ChangePassword(dana, goodPassword, "another password"); err != nil {
			t.Fatal(err)
		}
		_, err := s.SignIn(background, u.Email, goodPassword, home)
		wantFault(t, err, fault.Unauthorized, "")
		if _, err := s.SignIn(background, u.Email, "another password", home); err != nil {
			t.Error(err)
		}
		wantFault(t, s.SetPassword(asSystem, 999, goodPassword), fault.NotFound, "")
	})
}

func TestPasswordHash(t *testing.T) {
	s, _ := newStaff(nil)
	s.Rand = rand.NewChaCha8([32]byte{})
	hash, err := s.newHash(background, goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.newHash(background, goodPassword)
	if err != nil || hash == again {
		t.Errorf("the same hash twice: %q, %v", hash, err)
	}
	s.Cost = defaultCost // what is stored says what it was made with
	tests := []struct {
		password string
		want     bool
	}{
		{goodPassword, true},
		{goodPassword + " ", false},
		{"", false},
		{strings.Repeat("x", 1<<20), false},
	}
	for _, tt := range tests {
		if got, err := s.verify(background, hash, tt.password); err != nil || got != tt.want {
			t.Errorf("verify %.20q: %v, %v; want %v", tt.password, got, err, tt.want)
		}
	}
	for _, bad := range []string{
		"", "plain", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=64,t=0,p=1$AAAA$AAAA",
		"$argon2id$v=19$m=99999999,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=64,t=1,p=1$*$AAAA",
	} {
		if _, err := s.verify(background, bad, goodPassword); err == nil {
			t.Errorf("hash %q was taken", bad)
		}
	}
}

// Two hash at once, and who waits gives up with its context.
func TestHashingIsBounded(t *testing.T) {
	s, _ := newStaff(nil)
	s.hashing <- struct{}{}
	s.hashing <- struct{}{}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := s.newHash(ctx, goodPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("a third hash: %v, want it to wait", err)
	}
	<-s.hashing
	if _, err := s.newHash(background, goodPassword); err != nil {
		t.Error(err)
	}
}

func BenchmarkPasswordHash(b *testing.B) {
	s, _ := newStaff(nil)
	s.Cost = defaultCost
	for b.Loop() {
		if _, err := s.newHash(background, goodPassword); err != nil {
			b.Fatal(err)
		}
	}
}
