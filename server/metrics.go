package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// defaultAdmin is where the admin listener is unless set otherwise; noAdmin turns
// it off.
const (
	defaultAdmin = "127.0.0.1:9464"
	noAdmin      = "off"
)

// meters are the numbers on /metrics of the admin listener. Their labels are
// from short lists: nothing of a person, and nothing that a caller chooses.
type meters struct {
	registry      *prometheus.Registry
	requests      *prometheus.HistogramVec
	intake        *prometheus.CounterVec
	feedback      *prometheus.CounterVec
	transmissions *prometheus.HistogramVec
	sets          []string
}

func newMeters(a *App) *meters {
	m := &meters{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leadloop_http_request_seconds", Help: "Requests by route, method and status, and how long they took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"route", "method", "status"}),
		intake: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadloop_intake_total", Help: "Leads taken in, by result: stored, repeated, or the code of the refusal.",
		}, []string{"result"}),
		feedback: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadloop_feedback_total", Help: "Reports of feedback, by result: stored, or the code of the refusal.",
		}, []string{"result"}),
		transmissions: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leadloop_transmission_seconds", Help: "Exchanges with customers' systems, by outcome, and how long they took.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"outcome"}),
	}
	for _, s := range a.OData.Model().Sets {
		m.sets = append(m.sets, s.Name)
	}
	m.registry.MustRegister(m.requests, m.intake, m.feedback, m.transmissions, newDatabaseMetrics(a),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// route is the part of a path that is no caller's choice.
func (m *meters) route(path string) string {
	segments := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 3)
	switch first := segments[0]; first {
	case "healthz", "readyz", "intake", "feedback", "console", "guide":
		return "/" + first
	case "auth":
		return "/auth"
	case "odata":
		if len(segments) > 1 {
			set, _, _ := strings.Cut(segments[1], "(")
			if slices.Contains(m.sets, set) || set == "$batch" || set == "$metadata" {
				return "/odata/" + set
			}
		}
		return "/odata"
	}
	return "other"
}

// method is the request's, if it is one that is served.
func method(r *http.Request) string {
	if slices.Contains([]string{"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"}, r.Method) {
		return r.Method
	}
	return "other"
}

// request counts a request that has been answered.
func (m *meters) request(r *http.Request, status int, took time.Duration) {
	m.requests.WithLabelValues(m.route(r.URL.Path), method(r), strconv.Itoa(status)).Observe(took.Seconds())
}

// result is the label of what became of something.
func result(err error) string {
	if err == nil {
		return "stored"
	}
	return string(fault.CodeOf(err))
}

// databaseMetrics are read from the database when they are asked for.
type databaseMetrics struct {
	db                                                             *store.DB
	routing                                                        *routing.Service
	queue, oldest, batches, writes, waiting, open, inUse, waitTime *prometheus.Desc
}

func newDatabaseMetrics(a *App) *databaseMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("leadloop_"+name, help, labels, nil)
	}
	return &databaseMetrics{
		db:       a.DB,
		routing:  a.Routing,
		queue:    desc("queue_routings", "Routings in the transmission queue, by state.", "state"),
		oldest:   desc("queue_oldest_due_seconds", "How long the routing that is due longest has been due, by state.", "state"),
		batches:  desc("writer_batches_total", "Transactions that wrote."),
		writes:   desc("writer_writes_total", "Writes in them."),
		waiting:  desc("writer_waiting", "Writes that wait for the writer."),
		open:     desc("database_connections_open", "Connections of the pool."),
		inUse:    desc("database_connections_in_use", "Connections of the pool that are in use."),
		waitTime: desc("database_wait_seconds_total", "Time spent waiting for a connection of the pool."),
	}
}

// Describe implements prometheus.Collector.
func (d *databaseMetrics) Describe(c chan<- *prometheus.Desc) { prometheus.DescribeByCollect(d, c) }

// Collect implements prometheus.Collector.
func (d *databaseMetrics) Collect(c chan<- prometheus.Metric) {
	s := d.db.Stats()
	counter := func(desc *prometheus.Desc, v float64) {
		c <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v)
	}
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	counter(d.batches, float64(s.Batches))
	counter(d.writes, float64(s.Writes))
	gauge(d.waiting, float64(s.Waiting))
	gauge(d.open, float64(s.Pool.OpenConnections))
	gauge(d.inUse, float64(s.Pool.InUse))
	counter(d.waitTime, s.Pool.WaitDuration.Seconds())
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	queue, err := d.routing.Depth(asProgram(ctx, "metrics"))
	if err != nil {
		c <- prometheus.NewInvalidMetric(d.queue, err)
		return
	}
	for _, q := range queue {
		gauge(d.queue, float64(q.Count), q.State)
		if q.OldestDueAt != nil {
			gauge(d.oldest, max(0, store.Now().Sub(*q.OldestDueAt).Seconds()), q.State)
		}
	}
}

// listenAdmin opens the admin listener: nil where there is to be none, and where
// another program has the default address, which is no reason not to serve.
func (a *App) listenAdmin(address string) (net.Listener, error) {
	if address == noAdmin {
		return nil, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil && address == defaultAdmin {
		a.log.Warn("no /metrics: its address is taken; --admin-addr names another", "address", address, "error", err)
		return nil, nil
	}
	return l, err
}

// admin serves /metrics until ctx ends.
func (a *App) admin(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	a.log.Info("admin listens", "admin", l.Addr().String())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
