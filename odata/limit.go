package odata

import (
	"errors"
	"strings"

	"leadloop/odata/fault"
)

// checkURL bounds the length of the request's URL, whose path is given.
func (q *request) checkURL(path string) error {
	if n := len(path) + len(q.URL.RawQuery); n > q.s.Limits.URL {
		return fault.Newf(fault.URLTooLong, "the URL is longer than %d bytes (limit URL); POST the query options to …/$query", q.s.Limits.URL)
	}
	return nil
}

// outOfRange makes a fault of the database's word that a value an expression gives
// cannot be: what was asked for has no answer.
func outOfRange(err error) error {
	if err == nil {
		return nil
	}
	var state interface{ SQLState() string } // of PostgreSQL
	class22 := errors.As(err, &state) && strings.HasPrefix(state.SQLState(), "22")
	if class22 || strings.HasSuffix(err.Error(), "integer overflow") {
		return fault.New(fault.Invalid, "a value that the request computes is out of range")
	}
	return err
}
