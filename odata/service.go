package odata

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
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
	// SchemaVersion is the version of the model that $schemaversion may ask for; "" if
	// it has none.
	SchemaVersion string
	// Write runs f in one transaction, which commits if f returns nil and has no
	// effect if it does not: contexts derived from the one given to f read (with
	// Read) and write (in the sets' functions) in it. It may run f more than once.
	// Without it there are no atomic groups in a batch, and no changes of several
	// entities in one request: they answer 501.
	Write func(ctx context.Context, f func(ctx context.Context) error) error
	// Repeats remembers the answers of repeatable requests. Nil, or no Write: they
	// are refused.
	Repeats Repeats
	// Parts is told how many requests a batch holds beside the one that it is
	// itself, before they are carried out; an error refuses them all. May be nil.
	Parts func(ctx context.Context, n int) error
	// Limits bound what a request may ask for; zero fields take the defaults.
	Limits Limits
	// Now is the clock; nil takes time.Now.
	Now func() time.Time
	// Log gets errors that are not the caller's; nil takes slog.Default.
	Log *slog.Logger
	// Title and Version head the OpenAPI document.
	Title, Version string
	// Security are the ways to sign in, each of which is enough, for the OpenAPI
	// document: a name and a security scheme object (OpenAPI 3.1, section 4.8.27).
	Security map[string]any
	// TrustedProxies are the networks of the proxies before the service: from
	// elsewhere, what a request says of the way it came is not believed.
	TrustedProxies []netip.Prefix
}

// Limits bound what one request may cost.
type Limits struct {
	plan.Limits
	URL       int           // bytes of a request's path and query
	Body      int64         // bytes of a request body
	Statement time.Duration // of one read, and of an atomic group in a batch
	BatchBody int64         // bytes of a batch's body, and of an atomic group's answers
	// BatchParts is how many requests a batch may hold, ChangeSet how many of them
	// one change set or atomicity group.
	BatchParts, ChangeSet int
	Changes               int // entities that one request may change
	// Plans is about how many prepared plans of reads are kept; negative: none.
	Plans   int
	Repeats time.Duration // how long the answer of a repeatable request is remembered
}

// DefaultLimits suit a public service.
var DefaultLimits = Limits{
	Limits: plan.DefaultLimits, URL: 256 << 10, Body: 1 << 20, Statement: 10 * time.Second,
	BatchBody: 8 << 20, BatchParts: 1000, ChangeSet: 500, Changes: 1000, Plans: 1000, Repeats: 24 * time.Hour,
}

// Service is an OData service: an http.Handler for all paths under its prefix.
type Service struct {
	Options
	builder   *edm.Builder
	sets      map[string]*set
	imports   []*operation // the unbound operations
	model     *edm.Model
	documents map[document]func() (*description, error)
	plans     *plans // nil: none are kept
	errs      []error
}

// New returns a Service without entity sets.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	l, d := &o.Limits, DefaultLimits
	l.Limits = l.Limits.OrDefault()
	l.URL, l.Body, l.BatchBody = cmp.Or(l.URL, d.URL), cmp.Or(l.Body, d.Body), cmp.Or(l.BatchBody, d.BatchBody)
	l.Statement, l.Repeats = cmp.Or(l.Statement, d.Statement), cmp.Or(l.Repeats, d.Repeats)
	l.BatchParts, l.ChangeSet, l.Changes = cmp.Or(l.BatchParts, d.BatchParts), cmp.Or(l.ChangeSet, d.ChangeSet), cmp.Or(l.Changes, d.Changes)
	l.Plans = cmp.Or(l.Plans, d.Plans)
	s := &Service{Options: o, builder: edm.NewBuilder(o.Namespace), sets: map[string]*set{}}
	if l.Plans > 0 {
		s.plans = newPlans(l.Plans)
	}
	return s
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
		if x.access == nil {
			return errors.New("odata: the set " + es.Name + " has no Access")
		}
		if err := x.checkUpsert(); err != nil {
			return err
		}
		for _, o := range x.operations {
			if err := s.declare(x, o); err != nil {
				return err
			}
		}
		es.Annotations = append(s.announceSet(x), es.Annotations...)
	}
	for _, o := range s.imports {
		if err := s.declare(nil, o); err != nil {
			return err
		}
	}
	model.Annotations, model.Version = s.announce(), s.SchemaVersion
	if err := s.track(model); err != nil {
		return err
	}
	s.model = model
	s.describe()
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
	payload []byte // the body of a change
	held    bool   // inside Options.Write: the answer waits for its end

	base      string // see root
	prefers   wishes
	omitNulls bool

	kind  *uri.Shape  // of a read; nil: plans for it are not kept
	lifts *plan.Lifts // what its plan depends on, likewise
	seen  []seen
}

