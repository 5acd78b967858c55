package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"leadloop/server/staff"

	"github.com/gorilla/mux"

	"leadloop/keys"
	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/store"
)

// maxBody bounds the bodies of requests outside the OData service, which has
// its own limit.
const maxBody = 1 << 20

// Handler is the whole public face.
func (a *App) Handler() http.Handler {
	r := mux.NewRouter().UseEncodedPath().SkipClean(true)
	r.HandleFunc("/healthz", a.healthz).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/readyz", a.readyz).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/auth/token", a.token).Methods(http.MethodPost)
	r.HandleFunc("/auth/setup", a.setUp).Methods(http.MethodPost)
	r.HandleFunc("/auth/key/revoke", a.revokeKey).Methods(http.MethodPost)
	r.HandleFunc("/intake/{token}", a.intake).Methods(http.MethodPost, http.MethodGet)
	r.Handle("/feedback", a.authenticate(http.HandlerFunc(a.feedback))).Methods(http.MethodPost, http.MethodGet)
	r.PathPrefix("/odata").Handler(a.authenticate(a.OData))
	r.PathPrefix("/console/").Handler(a.console)
	r.PathPrefix("/guide/").Handler(a.console)
	r.Handle("/console", http.RedirectHandler("/console/", http.StatusTemporaryRedirect))
	r.Handle("/", http.RedirectHandler("/console/", http.StatusTemporaryRedirect)).Methods(http.MethodGet, http.MethodHead)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, fault.Newf(fault.NotFound, "there is nothing at %q", r.URL.Path))
	})
	r.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, fault.Newf(fault.MethodNotAllowed, "%s does not apply here", r.Method))
	})
	service := a.authenticate(a.OData)
	return a.logged(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(cmp.Or(req.URL.RawPath, req.URL.Path), "/odata/") { // almost all requests: the router looks at each of its routes
			service.ServeHTTP(w, req)
			return
		}
		r.ServeHTTP(w, req)
	}))
}

// fail answers with an error.
func (a *App) fail(w http.ResponseWriter, r *http.Request, err error) {
	challenge(w, err)
	odata.WriteError(w, r, err, a.log)
}

// send answers with a value as JSON.
func send(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left needs no answer
}

// healthz says that the program is alive.
func (a *App) healthz(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the database can be reached, written to, and is migrated.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := a.DB.Ping(ctx); err != nil {
		a.log.WarnContext(ctx, "not ready", "error", err)
		a.fail(w, r, fault.New(fault.Unavailable, "the database cannot be reached, cannot be written to, or is not migrated"))
		return
	}
	send(w, http.StatusOK, map[string]string{"status": "ready"})
}

// token signs staff in, by password or by refresh token.
func (a *App) token(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Email        string `json:"email"`
		Password     string `json:"password"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := readInto(w, r, &in, `{"email":…,"password":…} or {"refresh_token":…}`); err != nil {
		a.fail(w, r, err)
		return
	}
	ctx := a.fromClient(r)
	var tokens staff.Tokens
	var err error
	switch {
	case in.RefreshToken != "":
		tokens, err = a.Staff.Refresh(ctx, in.RefreshToken)
		if fault.CodeOf(err) == fault.Unauthorized && a.guesses.note(r, a.remoteAddr(r)) {
			err = errGuessed
		}
	case in.Email == "":
		err = fault.New(fault.Invalid, "email is required").At("email")
	case in.Password == "":
		err = fault.New(fault.Invalid, "password is required").At("password")
	default:
		tokens, err = a.Staff.SignIn(ctx, in.Email, in.Password, a.remoteAddr(r))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, http.StatusOK, tokens)
}

// setUp makes the first admin, for who has the link that serve printed, and signs
// them in.
func (a *App) setUp(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Token    string `json:"token"`
		Email    string `json:"email"`
		Name     string `json:"name"`
		Password string `json:"password"`
	}
	err := readInto(w, r, &in, `{"token":…,"email":…,"name":…,"password":…}`)
	if err == nil && a.guesses.spent(a.remoteAddr(r)) {
		err = errGuessed
	}
	if err == nil {
		err = a.Staff.SetUp(r.Context(), in.Token, in.Email, in.Name, in.Password)
	}
	if fault.CodeOf(err) == fault.Unauthorized && a.guesses.note(r, a.remoteAddr(r)) {
		err = errGuessed
	}
	var tokens staff.Tokens
	if err == nil {
		tokens, err = a.Staff.SignIn(a.fromClient(r), in.Email, in.Password, a.remoteAddr(r))
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	send(w, http.StatusCreated, tokens)
}

// fromClient is the context of a request by which a session shows where it is
// used from.
func (a *App) fromClient(r *http.Request) context.Context {
	return staff.WithClient(r.Context(), staff.Client{Address: a.remoteAddr(r), Agent: r.UserAgent()})
}

// readInto reads a bounded request body of JSON, whose form is said where it is
// none.
func readInto(w http.ResponseWriter, r *http.Request, into any, form string) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.New(fault.Invalid, "the body must be JSON: "+form)
	}
	return nil
}

// readBody reads a bounded request body.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault.Newf(fault.TooLarge, "the body is larger than %d bytes", maxBody)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the body could not be read")
	}
	return body, nil
}

// caller is a place for the actor of a request, for the log that is written
// when the request is done.
type caller struct{ actor store.Actor }

func (c *caller) set(a store.Actor) {
	if c != nil {
		c.actor = a
	}
}

type callerKey struct{}

func who(ctx context.Context) *caller {
	c, _ := ctx.Value(callerKey{}).(*caller)
	return c
}

// recorder remembers the status of an answer and, of a refusal, how it begins.
type recorder struct {
	http.ResponseWriter
	status  int
	refusal []byte
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.status >= http.StatusBadRequest && len(r.refusal) < mostNoted {
		r.refusal = append(r.refusal, b[:min(len(b), mostNoted-len(r.refusal))]...)
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// logged writes a line for each request, and turns a panic into an error.
func (a *App) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		c := &caller{}
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), callerKey{}, c))
		a.protect(w.Header(), r)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				a.log.Error("panic", "path", loggedPath(r), "panic", p)
				if rec.status == 0 {
					a.fail(rec, r, fault.New(fault.Internal, "something went wrong here; it has been logged"))
				}
			}
			took := time.Since(start)
			a.metrics.request(r, rec.status, took)
			a.noteCall(r, c.actor, rec)
			a.log.LogAttrs(r.Context(), slog.LevelInfo, "request",
				slog.String("method", r.Method), slog.String("path", loggedPath(r)), slog.Int("status", rec.status),
				slog.Duration("took", took), slog.String("caller", c.actor.Name))
		}()
		next.ServeHTTP(rec, r)
	})
}

// protect puts the headers on an answer that keep browsers from taking it for what
// it is not. A handler that serves pages says otherwise where it must.
func (a *App) protect(h http.Header, r *http.Request) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	if r.TLS != nil || len(a.proxies) > 0 && a.proxies.Origin(r).Scheme == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// secretPath is what of a path is a secret: what follows /intake/ or /guide/, and a
// key that was put where it does not belong.
var secretPath = regexp.MustCompile(`(?i)(/(?:intake|guide)/).+|` + keys.Prefix + `\w+`)

// loggedPath is the path without the secret of an intake address, a guide's or a
// key.
func loggedPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/odata/") && !strings.Contains(r.URL.Path, keys.Prefix) && !strings.Contains(r.URL.Path, "/intake/") {
		return r.URL.Path // almost all of them
	}
	return secretPath.ReplaceAllString(r.URL.Path, "${1}…")
}
