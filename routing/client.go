package routing

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// captureLimit is how much of an answer is read, and how much of a request or
// answer is kept, in bytes.
const captureLimit = 64 << 10

// client makes exchanges with customers' systems. It goes to no forbidden
// address, follows no redirect, uses no proxy, and bounds time and memory.
type client struct {
	transport *http.Transport // bare: no redirects, no cookies
	dialer    *net.Dialer
	mailer    *net.Dialer // to mail servers
	timeout   time.Duration
	userAgent string
}

func newClient(allowed []netip.Prefix, timeout time.Duration, workers int, userAgent string) *client {
	g := guard{allowed: allowed, public: ssrf.New(ssrf.WithAnyPort())}
	dialer := &net.Dialer{Control: g.control}
	g.ports = mailPorts
	mailer := &net.Dialer{Control: g.control}
	return &client{timeout: timeout, userAgent: userAgent, dialer: dialer, mailer: mailer, transport: &http.Transport{
		// Without a proxy, and without asking for compressed answers: those could
		// unpack to any size.
		DialContext:            dialer.DialContext,
		DisableCompression:     true,
		MaxIdleConns:           16 * workers,
		MaxIdleConnsPerHost:    workers,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: captureLimit,
	}}
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// request is what is to be sent. Headers go in their order into what is kept.
type request struct {
	method  string
	url     string
	header  []field[string]
	body    []byte
	secrets []string // masked in what is kept
	letter  *letter  // of a message by e-mail
	limit   int64    // of the answer, in bytes; captureLimit unless given
}

// exchange is what came of a request.
type exchange struct {
	duration time.Duration
	status   int // 0: no answer
	header   http.Header
	body     []byte // as far as it was read
	request  string // for people, secrets masked
	response string // for people, secrets masked; "" without an answer
	err      error  // why there is no answer, or not all of it
	mail     bool   // it was with a mail server
	secrets  []string
	verdict  *verdict
}

// mailPorts are where mail servers take messages.
var mailPorts = []uint16{25, 465, 587}

// dialMail connects to a mail server at host:port, under the same guard.
func (c *client) dialMail(ctx context.Context, address string) (net.Conn, error) {
	return c.mailer.DialContext(ctx, "tcp", address)
}

// send makes one exchange. It always returns within the client's timeout.
func (c *client) send(ctx context.Context, r *request) exchange {
	if until, ok := ctx.Deadline(); !ok || time.Until(until) > c.timeout {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	r.header = append(r.header, field[string]{"User-Agent", c.userAgent})
	x := exchange{request: r.text(), secrets: r.secrets}
	begun := time.Now()
	res, err := c.do(ctx, r)
	x.receive(res, err, cmp.Or(r.limit, captureLimit))
	x.duration = time.Since(begun)
	if x.err != nil {
		x.err = c.explain(ctx, x.err)
	}
	if x.status != 0 {
		x.response = answerText(&x, r.secrets)
	}
	return x
}

func (c *client) do(ctx context.Context, r *request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for _, h := range r.header {
		req.Header.Set(h.name, h.value)
	}
	return c.transport.RoundTrip(req)
}

// receive reads the answer, up to limit bytes of it.
func (x *exchange) receive(res *http.Response, err error, limit int64) {
	if err != nil {
		x.err = err
		return
	}
	defer res.Body.Close()
	x.status, x.header = res.StatusCode, res.Header
	x.body, x.err = io.ReadAll(io.LimitReader(res.Body, limit))
}

// explain turns a transport's error into one that says what to do about it,
// without the URL, which may hold secrets.
func (c *client) explain(ctx context.Context, err error) error {
	var refused *refusedError
	var name *net.DNSError
	var network net.Error
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &refused):
		return refused
	case context.Cause(ctx) == context.DeadlineExceeded, errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("no complete answer within %s", c.timeout)
	case errors.As(err, &plain) && string(plain.RecordHeader[:]) == "HTTP/":
		return errors.New("server gave HTTP response to HTTPS client")
	case errors.As(err, &name):
		return fmt.Errorf("the host %s cannot be found", name.Name)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed before the answer was complete")
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		if _, ok := err.(*net.OpError); ok {
			return err
		}
		err = inner
	}
}

// guard decides which addresses may be dialled. It sees them after the name was
// resolved, so a name cannot lead astray, today or tomorrow.
type guard struct {
	allowed []netip.Prefix
	public  *ssrf.Guardian
	ports   []uint16 // below 1024 that are allowed besides 80 and 443
}

// refusedError says that an address may not be dialled.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// control is a net.Dialer's Control.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || (network != "tcp4" && network != "tcp6") {
		return &refusedError{fmt.Sprintf("%s %s is not an address to send to", network, address)}
	}
	ip := to.Addr().Unmap()
	for _, p := range g.allowed {
		if p.Contains(ip.WithZone("")) {
			return nil
		}
	}
	if err := g.public.SafeAddr(ip); err != nil {
		return &refusedError{fmt.Sprintf("%s is not in an allowed network; see --allow-networks", ip)}
	}
	if port := to.Port(); port < 1024 && port != 80 && port != 443 && !slices.Contains(g.ports, port) {
		return &refusedError{fmt.Sprintf("port %d is not allowed: public addresses take 80, 443 and 1024 up", port)}
	}
	return nil
}
