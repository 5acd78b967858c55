package odata

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"leadloop/odata/fault"
)

// statuses is the one table from fault codes to HTTP statuses.
var statuses = map[fault.Code]int{
	fault.Invalid:            http.StatusBadRequest,
	fault.Unauthorized:       http.StatusUnauthorized,
	fault.Forbidden:          http.StatusForbidden,
	fault.NotFound:           http.StatusNotFound,
	fault.MethodNotAllowed:   http.StatusMethodNotAllowed,
	fault.NotAcceptable:      http.StatusNotAcceptable,
	fault.Conflict:           http.StatusConflict,
	fault.Gone:               http.StatusGone,
	fault.PreconditionFailed: http.StatusPreconditionFailed,
	fault.PreconditionNeeded: http.StatusPreconditionRequired,
	fault.FailedDependency:   http.StatusFailedDependency,
	fault.TooLarge:           http.StatusRequestEntityTooLarge,
	fault.URLTooLong:         http.StatusRequestURITooLong,
	fault.Unsupported:        http.StatusUnsupportedMediaType,
	fault.RateLimited:        http.StatusTooManyRequests,
	fault.Unavailable:        http.StatusServiceUnavailable,
	fault.NotImplemented:     http.StatusNotImplemented,
	fault.Internal:           http.StatusInternalServerError,
}

// Status is the HTTP status of a fault code.
func Status(c fault.Code) int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// errorBody is an OData error response (JSON Format 4.01, section 21.1).
type errorBody struct {
	Error struct {
		Code    fault.Code     `json:"code"`
		Message string         `json:"message"`
		Target  string         `json:"target,omitempty"`
		Details []fault.Detail `json:"details,omitempty"`
	} `json:"error"`
}

// WriteError answers r with err: a fault as it is, anything else as a bare
// internal error, which is logged whole.
func WriteError(w http.ResponseWriter, r *http.Request, err error, log *slog.Logger) {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
	case errors.Is(r.Context().Err(), context.Canceled):
		return // the client is gone
	case errors.Is(err, context.DeadlineExceeded), r.Context().Err() != nil:
		f = fault.New(fault.Unavailable, "the answer took too long (limit Statement); ask for less or try again")
		w.Header().Set("Retry-After", "5")
	default:
		log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		f = fault.New(fault.Internal, "something went wrong here; it has been logged")
	}
	if f.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.After+time.Second-1)/time.Second)))
	}
	var body errorBody
	body.Error.Code, body.Error.Message, body.Error.Target, body.Error.Details = f.Code, f.Message, f.Target, f.Details
	text, _ := json.Marshal(body) // strings always marshal
	w.Header().Del("Preference-Applied")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Language", "en")
	w.WriteHeader(Status(f.Code))
	_, _ = w.Write(append(text, '\n')) // a client that left needs no answer
}
