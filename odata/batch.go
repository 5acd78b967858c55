package odata

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"leadloop/odata/batch"
	"leadloop/odata/fault"
)

// batchKey marks the context of a request that is inside a batch.
type batchKey struct{}

// kept is how much of an answer is kept back before it is passed on as it comes.
const kept = 32 << 10

// batch answers a batch request (Protocol 4.01, section 11.7; JSON Format 4.01,
// section 19): it carries out the requests in the order given, each as if it had
// come alone, but for those of a group, which are carried out all or not at all.
func (q *request) batch() error {
	if q.Method != http.MethodPost {
		return q.notAllowed(http.MethodPost)
	}
	if q.Context().Value(batchKey{}) != nil {
		return fault.New(fault.Invalid, "a batch cannot hold another batch")
	}
	if err := q.checkBatchHeader(); err != nil {
		return err
	}
	media, params, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || media != "multipart/mixed" && media != "application/json" {
		return fault.Newf(fault.Unsupported, "a batch must be multipart/mixed or application/json, not %q", q.Header.Get("Content-Type"))
	}
	answer := batchFormat(q.batchAccept(), media)
	if answer == "" {
		return fault.Newf(fault.NotAcceptable, "a batch is answered in multipart/mixed or application/json, not in %q", q.batchAccept())
	}
	requests, err := q.readBatch(media, params["boundary"])
	if err != nil {
		return err
	}
	if q.s.Parts != nil {
		if err := q.s.Parts(q.Context(), len(requests)-1); err != nil {
			return err
		}
	}
	b := &batchRun{q: q, ctx: context.WithValue(q.Context(), batchKey{}, true), done: map[string]outcome{}, failed: map[string]bool{}}
	b.out = batch.NewJSON(q.w)
	if answer == "multipart/mixed" {
		b.out = batch.NewMultipart(q.w, rand.Text())
	}
	b.single = answer == "multipart/mixed" && media == answer
	b.flat = answer == "multipart/mixed" && media != answer
	// Multipart batches stop at the first error unless told otherwise, JSON ones go on.
	b.goOn = media == "application/json"
	if p, ok := q.prefers["continue-on-error"]; ok && p.boolean() {
		b.goOn = !strings.EqualFold(p.value, "false")
		q.applied("continue-on-error", p.value)
	}
	q.w.Header().Set("Content-Type", b.out.ContentType())
	q.w.WriteHeader(http.StatusOK)
	return b.run(requests)
}

// checkBatchHeader refuses headers that mean nothing on a batch as a whole
// (Protocol 4.01, sections 8.2.4, 8.2.5 and 8.2.8.7).
func (q *request) checkBatchHeader() error {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		if q.Header.Get(name) != "" {
			return fault.Newf(fault.Invalid, "%s does not apply to a batch, only to requests inside it", name).At(name)
		}
	}
	if _, ok := q.prefers["return"]; ok {
		return fault.New(fault.Invalid, "the preference return does not apply to a batch, only to requests inside it").At("Prefer")
	}
	return nil
}

func (q *request) readBatch(media, boundary string) ([]batch.Request, error) {
	body, err := q.bodyUpTo(q.s.Limits.BatchBody, "batch", "BatchBody")
	if err != nil {
		return nil, err
	}
	limits := batch.Limits{Parts: q.s.Limits.BatchParts, ChangeSet: q.s.Limits.ChangeSet}
	if media == "application/json" {
		return batch.ReadJSON(body, limits)
	}
	return batch.ReadMultipart(body, boundary, limits)
}

// batchAccept is what the client asks the response to be in.
func (q *request) batchAccept() string {
	for _, option := range []string{"$format", "format"} {
		if f := q.URL.Query().Get(option); f != "" {
			return f
		}
	}
	return strings.Join(q.Header.Values("Accept"), ",")
}

// batchFormat chooses the media type of the response to a batch of the type own,
// which wins where several are as welcome; "" if none is.
func batchFormat(accept, own string) string {
	if strings.EqualFold(strings.TrimSpace(accept), "json") { // as $format has it
		return "application/json"
	}
	answer := func(media string, _ map[string]string) (string, bool) {
		group, _, _ := strings.Cut(media, "/")
		switch {
		case media == "multipart/mixed" || media == "application/json":
			return media, true
		case media == "*/*", media == group+"/*" && strings.HasPrefix(own, group+"/"):
			return own, true
		}
		return "", false
	}
	format, quality, _ := best(accept, answer)
	if _, ownQuality, _ := best(accept, func(media string, p map[string]string) (string, bool) {
		format, _ := answer(media, p)
		return format, format == own
	}); ownQuality == quality && quality > 0 {
		return own
	}
	return format
}

