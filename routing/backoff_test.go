package routing

import (
	"net/http"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	cases := []struct {
		count  int
		jitter float64
		asked  time.Duration
		want   time.Duration
		ok     bool
	}{
		{1, 0.5, 0, 5 * time.Second, true},
		{1, 0, 0, 4500 * time.Millisecond, true},
		{1, 1, 0, 5500 * time.Millisecond, true},
		{2, 0.5, 0, 5 * time.Minute, true},
		{9, 0.5, 0, 20 * time.Hour, true},
		{10, 0.5, 0, 0, false},
		{11, 0.5, time.Hour, 0, false},
		{1, 0.5, time.Hour, time.Hour, true},
		{1, 0.5, 72 * time.Hour, 24 * time.Hour, true},
		{3, 0.5, time.Second, 30 * time.Minute, true},
	}
	for _, c := range cases {
		if got, ok := backoff(c.count, c.jitter, c.asked); got != c.want || ok != c.ok {
			t.Errorf("backoff(%d, %v, %s) = %s, %v; want %s, %v", c.count, c.jitter, c.asked, got, ok, c.want, c.ok)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"120":                           2 * time.Minute,
		"-5":                            0,
		"soon":                          0,
		"1e9":                           0,
		"99999999999999999999":          0,
		"Sun, 22 Nov 2026 09:10:00 GMT": 10 * time.Minute,
		"Sun, 22 Nov 2026 08:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
	if got := retryAfter(nil, now); got != 0 {
		t.Errorf("no answer: %s", got)
	}
}
