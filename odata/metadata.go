package odata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// document names a description of the model: CSDL in a form and for a version
// of OData, or OpenAPI.
type document struct{ form, version string }

// description is a document's text. The model does not change after Build, so
// it is written once.
type description struct {
	contentType string
	etag        string
	text        []byte
}

// describe says how each description of the model is written, when it is first
// asked for.
func (s *Service) describe() {
	s.documents = map[document]func() (*description, error){}
	add := func(d document, contentType string, write func(b *bytes.Buffer) error) {
		s.documents[d] = sync.OnceValues(func() (*description, error) {
			var b bytes.Buffer
			err := write(&b)
			sum := sha256.Sum256(b.Bytes())
			// Weak, as the compressed text is another.
			return &description{contentType, `W/"` + hex.EncodeToString(sum[:12]) + `"`, b.Bytes()}, err
		})
	}
	for _, version := range []string{"4.0", "4.01"} {
		add(document{"xml", version}, "application/xml", func(b *bytes.Buffer) error { return s.model.WriteXML(b, version) })
		add(document{"json", version}, "application/json", func(b *bytes.Buffer) error { return s.model.WriteJSON(b, version) })
	}
	add(document{form: "openapi"}, "application/json", func(b *bytes.Buffer) error {
		return s.model.WriteOpenAPI(b, edm.OpenAPI{
			Title: s.Title, Version: s.Version, Server: s.Prefix, Security: s.Security, PageSize: s.Limits.PageSize,
			Search: uri.Served("$search"),
		})
	})
}

// metadata answers $metadata in CSDL XML or CSDL JSON (Protocol 4.01, section
// 11.1.2). XML is what is meant where neither is named.
func (q *request) metadata() error {
	wanted := ""
	for name, values := range q.URL.Query() {
		if strings.EqualFold(strings.TrimPrefix(name, "$"), "format") {
			wanted = values[0]
		}
	}
	if wanted == "" {
		wanted = q.Header.Get("Accept")
	}
	form := metadataForm(wanted)
	if form == "" {
		return fault.Newf(fault.NotAcceptable, "$metadata comes as application/xml or application/json, not as %q", wanted)
	}
	return q.sendDocument(document{form, q.version})
}

// openAPI answers with the OpenAPI description of the service.
func (q *request) openAPI() error { return q.sendDocument(document{form: "openapi"}) }

// sendDocument sends a description, or says that the client has it already.
func (q *request) sendDocument(name document) error {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return q.notAllowed(http.MethodGet)
	}
	d, err := q.s.documents[name]()
	if err != nil {
		return err
	}
	q.w.Header().Set("ETag", d.etag)
	q.w.Header().Set("Cache-Control", "no-cache")
	if match := q.Header.Get("If-None-Match"); match == "*" || match != "" && matches(match, d.etag) {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	q.w.Header().Set("Content-Type", d.contentType)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(d.text)))
	q.w.WriteHeader(http.StatusOK)
	_, err = q.w.Write(d.text)
	return gone(err)
}

// metadataForm picks "xml" or "json", whichever the client likes better, or "".
func metadataForm(wanted string) string {
	switch wanted {
	case "xml", "json":
		return wanted
	}
	form := ""
	for _, any := range []string{"xml", "json"} { // what a wildcard means, if the client does not refuse it
		form, _, _ = best(wanted, func(media string, _ map[string]string) (string, bool) {
			switch media {
			case "*/*", "application/*":
				return any, true
			case "application/xml", "text/xml", "text/html":
				return "xml", true
			case "application/json":
				return "json", true
			}
			return "", false
		})
		if form != "" {
			break
		}
	}
	return form
}
