package odata

import (
	"bytes"
	"net/http"
	"strings"

	"leadloop/odata/fault"
)

// metadata answers $metadata in CSDL XML or CSDL JSON (Protocol 4.01, section
// 11.1.2). XML is what is meant where neither is named.
func (q *request) metadata() error {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return q.notAllowed(http.MethodGet)
	}
	wanted := q.URL.Query().Get("$format")
	if wanted == "" {
		wanted = q.URL.Query().Get("format")
	}
	if wanted == "" {
		wanted = q.Header.Get("Accept")
	}
	var b bytes.Buffer
	contentType := "application/xml"
	switch metadataFormat(wanted) {
	case "json":
		contentType = "application/json"
		if err := q.s.model.WriteJSON(&b); err != nil {
			return err
		}
	case "xml":
		if err := q.s.model.WriteXML(&b, q.version); err != nil {
			return err
		}
	default:
		return fault.Newf(fault.NotAcceptable, "$metadata comes as application/xml or application/json, not as %q", wanted)
	}
	q.w.Header().Set("Content-Type", contentType)
	_, err := q.w.Write(b.Bytes())
	return gone(err)
}

// metadataFormat picks "xml", "json" or "".
func metadataFormat(wanted string) string {
	if wanted == "" {
		return "xml"
	}
	for item := range strings.SplitSeq(wanted, ",") {
		media, _, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "application/xml", "xml", "*/*", "application/*", "text/xml", "text/html":
			return "xml"
		case "application/json", "json":
			return "json"
		}
	}
	return ""
}
