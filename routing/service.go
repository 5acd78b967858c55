// Package routing decides which customers get a lead, and sends it to them.
//
// A Rule says "send these leads to this Customer like so". Its content
// (connector, settings, condition, mapping) carries a revision number. A
// revision is tested against the customer's system, then activated: activation
// freezes it as a RuleRevision, and only frozen revisions match leads and are
// sent. A rule can therefore be edited while it is live.
//
// Route runs inside the transaction that stores a lead. It writes a Routing for
// every customer chosen. The Routing is also the work item: Run claims due
// routings under a lease, sends each through its rule's Connector, and writes
// the outcome and the Attempt in one transaction. A lease that runs out is
// claimed again, so a routing is sent at least once, each time with the same
// webhook-id.
package routing

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/eval"
	"leadloop/odata/fault"
	"leadloop/store"
)

// Service holds the operations on customers, connectors, rules and routings.
// Make one with New; it is safe for concurrent use.
type Service struct {
	// Exchanged, where there is one, is told the outcome of each transmission and how
	// long it took. Set it before first use.
	Exchanged func(outcome string, took time.Duration)

	db    *store.DB
	vault *store.Vault
	now   func() time.Time
	log   *slog.Logger

	exprs  expressions
	live   liveRules
	broken brokenRules
	client *client
	tokens tokens
	shares shares
	roots  *x509.CertPool // that mail servers' certificates are checked by; nil: the system's
	wake   chan struct{}  // holds one token when a routing became due
	tell   chan struct{}  // holds one token when other servers are to be told of that
	told   chan struct{}  // holds one token when a notice is to be delivered
	resume chan struct{}  // holds one token when a resend was asked for
	self   string         // marks what this server tells others

	allowed    []netip.Prefix
	version    string
	notices    string      // the URL that notices go to; "": none
	noticeMail *NoticeMail // nil: none
	// publicURL is where customers' systems reach this server.
	publicURL string

	workers int
	timeout time.Duration // of one exchange
	lease   time.Duration
	poll    time.Duration
	recheck time.Duration // how long rules in memory are trusted; other servers' changes show after that
	drain   time.Duration
	jitter  func() float64
	newID   func() (uuid.UUID, error)
}

// Option changes how a Service works.
type Option func(*Service)

// WithAllowedNetworks lets transmissions reach addresses in the networks, on any
// port, although they are private, loopback or otherwise special.
func WithAllowedNetworks(networks ...netip.Prefix) Option {
	return func(s *Service) { s.allowed = networks }
}

// WithTimeout bounds one whole exchange with a customer's system, from the name
// look-up to the last byte of the answer. 10 seconds unless set.
func WithTimeout(d time.Duration) Option { return func(s *Service) { s.timeout = d } }

// WithWorkers sets how many exchanges run at once. 16 unless set.
func WithWorkers(n int) Option { return func(s *Service) { s.workers = n } }

// WithPoll sets how long Run waits at most before it looks for due routings
// again. One second unless set.
func WithPoll(d time.Duration) Option { return func(s *Service) { s.poll = d } }

// WithVersion sets the version that transmissions show in User-Agent.
func WithVersion(v string) Option { return func(s *Service) { s.version = v } }

// WithPublicURL sets the address at which customers' systems reach this server,
// which mappings know as part of FeedbackURL.
func WithPublicURL(address string) Option {
	return func(s *Service) { s.publicURL = strings.TrimSuffix(address, "/") }
}

// WithClock replaces the clock that due times, leases and dates go by. Unless set
// it is the machine's, without its jumps.
func WithClock(now func() time.Time) Option { return func(s *Service) { s.now = now } }

// WithJitter replaces the source of the numbers in [0,1) that spread retries.
func WithJitter(f func() float64) Option { return func(s *Service) { s.jitter = f } }

// WithNoticeURL has notices to staff posted, as JSON, to a webhook.
func WithNoticeURL(url string) Option { return func(s *Service) { s.notices = url } }

// WithLog sets the logger. slog.Default unless set.
func WithLog(l *slog.Logger) Option { return func(s *Service) { s.log = l } }

// New returns a Service that keeps its rows in db and opens secret settings with
// vault.
func New(db *store.DB, vault *store.Vault, options ...Option) *Service {
	s := &Service{
		db: db, vault: vault, now: newSteadyClock(store.Now, uptime).Now, log: slog.Default(),
		exprs: newExpressions(), wake: make(chan struct{}, 1),
		tell: make(chan struct{}, 1), told: make(chan struct{}, 1), resume: make(chan struct{}, 1), self: uuid.NewString(),
		version: "dev", workers: 16, timeout: 10 * time.Second,
		poll: time.Second, recheck: time.Second, drain: 15 * time.Second, jitter: rand.Float64,
		newID: uuid.NewV7,
	}
	s.live.closed = s.BrokenUntil
	for _, option := range options {
		option(s)
	}
	for _, env := range []*eval.Env{s.exprs.lead, s.exprs.mapped, s.exprs.answer, s.exprs.onward} {
		env.Now = s.now
	}
	// A lease outlasts the wait in the local queue (see dispatcher) and the
	// exchange itself.
	s.lease = max(time.Minute, 6*s.timeout)
	s.client = newClient(s.allowed, s.timeout, s.workers, "Leadloop/"+s.version)
	return s
}

// Close lets go of the idle connections to customers' systems.
func (s *Service) Close() { s.client.close() }

// found returns err, with GORM's "record not found" as fault NotFound.
func found(err error, what string, id any) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.Newf(fault.NotFound, "no %s %v", what, id)
	}
	if err != nil {
		return fmt.Errorf("%s %v: %w", what, id, err)
	}
	return nil
}

// load reads the row of T with the id.
func load[T any](tx *gorm.DB, what string, id int64) (*T, error) {
	var row T
	err := tx.Where("id = ?", id).Take(&row).Error
	return &row, found(err, what, id)
}

// save writes every column of row, whose version is already the next one, where
// the stored version is still before. It returns PreconditionFailed when the row
// has moved underneath.
func save(tx *gorm.DB, row any, before int64) error {
	res := tx.Select("*").Omit(clause.Associations).Where("version = ?", before).Updates(row)
	if res.Error != nil {
		return fmt.Errorf("save: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		return fault.New(fault.PreconditionFailed, "it was changed by someone else in the meantime; read it again")
	}
	return nil
}

// reference is a table and column that may point at a row.
type reference struct{ table, column, noun string }

// unreferenced returns Conflict when a row of one of the tables still refers to
// id.
func unreferenced(tx *gorm.DB, what string, id int64, refs ...reference) error {
	for _, r := range refs {
		var n int
		q := fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s WHERE %s = ? LIMIT 1) AS refs", r.table, r.column)
		if err := tx.Raw(q, id).Scan(&n).Error; err != nil {
			return fmt.Errorf("references to %s: %w", what, err)
		}
		if n > 0 {
			return fault.Newf(fault.Conflict, "%s %d still has %s", what, id, r.noun)
		}
	}
	return nil
}

// remove deletes row, a pointer to a model with its ID set. It returns Conflict
// where another row began to refer to it a moment ago.
func remove(tx *gorm.DB, row any, what string, id int64) error {
	err := tx.Delete(row).Error
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.Newf(fault.Conflict, "%s %d is still referred to", what, id)
	}
	if err != nil {
		return fmt.Errorf("delete %s %d: %w", what, id, err)
	}
	return nil
}

// manage runs fn in a write transaction for a manager.
func (s *Service) manage(ctx context.Context, fn func(tx *gorm.DB) error) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	return s.db.Write(ctx, fn)
}
