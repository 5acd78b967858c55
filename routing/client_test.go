package routing

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"code.dny.dev/ssrf"
)

func TestGuard(t *testing.T) {
	g := guard{
		allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")},
		public:  ssrf.New(ssrf.WithAnyPort()),
	}
	const network, port = "is not in an allowed network; see --allow-networks", "is not allowed: public addresses"
	cases := []struct{ address, problem string }{
		{"93.184.216.34:443", ""},
		{"93.184.216.34:80", ""},
		{"93.184.216.34:8443", ""},
		{"93.184.216.34:22", port},
		{"[2606:2800:220:1::1]:443", ""},
		{"127.0.0.1:80", network},
		{"10.2.0.1:80", network},
		{"192.168.1.1:443", network},
		{"169.254.169.254:80", network},
		{"0.0.0.0:80", network},
		{"100.64.0.1:80", network},
		{"[::1]:80", network},
		{"[fe80::1%eth0]:80", network},
		{"[::ffff:127.0.0.1]:80", network},
		{"[::ffff:93.184.216.34]:443", ""},
		{"[64:ff9b::7f00:1]:80", network},
		{"[64:ff9b:1::a00:1]:80", network}, // NAT64 of a network's own
		{"[2002:7f00:1::]:80", network},    // 6to4
		{"[2001:0:7f00:1::]:80", network},  // Teredo
		{"[::127.0.0.1]:80", network},
		{"[::ffff:169.254.169.254]:80", network},
		{"10.1.2.3:25", ""},
		{"[::ffff:10.1.2.3]:25", ""},
		{"[fd12::1]:9000", ""},
		{"nonsense", "is not an address"},
	}
	for _, c := range cases {
		err := g.control("tcp4", c.address, nil)
		switch {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", c.address, err)
		case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
			t.Errorf("%s: %v, want %q", c.address, err, c.problem)
		}
	}
	if err := g.control("udp4", "10.1.2.3:53", nil); err == nil {
		t.Error("udp is let through")
	}
}

// Names are judged by what they resolve to; a proxy in the environment is not
// asked.
func TestClientErrors(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	crm := newReceiver(t, nil)
	c := newClient([]netip.Prefix{loopback}, 5*time.Second, 4, "Leadloop/test")
	t.Cleanup(c.close)
	_, port, _ := strings.Cut(strings.TrimPrefix(crm.URL, "http://"), ":")
	cases := []struct{ url, problem string }{
		{"http://localhost:" + port, ""},
		{"http://127.0.0.1:1", "connection refused"},
		{"http://no-such-host.invalid/?key=secret", "the host no-such-host.invalid cannot be found"},
		{"http://[::1]:" + port, "::1 is not in an allowed network"},
		{"https://127.0.0.1:" + port, "server gave HTTP response to HTTPS client"},
	}
	for _, cs := range cases {
		x := c.send(context.Background(), &request{method: "POST", url: cs.url})
		if cs.problem == "" {
			if x.err != nil || x.status != http.StatusOK {
				t.Errorf("%s: %v, %d", cs.url, x.err, x.status)
			}
			continue
		}
		if x.err == nil || !strings.Contains(x.err.Error(), cs.problem) || strings.Contains(x.err.Error(), "secret") {
			t.Errorf("%s: %v, want %q", cs.url, x.err, cs.problem)
		}
	}
}

func TestCaptured(t *testing.T) {
	r := request{
		method: "POST", url: "https://acme.example/?key=s%26cret", secrets: []string{"s&cret"},
		header: []field[string]{{"Authorization", "Bearer abc"}, {"X-Key", "s&cret"}}, body: []byte(`{"key":"s&cret"}`),
	}
	want := "POST https://acme.example/?key=***\nAuthorization: ***\nX-Key: ***\n\n" + `{"key":"***"}`
	if got := r.text(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	long := strings.Repeat("ש", captureLimit)
	if got := clip(long, captureLimit-1); len(got) != captureLimit-2 || !utf8.ValidString(got) {
		t.Errorf("clipped to %d bytes", len(got))
	}
}

func TestExternalID(t *testing.T) {
	for body, want := range map[string]string{
		`{"id":"A-1"}`:             "A-1",
		`{"ID":12345678901234567}`: "12345678901234567",
		` {"Id":"x","id":null}`:    "x",
		`{"id":{"a":1},"ID":"b"}`:  "b",
		`{"id":true}`:              "",
		`{"id":""}`:                "",
		`[{"id":1}]`:               "",
		`{"id":1`:                  "",
		`ok`:                       "",
		``:                         "",
		`{"id":"` + strings.Repeat("x", 201) + `"}`: "",
		`{"id":"a\u0000b"}`:                         "a\uFFFDb",
	} {
		x := exchange{body: []byte(body)}
		got := ""
		if id := x.externalID(); id != nil {
			got = *id
		}
		if got != want {
			t.Errorf("%.40s: %q, want %q", body, got, want)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		status int
		err    error
		want   string
	}{
		{200, nil, Accepted},
		{299, nil, Accepted},
		{200, errors.New("cut off"), Accepted},
		{301, nil, Refused},
		{404, nil, Refused},
		{410, nil, Refused},
		{408, nil, Retry},
		{425, nil, Retry},
		{429, nil, Retry},
		{500, nil, Retry},
		{599, nil, Retry},
		{0, errors.New("refused"), Retry},
	} {
		x := exchange{status: c.status, err: c.err}
		if got := x.outcome(); got != c.want {
			t.Errorf("%d: %s, want %s", c.status, got, c.want)
		}
	}
}
