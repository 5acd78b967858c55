package odata

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// Options configure a Service.
type Options struct {
	Namespace string // of the model: "Leadloop"
	Prefix    string // path of the service root, without a slash at its end: "/odata"
	// Read returns a session to read with. Its SQLite connections must have the
	// functions of sqlgen.RegisterSQLite.
	Read func(ctx context.Context) *gorm.DB
	// Limits bound what a request may ask for; zero fields take the defaults.
	Limits Limits
	// Now is the clock; nil takes time.Now.
	Now func() time.Time
	// Log gets errors that are not the caller's; nil takes slog.Default.
	Log *slog.Logger
	// TrustedProxies are the networks of the proxies before the service: from
	// elsewhere, what a request says of the way it came is not believed.
	TrustedProxies []netip.Prefix
}

// Limits bound what one request may cost.
type Limits struct {
	plan.Limits
	URL       int           // bytes of a request's path and query
	Body      int64         // bytes of a request body
	Statement time.Duration // of one read
}

// DefaultLimits suit a public service.
var DefaultLimits = Limits{Limits: plan.DefaultLimits, URL: 256 << 10, Body: 1 << 20, Statement: 10 * time.Second}

// Service is an OData service: an http.Handler for all paths under its prefix.
type Service struct {
	Options
	builder *edm.Builder
	sets    map[string]*set
	model   *edm.Model
	errs    []error
}

// New returns a Service without entity sets.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	d := DefaultLimits
	if o.Limits.PageSize == 0 {
		o.Limits.PageSize = d.PageSize
	}
	if o.Limits.ExpandDepth == 0 {
		o.Limits.ExpandDepth = d.ExpandDepth
	}
	if o.Limits.Expands == 0 {
		o.Limits.Expands = d.Expands
	}
	if o.Limits.URL == 0 {
		o.Limits.URL = d.URL
	}
	if o.Limits.Body == 0 {
		o.Limits.Body = d.Body
	}
	if o.Limits.Statement == 0 {
		o.Limits.Statement = d.Statement
	}
	return &Service{Options: o, builder: edm.NewBuilder(o.Namespace), sets: map[string]*set{}}
}

// Build completes the model. It is to be called once, after the last Add.
func (s *Service) Build() error {
	if err := errors.Join(s.errs...); err != nil {
		return err
	}
	model, err := s.builder.Build()
	if err != nil {
		return err
	}
	for _, es := range model.Sets {
		x := s.sets[es.Name]
		for _, a := range x.actions {
			if err := s.declare(x, a); err != nil {
				return err
			}
		}
		if x.access == nil {
			return errors.New("odata: the set " + es.Name + " has no Access")
		}
	}
	s.model = model
	return nil
}

// declare adds a bound action to the model.
func (s *Service) declare(x *set, a *action) error {
	op := &edm.Operation{Name: a.name, Binding: x.Type}
	none := reflect.TypeFor[None]()
	if a.params != none {
		var err error
		if a.paramsType, err = s.builder.Parameters(reflect.Zero(a.params).Interface()); err != nil {
			return err
		}
		for _, p := range a.paramsType.Properties {
			op.Parameters = append(op.Parameters, edm.Parameter{Name: p.Name, Type: p.Type, Nullable: true})
		}
	}
	if a.result != none {
		result := a.result
		for result.Kind() == reflect.Pointer {
			result = result.Elem()
		}
		t, err := s.builder.ComplexType(reflect.Zero(result).Interface())
		if err != nil {
			return err
		}
		a.resultType, op.Returns = t, t
	}
	s.builder.Operation(op)
	return nil
}

// Model is the service's model; nil before Build.
func (s *Service) Model() *edm.Model { return s.model }

// request is one request on its way.
type request struct {
	*http.Request
	s       *Service
	w       http.ResponseWriter
	query   *uri.Query
	version string // of OData, that the answer speaks
	format  format

	base      string // see root
	prefers   wishes
	omitNulls bool
}

// ServeHTTP serves one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodHead:
		w = bodyless{w}
	case acceptsGzip(r.Header.Get("Accept-Encoding")):
		c := &compressor{ResponseWriter: w}
		s.serve(c, r)
		c.close()
		return
	}
	s.serve(w, r)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	q := &request{Request: r, s: s, w: w}
	err := q.head()
	if err == nil {
		err = q.serve()
	}
	if err != nil {
		WriteError(w, r, outOfRange(err), s.Log)
	}
}

