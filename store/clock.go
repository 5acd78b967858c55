package store

import "time"

// TimeLayout is the text of an instant as SQLite holds it: UTC, fixed width, so
// that texts sort as instants do and print in JSON without work.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// Now is the present instant in the form the database gives back: UTC, cut to
// microseconds, without the monotonic reading. It is the default of every Now
// field.
func Now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
