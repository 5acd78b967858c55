package server

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/xuri/excelize/v2"
)

// parcel is one delivery to the intake, with one enquiry or several in it.
type parcel struct {
	kind   string
	method string
	query  string
	header http.Header
	body   string
	holds  []*enquiry
	status int // wanted
}

// Secrets of the Sources of the day.
const (
	adsKey, metaSecret, linkedInSecret, typeformSecret, managerKey = "swordfish-7", "app-secret", "client-secret", "tf-secret", "k3y"
	verifyToken, graphToken                                        = "knock-knock", "graph-token"
)

// sourceOf is the body of the Source of a kind.
func sourceOf(kind, graph string, places int) map[string]any {
	body := map[string]any{"Name": "Day: " + kind, "Kind": kind, "MaxRoutings": places}
	field := func(target, from string) map[string]any { return map[string]any{"Target": target, "Field": from} }
	switch kind {
	case "csv", "xlsx":
		body["Kind"] = "json"
	case "form":
		body["Mapping"] = []map[string]any{field("Budget", "תקציב"), field("Topic", "מה מעניין אתכם?")}
	case "google-ads":
		body["Secret"] = adsKey
	case "meta":
		body["Settings"] = map[string]any{"AppSecret": metaSecret, "VerifyToken": verifyToken, "AccessToken": graphToken, "GraphURL": graph}
	case "linkedin":
		body["Secret"] = linkedInSecret
		mapping := []map[string]any{}
		for i, target := range []string{"FullName", "Phone", "Email", "City", "Message", "UtmSource", "Topic", "Budget", "Rooms", "Ref"} {
			mapping = append(mapping, field(target, fmt.Sprint(101+i)))
		}
		body["Mapping"] = mapping
	case "typeform":
		body["Secret"] = typeformSecret
	case "elementor":
		body["DuplicateWindow"], body["DuplicateBy"] = "P30D", "phone"
	case "leadmanager":
		body["Secret"] = managerKey
	}
	return body
}

// pack makes the deliveries of enquiries, in a shuffled order: platforms that
// send several at once do so, some send twice, some are not who they say.
func pack(all []*enquiry, r *rand.Rand) []*parcel {
	byKind := map[string][]*enquiry{}
	for _, e := range all {
		byKind[e.kind] = append(byKind[e.kind], e)
	}
	var parcels []*parcel
	for _, s := range share {
		if s.kind == "csv" || s.kind == "xlsx" {
			continue // imported
		}
		for rest := byKind[s.kind]; len(rest) > 0; {
			n := 1
			if s.kind == "json" || s.kind == "meta" {
				n = min(1+r.IntN(4), len(rest))
			}
			p := wrap(s.kind, rest[:n], r)
			parcels = append(parcels, p)
			if p.holds[0].far != "" && r.IntN(25) == 0 {
				parcels = append(parcels, p) // its sender did not hear the answer
			}
			rest = rest[n:]
		}
	}
	for range 1 + len(all)/100 {
		parcels = append(parcels, forged(r))
	}
	r.Shuffle(len(parcels), func(i, j int) { parcels[i], parcels[j] = parcels[j], parcels[i] })
	return parcels
}

