package staff

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"leadloop/store"
	"leadloop/store/storetest"
)

// forger makes tokens that differ from a good one in what a test wants.
type forger struct {
	header, claims map[string]any
	method         jwt.SigningMethod
	key            any
}

// signingKey is the one that signs now.
func signingKey(t testing.TB, s *Service) ringKey {
	t.Helper()
	k, err := s.signer(background, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newForger(t *testing.T, s *Service, good string) *forger {
	t.Helper()
	f := &forger{method: jwt.SigningMethodHS256, key: signingKey(t, s).secret}
	parts := strings.Split(good, ".")
	for i, into := range []*map[string]any{&f.header, &f.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f forger) token(t *testing.T) string {
	t.Helper()
	token := &jwt.Token{Header: f.header, Claims: jwt.MapClaims(f.claims), Method: f.method}
	signed, err := token.SignedString(f.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestForgedTokensAreRefused(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&private.PublicKey)})
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		admin := addUser(t, s, "admin@example.com", "admin")
		dana := addUser(t, s, "dana@example.com", "viewer")
		good := signIn(t, s, dana.Email).AccessToken
		claim := func(name string, value any) func(*forger) {
			return func(f *forger) { f.claims[name] = value }
		}
		header := func(name string, value any) func(*forger) {
			return func(f *forger) { f.header[name] = value }
		}
		sign := func(alg string, method jwt.SigningMethod, key any) func(*forger) {
			return func(f *forger) { f.header["alg"], f.method, f.key = alg, method, key }
		}
		without := func(name string) func(*forger) {
			return func(f *forger) { delete(f.claims, name) }
		}
		secret := signingKey(t, s).secret
		for name, change := range map[string]func(*forger){
			"alg none":                     sign("none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
			"alg None":                     sign("None", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
			"RS256":                        sign("RS256", jwt.SigningMethodRS256, private),
			"HS256 under a public key":     sign("HS256", jwt.SigningMethodHS256, public),
			"RS256 header, HMAC signature": sign("RS256", jwt.SigningMethodHS256, secret),
			"HS512 under our key":          sign("HS512", jwt.SigningMethodHS512, secret),
			"HS384 under our key":          sign("HS384", jwt.SigningMethodHS384, secret),
			"HS256 under an empty key":     sign("HS256", jwt.SigningMethodHS256, []byte{}),
			"HS256 under another key":      sign("HS256", jwt.SigningMethodHS256, s.Vault.Key("other")),
			"HS256 under the sealed key":   sign("HS256", jwt.SigningMethodHS256, s.Vault.Seal(secret)),
			"a key of its own in jwk":      func(f *forger) { f.header["jwk"], f.key = map[string]any{"kty": "oct", "k": "AAAA"}, []byte{0, 0, 0} },
			"a key of its own by jku":      func(f *forger) { f.header["jku"], f.key = "https://example.com/keys", []byte("their own") },
			"no kid":                       func(f *forger) { delete(f.header, "kid") },
			"another kid":                  header("kid", "other"),
			"a path as kid":                header("kid", "../../../../dev/null"),
			"SQL as kid":                   header("kid", "x' UNION SELECT 'key"),
			"a number as kid":              header("kid", 1),
			"many as kid":                  header("kid", []string{signingKey(t, s).id}),
			"nothing as kid":               header("kid", ""),
			"another issuer":               claim("iss", "elsewhere"),
			"no issuer":                    without("iss"),
			"another audience":             claim("aud", "elsewhere"),
			"no audience":                  without("aud"),
			"expired":                      claim("exp", c.Now().Unix()),
			"no expiry":                    without("exp"),
			"text as expiry":               claim("exp", "never"),
			"not before later":             claim("nbf", c.Now().Add(time.Hour).Unix()),
			"another user":                 claim("sub", strconv.FormatInt(admin.ID, 10)),
			"unknown user":                 claim("sub", "999999"),
			"no user":                      without("sub"),
			"not a user":                   claim("sub", "dana@example.com"),
			"another session":              claim("sid", "00000000-0000-4000-8000-000000000000"),
			"no session":                   without("sid"),
			"not a session":                claim("sid", "x"),
		} {
			t.Run(name, func(t *testing.T) {
				f := newForger(t, s, good)
				change(f)
				for range 2 { // from the database, and from memory
					if got, err := s.Authenticate(background, f.token(t)); err != errToken || got.Kind != store.Nobody {
						t.Errorf("%+v, %v; want the one refusal", got, err)
					}
				}
			})
		}
		if _, err := s.Authenticate(background, newForger(t, s, good).token(t)); err != nil {
			t.Errorf("the same claims unchanged: %v", err)
		}
	})
}

func TestTamperedTokensAreRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		dana := addUser(t, s, "dana@example.com", "viewer")
		good := signIn(t, s, dana.Email).AccessToken
		parts := strings.Split(good, ".")
		f := newForger(t, s, good)
		escalated := maps.Clone(f.claims)
		escalated["sub"], escalated["role"] = "1", "admin"
		raw, err := json.Marshal(escalated)
		if err != nil {
			t.Fatal(err)
		}
		payload := base64.RawURLEncoding.EncodeToString(raw)
		for name, token := range map[string]string{
			"empty":              "",
			"junk":               "junk",
			"dots":               "..",
			"no signature":       parts[0] + "." + parts[1] + ".",
			"two parts":          parts[0] + "." + parts[1],
			"four parts":         good + "." + parts[2],
			"other claims":       parts[0] + "." + payload + "." + parts[2],
			"signature cut":      good[:len(good)-2],
			"padded":             good + "=",
			"space before":       " " + good,
			"signature reversed": parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
			"huge":               strings.Repeat("a", 1<<20),
			"an API key":         "ll_live_0000000000_0000000000000000000000000000000000000000000000000",
		} {
			t.Run(name, func(t *testing.T) {
				if _, err := s.Authenticate(background, token); err != errToken {
					t.Errorf("%v; want the one refusal", err)
				}
			})
		}
		for i := range good {
			flipped := []byte(good)
			flipped[i] ^= 1
			if got, err := s.Authenticate(background, string(flipped)); err != errToken {
				t.Fatalf("bit flipped at %d: %+v, %v", i, got, err)
			}
		}
	})
}

