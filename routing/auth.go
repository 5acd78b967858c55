package routing

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of Authentication.
const (
	authNone     = "none"
	authHeader   = "header"            // a header: Name, Value
	authBasic    = "basic"             // HTTP Basic, or a mail server's log-in: User, Password
	authBearer   = "bearer"            // Authorization: Bearer Value
	authOAuth    = "oauth2"            // client credentials: TokenURL, ClientID, ClientSecret, Scope
	authLogin    = "login"             // a token by a request of the system's own: TokenURL, Format, Root, Fields, Token
	authHMAC     = "hmac"              // a signature: Name, Secret, Algorithm, Signed, Encoding, Signature, TimestampName
	authStandard = "standard-webhooks" // the headers of standardwebhooks.com: Secret
)

var authTypes = []string{authNone, authHeader, authBasic, authBearer, authOAuth, authLogin, authHMAC, authStandard}

// Authentication says how a connector proves who it is. All but the expressions
// are templates.
type Authentication struct {
	// Type is one of none, header, basic, bearer, oauth2, login, hmac and
	// standard-webhooks; empty is none.
	Type string `json:",omitempty" validate:"max=100"`
	// Name is the header of the types header and hmac.
	Name string `json:",omitempty" validate:"max=200"`
	// Value is the header's value, or the bearer token.
	Value    string `json:",omitempty" validate:"max=2000"`
	User     string `json:",omitempty" validate:"max=2000"`
	Password string `json:",omitempty" validate:"max=2000"`

	TokenURL     string `json:",omitempty" validate:"max=2000"`
	ClientID     string `json:",omitempty" validate:"max=2000"`
	ClientSecret string `json:",omitempty" validate:"max=2000"`
	Scope        string `json:",omitempty" validate:"max=2000"`
	// Format, Root and Fields are the body of the request for a token by login.
	Format string `json:",omitempty" validate:"omitempty,oneof=json form xml"`
	Root   string `json:",omitempty" validate:"max=200"`
	Fields []Pair `json:",omitempty" validate:"max=50,dive"`
	// Token and ExpiresIn are expressions over the answer: the token, and for how
	// many seconds it holds. By oauth2: Body/access_token and Body/expires_in.
	Token     string `json:",omitempty" validate:"max=2000"`
	ExpiresIn string `json:",omitempty" validate:"max=2000"`
	// Lifetime is for how many seconds a token holds where the answer does not
	// tell; an hour unless given.
	Lifetime int `json:",omitempty" validate:"min=0,max=31536000"`

	// Secret is the key of signatures; several during a rotation, with spaces
	// between, for standard-webhooks.
	Secret    string `json:",omitempty" validate:"max=2000"`
	Algorithm string `json:",omitempty" validate:"max=100"` // sha1, sha256 (unless given) or sha512
	// Signed is what the signature is of: {Body}, {Timestamp} (Unix seconds),
	// {RoutingID}, {Method}, {URL} and {Path}; "{Body}" unless given.
	Signed   string `json:",omitempty" validate:"max=2000"`
	Encoding string `json:",omitempty" validate:"max=100"` // hex (unless given), base64 or base64url
	// Signature is the header's value for hmac, with {Signature} and {Timestamp} as
	// they say; "{Signature}" unless given.
	Signature     string `json:",omitempty" validate:"max=2000"`
	TimestampName string `json:",omitempty" validate:"max=200"` // the header for {Timestamp}, if any
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// scheme is an Authentication filled in: how one rule's requests prove who sends
// them.
type scheme struct {
	Authentication
	keys    [][]byte // of standard-webhooks
	secrets []string // what follows from the settings and is to be masked
	hidden  []string // the rule's secret settings
	tokenOf *rulings // of the answer to the request for a token
}

// ofSigning are the names in the templates of hmac that each request fills.
var ofSigning = map[string]string{
	"Body": "{Body}", "Timestamp": "{Timestamp}", "RoutingID": "{RoutingID}", "Method": "{Method}",
	"URL": "{URL}", "Path": "{Path}", "Signature": "{Signature}",
}

// scheme fills values into c's authentication. It returns an error that says
// what is missing or wrong.
func (c *Connector) scheme(e expressions, values map[string]string) (*scheme, error) {
	kind, err := fill(c.Auth.Type, values)
	if kind == "" {
		kind, err = authNone, nil
	}
	if err != nil {
		return nil, err
	}
	if !slices.Contains(authTypes, kind) {
		return nil, fmt.Errorf("the authentication must be one of %s", strings.Join(authTypes, ", "))
	}
	a := &scheme{Authentication: c.Auth}
	a.Type = kind
	if err := a.fill(c, values); err != nil {
		return nil, err
	}
	return a, a.ready(e)
}

// fill fills the templates that a's type uses.
func (a *scheme) fill(c *Connector, values map[string]string) error {
	var needed, optional []*string
	switch a.Type {
	case authHeader:
		needed = []*string{&a.Name, &a.Value}
	case authBasic:
		needed, optional = []*string{&a.User}, []*string{&a.Password}
	case authBearer:
		needed = []*string{&a.Value}
	case authOAuth:
		needed, optional = []*string{&a.ClientID, &a.ClientSecret}, []*string{&a.Scope}
	case authHMAC:
		needed, optional = []*string{&a.Name, &a.Secret}, []*string{&a.Algorithm, &a.Encoding, &a.TimestampName}
	case authStandard:
		needed = []*string{&a.Secret}
	}
	for _, text := range needed {
		var err error
		if *text, err = fill(*text, values); err != nil {
			return err
		}
		if *text == "" {
			return fmt.Errorf("the authentication %s lacks a part", a.Type)
		}
	}
	for _, text := range optional {
		var missing errNoValue
		filled, err := fill(*text, values)
		if errors.As(err, &missing) {
			filled = ""
		}
		*text = filled
	}
	if a.Type == authOAuth || a.Type == authLogin {
		var err error
		if a.TokenURL, err = c.address(a.TokenURL, values); err != nil {
			return err
		}
		fields := fillPairs(a.Fields, values)
		a.Fields = nil
		for _, f := range fields {
			a.Fields = append(a.Fields, Pair{f.name, f.value})
		}
	}
	if a.Type == authHMAC {
		a.fillSigned(values)
	}
	return nil
}

// fillSigned leaves the places that each request fills.
func (a *scheme) fillSigned(values map[string]string) {
	all := map[string]string{}
	for name, value := range values {
		all[name] = value
	}
	for name, place := range ofSigning {
		all[name] = place
	}
	for _, part := range []struct {
		text     *string
		standard string
	}{{&a.Signed, "{Body}"}, {&a.Signature, "{Signature}"}} {
		if *part.text == "" {
			*part.text = part.standard
		}
		*part.text, _ = fill(*part.text, all) // a setting without a value is no part of it
	}
}

// ready checks what was filled in and works out what follows from it.
func (a *scheme) ready(e expressions) error {
	switch a.Type {
	case authHeader, authHMAC:
		if !headerName.MatchString(a.Name) || a.TimestampName != "" && !headerName.MatchString(a.TimestampName) {
			return fmt.Errorf("%q is not a header's name", a.Name)
		}
		if a.Type == authHMAC && (a.hash() == nil || a.encode(nil) == nil) {
			return errors.New("the signature's algorithm must be sha1, sha256 or sha512, and its encoding hex, base64 or base64url")
		}
		if a.Type == authHMAC {
			a.secrets = append(a.secrets, a.Secret)
		}
	case authBasic:
		pair := a.User + ":" + a.Password
		a.secrets = append(a.secrets, base64.StdEncoding.EncodeToString([]byte(pair)))
	case authStandard:
		return a.readKeys()
	case authOAuth:
		a.Format, a.Token, a.ExpiresIn = formatForm, "Body/access_token", "Body/expires_in"
		a.Fields = []Pair{{"grant_type", "client_credentials"}, {"client_id", a.ClientID}, {"client_secret", a.ClientSecret}}
		if a.Scope != "" {
			a.Fields = append(a.Fields, Pair{"scope", a.Scope})
		}
	}
	var err error
	if a.usesToken() {
		var p problems
		a.tokenOf, err = e.rulings(&p, &Connector{ExternalID: a.Token, ExternalLink: a.ExpiresIn})
		if err == nil {
			err = p.err()
		}
	}
	return err
}

func (a *scheme) usesToken() bool { return a.Type == authOAuth || a.Type == authLogin }

// readKeys takes the secrets apart. One that begins with whsec_ is Base64, as
// the specification has it; another is taken as it is.
func (a *scheme) readKeys() error {
	for _, text := range strings.Fields(a.Secret) {
		a.secrets = append(a.secrets, text)
		coded, ok := strings.CutPrefix(text, "whsec_")
		if !ok {
			a.keys = append(a.keys, []byte(text))
			continue
		}
		key, err := base64.StdEncoding.DecodeString(coded)
		if err != nil {
			return errors.New("a signing secret that begins with whsec_ must go on in Base64")
		}
		a.keys = append(a.keys, key)
		a.secrets = append(a.secrets, coded)
	}
	return nil
}

// authorize adds what proves the sender of r, and to r's secrets what must not
// be shown of it. It gives the token it used, if any, and where none was to be
// had the exchange that failed.
func (s *Service) authorize(ctx context.Context, a *scheme, r *request, routingID string) (token string, failed *exchange) {
	r.secrets = append(slices.Clip(r.secrets), a.secrets...)
	switch a.Type {
	case authHeader:
		r.hide(a.Name, a.Value)
	case authBasic:
		r.hide("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password)))
	case authBearer:
		r.hide("Authorization", "Bearer "+a.Value)
	case authOAuth, authLogin:
		if token, failed = s.token(ctx, a); failed == nil {
			r.secrets = append(r.secrets, token)
			r.hide("Authorization", "Bearer "+token)
		}
	case authHMAC:
		a.sign(r, routingID, s.now())
	case authStandard:
		a.signStandard(r, routingID, s.now())
	}
	return token, failed
}

// hide adds a header whose value is not shown.
func (r *request) hide(name, value string) {
	r.set(name, value)
	r.secrets = append(r.secrets, strings.TrimPrefix(strings.TrimPrefix(value, "Bearer "), "Basic "))
}

// set sets a header, in the place of one of that name.
func (r *request) set(name, value string) {
	for i, h := range r.header {
		if strings.EqualFold(h.name, name) {
			r.header[i].value = value
			return
		}
	}
	r.header = append(r.header, field[string]{name, value})
}

func (a *scheme) hash() func() hash.Hash {
	switch a.Algorithm {
	case "", "sha256":
		return sha256.New
	case "sha1":
		return sha1.New
	case "sha512":
		return sha512.New
	}
	return nil
}

// encode writes a signature as text; nil for an unknown encoding.
func (a *scheme) encode(sum []byte) *string {
	var text string
	switch a.Encoding {
	case "", "hex":
		text = hex.EncodeToString(sum)
	case "base64":
		text = base64.StdEncoding.EncodeToString(sum)
	case "base64url":
		text = base64.RawURLEncoding.EncodeToString(sum)
	default:
		return nil
	}
	return &text
}

func (a *scheme) sign(r *request, routingID string, now time.Time) {
	timestamp, path := strconv.FormatInt(now.Unix(), 10), ""
	if u, err := url.Parse(r.url); err == nil {
		path = u.EscapedPath()
	}
	values := map[string]string{
		"Body": string(r.body), "Timestamp": timestamp, "RoutingID": routingID, "Method": r.method, "URL": r.url, "Path": path,
	}
	signed, _ := fill(a.Signed, values) // an empty body is signed as such
	mac := hmac.New(a.hash(), []byte(a.Secret))
	mac.Write([]byte(signed))
	values["Signature"] = *a.encode(mac.Sum(nil))
	value, _ := fill(a.Signature, values)
	r.secrets = append(r.secrets, values["Signature"])
	r.hide(a.Name, value)
	if a.TimestampName != "" {
		r.set(a.TimestampName, timestamp)
	}
}

// signStandard signs as Standard Webhooks has it: webhook-id, a full stop,
// webhook-timestamp, a full stop, the body; once for each key.
func (a *scheme) signStandard(r *request, routingID string, now time.Time) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, len(a.keys))
	for i, key := range a.keys {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", routingID, timestamp, r.body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	r.set("webhook-timestamp", timestamp)
	r.hide("webhook-signature", strings.Join(signatures, " "))
}

// checkAuth adds a problem where the templates of c's authentication, filled
// with samples, come to nothing that works.
func (c *Connector) checkAuth(p *problems, values map[string]string) {
	a := c.Auth
	known := map[string]string{}
	for name, value := range values {
		known[name] = value
	}
	for _, t := range []struct{ part, template string }{
		{"Type", a.Type},
		{"Name", a.Name},
		{"Value", a.Value},
		{"User", a.User},
		{"Password", a.Password},
		{"TokenURL", a.TokenURL},
		{"ClientID", a.ClientID},
		{"ClientSecret", a.ClientSecret},
		{"Scope", a.Scope},
		{"Secret", a.Secret},
		{"Algorithm", a.Algorithm},
		{"Encoding", a.Encoding},
		{"TimestampName", a.TimestampName},
	} {
		checkNames(p, "Auth/"+t.part, t.template, known)
	}
	for name, place := range ofSigning {
		known[name] = place
	}
	checkNames(p, "Auth/Signed", a.Signed, known)
	checkNames(p, "Auth/Signature", a.Signature, known)
	if kinds := places(a.Type); len(kinds) == 0 && a.Type != "" {
		if !slices.Contains(authTypes, a.Type) {
			p.addf("Auth/Type", "the authentication must be one of %s", strings.Join(authTypes, ", "))
		}
	}
}
