package odata

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"leadloop/odata/batch"
	"leadloop/odata/fault"
)

// request makes the HTTP request for one of the batch. Look finds the requests
// carried out before.
func (b *batchRun) request(ctx context.Context, q *batch.Request, look func(id string) (outcome, bool)) (*http.Request, error) {
	u, err := b.address(q.URL, look)
	if err != nil {
		return nil, err
	}
	header, err := b.header(q.Header, look)
	if err != nil {
		return nil, err
	}
	body := q.Body
	if int64(len(body)) <= b.q.s.Limits.Body { // a larger one is refused as it is
		body, err = batch.ReplaceReferences(body, func(id string) (string, bool, error) { return entityURL(id, look) })
		if err != nil {
			return nil, err
		}
	}
	outer := b.q.Request
	r := &http.Request{
		Method: q.Method, URL: u, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: http.NoBody, ContentLength: int64(len(body)),
		Host: outer.Host, RemoteAddr: outer.RemoteAddr, TLS: outer.TLS, RequestURI: u.RequestURI(),
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r.WithContext(ctx), nil
}

// entityURL is the URL of the entity that the request id led to; ok is false if
// there is no such request before.
func entityURL(id string, look func(id string) (outcome, bool)) (url string, ok bool, err error) {
	o, ok := look(id)
	switch {
	case !ok:
		return "", false, nil
	case !o.ok:
		return "", true, fault.Newf(fault.FailedDependency, "the request was not carried out, as %s, which it refers to, failed", id).At("$" + id)
	case o.url == "":
		return "", true, fault.Newf(fault.Invalid, "the request %s led to no entity that could be referred to", id).At("$" + id)
	}
	return o.url, true, nil
}

// address is the URL of a request, with the reference in it resolved. Absolute
// ones must be of this service.
func (b *batchRun) address(text string, look func(id string) (outcome, bool)) (*url.URL, error) {
	text, _, _ = strings.Cut(text, "#")
	relative, err := b.relative(text)
	if err != nil {
		return nil, err
	}
	if id, rest, ok := batch.Reference(relative); ok {
		entity, known, err := entityURL(id, look)
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, fault.Newf(fault.Invalid, "$%s refers to no request before this one", id).At("$" + id)
		}
		if relative, err = b.relative(entity); err != nil {
			return nil, err
		}
		relative += rest
	}
	prefix := b.q.s.Prefix
	if !strings.HasPrefix(relative, "?") {
		prefix += "/"
	}
	if strings.HasPrefix(relative, "/") {
		prefix = "" // a path outside of the service: nothing is there
	}
	u, err := url.ParseRequestURI(prefix + relative)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "%.200q is not a URL", text)
	}
	return u, nil
}

// relative makes a URL relative to the service root. One that is not below it
// keeps its absolute path.
func (b *batchRun) relative(text string) (string, error) {
	root, err := url.Parse(b.q.root())
	if err != nil {
		return "", err
	}
	if scheme, rest, ok := strings.Cut(text, "://"); ok && isScheme(scheme) {
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if host := rest[:end]; !strings.EqualFold(host, root.Host) && !strings.EqualFold(host, b.q.Host) {
			return "", fault.Newf(fault.Invalid, "%.200q is not an address of this service, which is %s", text, b.q.root())
		}
		if text = rest[end:]; !strings.HasPrefix(text, "/") {
			text = "/" + text
		}
	}
	for _, prefix := range []string{strings.TrimSuffix(root.EscapedPath(), "/"), b.q.s.Prefix} {
		if rest, ok := strings.CutPrefix(text, prefix); ok && strings.HasPrefix(text, "/") {
			if rest == "" || rest[0] == '?' {
				return rest, nil
			}
			if rest[0] == '/' {
				return rest[1:], nil
			}
		}
	}
	// "/$1" can be nothing but a reference.
	if _, _, ok := batch.Reference(strings.TrimPrefix(text, "/")); ok {
		return strings.TrimPrefix(text, "/"), nil
	}
	return text, nil
}

func isScheme(s string) bool { return strings.EqualFold(s, "http") || strings.EqualFold(s, "https") }

// The headers of a batch that its requests have too, unless they say otherwise
// (Protocol 4.01, section 8), and those that are not theirs to give: who calls
// and by what road, and what HTTP needs between two machines.
var (
	inherited = []string{"Accept-Charset", "Accept-Language", "Content-Language", "Isolation", "OData-Isolation", "OData-MaxVersion", "OData-Version"}
	notTheirs = []string{
		"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Expect", "From", "Max-Forwards", "Range", "Te",
		"Host", "Connection", "Keep-Alive", "Transfer-Encoding", "Trailer", "Upgrade", "Accept-Encoding", "Content-Transfer-Encoding",
	}
)

// ofTheRoad reports whether a header tells of the proxies that the batch came
// through.
func ofTheRoad(name string) bool {
	return name == "Forwarded" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-")
}

// header is the header of a request: its own, and what it has from the batch.
func (b *batchRun) header(own http.Header, look func(id string) (outcome, bool)) (http.Header, error) {
	h := own.Clone()
	for _, name := range notTheirs {
		h.Del(name)
	}
	for name := range h {
		if ofTheRoad(name) {
			delete(h, name)
		}
	}
	outer := b.q.Header
	for name, values := range outer {
		if ofTheRoad(name) {
			h[name] = values
		}
	}
	for _, name := range inherited {
		if values := outer.Values(name); len(values) > 0 && h.Get(name) == "" {
			h[http.CanonicalHeaderKey(name)] = values
		}
	}
	if h.Get("Accept") == "" {
		if accept := acceptInside(outer.Values("Accept")); accept != "" {
			h.Set("Accept", accept)
		}
	}
	b.inheritPreferences(h)
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if err := etagReference(h, name, look); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// acceptInside is what the Accept of a batch says of the requests inside it:
// multipart/mixed is about the batch alone.
func acceptInside(values []string) string {
	var items []string
	for item := range strings.SplitSeq(strings.Join(values, ","), ",") {
		media, _, _ := strings.Cut(item, ";")
		if media = strings.ToLower(strings.TrimSpace(media)); media != "" && !strings.HasPrefix(media, "multipart/") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	return strings.Join(items, ",")
}

// inheritPreferences adds the preferences that hold for all requests of a batch
// that do not have their own (Protocol 4.01, sections 8.2.8.1 and 8.2.8.4).
func (b *batchRun) inheritPreferences(h http.Header) {
	own := parseWishes(h)
	for _, name := range []string{"allow-entityreferences", "include-annotations"} {
		if p, ok := b.q.prefers[name]; ok && own[name].text == "" {
			h.Add("Prefer", p.text)
		}
	}
}

// etagReference replaces "$1" in a header by the ETag of the request 1.
func etagReference(h http.Header, name string, look func(id string) (outcome, bool)) error {
	id, rest, ok := batch.Reference(h.Get(name))
	if !ok || rest != "" {
		return nil
	}
	o, known := look(id)
	switch {
	case !known:
		return fault.Newf(fault.Invalid, "$%s refers to no request before this one", id).At(name)
	case !o.ok:
		return fault.Newf(fault.FailedDependency, "the request was not carried out, as %s, which it refers to, failed", id).At(name)
	case o.etag == "":
		return fault.Newf(fault.Invalid, "the answer to the request %s had no ETag", id).At(name)
	}
	h.Set(name, o.etag)
	return nil
}