// head sets the headers that all answers have.
func (q *request) head() (err error) {
	q.version, err = answerVersion(q.Header.Get("OData-MaxVersion"), q.Header.Get("OData-Version"))
	q.w.Header().Set("OData-Version", q.version)
	q.w.Header().Set("X-Content-Type-Options", "nosniff") // text that looks like HTML is text
	q.w.Header().Set("Vary", "Accept, Accept-Charset, Accept-Encoding, OData-MaxVersion, Prefer")
	return err
}

// WriteError answers a request to the service with err, as the service itself
// would: for who stands before it and does not let the request through.
func (s *Service) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	q := &request{Request: r, s: s, w: w}
	_ = q.head() // err is what the request gets
	WriteError(w, r, err, s.Log)
}

func (q *request) serve() error {
	if err := q.checkURL(); err != nil {
		return err
	}
	if err := q.acceptable(); err != nil {
		return err
	}
	path, ok := strings.CutPrefix(q.URL.EscapedPath(), q.s.Prefix)
	if !ok || path != "" && path[0] != '/' {
		return fault.Newf(fault.NotFound, "no resource has the address %q", q.URL.Path)
	}
	if path == "/$metadata" || path == "/$metadata/" {
		return q.metadata()
	}
	path, err := q.queryInBody(path)
	if err != nil {
		return err
	}
	if q.query, err = uri.ParseQuery(q.URL.RawQuery, q.s.Limits.Expr); err != nil {
		return err
	}
	segments, err := uri.ParsePath(path, q.s.Limits.Expr)
	if err != nil {
		return err
	}
	if q.format, err = negotiate(q.query.Format, q.accept(segments), q.version); err != nil {
		return err
	}
	if len(segments) == 0 {
		return q.serviceDocument()
	}
	t, err := q.resolve(segments)
	if err != nil {
		return err
	}
	return q.dispatch(t)
}

// acceptable refuses what no resource can answer to, and reads the preferences.
func (q *request) acceptable() error {
	for _, name := range []string{"Isolation", "OData-Isolation"} {
		if q.Header.Get(name) != "" {
			return fault.Newf(fault.PreconditionFailed, "snapshot isolation is not served").At(name)
		}
	}
	if !utf8Accepted(q.Header.Get("Accept-Charset")) {
		return fault.New(fault.NotAcceptable, "this service answers in UTF-8").At("Accept-Charset")
	}
	return q.prefer()
}

// accept is the Accept header, which does not matter to a resource that is plain
// text.
func (q *request) accept(segments []uri.Segment) string {
	if n := len(segments); n > 0 && (segments[n-1].Name == "$count" || segments[n-1].Name == "$value") {
		return ""
	}
	return q.Header.Get("Accept")
}

// dispatch calls what the method asks for of the resource.
func (q *request) dispatch(t *target) error {
	switch {
	case t.action != nil:
		if q.Method != http.MethodPost {
			return q.notAllowed(http.MethodPost)
		}
		return q.invoke(t)
	case q.Method == http.MethodGet || q.Method == http.MethodHead:
		return q.get(t)
	case t.count || t.link != nil || t.ref || t.isProperty() || t.filters != nil:
		return q.notAllowed(http.MethodGet)
	}
	type handler = func(*target) error
	handlers := map[string]handler{}
	if t.single {
		if t.set.update != nil {
			handlers[http.MethodPatch] = q.patch
		}
		if t.set.remove != nil {
			handlers[http.MethodDelete] = q.remove
		}
	} else if t.set.create != nil {
		handlers[http.MethodPost] = q.post
	}
	if h := handlers[q.Method]; h != nil {
		return h(t)
	}
	allowed := []string{http.MethodGet}
	for _, m := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if handlers[m] != nil {
			allowed = append(allowed, m)
		}
	}
	return q.notAllowed(allowed...)
}

func (q *request) notAllowed(methods ...string) error {
	q.w.Header().Set("Allow", strings.Join(methods, ", "))
	return fault.Newf(fault.MethodNotAllowed, "%s does not apply to this resource; it takes %s", q.Method, strings.Join(methods, ", "))
}

// binder binds expressions on behalf of the caller.
func (q *request) binder() *plan.Binder {
	ctx := q.Context()
	limits := q.s.Limits.Limits
	limits.PageSize = q.pageSize(limits.PageSize)
	return &plan.Binder{
		Model:  q.s.model,
		Limits: limits,
		Style:  q.style(),
		Now:    q.s.Now().UTC().Truncate(time.Microsecond),
		Access: func(es *edm.EntitySet) (Predicate, error) { return q.s.sets[es.Name].access(ctx) },
	}
}

func dialect(db *gorm.DB) sqlgen.Dialect { return sqlgen.Dialect(db.Dialector.Name()) }
