package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// streamKind is what the module stream.js asks for when it posts a form with
// data-stream.
const streamKind = "application/x-ndjson"

// streamLine is a line of the answer to a form with data-stream: how far the work
// is or, last, what it came to, which takes the place of the element that
// data-stream names.
type streamLine struct {
	Text  string `json:"text,omitempty"`
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`
	HTML  string `json:"html,omitempty"`
}

// streamPause is how often progress is told at most.
const streamPause = 100 * time.Millisecond

// Stream does long work that ends with the request, and tells how far it is. Work
// calls progress now and then, and gives the data of the definition part of
// templates/<name>.html. A fault is data as well: wrong makes it of one. Where a
// browser runs no scripts, whole shows the page with the data.
func (v *visit) Stream(name, part string, work func(progress func(text string, done, total int64)) (any, error), wrong func(text string) any, whole func(data any) error) error {
	c := http.NewResponseController(v.W)
	later := func() { // an error is of a writer without deadlines, which needs none
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_ = c.SetWriteDeadline(time.Now().Add(2 * time.Minute))
	}
	later()
	streaming := v.R.Header.Get("Accept") == streamKind
	send := func(l streamLine) {
		_ = json.NewEncoder(v.W).Encode(l) // a client that left ends the request's context
		_ = c.Flush()
	}
	if streaming {
		v.W.Header().Set("Content-Type", streamKind)
		v.W.Header().Set("Cache-Control", "no-store")
	}
	var told time.Time
	data, err := work(func(text string, done, total int64) {
		if now := time.Now(); streaming && now.Sub(told) >= streamPause {
			told = now
			later()
			send(streamLine{Text: text, Done: done, Total: total})
		}
	})
	if err != nil {
		if v.ctx().Err() != nil {
			return nil // nobody is there to be told
		}
		data = wrong(v.faultText(v.told(err)))
	}
	if !streaming {
		return whole(data)
	}
	templates, err := v.template(v.lang, v.zone, name)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, part, page{visit: v, Data: data}); err != nil {
		return err
	}
	send(streamLine{HTML: body.String()})
	return nil
}
