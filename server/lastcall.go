package server

import (
	"encoding/json"
	"net/http"
	"strings"

	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/store"
)

// mostNoted bounds what is looked at of an error's body.
const mostNoted = 4 << 10

// noteCall remembers what became of a call by a customer's system.
func (a *App) noteCall(r *http.Request, actor store.Actor, rec *recorder) {
	if actor.Kind != store.Machine {
		return
	}
	call := keys.LastCall{
		ConnectionID: actor.ConnectionID, Method: r.Method, Path: loggedPath(r), Address: actor.Remote, Status: rec.status,
	}
	if rec.status >= http.StatusBadRequest {
		f := faultIn(rec.refusal)
		call.Code, call.Message, call.Target = string(f.Code), keys.Mask(f.Message), keys.Mask(f.Target)
	}
	a.Keys.Called(call)
}

// faultIn is the fault that the body of an answer tells of.
func faultIn(body []byte) fault.Error {
	var told struct{ Error fault.Error }
	if err := json.Unmarshal(body, &told); err == nil && told.Error.Code != "" {
		return told.Error
	}
	return fault.Error{Code: "error", Message: strings.TrimSpace(string(body))}
}
