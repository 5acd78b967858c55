package routing

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestVerdicts(t *testing.T) {
	type given struct {
		status  int
		body    string
		outcome Outcomes
		err     error
	}
	cases := []struct {
		name string
		given
		want string
	}{
		{"200", given{status: 200}, Accepted},
		{"404", given{status: 404}, Refused},
		{"503", given{status: 503}, Retry},
		{"no answer", given{err: http.ErrHandlerTimeout, outcome: Outcomes{Accepted: "true"}}, Retry},
		{"JSON", given{status: 200, body: `{"ok":true}`, outcome: Outcomes{Accepted: "Body/ok eq true"}}, Accepted},
		{"JSON that says no", given{status: 200, body: `{"ok":false}`, outcome: Outcomes{Accepted: "Body/ok eq true"}}, Refused},
		{"half an answer", given{status: 200, body: `{"ok":`, outcome: Outcomes{Accepted: "Body/ok eq true"}, err: http.ErrBodyNotAllowed}, Retry},
		{"success with a 4xx", given{status: 409, body: `{"code":"OK"}`, outcome: Outcomes{Accepted: "Body/code eq 'OK'"}}, Accepted},
		{"5xx is retried all the same", given{status: 500, outcome: Outcomes{Accepted: "Status eq 200"}}, Retry},
		{"duplicate before rejected", given{status: 400, body: `{"e":"dup"}`, outcome: Outcomes{Duplicate: "Body/e eq 'dup'", Rejected: "Status eq 400"}}, Duplicate},
		{"retry before rejected", given{status: 400, outcome: Outcomes{Retry: "Status eq 400", Rejected: "Status eq 400"}}, Retry},
		{"rejected with a 200", given{status: 200, body: "ERROR 7", outcome: Outcomes{Rejected: "startswith(Body,'ERROR')"}}, Refused},
		{"text", given{status: 200, body: "OK 12", outcome: Outcomes{Accepted: "contains(Body,'OK')"}}, Accepted},
		{"text that is no object", given{status: 200, body: "OK 12", outcome: Outcomes{Accepted: "Body/ok eq true"}}, Refused},
		{"object that is no text", given{status: 200, body: `{"m":"OK"}`, outcome: Outcomes{Accepted: "contains(Body,'OK')"}}, Refused},
		{"its text", given{status: 200, body: `{"m":"OK"}`, outcome: Outcomes{Accepted: "contains(Text,'OK')"}}, Accepted},
		{"XML", given{status: 200, body: `<?xml version="1.0"?><r code="1"><Status>ok</Status></r>`, outcome: Outcomes{Accepted: "Body/r/Status eq 'ok' and Body/r/code eq 1"}}, Accepted},
		{"XML in another charset", given{status: 200, body: "<?xml version=\"1.0\" encoding=\"windows-1255\"?><r>\xf9\xec\xe5\xed</r>", outcome: Outcomes{Accepted: "Body/r eq 'שלום'"}}, Accepted},
		{"XML entities", given{status: 200, body: `<!DOCTYPE r [<!ENTITY a "ok">]><r>&a;</r>`, outcome: Outcomes{Accepted: "Body/r eq 'ok'"}}, Refused},
		{"repeated elements", given{status: 200, body: `<r><i>1</i><i>2</i></r>`, outcome: Outcomes{Accepted: "Body/r/i/count eq 2 and Body/r/i/last eq 2"}}, Accepted},
		{"list", given{status: 200, body: `[{"id":5},{"id":6}]`, outcome: Outcomes{Accepted: "Body/id eq 5 and Body/_1/id eq 6 and Body/count eq 2"}}, Accepted},
		{"empty list", given{status: 200, body: `[]`, outcome: Outcomes{Accepted: "Body/count eq 0"}}, Accepted},
		{"keyed by number", given{status: 200, body: `{"12":{"Id":"12"},"7":{"Id":"7"}}`, outcome: Outcomes{Accepted: "Body/Id eq '7' and Body/count eq 2"}}, Accepted},
		{"odd names", given{status: 200, body: `{"@odata.id":"x"}`, outcome: Outcomes{Accepted: "Body/_odata_id eq 'x'"}}, Accepted},
		{"header", given{status: 200, outcome: Outcomes{Accepted: "Header/x_result eq 'fine'"}}, Accepted},
		{"header in its case", given{status: 200, outcome: Outcomes{Accepted: "Header/X_Result eq 'fine'"}}, Accepted},
		{"deep and broken", given{status: 200, body: strings.Repeat(`[`, 30000), outcome: Outcomes{Accepted: "Body ne null"}}, Accepted},
		{"deep XML", given{status: 200, body: strings.Repeat(`<a>`, 20000), outcome: Outcomes{Accepted: "Body/a ne null"}}, Refused},
	}
	e := newExpressions()
	for _, c := range cases {
		var p problems
		r, err := e.rulings(&p, &Connector{Outcomes: c.outcome})
		if err == nil {
			err = p.err()
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		x := exchange{status: c.status, body: []byte(c.body), err: c.err, header: http.Header{"X-Result": {"fine"}, "Content-Type": {"text/lies"}}}
		if v := r.of(&x); v.outcome != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, v.outcome, v.problem, c.want)
		}
	}
}

