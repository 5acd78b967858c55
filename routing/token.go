package routing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// tokens keeps the tokens of customers' systems while they hold, in memory. Of
// those that want the same token, one fetches it and the others wait for that.
type tokens struct {
	mu   sync.Mutex
	held map[[sha256.Size]byte]*token
}

type token struct {
	fetched chan struct{} // closed when what follows is there
	text    string
	renewAt time.Time
	failed  *exchange
}

// mostTokens is how many tokens are kept before old ones are looked for.
const mostTokens = 1000

// shortestLife is how long a token serves at least, however short it is said to
// hold, so that a wrong clock does not fetch one for each lead.
const shortestLife = time.Second

// key tells apart what tokens are for.
func (a *scheme) key() [sha256.Size]byte {
	text, _ := json.Marshal([]any{a.Type, a.TokenURL, a.Format, a.Root, a.Fields, a.Token})
	return sha256.Sum256(text)
}

// token gives a token that holds for a while yet, or the exchange that failed to
// bring one.
func (s *Service) token(ctx context.Context, a *scheme) (string, *exchange) {
	key := a.key()
	s.tokens.mu.Lock()
	t, mine := s.tokens.held[key], false
	if t == nil || t.done() && !s.now().Before(t.renewAt) {
		t, mine = &token{fetched: make(chan struct{})}, true
		s.tokens.put(key, t, s.now())
	}
	s.tokens.mu.Unlock()
	if mine {
		s.fetch(ctx, a, t)
		if t.failed != nil {
			s.tokens.drop(key, t.text)
		}
	}
	select {
	case <-t.fetched:
		return t.text, t.failed
	case <-ctx.Done():
		return "", &exchange{err: errors.New("no token within the time for the transmission")}
	}
}

func (t *token) done() bool {
	select {
	case <-t.fetched:
		return true
	default:
		return false
	}
}

// put keeps t. The caller holds the lock.
func (t *tokens) put(key [sha256.Size]byte, fresh *token, now time.Time) {
	if t.held == nil {
		t.held = map[[sha256.Size]byte]*token{}
	}
	if len(t.held) >= mostTokens {
		for k, old := range t.held {
			if old.done() && !now.Before(old.renewAt) {
				delete(t.held, k)
			}
		}
	}
	t.held[key] = fresh
}

// drop forgets the token of key if it is still the one with the text: it was
// refused.
func (t *tokens) drop(key [sha256.Size]byte, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held := t.held[key]; held != nil && held.done() && held.text == text {
		delete(t.held, key)
	}
}

// fetch gets t. What comes of it is for all who wait.
func (s *Service) fetch(ctx context.Context, a *scheme, t *token) {
	defer close(t.fetched)
	r, err := a.tokenRequest()
	if err != nil {
		t.failed = &exchange{err: err}
		return
	}
	x := s.client.send(ctx, r)
	if !x.accepted() {
		t.failed = x.failure("no token was to be had: " + x.problem())
		return
	}
	text, seconds := a.tokenOf.pick(&x)
	if text == "" {
		x.response = fmt.Sprintf("HTTP %d %s\n\n%s", x.status, http.StatusText(x.status), mask) // it may hold one all the same
		t.failed = x.failure("no token was to be had: there is none in the answer")
		return
	}
	life := time.Hour
	if a.Lifetime > 0 {
		life = time.Duration(a.Lifetime) * time.Second
	}
	if n, err := strconv.ParseFloat(seconds, 64); err == nil && n > 0 && n < 1e9 {
		life = time.Duration(n * float64(time.Second))
	}
	t.text, t.renewAt = text, s.now().Add(max(life-min(life/10, time.Minute), shortestLife))
}

// failure gives x as a transmission that is to be tried again for the reason.
func (x *exchange) failure(why string) *exchange {
	x.verdict = &verdict{outcome: Retry, problem: why}
	return x
}

// tokenRequest is the request for a token.
func (a *scheme) tokenRequest() (*request, error) {
	fields := make([]field[any], len(a.Fields))
	r := &request{method: http.MethodPost, url: a.TokenURL, secrets: a.hidden}
	for i, f := range a.Fields {
		fields[i] = field[any]{f.Name, f.Value}
	}
	contentType, body, err := encode(a.Format, a.Root, fields)
	r.body = body
	r.header = []field[string]{{"Accept", "application/json, application/xml;q=0.9, */*;q=0.5"}, {"Content-Type", contentType}}
	return r, err
}
