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
		remote := a.remoteAddr(r)
		actor, err := a.actor(r, remote)
		if err != nil {
			if fault.CodeOf(err) == fault.Unauthorized {
				err = errUnauthorized
				w.Header().Set("WWW-Authenticate", `Basic realm="leadloop", charset="UTF-8"`)
			}
			a.OData.WriteError(w, r, err)
			return
		}
		actor.Through, actor.Remote = store.API, remote.String()
		who(r.Context()).set(actor)
		next.ServeHTTP(w, r.WithContext(store.WithActor(r.Context(), actor)))
	})
}

func (a *App) actor(r *http.Request, remote netip.Addr) (store.Actor, error) {
	var connection *uuid.UUID
	secret := r.Header.Get("X-API-Key")
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case secret != "":
	case strings.EqualFold(scheme, "Bearer"):
		secret = strings.TrimSpace(value)
		if !strings.HasPrefix(secret, keys.Prefix) {
			return a.Staff.Authenticate(r.Context(), secret)
		}
	case strings.EqualFold(scheme, "Basic"):
		user, password, ok := r.BasicAuth()
		if connection = connectionID(user); !ok || connection == nil {
			return store.Actor{}, errUnauthorized
		}
		secret = password
	default:
		return store.Actor{}, errUnauthorized
	}
	return a.Keys.Authenticate(r.Context(), secret, connection, remote)
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
