package batch_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"leadloop/odata/batch"
	"leadloop/odata/fault"
)

// hold checks what is true of all that the readers let through.
func hold(t *testing.T, requests []batch.Request, err error) {
	t.Helper()
	if err != nil {
		if len(requests) > 0 || fault.CodeOf(err) == fault.Internal {
			t.Fatalf("%d requests and %v", len(requests), err)
		}
		return
	}
	if len(requests) > limits.Parts {
		t.Fatalf("%d requests", len(requests))
	}
	ids, groups, last := map[string]bool{}, map[string]int{}, ""
	for _, q := range requests {
		if q.Method == "" || q.Method != strings.ToUpper(q.Method) || q.URL == "" || strings.ContainsAny(q.Method+q.ID+q.Group, " \r\n") {
			t.Fatalf("%+v", q)
		}
		if q.ID != "" && ids[q.ID] {
			t.Fatalf("%s is given twice", q.ID)
		}
		ids[q.ID] = true
		if q.Group != "" && q.Group != last && groups[q.Group] > 0 {
			t.Fatalf("%s is torn apart", q.Group)
		}
		if groups[q.Group]++; q.Group != "" && groups[q.Group] > limits.ChangeSet {
			t.Fatalf("%d requests in %s", groups[q.Group], q.Group)
		}
		last = q.Group
		for name, values := range q.Header {
			if name != http.CanonicalHeaderKey(name) || strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("%q: %q", name, values)
			}
		}
		replaced, err := batch.ReplaceReferences(q.Body, func(id string) (string, bool, error) { return "http://h/" + id, true, nil })
		if err != nil || json.Valid(q.Body) != json.Valid(replaced) {
			t.Fatalf("%q became %q, %v", q.Body, replaced, err)
		}
	}
}

func FuzzMultipart(f *testing.F) {
	for _, c := range multiparts {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(wrap("b", get, set(post("1"), post("2")), post("3"))))
	f.Add([]byte(wrap("b", set(set(post("1"))))))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		requests, err := batch.ReadMultipart(body, "b", limits)
		hold(t, requests, err)
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, c := range jsons {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(`{"requests":[{"id":"1","method":"post","url":"A","body":{"B@odata.bind":["$1","$2/C"],"D":{"@id":"$1"}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		requests, err := batch.ReadJSON(body, limits)
		hold(t, requests, err)
	})
}
