package routing

import (
	"time"

	"github.com/google/uuid"
)

// The outcomes of an Attempt.
const (
	Accepted  = "accepted"  // the customer's system took the lead
	Duplicate = "duplicate" // it has the lead already, which counts as delivered
	Refused   = "rejected"  // it turned the lead down for good
	Retry     = "retry"     // there was no answer, or one that asks to come again
)

// Attempt is one exchange with a customer's system.
type Attempt struct {
	ID         int64     `gorm:"primaryKey" odata:"computed"`
	RoutingID  uuid.UUID `odata:"computed"`
	StartedAt  time.Time `odata:"computed"`
	DurationMs int64     `odata:"computed"` // milliseconds
	StatusCode *int      `odata:"computed"` // nil: no answer
	Request    string    `odata:"computed"` // as it was sent, secrets masked, at most 64 kB
	Response   string    `odata:"computed"` // as it came, secrets masked, at most 64 kB
	Outcome    string    `odata:"computed"` // accepted, duplicate, rejected or retry
	Error      *string   `odata:"computed"`
	// OnwardID is the outcome that was sent onward, of the feedback on that routing;
	// nil: the lead was sent to the customer.
	OnwardID *uuid.UUID `odata:"computed"`
}
