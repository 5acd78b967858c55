package odata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

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

// describe writes all descriptions of the model.
func (s *Service) describe() error {
	s.documents = map[document]*description{}
	write := func(d document, contentType string, f func(b *bytes.Buffer) error) error {
		var b bytes.Buffer
		err := f(&b)
		sum := sha256.Sum256(b.Bytes())
		// Weak, as the compressed text is another.
		s.documents[d] = &description{contentType, `W/"` + hex.EncodeToString(sum[:12]) + `"`, b.Bytes()}
		return err
	}
	for _, version := range []string{"4.0", "4.01"} {
		err := write(document{"xml", version}, "application/xml", func(b *bytes.Buffer) error { return s.model.WriteXML(b, version) })
		if err == nil {
			err = write(document{"json", version}, "application/json", func(b *bytes.Buffer) error { return s.model.WriteJSON(b, version) })
		}
		if err != nil {
			return err
		}
	}
	return write(document{"openapi", ""}, "application/json", func(b *bytes.Buffer) error {
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
	d := q.s.documents[name]
	q.w.Header().Set("ETag", d.etag)
	q.w.Header().Set("Cache-Control", "no-cache")
	if match := q.Header.Get("If-None-Match"); match == "*" || match != "" && matches(match, d.etag) {
		q.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	q.w.Header().Set("Content-Type", d.contentType)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(d.text)))
	q.w.WriteHeader(http.StatusOK)
	_, err := q.w.Write(d.text)
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
