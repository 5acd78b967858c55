// Package fault holds the one error type of the program: what a caller did
// wrong, or what went wrong, in a form that every face (OData, plain HTTP,
// command line) can render.
//
// A fault's Message, Target and Details are meant for the caller. Whatever is
// not a fault is Internal: logged whole, shown bare.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of trouble an Error is. It is the "code" of an OData
// error body (OData JSON 4.01, section 21.1).
type Code string

// The codes. Package odata holds the one table that maps them to HTTP statuses.
const (
	Invalid            Code = "invalid"
	Unauthorized       Code = "unauthorized"
	Forbidden          Code = "forbidden"
	NotFound           Code = "not_found"
	MethodNotAllowed   Code = "method_not_allowed"
	NotAcceptable      Code = "not_acceptable"
	Conflict           Code = "conflict"
	Gone               Code = "gone"
	PreconditionFailed Code = "precondition_failed"
	PreconditionNeeded Code = "precondition_required"
	FailedDependency   Code = "failed_dependency"
	TooLarge           Code = "too_large"
	URLTooLong         Code = "url_too_long"
	Unsupported        Code = "unsupported_media_type"
	RateLimited        Code = "rate_limited"
	Unavailable        Code = "unavailable"
	NotImplemented     Code = "not_implemented"
	Internal           Code = "internal"
)

// Error is a fault: a code, a message for the caller, the target (a property,
// query option or parameter) and, where several things are wrong, a detail each.
// After is how long to wait before trying again, where that is known.
type Error struct {
	Code    Code
	Message string
	Target  string
	Details []Detail
	After   time.Duration
}

// Detail is one of several things wrong with a request.
type Detail struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Target  string `json:"target,omitempty"`
}

// New returns an Error with code and message.
func New(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// Newf is New with a formatted message.
func Newf(code Code, format string, args ...any) *Error {
	return New(code, fmt.Sprintf(format, args...))
}

// At returns a copy of e with target as its target.
func (e *Error) At(target string) *Error {
	c := *e
	c.Target = target
	return &c
}

// Retry returns a copy of e that says how long to wait before trying again.
func (e *Error) Retry(after time.Duration) *Error {
	c := *e
	c.After = after
	return &c
}

// Error gives the message, with the target before it where there is one.
func (e *Error) Error() string {
	if e.Target != "" {
		return e.Target + ": " + e.Message
	}
	return e.Message
}

// CodeOf returns the code of the first fault in err's chain, and Internal where
// there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
