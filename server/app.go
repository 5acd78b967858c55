// Package server is the application: the command line, the configuration, and
// the place where everything is wired together.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"leadloop/server/activity"
	"leadloop/server/console"
	"leadloop/server/staff"

	"gorm.io/gorm"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/leads"
	"leadloop/odata"
	"leadloop/odata/sqlgen"
	"leadloop/routing"
	"leadloop/server/privacy"
	"leadloop/store"
)

// App is the wired application over one database.
type App struct {
	DB       *store.DB
	Vault    *store.Vault
	Staff    *staff.Service
	Keys     *keys.Service
	Leads    *leads.Service
	Routing  *routing.Service
	Feedback *feedback.Service
	Privacy  *privacy.Service
	Activity *activity.Service
	OData    *odata.Service

	log     *slog.Logger
	proxies odata.Proxies
	serving serving
	guesses guesses
	console http.Handler
	metrics *meters
	admins  net.Listener // of /metrics; nil for none
}

// open opens the database and wires the application over it. Migrate says
// whether an older schema is brought up to date or refused.
func open(ctx context.Context, d database, s serving, log *slog.Logger, migrate bool) (*App, error) {
	vault, err := d.vault()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, d.DB, store.SQLiteHook(sqlgen.RegisterSQLite), store.WithVault(vault))
	if err != nil {
		return nil, err
	}
	a, err := wire(ctx, db, vault, s, log, migrate)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

func wire(ctx context.Context, db *store.DB, vault *store.Vault, s serving, log *slog.Logger, migrate bool) (*App, error) {
	pending, err := db.Pending(ctx)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if pending > 0 && !migrate {
		return nil, withHint(fmt.Errorf("the database is not up to date: %s to apply", migrations(pending)), "run leadloop migrate")
	}
	if pending > 0 {
		log.Info("migrating the database", "pending", pending)
		if err := db.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	if err := checkVault(ctx, db, vault); err != nil {
		return nil, err
	}
	a := &App{DB: db, Vault: vault, log: log, proxies: s.TrustedProxies, serving: s, guesses: newGuesses()}
	a.Staff = staff.New(db, vault)
	a.Keys = keys.New(db, vault)
	a.Leads = leads.New(db, vault)
	sending := []routing.Option{
		routing.WithAllowedNetworks(s.AllowNetworks...), routing.WithLog(log),
		routing.WithVersion(version()), routing.WithTimeout(s.SendTimeout), routing.WithWorkers(s.Workers),
		routing.WithPublicURL(s.PublicURL), routing.WithNoticeURL(s.NoticeURL),
	}
	if s.NoticeEmail != "" {
		sending = append(sending, routing.WithNoticeMail(s.noticeMail()))
	}
	a.Routing = routing.New(db, vault, sending...)
	a.Feedback = feedback.New(db, a.Routing)
	a.Privacy = privacy.New(db, a.Leads)
	a.Activity = activity.New(db)
	a.Keys.Log, a.Leads.Log, a.Feedback.Log, a.Privacy.Log, a.Activity.Log = log, log, log, log, log
	a.Leads.Route, a.Leads.Together, a.Leads.Fetch = a.Routing.Route, a.Routing.Together, a.Routing.Fetch
	a.Leads.Onward = a.Routing.CheckOnward
	if err := a.Routing.SyncConnectors(asProgram(ctx, "start")); err != nil {
		return nil, fmt.Errorf("connectors: %w", err)
	}
	if err := a.Leads.SealTokens(asProgram(ctx, "start")); err != nil {
		return nil, err
	}
	a.OData = odata.New(odata.Options{
		Namespace: "Leadloop", Prefix: "/odata", Read: db.Read, Write: writer(db), Now: store.Now, Log: log,
		Repeats: &repeats{db: db, vault: vault, now: store.Now}, TrustedProxies: s.TrustedProxies,
		Title: "Leadloop", Version: version(), Security: securitySchemes,
		Parts: a.Keys.Spend,
	})
	a.addSets()
	if err := a.OData.Build(); err != nil {
		return nil, err
	}
	a.metrics = newMeters(a)
	a.Routing.Exchanged = func(outcome string, took time.Duration) {
		a.metrics.transmissions.WithLabelValues(outcome).Observe(took.Seconds())
	}
	a.Feedback.Reported = func(err error) { a.metrics.feedback.WithLabelValues(result(err)).Inc() }
	a.console, err = console.New(console.Options{
		Staff: a.Staff, Keys: a.Keys, Leads: a.Leads, Routing: a.Routing, Feedback: a.Feedback, Privacy: a.Privacy, OData: a.OData,
		DB: db, Log: log, Now: store.Now, PublicURL: s.PublicURL, Version: version(), Proxies: s.TrustedProxies,
		Known: func(ctx context.Context, actor store.Actor) { who(ctx).set(actor) },
	})
	return a, err
}

// asProgram is ctx with the program itself as the actor, doing its work of name.
func asProgram(ctx context.Context, name string) context.Context {
	return store.WithActor(ctx, store.Actor{Kind: store.System, Name: name, Through: store.Program})
}

// writer lets several of the service's writes be one transaction of db.
func writer(db *store.DB) func(ctx context.Context, f func(ctx context.Context) error) error {
	return func(ctx context.Context, f func(ctx context.Context) error) error {
		return db.Write(ctx, func(tx *gorm.DB) error { return f(tx.Statement.Context) })
	}
}

// Close closes the database, after all that was accepted is written.
func (a *App) Close() error {
	a.Routing.Close()
	return a.DB.Close()
}

// server is the HTTP server, with the bounds on how slow and how large a request
// may be.
func (a *App) server() *http.Server {
	return &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// Run serves on the listener and runs the workers until ctx ends. Then it stops
// accepting, finishes the requests at hand, gives the queue's leases back and
// returns.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	server := a.server()
	// Workers outlive the requests, which may still give them work.
	workers, stopWorkers := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorkers()
	ended := make(chan error, 9)
	left := 8
	go func() { ended <- a.Routing.Run(workers) }()
	go func() { ended <- a.Leads.Run(workers) }()
	go func() { ended <- a.Keys.Run(workers) }()
	go func() { ended <- a.Feedback.Run(workers) }()
	go func() { ended <- a.Privacy.Run(workers) }()
	go func() { ended <- a.Activity.Run(workers) }()
	go func() { ended <- a.forgetChanges(workers) }()
	go func() { ended <- server.Serve(l) }()
	if a.admins != nil {
		left++
		go func() { ended <- a.admin(workers, a.admins) }()
	}
	a.log.Info("listening", "address", l.Addr().String(), "version", version(), "database", a.DB.Dialect())

	var failed error
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case failed = <-ended:
		left--
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		failed = errors.Join(failed, fmt.Errorf("requests were cut off: %w", err), server.Close())
	}
	stopWorkers()
	for ; left > 0; left-- {
		if err := <-ended; err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
			failed = errors.Join(failed, err)
		}
	}
	a.log.Info("stopped")
	return failed
}