// wrap makes a delivery of a kind's own shape.
func wrap(kind string, holds []*enquiry, r *rand.Rand) *parcel {
	p := &parcel{kind: kind, method: "POST", header: http.Header{"Content-Type": {"application/json"}}, holds: holds, status: http.StatusOK}
	e := holds[0]
	form := func(fields []formField) {
		values := url.Values{}
		for _, f := range fields {
			values.Add(f.name, f.value)
		}
		p.header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		p.body = values.Encode()
	}
	switch kind {
	case "json":
		p.wrapJSON()
	case "form":
		p.status = http.StatusCreated
		fields := e.fields("שם מלא", "נייד", "דוא\"ל", "עיר", "הודעה", "utm_source")
		for i := range fields {
			switch fields[i].name {
			case "Budget":
				fields[i].name = "תקציב"
			case "Topic":
				fields[i].name = "מה מעניין אתכם?"
			}
		}
		form(fields)
		if r.IntN(5) == 0 {
			p.method, p.query, p.body = "GET", "?"+strings.ReplaceAll(p.body, "+", "%20"), ""
		}
	case "google-ads":
		p.wrapAds()
	case "meta":
		p.wrapMeta()
	case "linkedin":
		p.wrapLinkedIn()
	case "typeform":
		p.wrapTypeform()
	case "elementor":
		var fields []formField
		for i, f := range e.fields("שם מלא", "לאן להתקשר?", "אימייל", "עיר", "הודעה", "") {
			id := fmt.Sprintf("fields[f%d]", i)
			kind := "text"
			if f.name == "לאן להתקשר?" {
				kind = "tel"
			}
			fields = append(fields, formField{id + "[title]", f.name}, formField{id + "[type]", kind}, formField{id + "[value]", f.value})
		}
		form(append(fields, formField{"form[name]", "צור קשר"}, formField{"meta[remote_ip][value]", "2001:db8::1"},
			formField{"meta[page_url][value]", "https://example.co.il/?utm_source=" + e.utm}))
	case "salesforce-web-to-lead":
		fields := e.fields("", "phone", "email", "city", "Message", "utm_source")
		first, last, _ := strings.Cut(e.fullName(), " ")
		form(append(fields, formField{"oid", "00D5g0"}, formField{"first_name", first}, formField{"last_name", last}, formField{"00N5g1", "4"}))
	case "leadmanager":
		form(append(e.fields("subscribers_name", "subscribers_phone", "subscribers_email", "city", "msg", "utm_source"),
			formField{"lm_key", managerKey}, formField{"lm_form", "812"}, formField{"fld_1177", "x"}))
	}
	return p
}

func (p *parcel) wrapJSON() {
	p.status = http.StatusCreated
	var list []map[string]any
	for _, e := range p.holds {
		lead := map[string]any{"ExternalID": e.far}
		for _, f := range e.fields("full_name", "tel", "mail", "town", "comments", "utm_source") {
			lead[f.name] = f.value
		}
		if e.budget >= 0 {
			lead["Budget"] = e.budget
		}
		lead["Rooms"] = e.rooms
		list = append(list, lead)
	}
	p.body = jsonOf(list)
	if len(list) == 1 {
		p.body = jsonOf(list[0])
	}
}

func (p *parcel) wrapAds() {
	e := p.holds[0]
	var columns []map[string]any
	for _, f := range e.fields("FULL_NAME", "PHONE_NUMBER", "EMAIL", "CITY", "Message", "utm_source") {
		columns = append(columns, map[string]any{"column_id": f.name, "string_value": f.value})
	}
	p.body = jsonOf(map[string]any{
		"lead_id": e.far, "google_key": adsKey, "campaign_id": 20711998877, "form_id": 9007199254740993, "is_test": e.test,
		"api_version": "1.0", "user_column_data": columns,
	})
}

// wrapMeta only announces the enquiries: the server reads them from the graph.
func (p *parcel) wrapMeta() {
	var changes []map[string]any
	for _, e := range p.holds {
		changes = append(changes, map[string]any{"field": "leadgen", "value": map[string]any{"leadgen_id": json.Number(e.far), "form_id": json.Number("9007199254740995")}})
	}
	p.body = jsonOf(map[string]any{"object": "page", "entry": []map[string]any{{"id": 153125381133, "time": 1772388000, "changes": changes}}})
	p.header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(hmacOf(metaSecret, p.body)))
}

func (p *parcel) wrapLinkedIn() {
	e := p.holds[0]
	var answers []map[string]any
	for i, value := range []string{e.fullName(), e.phone, e.email, e.city, e.message, e.utm, e.topic, e.money(), fmt.Sprint(e.rooms), e.ref} {
		details := map[string]any{"textQuestionAnswer": map[string]any{"answer": value}}
		if i == 6 {
			details = map[string]any{"multipleChoiceAnswer": map[string]any{"options": []string{value}}}
		}
		if value != "" {
			answers = append(answers, map[string]any{"questionId": 101 + i, "answerDetails": details})
		}
	}
	p.body = jsonOf(map[string]any{
		"id": e.far, "leadType": "SPONSORED", "testLead": e.test, "submittedAt": 1772388000123, "formResponse": map[string]any{"answers": answers},
	})
	p.header.Set("X-LI-Signature", "hmacsha256="+hex.EncodeToString(hmacOf(linkedInSecret, "hmacsha256="+p.body)))
}

