package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/odata"
	"leadloop/odata/fault"
)

// decision are the parameters of Feedback(ID)/DecideReturn.
type decision struct {
	Approve bool
	Comment *string
}

// submission are the parameters of SubmitFeedback.
type submission struct {
	Items []feedback.Item
}

// FeedbackResult is what became of one report of several: the ID it has, or why
// it was refused.
type FeedbackResult struct {
	Index   int // of the report, from 0
	Status  int // 201, 200 for a report that was there already, or that of an error
	ID      *uuid.UUID
	Code    *string
	Message *string
	Target  *string
}

func (a *App) submitFeedback(ctx context.Context, p submission) ([]FeedbackResult, error) {
	done, err := a.Feedback.SubmitItems(ctx, p.Items)
	if err != nil {
		return nil, err
	}
	return a.feedbackResults(ctx, done), nil
}

func (a *App) feedbackResults(ctx context.Context, done []feedback.Outcome) []FeedbackResult {
	results := make([]FeedbackResult, len(done))
	for i := range done {
		results[i] = FeedbackResult{Index: i, Status: http.StatusCreated, ID: &done[i].Feedback.ID}
		if done[i].Known {
			results[i].Status = http.StatusOK
		}
		if err := done[i].Err; err != nil {
			f := a.faultOf(ctx, err)
			results[i] = FeedbackResult{Index: i, Status: odata.Status(f.Code), Code: new(string(f.Code)), Message: &f.Message}
			if f.Target != "" {
				results[i].Target = &f.Target
			}
		}
	}
	return results
}

// faultOf is what a caller is told of err.
func (a *App) faultOf(ctx context.Context, err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	a.log.ErrorContext(ctx, "a report failed", "error", err)
	return fault.New(fault.Internal, "something went wrong here; it has been logged")
}

// feedback takes reports from systems that can only send a fixed webhook. One
// report is answered by its ID, with 201, or 200 where it was there already, in
// JSON or, to who asks for that, plain text; a list by a result for each.
func (a *App) feedback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if keyInAddress(r) {
		a.fail(w, r, fault.New(fault.Invalid, "a key does not belong into the address, where logs keep it: send it in a header, and issue another one, as this one may be known by now"))
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	done, many, err := a.Feedback.Receive(r.Context(), feedback.Delivery{
		Get: r.Method == http.MethodGet, ContentType: r.Header.Get("Content-Type"), Query: r.URL.Query(), Body: body,
	})
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case many:
		send(w, http.StatusOK, map[string]any{"value": a.feedbackResults(r.Context(), done)})
	case done[0].Err != nil:
		a.refuse(w, r, done[0].Err)
	default:
		status := http.StatusCreated
		if done[0].Known {
			status = http.StatusOK
		}
		if wantsText(r) {
			plainText(w, status, fmt.Sprintf("OK %s\n", done[0].Feedback.ID))
			return
		}
		send(w, status, map[string]any{"ID": done[0].Feedback.ID})
	}
}

// refuse answers with an error in the form that is asked for.
func (a *App) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if !wantsText(r) {
		a.fail(w, r, err)
		return
	}
	f := a.faultOf(r.Context(), err)
	plainText(w, odata.Status(f.Code), fmt.Sprintf("ERROR %s\n", f.Error()))
}

func plainText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a client that left needs no answer
}

// wantsText reports whether the client asks for text and not for JSON.
func wantsText(r *http.Request) bool {
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return strings.Contains(accept, "text/plain") && !strings.Contains(accept, "application/json")
}

// keyInAddress reports whether a parameter of the address looks like a key.
func keyInAddress(r *http.Request) bool {
	return strings.Contains(r.URL.RawQuery, keys.Prefix)
}
