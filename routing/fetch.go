package routing

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Fetch makes a GET request under all the restrictions of transmissions: only to
// addresses that may be reached, within the time of one exchange, following no
// redirect. It fails for an answer longer than 64 kB. Its errors do not hold the
// URL.
func (s *Service) Fetch(ctx context.Context, url string, header map[string]string) (status int, body []byte, err error) {
	r := &request{method: http.MethodGet, url: url}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		r.header = append(r.header, field[string]{name, header[name]})
	}
	x := s.client.send(ctx, r)
	if x.err == nil && len(x.body) >= captureLimit {
		x.err = fmt.Errorf("the answer has %d bytes or more", captureLimit)
	}
	return x.status, x.body, x.err
}
