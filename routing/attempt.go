package routing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// The outcomes of an Attempt.
const (
	Accepted = "accepted" // the customer's system took the lead
	Refused  = "rejected" // it turned the lead down for good
	Retry    = "retry"    // there was no answer, or one that asks to come again
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
	Outcome    string    `odata:"computed"`
	Error      *string   `odata:"computed"`
}

// accepted reports whether the customer's system took the lead: the status says
// so, whatever became of the rest of the answer.
func (x *exchange) accepted() bool { return x.status >= 200 && x.status < 300 }

// outcome tells what an exchange comes to. Redirects are not followed, so they
// are a rejection: the address in the rule is wrong.
func (x *exchange) outcome() string {
	switch {
	case x.accepted():
		return Accepted
	case x.status == 0, x.status >= 500, x.status == http.StatusRequestTimeout,
		x.status == http.StatusTooEarly, x.status == http.StatusTooManyRequests:
		return Retry
	}
	return Refused
}

// problem says in words what went wrong, "" where nothing did.
func (x *exchange) problem() string {
	switch {
	case x.err != nil:
		return clip(x.err.Error(), 1000)
	case x.accepted():
		return ""
	case x.status >= 300 && x.status < 400:
		return fmt.Sprintf("HTTP %d %s: redirects are not followed", x.status, http.StatusText(x.status))
	}
	return fmt.Sprintf("HTTP %d %s", x.status, http.StatusText(x.status))
}

// externalID picks the customer's own id out of a JSON answer: its id, ID or Id,
// a text or number of at most 200 characters.
func (x *exchange) externalID() *string {
	var answer map[string]json.RawMessage
	if !bytes.HasPrefix(bytes.TrimSpace(x.body), []byte("{")) || json.Unmarshal(x.body, &answer) != nil {
		return nil
	}
	for _, name := range []string{"id", "ID", "Id"} {
		raw, ok := answer[name]
		if !ok {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			var number json.Number
			if json.Unmarshal(raw, &number) != nil {
				continue
			}
			text = number.String()
		}
		if text != "" && len([]rune(text)) <= 200 {
			text = clip(text, 1000)
			return &text
		}
	}
	return nil
}
