package routing

import (
	"net/http"
	"strconv"
	"time"
)

// schedule is how long a routing waits after its first failed exchange, its
// second and so on. After the last one it is given up, some three days on.
var schedule = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour,
}

// longestRetryAfter is how long a customer's system may make a routing wait.
const longestRetryAfter = 24 * time.Hour

// backoff returns how long to wait after the failed exchange number count (from
// 1): the schedule, spread by a tenth either way by jitter in [0,1), but never
// less than the system asked for. ok is false when it was the last.
func backoff(count int, jitter float64, asked time.Duration) (wait time.Duration, ok bool) {
	if count > len(schedule) {
		return 0, false
	}
	wait = schedule[count-1]
	wait += time.Duration((jitter*2 - 1) * float64(wait) / 10)
	return max(wait, min(asked, longestRetryAfter)), true
}

// retryAfter reads the header Retry-After (RFC 9110, section 10.2.3): seconds or
// a date. It is 0 where there is none that makes sense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
