package batch

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// ReadMultipart reads the body of a multipart batch. Lines may end in LF alone;
// what stands before the first boundary and after the closing one is passed
// over, as is transfer padding. Faults are Invalid and say in which part; TooLarge
// with a limit's name; NotImplemented.
func ReadMultipart(body []byte, boundary string, l Limits) ([]Request, error) {
	r := multipartReader{limits: l, ids: map[string]bool{}}
	parts, err := split(body, boundary, l.parts)
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		if err := r.part(part); err != nil {
			return nil, inPart(err, i+1)
		}
	}
	return r.requests, nil
}

// inPart says where in the batch a fault is.
func inPart(err error, n int) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	target := fmt.Sprintf("part %d", n)
	if f.Target != "" {
		target += "/" + f.Target
	}
	return f.At(target)
}

type multipartReader struct {
	limits   Limits
	requests []Request
	ids      map[string]bool
	sets     int
}

// part reads a body part of the batch: a request, or a change set.
func (r *multipartReader) part(part []byte) error {
	header, content, err := readHeader(part)
	if err != nil {
		return err
	}
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || media != "multipart/mixed" {
		return r.request(header, content, "")
	}
	inner, err := split(content, params["boundary"], r.limits.changeSet)
	if err != nil {
		return err
	}
	if len(inner) == 0 {
		return fault.New(fault.Invalid, "the change set is empty")
	}
	r.sets++
	group := "changeset_" + strconv.Itoa(r.sets)
	for i, part := range inner {
		header, content, err := readHeader(part)
		if err == nil {
			err = r.request(header, content, group)
		}
		if err != nil {
			return inPart(err, i+1)
		}
	}
	return nil
}

// request reads a request in a part with these headers.
func (r *multipartReader) request(part http.Header, content []byte, group string) error {
	media, _, err := mime.ParseMediaType(part.Get("Content-Type"))
	switch {
	case err == nil && media == "multipart/mixed":
		return fault.New(fault.Invalid, "a change set cannot hold another one")
	case err != nil || media != "application/http":
		return fault.Newf(fault.Invalid, "the Content-Type of a part must be application/http or multipart/mixed, not %q", part.Get("Content-Type"))
	}
	q := Request{Group: group}
	line, content := requestLine(content)
	if err := q.parseLine(line); err != nil {
		return err
	}
	if q.Header, q.Body, err = readHeader(content); err != nil {
		return err
	}
	if err := decodable(q.Header); err != nil {
		return err
	}
	q.trim()
	if group != "" && (q.Method == http.MethodGet || q.Method == http.MethodHead) {
		return fault.Newf(fault.Invalid, "a change set cannot hold a %s request", q.Method)
	}
	// The identifier belongs to the part; some clients give it to the request.
	if q.ID = part.Get("Content-ID"); q.ID == "" {
		q.ID = q.Header.Get("Content-ID")
	}
	q.Header.Del("Content-ID")
	if err := r.identify(q.ID); err != nil {
		return err
	}
	r.requests = append(r.requests, q)
	return r.limits.parts(len(r.requests))
}

func (r *multipartReader) identify(id string) error {
	switch {
	case id == "":
		return nil
	case !validID(id):
		return fault.Newf(fault.Invalid, "%q cannot be a Content-ID: letters, digits and -._~ can", id).At("Content-ID")
	case r.ids[id]:
		return fault.Newf(fault.Invalid, "the Content-ID %s is given twice", id).At("Content-ID")
	}
	r.ids[id] = true
	return nil
}

// parseLine reads a request line. The version may be missing, and URLs may hold
// spaces: the specification's own examples do.
func (q *Request) parseLine(line string) error {
	method, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if i := strings.LastIndexByte(rest, ' '); strings.HasPrefix(strings.ToUpper(rest[i+1:]), "HTTP/") {
		rest = strings.TrimSpace(rest[:max(i, 0)])
	}
	if method == "" || !isToken(method) || rest == "" {
		return fault.Newf(fault.Invalid, "%.80q is not a request line such as \"GET Products HTTP/1.1\"", line)
	}
	q.Method, q.URL = strings.ToUpper(method), rest
	return nil
}

// trim takes from the body what the part put behind it: where the length is
// given and can be true, all that is beyond; else what is nothing but white space.
func (q *Request) trim() {
	length, err := strconv.Atoi(q.Header.Get("Content-Length"))
	if err == nil && length >= 0 && length <= len(q.Body) {
		q.Body = q.Body[:length:length]
	} else if len(bytes.TrimSpace(q.Body)) == 0 {
		q.Body = nil
	}
	q.Header.Del("Content-Length")
}

// requestLine cuts off the first line that is not empty.
func requestLine(content []byte) (line string, rest []byte) {
	rest = content
	for line == "" && len(rest) > 0 {
		var text []byte
		text, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = strings.TrimSpace(string(text))
	}
	return line, rest
}

// readHeader reads headers up to an empty line, or to the end.
func readHeader(text []byte) (h http.Header, rest []byte, err error) {
	h, rest = http.Header{}, text
	for n := 0; len(rest) > 0; n++ {
		var raw []byte
		raw, rest, _ = bytes.Cut(rest, []byte("\n"))
		line := string(bytes.TrimSuffix(raw, []byte("\r")))
		if line == "" {
			break
		}
		if n == maxHeaders {
			return nil, nil, fault.Newf(fault.Invalid, "there are more than %d headers", maxHeaders)
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !addHeader(h, name, value) {
			return nil, nil, fault.Newf(fault.Invalid, "%.80q is not a header", line)
		}
	}
	return h, rest, nil
}

// split cuts a multipart body into its parts (RFC 2046, section 5.1.1); limit
// says when they are too many.
func split(body []byte, boundary string, limit func(n int) error) ([][]byte, error) {
	if boundary == "" {
		return nil, fault.New(fault.Invalid, "the Content-Type multipart/mixed names no boundary").At("Content-Type")
	}
	var parts [][]byte
	delimiter := []byte("--" + boundary)
	start := -1 // of the part at hand
	for at := 0; at < len(body); {
		next := len(body)
		if i := bytes.IndexByte(body[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		rest, ok := bytes.CutPrefix(body[at:next], delimiter)
		last := bytes.HasPrefix(rest, []byte("--"))
		if last {
			rest = rest[2:]
		}
		if ok && len(bytes.TrimRight(rest, " \t\r\n")) == 0 {
			if start >= 0 {
				// The line end before a delimiter belongs to it.
				part := bytes.TrimSuffix(body[start:at], []byte("\n"))
				parts = append(parts, bytes.TrimSuffix(part, []byte("\r")))
				if err := limit(len(parts)); err != nil {
					return nil, err
				}
			}
			if last {
				return parts, nil
			}
			start = next
		}
		at = next
	}
	if start < 0 {
		return nil, fault.Newf(fault.Invalid, "the body has no line with the boundary, --%s", boundary)
	}
	return nil, fault.Newf(fault.Invalid, "the body breaks off: the closing boundary, --%s--, is missing", boundary)
}
