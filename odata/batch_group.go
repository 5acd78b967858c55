package odata

import (
	"context"
	"errors"
	"fmt"

	"leadloop/odata/batch"
	"leadloop/odata/fault"
)

// errGroupFailed is what a group's transaction is rolled back with.
var errGroupFailed = errors.New("odata: a request of the group failed")

// groupRun is one run of a group's requests.
type groupRun struct {
	answers  []*recorder
	outcomes map[string]outcome
	cause    int // index of the request that failed; -1 for none
}

// group carries out the requests of a change set or an atomicity group: all of
// them in one transaction, or none. Its answers are kept until that has ended.
func (b *batchRun) group(requests []batch.Request) bool {
	var last groupRun
	err := b.blocked(requests)
	if err == nil {
		err = b.transaction(func(ctx context.Context) error {
			var err error
			last, err = b.attempt(ctx, requests)
			return err
		}, len(requests))
	}
	if b.ctx.Err() != nil {
		return false // the client is gone
	}
	name := requests[0].Group
	b.failed[name] = err != nil
	for _, q := range requests {
		if q.ID == "" {
			continue
		}
		b.done[q.ID] = outcome{}
		if err == nil {
			b.done[q.ID] = last.outcomes[q.ID]
		}
	}
	if err != nil {
		b.sendFailure(requests, last, err)
		return false
	}
	for i, q := range requests {
		last.answers[i].send(b.out, q.ID, b.shown(name))
	}
	return true
}

// shown is the group as the responses name it.
func (b *batchRun) shown(group string) string {
	if b.flat {
		return ""
	}
	return group
}

// blocked returns a fault if any of the requests depends on what failed: then
// none of the group is carried out.
func (b *batchRun) blocked(requests []batch.Request) error {
	for i := range requests {
		if err := b.dependencies(&requests[i]); err != nil {
			return err
		}
	}
	return nil
}

// transaction runs f, which carries out n requests, in one transaction. A single
// request needs none beside its own.
func (b *batchRun) transaction(f func(ctx context.Context) error, n int) error {
	if b.q.s.Write != nil {
		return b.q.s.Write(b.ctx, f)
	}
	if n > 1 {
		return fault.New(fault.NotImplemented, "atomic groups (change sets) of several requests are not served")
	}
	return f(b.ctx)
}

// attempt carries out the requests, up to the first that fails. It begins afresh
// each time: a transaction may be run again.
func (b *batchRun) attempt(ctx context.Context, requests []batch.Request) (groupRun, error) {
	run := groupRun{cause: -1, outcomes: map[string]outcome{}}
	ctx, cancel := context.WithTimeout(ctx, b.q.s.Limits.Statement)
	defer cancel()
	room := b.q.s.Limits.BatchBody
	for i := range requests {
		q := &requests[i]
		var failure error
		rec := newRecorder(room)
		o := b.one(context.WithValue(ctx, failureKey{}, &failure), rec, q, run.outcomes)
		if err := b.exceeded(ctx, rec); err != nil {
			rec.forget()
			o = outcome{}
			b.fail(rec, err)
		}
		room -= int64(rec.body.Len())
		run.answers = append(run.answers, rec)
		if rec.status < 200 || rec.status >= 400 {
			run.cause = i
			if failure != nil {
				// What the database said tells whoever runs the transaction whether
				// it is worth another try.
				return run, fmt.Errorf("%w: %w", errGroupFailed, failure)
			}
			return run, errGroupFailed
		}
		if q.ID != "" {
			run.outcomes[q.ID] = o
		}
	}
	return run, nil
}

// exceeded returns an error if a group has become too large or too slow with the
// answer in rec.
func (b *batchRun) exceeded(ctx context.Context, rec *recorder) error {
	switch {
	case rec.over:
		return fault.Newf(fault.TooLarge, "the answers of the group are larger than %d bytes (limit BatchBody)", b.q.s.Limits.BatchBody)
	case ctx.Err() == context.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	return nil
}

// sendFailure answers for a group of which nothing was carried out: by the answer
// of the request that failed, or, where the trouble was the whole group's, by err.
// In multipart that one response stands for the whole change set (Protocol 4.01,
// section 11.7.7.6); in JSON the other requests say that they failed with it.
func (b *batchRun) sendFailure(requests []batch.Request, last groupRun, err error) {
	cause := -1
	if errors.Is(err, errGroupFailed) && fault.CodeOf(err) != fault.Unavailable {
		cause = last.cause
	}
	if b.single {
		rec, id := newRecorder(b.q.s.Limits.BatchBody), ""
		if cause >= 0 {
			rec, id = last.answers[cause], requests[cause].ID
		} else {
			b.fail(rec, err)
		}
		rec.send(b.out, id, "")
		return
	}
	for i, q := range requests {
		rec := newRecorder(b.q.s.Limits.BatchBody)
		switch {
		case i == cause:
			rec = last.answers[i]
		case cause >= 0:
			b.fail(rec, fault.Newf(fault.FailedDependency, "the request was not carried out, as another of its group failed: %s", label(requests, cause)))
		default:
			b.fail(rec, err)
		}
		rec.send(b.out, q.ID, b.shown(q.Group))
	}
}

// label names a request of a group to the client.
func label(requests []batch.Request, i int) string {
	if id := requests[i].ID; id != "" {
		return id
	}
	return fmt.Sprintf("number %d", i+1)
}

// failureKey is where a context carries the place for the error that a request
// ends with, which its answer may not show.
type failureKey struct{}

// noteFailure tells the group that the request of ctx is in of err.
func noteFailure(ctx context.Context, err error) {
	if place, ok := ctx.Value(failureKey{}).(*error); ok {
		*place = err
	}
}

// inGroup reports whether the request of ctx is in an atomic group.
func inGroup(ctx context.Context) bool { return ctx.Value(failureKey{}) != nil }
