package batch_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/batch"
)

// write writes a few responses of all kinds.
func write(w batch.Writer) error {
	part := func(h batch.Head, body string) {
		b := w.Open(h)
		_, _ = io.WriteString(b, body)
		_ = b.Close()
	}
	header := func(pairs ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			h.Add(pairs[i], pairs[i+1])
		}
		return h
	}
	part(batch.Head{Status: 200, Header: header("Content-Type", "application/json;odata.metadata=minimal", "OData-Version", "4.01"), Length: 7}, `{"a":1}`)
	part(batch.Head{ID: "1", Group: "g", Status: 201, Header: header("Location", "http://h/A(1)", "ETag", `W/"1"`, "Content-Type", "application/json"), Length: -1}, `{}`)
	part(batch.Head{ID: "2", Group: "g", Status: 204, Header: header("OData-EntityId", "http://h/A(2)", "Vary", "A", "Vary", "B")}, "")
	part(batch.Head{ID: "3", Group: "h", Status: 204}, "")
	part(batch.Head{ID: "4", Status: 200, Header: header("Content-Type", "text/plain"), Length: 4}, "3\n\"<")
	part(batch.Head{ID: "5", Status: 200, Header: header("Content-Type", "application/xml", "Content-Length", "9"), Length: -1}, "\xfb\xff<")
	return w.Close()
}

func TestWriteMultipart(t *testing.T) {
	var b strings.Builder
	w := batch.NewMultipart(&b, "x")
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if w.ContentType() != "multipart/mixed; boundary=batch_x" {
		t.Error(w.ContentType())
	}
	want := crlf(`--batch_x
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 200 OK
Content-Type: application/json;odata.metadata=minimal
OData-Version: 4.01
Content-Length: 7

{"a":1}
--batch_x
Content-Type: multipart/mixed; boundary=changeset_1_x

--changeset_1_x
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 1

HTTP/1.1 201 Created
Content-Type: application/json
ETag: W/"1"
Location: http://h/A(1)

{}
--changeset_1_x
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 2

HTTP/1.1 204 No Content
OData-EntityId: http://h/A(2)
Vary: A
Vary: B


--changeset_1_x--

--batch_x
Content-Type: multipart/mixed; boundary=changeset_2_x

--changeset_2_x
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 3

HTTP/1.1 204 No Content


--changeset_2_x--

--batch_x
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 4

HTTP/1.1 200 OK
Content-Type: text/plain
Content-Length: 4

` + "3\x00\"<" + `
--batch_x
Content-Type: application/http
Content-Transfer-Encoding: binary
Content-ID: 5

HTTP/1.1 200 OK
Content-Type: application/xml

` + "\xfb\xff<" + `
--batch_x--
`)
	if diff := cmp.Diff(strings.ReplaceAll(want, "\x00", "\n"), b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestWriteJSON(t *testing.T) {
	var b strings.Builder
	w := batch.NewJSON(&b)
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	want := `{"responses":[` +
		`{"status":200,"headers":{"content-type":"application/json;odata.metadata=minimal","odata-version":"4.01"},"body":{"a":1}},` +
		`{"id":"1","atomicityGroup":"g","status":201,"headers":{"content-type":"application/json","etag":"W/\"1\"","location":"http://h/A(1)"},"body":{}},` +
		`{"id":"2","atomicityGroup":"g","status":204,"headers":{"odata-entityid":"http://h/A(2)","vary":"A, B"}},` +
		`{"id":"3","atomicityGroup":"h","status":204},` +
		`{"id":"4","status":200,"headers":{"content-type":"text/plain"},"body":"3\n\"\u003c"},` +
		`{"id":"5","status":200,"headers":{"content-type":"application/xml"},"body":"-_88"}]}` + "\n"
	if diff := cmp.Diff(want, b.String()); diff != "" || !json.Valid([]byte(b.String())) {
		t.Error(diff)
	}
}

func TestWriteNothing(t *testing.T) {
	var m, j strings.Builder
	if err := errors.Join(batch.NewMultipart(&m, "x").Close(), batch.NewJSON(&j).Close()); err != nil {
		t.Fatal(err)
	}
	if m.String() != "--batch_x--\r\n" || j.String() != `{"responses":[]}`+"\n" {
		t.Errorf("%q %q", m.String(), j.String())
	}
}

// broken is a connection whose other end is gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriteToNobody(t *testing.T) {
	if err := errors.Join(write(batch.NewMultipart(broken{}, "x"))); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	if err := write(batch.NewJSON(broken{})); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}