func TestTokenClaims(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		u := addUser(t, s, "dana@example.com", "viewer")
		f := newForger(t, s, signIn(t, s, u.Email).AccessToken)
		want := map[string]any{
			"iss": "leadloop", "sub": strconv.FormatInt(u.ID, 10),
			"iat": float64(c.Now().Unix()), "exp": float64(c.Now().Add(15 * time.Minute).Unix()),
		}
		for name, value := range want {
			if f.claims[name] != value {
				t.Errorf("claim %s is %v, want %v", name, f.claims[name], value)
			}
		}
		if f.header["alg"] != "HS256" || f.header["kid"] != signingKey(t, s).id || f.claims["jti"] == "" {
			t.Errorf("header %v, claims %v", f.header, f.claims)
		}
		if _, ok := f.claims["role"]; ok {
			t.Error("the role is in the token, where it grows old")
		}
	})
}

func TestRoleIsRead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		here, c := newStaff(db)
		there, _ := newStaff(db)
		there.Now = c.Now
		u := addUser(t, here, "dana@example.com", "admin")
		addUser(t, here, "admin@example.com", "admin")
		token := signIn(t, here, u.Email).AccessToken
		role := func(s *Service) store.Role {
			a, err := s.Authenticate(background, token)
			if err != nil {
				t.Fatal(err)
			}
			return a.Role
		}
		if role(here) != store.Admin || role(there) != store.Admin {
			t.Fatal("not an admin to begin with")
		}
		u.Role = "viewer"
		if err := here.UpdateUser(asSystem, u); err != nil {
			t.Fatal(err)
		}
		if got := role(here); got != store.Viewer {
			t.Errorf("%v here at once, want viewer", got)
		}
		c.advance(liveLifetime)
		if got := role(there); got != store.Viewer {
			t.Errorf("%v on another server after %v, want viewer", got, liveLifetime)
		}
	})
}

func BenchmarkStaffAuthenticate(b *testing.B) {
	db := storetest.Open(b, store.SQLite)
	s, _ := newStaff(db)
	token := signIn(b, s, addUser(b, s, "dana@example.com", "viewer").Email).AccessToken
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Authenticate(background, token); err != nil {
			b.Fatal(err)
		}
	}
}