// Run runs the command.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	log := c.logger(s.err)
	a, err := open(ctx, c.database, c.serving, log, !c.NoMigrate)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	if a.admins, err = a.listenAdmin(c.AdminAddr); err != nil {
		return errors.Join(err, l.Close(), a.Close())
	}
	if err := a.offerSetUp(ctx, s.out, cmp.Or(c.PublicURL, "http://"+l.Addr().String())); err != nil {
		return errors.Join(err, l.Close(), a.Close())
	}
	return errors.Join(a.Run(ctx, l), a.Close())
}

// offerSetUp prints a link that makes the first admin, where there is no user yet.
// It goes to out and not into the log, which keeps no secrets.
func (a *App) offerSetUp(ctx context.Context, out io.Writer, base string) error {
	token, err := a.Staff.OfferSetUp(store.WithActor(ctx, store.Actor{Kind: store.System, Name: "serve"}))
	if err == nil && token != "" {
		_, err = fmt.Fprintf(out, "There are no users yet. This link makes the first admin, once, within a day:\n%s/console/setup?token=%s\n",
			strings.TrimRight(base, "/"), token)
	}
	return err
}

// Run runs the command.
func (c *migrateCommand) Run(ctx context.Context, s streams) error {
	db, err := store.Open(ctx, c.DB)
	if err != nil {
		return err
	}
	pending, err := db.Pending(ctx)
	if err == nil {
		err = db.Migrate(ctx)
	}
	if err == nil {
		_, err = fmt.Fprintf(s.out, "%s applied\n", migrations(pending))
	}
	return errors.Join(err, db.Close())
}

func migrations(n int) string {
	if n == 1 {
		return "1 migration"
	}
	return fmt.Sprintf("%d migrations", n)
}
