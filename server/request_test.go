package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"leadloop/odata/edm"
)

// What follows makes random requests out of an asker's expressions.

// address is a path, not encoded yet, and what it leads to.
type address struct {
	path string
	s    *edm.Struct
	many bool
}

// encode makes a URL's path and query of text and options.
func encode(path string, options []string) string {
	var b strings.Builder
	for i, segment := range strings.Split(path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(url.PathEscape(segment))
	}
	for i, option := range options {
		name, value, _ := strings.Cut(option, "=")
		b.WriteString(map[bool]string{true: "?", false: "&"}[i == 0])
		b.WriteString(name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	}
	return b.String()
}

func (a *asker) set() *edm.EntitySet {
	var open []*edm.EntitySet
	for _, es := range a.model.Sets {
		if a.readable[es.Type] {
			open = append(open, es)
			if es.Type.Nav("Routings") != nil || es.Type.Nav("Routing") != nil || es.Type.Nav("Lead") != nil {
				open = append(open, es, es) // where customers meet
			}
		}
	}
	if len(open) == 0 || a.rarely(20) {
		open = a.model.Sets
	}
	return pickOf(a, open)
}

func (a *asker) key(s *edm.Struct) string {
	key := a.value(s, s.Key[0])
	if strings.Contains(key, "/") || a.rarely(20) {
		key = noID
	}
	return "(" + key + ")"
}

// address goes from a set over keys and navigation properties.
func (a *asker) address() address {
	es := a.set()
	at := address{es.Name, es.Type, true}
	for at.many && a.n(2) == 1 || !at.many && a.rarely(3) {
		if at.many {
			at.path, at.many = at.path+a.key(at.s), false
			continue
		}
		n := a.nav(at.s, a.n(3) > 0)
		if n == nil {
			break
		}
		at = address{at.path + "/" + n.Name, n.Target, n.Many}
	}
	return at
}

// one is the address of one entity.
func (a *asker) one() address {
	at := a.address()
	if at.many {
		at.path, at.many = at.path+a.key(at.s), false
	}
	return at
}

// request is any request. Those inside a batch are none.
func (a *asker) request(inBatch bool) ask {
	var q ask
	switch k := a.n(24); {
	case k < 14 || k == 23 && inBatch:
		q = a.read()
	case k < 16:
		q = a.count()
	case k < 18:
		q = a.aside()
	case k < 22:
		q = a.change()
	case k == 22:
		q = a.oddity()
	default:
		return a.batch()
	}
	if q.header == nil {
		q.header = http.Header{}
	}
	if a.rarely(20) {
		q.header.Set("Accept", pickOf(a, []string{"application/json;odata.metadata=none", "application/json;odata.metadata=full", "application/json;IEEE754Compatible=true", "text/plain"}))
	}
	if a.rarely(8) {
		q.header.Set("OData-MaxVersion", "4.0")
	}
	return q
}

// read is a read of a collection or an entity.
func (a *asker) read() ask {
	at := a.address()
	q := ask{method: http.MethodGet, header: http.Header{}}
	options := a.options(at.s, 2, at.many)
	if at.many && a.rarely(4) {
		options = append(options, "$apply="+a.transformations(at.s))
	}
	if a.rarely(20) {
		q.method = http.MethodHead
	}
	if at.many && a.rarely(4) {
		q.header.Set("Prefer", pickOf(a, []string{"odata.maxpagesize=2", "odata.track-changes", "track-changes,maxpagesize=3", "omit-values=nulls"}))
	}
	if a.rarely(8) {
		q.header.Set(pickOf(a, []string{"If-None-Match", "If-Match"}), a.etag())
	}
	q.path = encode("/odata/"+at.path, options)
	return q
}

func (a *asker) etag() string { return pickOf(a, []string{`W/"1"`, "*", `W/"2"`, `W/"3"`, `W/"1000"`}) }

func (a *asker) count() ask {
	at := a.address()
	var options []string
	if a.n(3) > 0 {
		options = append(options, "$filter="+a.condition(at.s, "", 2))
	}
	return ask{method: http.MethodGet, path: encode("/odata/"+at.path+"/$count", options)}
}

// aside reads what is beside entities: properties, references, streams, other
// forms of an address.
func (a *asker) aside() ask {
	at := a.one()
	p := a.property(at.s)
	path := at.path + "/" + p.Name
	switch a.n(6) {
	case 1:
		path += "/$value"
	case 2:
		path = a.address().path + "/$ref"
	case 3:
		path = at.path + "/" + pickOf(a, []string{"Budget", "שם", "Nested", "Nested/a", "$value", "Nothing"})
	case 4:
		return ask{method: http.MethodGet, path: encode("/odata/$entity", []string{"$id=" + at.path})}
	case 5:
		set := a.address()
		return ask{
			method: http.MethodPost, path: encode("/odata/"+set.path+"/$query", nil), header: http.Header{"Content-Type": {"text/plain"}},
			body: strings.TrimPrefix(encode("", a.options(set.s, 2, set.many)), "?"),
		}
	}
	return ask{method: http.MethodGet, path: encode("/odata/"+path, nil)}
}

func (a *asker) oddity() ask {
	return ask{method: http.MethodGet, path: pickOf(a, []string{
		"/odata/", "/odata/$all", "/odata/$crossjoin(Leads,Routings)", "/odata/$crossjoin(Leads,Feedback)?$filter=Leads/ID%20eq%20Feedback/RoutingID",
		"/odata/Leads/Routings", "/odata/Leads/$filter(IsTest)/Routings", "/odata/Leads/$each", "/odata/Routings/$delta", "/odata/Leads?$deltatoken=x", "/odata/Leads?$skiptoken=x",
	})}
}

// change is an attempt to change something; reports succeed now and then.
func (a *asker) change() ask {
	at := a.one()
	q := ask{method: http.MethodPost, header: http.Header{"Content-Type": {"application/json"}}}
	path, body := "Feedback", any(a.report(true))
	switch a.n(12) {
	case 3:
		path, body = "Routings"+a.key(a.model.Type("Routing"))+"/Feedback", a.report(false)
	case 4:
		report := a.report(false)
		report["Routing@odata.bind"] = "Routings" + a.key(a.model.Type("Routing"))
		body = report
	case 5:
		q.method, path, body = pickOf(a, []string{http.MethodPatch, http.MethodPut}), at.path, a.object(at.s)
	case 6:
		q.method, path, body = http.MethodDelete, at.path, nil
	case 7:
		p := a.property(at.s)
		q.method, path = pickOf(a, []string{http.MethodPut, http.MethodDelete, http.MethodPatch}), at.path+"/"+p.Name
		body = map[string]any{"value": "x"}
	case 8:
		q.method = pickOf(a, []string{http.MethodPut, http.MethodPost, http.MethodDelete})
		path, body = a.address().path+"/$ref", map[string]any{"@odata.id": a.one().path}
	case 9:
		path, body = at.path+"/"+pickOf(a, []string{"Resend", "IssueKey", "Activate", "Test", "Route", "Leadloop.Resend"}), map[string]any{}
	case 10:
		set := a.address()
		q.method, path = http.MethodPatch, set.path
		item := a.object(set.s)
		item["@odata.id"] = a.one().path
		body = map[string]any{"@odata.context": "#$delta", "value": []any{item}}
	case 11:
		set := a.address()
		path, body = set.path, a.object(set.s)
	}
	a.dress(&q)
	var options []string
	if a.rarely(5) {
		options = a.options(a.model.Type("Feedback"), 2, false)
	}
	q.path = encode("/odata/"+path, options)
	if body != nil {
		text, _ := json.Marshal(body) // values of our own always marshal
		q.body = string(text)
	}
	return q
}

// dress gives a change the headers that changes may have.
func (a *asker) dress(q *ask) {
	if a.rarely(3) {
		q.header.Set(pickOf(a, []string{"If-Match", "If-None-Match"}), a.etag())
	}
	if a.rarely(4) {
		q.header.Set("Prefer", pickOf(a, []string{"return=minimal", "return=representation"}))
	}
	if a.rarely(8) {
		q.header.Set("Repeatability-Request-ID", noID)
		q.header.Set("Repeatability-First-Sent", "Thu, 05 Mar 2026 04:05:06 GMT")
	}
}

// report is a body of feedback. It names no reason that is retired: that there
// was one is said on purpose, to all customers alike.
func (a *asker) report(onRouting bool) map[string]any {
	body := map[string]any{"ReasonID": json.Number(pickOf(a, a.values["FeedbackReason/active"]))}
	if a.rarely(12) {
		body["ReasonID"] = 99
	}
	switch a.n(4) {
	case 0:
		body["Status"] = pickOf(a, someStatuses)
	case 1:
		body["Status"] = pickOf(a, someStatuses)
		delete(body, "ReasonID")
	}
	if onRouting {
		body["RoutingID"] = pickOf(a, append(a.values["Routing/ID"], noID))
	}
	if a.rarely(3) {
		body["Comment"] = pickOf(a, someComments)
	}
	if a.rarely(3) {
		body["OccurredAt"] = pickOf(a, []string{"2026-03-01T00:00:00Z", "2026-02-03T00:00:00Z", "2199-01-01T00:00:00Z"})
	}
	return body
}

// object is a body for an entity of s, or an attempt at one.
func (a *asker) object(s *edm.Struct) map[string]any {
	body := map[string]any{}
	for range a.n(3) {
		p := a.property(s)
		body[p.Name] = pickOf(a, []any{"x", nil, 1, true, noID, "2026-03-01T00:00:00Z"})
	}
	if n := a.nav(s, false); n != nil && a.rarely(3) {
		body[n.Name+"@odata.bind"] = a.one().path
	}
	if n := a.nav(s, true); n != nil && a.rarely(3) {
		body[n.Name] = []any{map[string]any{"@odata.id": a.one().path}, map[string]any{"ID": strings.Trim(a.key(n.Target), "()")}}
	}
	if a.rarely(4) {
		body["@odata.etag"] = a.etag()
	}
	return body
}

// batch is a few requests in one.
func (a *asker) batch() ask {
	var parts []ask
	for range 1 + a.n(4) {
		parts = append(parts, a.request(true))
	}
	groups := a.n(2) == 1
	prefer := http.Header{}
	if a.n(2) == 1 {
		prefer.Set("Prefer", "odata.continue-on-error")
	}
	if a.n(2) == 1 {
		prefer.Set("Content-Type", "multipart/mixed; boundary=b")
		return ask{method: http.MethodPost, path: "/odata/$batch", header: prefer, body: multipartOf(parts)}
	}
	prefer.Set("Content-Type", "application/json")
	var requests []map[string]any
	for i, p := range parts {
		headers := map[string]string{}
		for name := range p.header {
			headers[strings.ToLower(name)] = p.header.Get(name)
		}
		r := map[string]any{"id": fmt.Sprint(i), "method": p.method, "url": p.path, "headers": headers}
		if strings.HasPrefix(p.body, "{") {
			r["body"] = json.RawMessage(p.body)
		}
		if groups && p.method != http.MethodGet {
			r["atomicityGroup"] = "g"
		}
		requests = append(requests, r)
	}
	body, _ := json.Marshal(map[string]any{"requests": requests}) // so do these
	return ask{method: http.MethodPost, path: "/odata/$batch", header: prefer, body: string(body)}
}

func multipartOf(parts []ask) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "--b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n%s %s HTTP/1.1\r\n", p.method, p.path)
		_ = p.header.Write(&b) // to a builder always goes well
		b.WriteString("\r\n" + p.body + "\r\n")
	}
	return b.String() + "--b--\r\n"
}