// ServeHTTP serves one request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodHead:
		w = bodyless{w}
	case acceptsGzip(r.Header.Get("Accept-Encoding")) && r.Context().Value(batchKey{}) == nil:
		c := &compressor{ResponseWriter: w}
		s.serve(c, r)
		c.close()
		return
	}
	s.serve(w, r)
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) {
	q := &request{Request: r, s: s, w: w, held: inGroup(r.Context())}
	err := q.head()
	if err == nil {
		err = q.serve()
	}
	if err != nil {
		err = outOfRange(err)
		noteFailure(r.Context(), err)
		WriteError(w, r, err, s.Log)
	}
}

// head sets the headers that all answers have.
func (q *request) head() (err error) {
	// The names are in net/http's own form: to find it costs each request a little.
	q.version, err = answerVersion(q.Header.Get("Odata-Maxversion"), q.Header.Get("Odata-Version"))
	h := q.w.Header()
	h.Set("Odata-Version", q.version)
	h.Set("X-Content-Type-Options", "nosniff") // text that looks like HTML is text
	h.Set("Vary", "Accept, Accept-Charset, Accept-Encoding, OData-MaxVersion, Prefer")
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
	escaped := q.URL.EscapedPath() // which takes a while
	if err := q.checkURL(escaped); err != nil {
		return err
	}
	if err := q.acceptable(); err != nil {
		return err
	}
	path, ok := strings.CutPrefix(escaped, q.s.Prefix)
	if !ok || path != "" && path[0] != '/' {
		return fault.Newf(fault.NotFound, "no resource has the address %q", q.URL.Path)
	}
	switch path {
	case "/$metadata", "/$metadata/":
		options := q.URL.Query()
		if err := q.ofSchema(cmp.Or(options.Get("$schemaversion"), options.Get("schemaversion"))); err != nil {
			return err
		}
		return q.metadata()
	case "/openapi.json":
		return q.openAPI()
	}
	if path == "/$batch" || path == "/$batch/" {
		return q.batch()
	}
	path, err := q.queryInBody(path)
	if err != nil {
		return err
	}
	if done, err := q.fromPlan(path); done {
		return err
	}
	if q.query, err = q.kind.ParseQuery(q.URL.RawQuery, q.s.Limits.Expr); err != nil {
		return err
	}
	if err := q.ofSchema(q.query.SchemaVersion); err != nil {
		return err
	}
	segments, err := q.kind.ParsePath(path, q.s.Limits.Expr)
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
	if q.query.Given["$id"] && segments[len(segments)-1].Name != "$ref" {
		return fault.New(fault.Invalid, "$id applies to $entity and to references").At("$id")
	}
	return q.dispatch(t)
}

// ofSchema returns NotFound unless the model is of the version asked for, "*" being
// the current one (Protocol 4.01, section 11.2.12).
func (q *request) ofSchema(version string) error {
	if version == "" || version == "*" || version == q.s.SchemaVersion {
		return nil
	}
	return fault.Newf(fault.NotFound, "there is no version %q of the model", version).At("$schemaversion")
}

// acceptable refuses what no resource can answer to, and reads the preferences.
func (q *request) acceptable() error {
	for _, name := range [...]string{"Isolation", "Odata-Isolation"} {
		if q.Header.Get(name) != "" {
			return fault.Newf(fault.PreconditionFailed, "snapshot isolation is not served").At(strings.Replace(name, "Odata", "OData", 1))
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
	read := q.Method == http.MethodGet || q.Method == http.MethodHead
	switch {
	case t.operation != nil && (t.operation.function || read):
		return q.invoke(t)
	case t.each && read:
		return q.change(t) // not allowed
	case !read && t.filters != nil && !t.each:
		return q.notAllowed(http.MethodGet)
	case !read:
		return q.change(t)
	}
	return q.get(t)
}

func (q *request) notAllowed(methods ...string) error {
	q.w.Header().Set("Allow", strings.Join(methods, ", "))
	return fault.Newf(fault.MethodNotAllowed, "%s does not apply to this resource; it takes %s", q.Method, strings.Join(methods, ", "))
}

// binder binds expressions on behalf of the caller.
func (q *request) binder() *plan.Binder {
	limits := q.s.Limits.Limits
	limits.PageSize = q.pageSize(limits.PageSize)
	return &plan.Binder{
		Model:  q.s.model,
		Limits: limits,
		Style:  q.style(),
		Now:    q.now(),
		Access: q.access,
		Lifts:  q.lifts,
	}
}

func dialect(db *gorm.DB) sqlgen.Dialect { return sqlgen.Dialect(db.Dialector.Name()) }