// batchRun carries out the requests of one batch.
type batchRun struct {
	q      *request
	ctx    context.Context
	out    batch.Writer
	done   map[string]outcome // of requests, by their id
	failed map[string]bool    // groups, by their name
	goOn   bool               // after an error
	single bool               // a group that failed is answered by one response
	flat   bool               // groups do not show in the responses
}

// outcome is what later requests need to know of one.
type outcome struct {
	ok   bool
	url  string // of the entity, absolute; "" if the request led to none
	etag string
}

func (b *batchRun) run(requests []batch.Request) error {
	for i := 0; i < len(requests) && b.ctx.Err() == nil; {
		end := i + 1
		for group := requests[i].Group; group != "" && end < len(requests) && requests[end].Group == group; {
			end++
		}
		ok := false
		if requests[i].Group != "" {
			ok = b.group(requests[i:end])
		} else {
			ok = b.alone(&requests[i])
		}
		if i = end; !ok && !b.goOn {
			break
		}
		if i < len(requests) {
			if b.out.Flush() != nil {
				return nil // the client is gone
			}
			_ = http.NewResponseController(b.q.w).Flush() // where the server can
		}
	}
	return gone(b.out.Close())
}

// alone carries out a request that is in no group.
func (b *batchRun) alone(q *batch.Request) bool {
	rec := newRecorder(kept)
	rec.open = func(rec *recorder, length int) io.WriteCloser { return b.out.Open(rec.head(q.ID, "", length)) }
	o := b.one(b.ctx, rec, q, nil)
	if rec.status == 0 {
		return false // the client is gone
	}
	rec.send(b.out, q.ID, "")
	if q.ID != "" {
		b.done[q.ID] = o
	}
	return o.ok
}

// one carries out a request and says what became of it. Siblings are the
// outcomes of the group that it is in.
func (b *batchRun) one(ctx context.Context, rec *recorder, q *batch.Request, siblings map[string]outcome) outcome {
	look := func(id string) (outcome, bool) {
		o, ok := siblings[id]
		if !ok {
			o, ok = b.done[id]
		}
		return o, ok
	}
	err := b.dependencies(q)
	var r *http.Request
	if err == nil {
		r, err = b.request(ctx, q, look)
	}
	if err != nil {
		b.fail(rec, err)
		return outcome{}
	}
	b.serve(rec, r)
	o := outcome{ok: rec.ok()}
	if o.ok {
		o.etag, o.url = rec.sent.Get("ETag"), rec.sent.Get("Location")
		if o.url == "" {
			o.url = rec.sent.Get("OData-EntityId")
		}
		if o.url == "" && r.Method != http.MethodPost {
			o.url = b.q.root() + strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), b.q.s.Prefix), "/")
		}
	}
	return o
}

// serve has the service answer r. A panic is this request's trouble alone, unless
// its answer has begun.
func (b *batchRun) serve(rec *recorder, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler {
			b.q.s.Log.ErrorContext(r.Context(), "panic inside a batch", "path", r.URL.Path, "panic", p)
		}
		if rec.stream != nil {
			panic(http.ErrAbortHandler)
		}
		rec.forget()
		err := fmt.Errorf("a request inside a batch broke off: %v", p)
		noteFailure(r.Context(), err)
		b.fail(rec, err)
	}()
	b.q.s.ServeHTTP(rec, r)
}

// fail records err as the answer.
func (b *batchRun) fail(rec *recorder, err error) {
	rec.Header().Set("OData-Version", b.q.version)
	WriteError(rec, b.q.Request, err, b.q.s.Log)
}

// dependencies returns a fault unless all that q depends on, outside of its own
// group, has succeeded.
func (b *batchRun) dependencies(q *batch.Request) error {
	if q.If != "" {
		return fault.New(fault.FailedDependency, `the request was not carried out: the member "if" is not served`).At("if")
	}
	for _, d := range q.DependsOn {
		if o, known := b.done[d]; known && !o.ok || b.failed[d] {
			return fault.Newf(fault.FailedDependency, "the request was not carried out, as %s, which it depends on, failed", d).At("dependsOn")
		}
	}
	return nil
}
