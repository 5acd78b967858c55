package server

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/google/uuid"

	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/store"
)

// errUnauthorized is the one answer to every caller who is not let in, so that
// it tells nothing of why.
var errUnauthorized = fault.New(fault.Unauthorized,
	"credentials are missing, wrong, or not valid now; send an API key (X-API-Key, Bearer, or Basic with the ConnectionID) or a staff token (Bearer)")

// securitySchemes are the ways to be let in, for the OpenAPI document.
var securitySchemes = map[string]any{
	"key":    map[string]string{"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
	"bearer": map[string]string{"type": "http", "scheme": "bearer", "description": "An API key, or a staff token"},
	"basic":  map[string]string{"type": "http", "scheme": "basic", "description": "The ConnectionID and an API key"},
}

// authenticate finds out who calls: a customer's connection by its key, or staff
// by their token. Nobody is let through.
func (a *App) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, err := a.actor(r)
		if err != nil {
			if fault.CodeOf(err) == fault.Unauthorized {
				err = errUnauthorized
				w.Header().Set("WWW-Authenticate", `Basic realm="leadloop", charset="UTF-8"`)
			}
			a.OData.WriteError(w, r, err)
			return
		}
		who(r.Context()).set(actor)
		next.ServeHTTP(w, r.WithContext(store.WithActor(r.Context(), actor)))
	})
}

// credentials are what a request proves itself by: a key, with the connection
// that it claims to be of, or else a staff token.
type credentials struct {
	key        string
	connection *uuid.UUID
	token      string
}

// credentialsOf reads them; false where there are none, or none that could be.
func credentialsOf(r *http.Request) (c credentials, ok bool) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if c.key = r.Header.Get("X-API-Key"); c.key != "" {
		return c, true
	}
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		value = strings.TrimSpace(value)
		if strings.HasPrefix(value, keys.Prefix) {
			c.key = value
		} else {
			c.token = value
		}
		return c, value != ""
	case strings.EqualFold(scheme, "Basic"):
		user, password, basic := r.BasicAuth()
		c.key, c.connection = password, connectionID(user)
		return c, basic && c.connection != nil
	}
	return c, false
}

// actor is who calls. An address that sends many wrong credentials is not heard
// any more for a while, but for keys that were good before and for staff tokens,
// which nobody can guess: who shares the address is not locked out.
func (a *App) actor(r *http.Request) (store.Actor, error) {
	c, ok := credentialsOf(r)
	if !ok {
		return store.Actor{}, errUnauthorized
	}
	address := a.remoteAddr(r)
	if a.guesses.spent(address) && c.token == "" && !a.Keys.Proven(c.key) {
		return store.Actor{}, errGuessed
	}
	actor, err := a.check(r, c, address)
	if fault.CodeOf(err) == fault.Unauthorized && a.guesses.note(r, address) {
		err = errGuessed
	}
	return actor, err
}

func (a *App) check(r *http.Request, c credentials, address netip.Addr) (store.Actor, error) {
	if c.token != "" {
		return a.Staff.Authenticate(r.Context(), c.token)
	}
	return a.Keys.Authenticate(r.Context(), c.key, c.connection, address)
}

// revokeKey revokes the key that the request is made with, for whoever holds it.
func (a *App) revokeKey(w http.ResponseWriter, r *http.Request) {
	address := a.remoteAddr(r)
	c, ok := credentialsOf(r)
	err := error(errUnauthorized)
	switch {
	case !ok || c.key == "":
	case a.guesses.spent(address) && !a.Keys.Proven(c.key):
		err = errGuessed
	default:
		err = a.Keys.RevokeOwn(r.Context(), c.key)
		if fault.CodeOf(err) == fault.Unauthorized {
			if err = errUnauthorized; a.guesses.note(r, address) {
				err = errGuessed
			}
		}
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// challenge says how to sign in, as an answer to who is not let in must. Other
// than with Basic, browsers do not ask their user for a password.
func challenge(w http.ResponseWriter, err error) {
	if fault.CodeOf(err) == fault.Unauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="leadloop"`)
	}
}

// remoteAddr is the address of the client, also behind a proxy that is trusted.
func (a *App) remoteAddr(r *http.Request) netip.Addr { return a.proxies.Origin(r).Client }
