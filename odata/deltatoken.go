package odata

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/plan"
)

// deltaToken is what a $deltatoken carries. Its content is nobody's secret: with
// a forged one a caller learns what they may learn anyway.
type deltaToken struct {
	Version int        `json:"v"`
	Query   string     `json:"q"` // what was asked for
	Access  string     `json:"a"` // what the caller may see
	Since   plan.Since `json:"s"`
	// Where a delta has several pages: when it began, the number it goes to, and
	// the last change of the page before.
	Began  *plan.Since  `json:"n,omitempty"`
	Before int64        `json:"b,omitempty"`
	After  *plan.Change `json:"l,omitempty"`
}

// sound reports whether t can have been made by this service: the numbers of a
// log are not negative.
func (t deltaToken) sound() bool {
	numbers := append([]int64{t.Before, t.Since.From, t.Since.Known}, t.Since.Flight...)
	if t.Began != nil {
		numbers = append(append(numbers, t.Began.From, t.Began.Known), t.Began.Flight...)
	}
	if t.After != nil {
		numbers = append(numbers, t.After.N, t.After.Seq)
	}
	return t.Version == deltaVersion && (t.Began == nil) == (t.Before == 0) && slices.Min(numbers) >= 0
}

const deltaVersion = 1

// following is the token of the link that comes after a whole delta.
func (t deltaToken) following() deltaToken {
	return deltaToken{Version: t.Version, Query: t.Query, Access: t.Access, Since: *t.Began}
}

// deltaShape is what of the request a delta link keeps: the parts by which
// entities belong to the result, and how they are shown. Ok is false where the
// URL does not have all of them.
func (q *request) deltaShape() (text string, ok bool) {
	shape := map[string]string{}
	for pair := range strings.SplitSeq(q.URL.RawQuery, "&") {
		_, rawValue, _ := strings.Cut(pair, "=")
		value, _ := url.PathUnescape(rawValue)
		option := optionOf(pair)
		if strings.HasPrefix(option, "@") || option == "filter" || option == "select" {
			shape[option] = value
		}
	}
	for _, option := range []string{"filter", "select"} {
		if _, there := shape[option]; q.query.Given["$"+option] && !there {
			return "", false
		}
	}
	var b strings.Builder
	b.WriteString(q.URL.Path + "\n")
	for _, name := range slices.Sorted(maps.Keys(shape)) {
		b.WriteString(name + "=" + shape[name] + "\n")
	}
	return b.String(), true
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}

func (t deltaToken) String() string {
	text, _ := json.Marshal(t) // numbers and strings always marshal
	return base64.RawURLEncoding.EncodeToString(text)
}

// readToken reads the request's $deltatoken, which must have been made for the
// same query and the same access.
func (q *request) readToken(w *tracking) error {
	bad := fault.New(fault.Invalid, "the $deltatoken is not one of this service's for this request; read the set anew with the preference track-changes").At("$deltatoken")
	text, err := base64.RawURLEncoding.DecodeString(q.query.DeltaToken)
	var t deltaToken
	if err != nil || json.Unmarshal(text, &t) != nil || !t.sound() || t.Query != w.token.Query {
		return bad
	}
	if t.Access != w.token.Access {
		return q.tooOld("what you may read has changed since this delta link was made")
	}
	w.token = t
	return nil
}

// tooOld is the fault of a delta link that leads nowhere any more.
func (q *request) tooOld(why string) error {
	q.w.Header().Set("Location", q.link(""))
	return fault.Newf(fault.Gone, "%s; read the set anew, as Location says", why).At("$deltatoken")
}

// link is this request's URL with what a delta link keeps of its query, and the
// token unless it is "".
func (q *request) link(token string) string {
	options := q.optionsBut("top", "skip", "skiptoken", "deltatoken", "orderby", "count")
	if token != "" {
		options = append(options, "$deltatoken="+token)
	}
	return q.address(options)
}
