package leads

import (
	"context"
	"crypto/subtle"
	"net/url"

	"leadloop/odata/fault"
)

// maxChallenge is how many characters of a challenge are sent back.
const maxChallenge = 1_000

// Verification is the answer to a platform that wants to see whether the intake
// address is one.
type Verification struct {
	ContentType string
	Body        []byte
}

// Verify answers the handshake that d is, or returns nil if it is none of its
// source's kind. Errors are those of Receive, and Forbidden for a handshake whose
// token is not the source's.
func (s *Service) Verify(ctx context.Context, token string, d Delivery) (*Verification, error) {
	if d.Method != "GET" {
		return nil, nil
	}
	ctx = system(ctx)
	src, err := s.sourceOf(ctx, token)
	if err != nil {
		return nil, err
	}
	v, err := s.verify(src, d.Query)
	if refused(err) {
		s.reject(ctx, src, d, err)
	}
	return v, err
}

func (s *Service) verify(src *Source, query url.Values) (*Verification, error) {
	switch {
	case src.Kind == KindMeta && query.Has("hub.mode"):
		return s.metaChallenge(src, query)
	case src.Kind == KindLinkedIn && query.Has("challengeCode"):
		code := query.Get("challengeCode")
		if len(code) > maxChallenge {
			return nil, fault.New(fault.Invalid, "the challenge is too long").At("challengeCode")
		}
		return s.linkedInChallenge(src, code)
	}
	return nil, nil
}

// metaChallenge answers Meta's check of the address.
func (s *Service) metaChallenge(src *Source, query url.Values) (*Verification, error) {
	want, err := s.setting(src, setVerifyToken)
	if err != nil {
		return nil, err
	}
	if query.Get("hub.mode") != "subscribe" {
		return nil, fault.New(fault.Invalid, "hub.mode must be subscribe").At("hub.mode")
	}
	given := query.Get("hub.verify_token")
	if want == "" || subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return nil, fault.New(fault.Forbidden, "hub.verify_token is not the VerifyToken of this source").At("hub.verify_token")
	}
	challenge := query.Get("hub.challenge")
	if len(challenge) > maxChallenge {
		return nil, fault.New(fault.Invalid, "the challenge is too long").At("hub.challenge")
	}
	return &Verification{ContentType: "text/plain; charset=utf-8", Body: []byte(challenge)}, nil
}