func (p *parcel) wrapTypeform() {
	e := p.holds[0]
	var questions, answers []map[string]any
	for i, f := range e.fields("שם מלא", "phone", "email", "עיר", "הודעה", "") {
		id := fmt.Sprintf("q%d", i)
		answer := map[string]any{"type": "text", "text": f.value, "field": map[string]any{"id": id}}
		switch f.name {
		case "phone":
			answer = map[string]any{"type": "phone_number", "phone_number": f.value, "field": map[string]any{"id": id}}
		case "Topic":
			answer = map[string]any{"type": "choice", "choice": map[string]any{"label": f.value}, "field": map[string]any{"id": id}}
		case "Budget", "Rooms":
			answer = map[string]any{"type": "number", "number": json.Number(f.value), "field": map[string]any{"id": id}}
		}
		questions = append(questions, map[string]any{"id": id, "title": f.name, "ref": "ref-" + id, "type": "short_text"})
		answers = append(answers, answer)
	}
	p.body = jsonOf(map[string]any{"event_id": "e-" + e.ref, "event_type": "form_response", "form_response": map[string]any{
		"form_id": "kT4Z3j", "token": e.far, "submitted_at": "2026-03-01T18:17:02Z", "hidden": map[string]any{"utm_source": e.utm},
		"definition": map[string]any{"fields": questions}, "answers": answers,
	}})
	p.header.Set("Typeform-Signature", "sha256="+base64.StdEncoding.EncodeToString(hmacOf(typeformSecret, p.body)))
}

// forged is a delivery that is not from whom it says it is.
func forged(r *rand.Rand) *parcel {
	e := newEnquiry(1_000_000+r.IntN(1_000_000), r)
	e.kind, e.far, e.test = []string{"google-ads", "meta", "linkedin", "typeform", "leadmanager"}[r.IntN(5)], "12345", false
	p := wrap(e.kind, []*enquiry{e}, r)
	p.holds, p.status = nil, http.StatusUnauthorized
	p.body = strings.NewReplacer(adsKey, "guess", managerKey, "guess").Replace(p.body) + " "
	return p
}

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	must(err)
	return string(text)
}

// csvFile is the enquiries as a CSV file in Hebrew.
func csvFile(all []*enquiry) string {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = ';'
	must(w.Write([]string{"שם מלא", "טלפון", "מייל", "עיר", "הודעה", "utm_source", "Topic", "Budget", "Rooms", "Ref", "ExternalID"}))
	for _, e := range all {
		must(w.Write(e.row()))
	}
	w.Flush()
	return b.String()
}

// xlsxFile is the enquiries as a workbook.
func xlsxFile(all []*enquiry) string {
	f := excelize.NewFile()
	defer f.Close()
	header := []string{"Name", "Phone", "Email", "City", "Message", "utm_source", "Topic", "Budget", "Rooms", "Ref", "ExternalID"}
	must(f.SetSheetRow("Sheet1", "A1", &header))
	for i, e := range all {
		row := e.row()
		must(f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+2), &row))
	}
	var b bytes.Buffer
	must(f.Write(&b))
	return b.String()
}

func (e *enquiry) row() []string {
	return []string{e.fullName(), e.phone, e.email, e.city, e.message, e.utm, e.topic, e.money(), fmt.Sprint(e.rooms), e.ref, e.far}
}

// graph is Meta's Graph, which has the leads that were announced. Of every tenth
// it knows nothing when it is asked first.
type graph struct {
	mu    sync.Mutex
	leads map[string]*enquiry
	asked map[string]int
}

func newGraph(all []*enquiry) *graph {
	g := &graph{leads: map[string]*enquiry{}, asked: map[string]int{}}
	for _, e := range all {
		if e.kind == "meta" {
			g.leads[e.far] = e
		}
	}
	return g
}

func (g *graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	g.mu.Lock()
	e := g.leads[id]
	g.asked[id]++
	early := g.asked[id] == 1 && strings.HasSuffix(id, "7")
	g.mu.Unlock()
	if e == nil || early || r.URL.Query().Get("access_token") != graphToken {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	data := []map[string]any{}
	for _, f := range e.fields("full_name", "phone_number", "email", "city", "message", "utm_source") {
		data = append(data, map[string]any{"name": f.name, "values": []string{f.value}})
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(jsonOf(map[string]any{"id": id, "created_time": "2026-03-01T18:00:00+0000", "field_data": data})))
}