func TestRulingsThatDoNotCompile(t *testing.T) {
	f := New(nil, nil)
	c := &Connector{
		Name: "X", Method: "POST", Format: "json", URL: "https://example.com",
		Outcomes:   Outcomes{Accepted: "Status", Duplicate: "Bod/x eq 1", Rejected: "Status eq"},
		ExternalID: "concat(", ExternalLink: "Header/x y", Lookup: Lookup{URL: "https://example.com/{Nothing}", ID: "((", Known: "1"},
	}
	got := wrong(f.checkConnector(c))
	for _, target := range []string{
		"Outcomes/Accepted", "Outcomes/Duplicate", "Outcomes/Rejected", "ExternalID", "ExternalLink", "Lookup/URL", "Lookup/ID", "Lookup/Known",
	} {
		if got[target] == "" {
			t.Errorf("no problem at %s in %v", target, got)
		}
	}
	if !strings.Contains(got["Outcomes/Duplicate"], "position") {
		t.Errorf("no position: %s", got["Outcomes/Duplicate"])
	}
}

func TestNestedBodies(t *testing.T) {
	fields := func(targets ...string) []field[any] {
		list := make([]field[any], len(targets))
		for i, target := range targets {
			list[i] = field[any]{target, fmt.Sprintf("%d<", i)}
		}
		return list
	}
	cases := []struct {
		targets   []string
		json, xml string
	}{
		{[]string{"b", "a"}, `{"b":"0<","a":"1<"}`, "<b>0&lt;</b><a>1&lt;</a>"},
		{[]string{"a.b", "c", "a.d.e"}, `{"a":{"b":"0<","d":{"e":"2<"}},"c":"1<"}`, "<a><b>0&lt;</b><d><e>2&lt;</e></d></a><c>1&lt;</c>"},
		{[]string{"i[1].n", "i[0].n", "i[1].m"}, `{"i":[{"n":"1<"},{"n":"0<","m":"2<"}]}`, "<i><n>1&lt;</n></i><i><n>0&lt;</n><m>2&lt;</m></i>"},
		{[]string{"i[0]", "i[5]"}, `{"i":["0<","1<"]}`, "<i>0&lt;</i><i>1&lt;</i>"},
		{[]string{"[0].op", "[0].path"}, `[{"op":"0<","path":"1<"}]`, "error"},
		{[]string{`a\.b`, `c\[0]`}, `{"a.b":"0<","c[0]":"1<"}`, "error"},
		{[]string{"p.@id", "p", "p.q"}, "error", `<p id="0&lt;">1&lt;<q>2&lt;</q></p>`},
		{[]string{"@id", "n"}, `{"@id":"0<","n":"1<"}`, `<n>1&lt;</n>`},
		{[]string{"a", "a.b"}, "error", "<a>0&lt;<b>1&lt;</b></a>"},
		{[]string{"a[0]", "a.b"}, "error", "error"},
		{[]string{"a.b", "a[0]"}, "error", "error"},
		{[]string{"a..b"}, "error", "error"},
		{[]string{"a[x]"}, "error", "error"},
		{[]string{"a[0]b"}, "error", "error"},
		{[]string{"a[100]"}, "error", "error"},
		{[]string{"a b"}, `{"a b":"0<"}`, "error"},
		{nil, "{}", ""},
	}
	for _, c := range cases {
		if got, err := jsonBody(fields(c.targets...)); string(got) != c.json && (err == nil || c.json != "error") {
			t.Errorf("JSON of %v: %s %v, want %s", c.targets, got, err, c.json)
		}
		body, err := xmlBody("root.lead", fields(c.targets...))
		got := strings.TrimPrefix(string(body), `<?xml version="1.0" encoding="UTF-8"?>`+"\n")
		want := "<root><lead>" + c.xml + "</lead></root>"
		if len(c.targets) > 0 && c.targets[0] == "@id" {
			want = `<root><lead id="0&lt;">` + c.xml + "</lead></root>"
		}
		if got != want && (err == nil || c.xml != "error") {
			t.Errorf("XML of %v: %s %v, want %s", c.targets, got, err, want)
		}
	}
}
