package server

import (
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-chi/httprate"

	"leadloop/odata/fault"
)

// guessesMost is how many wrong credentials an address may send in a minute.
const guessesMost = 300

// errGuessed answers who has sent too many wrong credentials, whatever they send
// next: it says nothing of whether that is right.
var errGuessed = fault.New(fault.RateLimited, "too many wrong credentials came from this address; try again in a minute").Retry(time.Minute)

// guesses counts wrong credentials by address. Requests without any are none.
type guesses struct{ limiter *httprate.RateLimiter }

func newGuesses() guesses {
	return guesses{httprate.NewRateLimiter(guessesMost, time.Minute, httprate.WithResponseHeaders(httprate.ResponseHeaders{}))}
}

// spent reports whether the address has no guess left.
func (g guesses) spent(address netip.Addr) bool {
	_, rate, err := g.limiter.Status(network(address))
	return err == nil && int(math.Round(rate)) >= guessesMost
}

// note counts a guess, and reports whether there was none left.
func (g guesses) note(r *http.Request, address netip.Addr) bool {
	return g.limiter.OnLimit(nil, r, network(address)) // without headers it writes nothing
}

// network is the address, or for IPv6 the /64, since one household has as many.
func network(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if address.Is6() {
		prefix, _ := address.Prefix(64)
		address = prefix.Addr()
	}
	return address.String()
}
