package routing

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// outcomeMapping sends all there is to be known of an outcome.
var outcomeMapping = []MappingEntry{
	{Target: "lead", Source: "ExternalID"},
	{Target: "gclid", Field: "gclid"},
	{Target: "routing", Source: "RoutingID"},
	{Target: "reason", Source: "ReasonID"},
	{Target: "name", Source: "Reason"},
	{Target: "category", Source: "Category"},
	{Target: "sale", Source: "CountsAsSale"},
	{Target: "closed", Source: "ClosesLead"},
	{Target: "at", Source: "OccurredAt", Format: "unix"},
	{Target: "value", Source: "Amount"},
	{Target: "currency", Source: "Currency"},
	{Target: "status", Source: "Status"},
	{Target: "comment", Source: "Comment"},
}

// onwardSource is a source that sends outcomes to url, or nowhere.
func (f *fixture) onwardSource(url string) *leads.Source {
	f.Helper()
	src := leads.NewSource()
	src.Name, src.Kind = "Ads", leads.KindJSON
	if url != "" {
		src.OnwardConnectorID, src.OnwardMapping = &f.json, outcomeMapping
		src.OnwardSettings = leads.SourceSettings{"URL": url, "Authentication": "bearer", "Token": "far-secret"}
	}
	f.ok(f.leads.CreateSource(f.ctx, src))
	return src
}

func (f *fixture) from(src *leads.Source, id string) *leads.Lead {
	f.Helper()
	return f.lead(func(l *leads.Lead) {
		l.SourceID, l.ExternalID, l.Properties = &src.ID, &id, map[string]any{"gclid": "G-" + id}
		l.Phone = nil
	})
}

// report gives the lead's routing feedback.
func (f *fixture) report(lead *leads.Lead, reason int32, at time.Time) {
	f.Helper()
	r := f.routing(lead.ID)
	f.ok(f.db.Write(f.ctx, func(tx *gorm.DB) error {
		return f.SetFeedback(tx, Current{
			RoutingID: r.ID, LeadID: lead.ID, ReasonID: reason, At: at,
			Status: text("Won"), Comment: text("נסגר"), Amount: new(int64(12_345_0000)), Currency: text("ILS"),
		})
	}))
}

// onwards are the outcomes of a lead, in the order they came.
func (f *fixture) onwards(lead *leads.Lead) []Onward {
	f.Helper()
	var rows []Onward
	f.ok(f.db.Read(f.ctx).Preload("Attempts").Where("lead_id = ?", lead.ID).Order("id").Find(&rows).Error)
	return rows
}

func (f *fixture) onwardStates(lead *leads.Lead) string {
	f.Helper()
	states := []string{}
	for _, o := range f.onwards(lead) {
		states = append(states, o.State)
	}
	return strings.Join(states, " ")
}

func (f *fixture) onwardsBecome(lead *leads.Lead, states string) {
	f.Helper()
	defer func() {
		if f.Failed() {
			f.Log("outcomes are ", f.onwardStates(lead))
		}
	}()
	f.eventually("outcomes become "+states, func() bool { return f.onwardStates(lead) == states })
}

func bodyOf(t *testing.T, r received) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal([]byte(r.body), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestOnward(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm, far := newReceiver(t, nil), newReceiver(t, nil)
		f.activated(crm.URL, nil)
		on, off := f.onwardSource(far.URL), f.onwardSource("")
		if token := on.OnwardSettings["Token"]; !strings.HasPrefix(fmt.Sprint(token), sealedPrefix) {
			t.Errorf("the secret is kept as %v", token)
		}
		f.run()
		mine, other, byStaff := f.from(on, "L-1"), f.from(off, "L-2"), f.lead(nil)
		at := clock.Now().Add(-time.Hour)
		for _, l := range []*leads.Lead{mine, other, byStaff} {
			f.report(l, 4, at)
		}
		f.onwardsBecome(mine, Delivered)
		if n := len(f.onwards(other)) + len(f.onwards(byStaff)); n != 0 {
			t.Errorf("%d outcomes of leads whose source sends none", n)
		}
		first := f.onwards(mine)[0]
		got := far.leads()
		if len(got) != 1 || got[0].header.Get("webhook-id") != first.ID.String() || got[0].header.Get("Authorization") != "Bearer far-secret" {
			t.Fatalf("came %+v for %+v", got, first)
		}
		var reason struct {
			Name, Category           string
			CountsAsSale, ClosesLead bool
		}
		f.ok(db.Read(f.ctx).Table("feedback_reasons").Where("id = 4").Take(&reason).Error)
		want := map[string]any{
			"lead": "L-1", "gclid": "G-L-1", "routing": f.routing(mine.ID).ID.String(), "reason": 4.0, "name": reason.Name,
			"category": reason.Category, "sale": reason.CountsAsSale, "closed": reason.ClosesLead, "at": float64(at.Unix()),
			"value": 12345.0, "currency": "ILS", "status": "Won", "comment": "נסגר",
		}
		if body := bodyOf(t, got[0]); !maps.Equal(body, want) {
			t.Errorf("came %v\nwant %v", body, want)
		}
		if a := first.Attempts; len(a) != 1 || a[0].RoutingID != first.RoutingID || a[0].Outcome != Accepted || strings.Contains(a[0].Request, "far-secret") {
			t.Errorf("exchanges %+v", a)
		}

		// An older report changes nothing; a newer one is sent by itself, and one of
		// the same time that came later is the newer one.
		f.report(mine, 2, at.Add(-time.Minute))
		f.report(mine, 5, at.Add(time.Minute))
		f.onwardsBecome(mine, Delivered+" "+Delivered)
		second := f.onwards(mine)[1]
		if got := far.leads(); len(got) != 2 || got[1].header.Get("webhook-id") != second.ID.String() || bodyOf(t, got[1])["reason"] != 5.0 {
			t.Errorf("came %+v", got)
		}

		// Sent again, it is the same thing; what was replaced is not.
		f.ok(f.ResendOnward(f.ctx, second.ID))
		f.eventually("it comes again", func() bool { return len(far.leads()) == 3 })
		if again := far.leads()[2]; again.header.Get("webhook-id") != second.ID.String() || again.body != far.leads()[1].body {
			t.Errorf("came %+v", again)
		}
		if err := f.ResendOnward(f.ctx, first.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("resend of a replaced one: %v", err)
		}
		if err := f.ResendOnward(f.ctx, uuid.New()); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("resend of an unknown one: %v", err)
		}

		f.onwardsBecome(mine, Delivered+" "+Delivered)
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error { return EraseLeads(tx, []uuid.UUID{mine.ID}) }))
		var left int64
		f.ok(db.Read(f.ctx).Model(&Attempt{}).Where("onward_id IS NOT NULL").Count(&left).Error)
		if left += int64(len(f.onwards(mine))); left != 0 {
			t.Errorf("%d rows of an erased lead are left", left)
		}
	})
}

// Of outcomes that change faster than they are sent, the newest is sent; also after
// a crash, and while an older one is under way.
func TestOnwardNewest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm, far := newReceiver(t, nil), newReceiver(t, nil)
		f.activated(crm.URL, nil)
		src := f.onwardSource(far.URL)
		at := clock.Now().Add(-time.Hour)
		waiting, crashed, overtaken, slow := f.from(src, "1"), f.from(src, "2"), f.from(src, "3"), f.from(src, "4")
		all := func() []*job {
			jobs, err := f.claim(f.ctx, demand{limit: 100, share: 100, onward: true})
			f.ok(err)
			return slices.DeleteFunc(jobs, func(j *job) bool { return !j.isOnward() })
		}

		f.report(crashed, 4, at)
		f.report(overtaken, 4, at)
		if jobs := all(); len(jobs) != 2 { // whoever has them is never heard of again
			t.Fatalf("%d leases", len(jobs))
		}
		f.report(overtaken, 5, at.Add(time.Minute))
		for i := range 3 {
			f.report(waiting, int32(4+i), at.Add(time.Duration(i)*time.Minute))
		}
		if jobs := all(); len(jobs) != 1 || jobs[0].leadID != waiting.ID || jobs[0].onward.ReasonID != 6 {
			t.Fatalf("claimed %+v", jobs)
		}
		clock.forward(f.lease)
		f.run()
		f.onwardsBecome(waiting, "replaced replaced delivered")
		f.onwardsBecome(crashed, "delivered")
		f.onwardsBecome(overtaken, "replaced delivered")
		ids := map[string]string{}
		for _, got := range far.leads() {
			ids[fmt.Sprint(bodyOf(t, got)["lead"], " ", bodyOf(t, got)["reason"])] = got.header.Get("webhook-id")
		}
		want := map[string]string{
			"1 6": f.onwards(waiting)[2].ID.String(), "2 4": f.onwards(crashed)[0].ID.String(), "3 5": f.onwards(overtaken)[1].ID.String(),
		}
		if fmt.Sprint(ids) != fmt.Sprint(want) || len(far.leads()) != 3 {
			t.Errorf("came %v\nwant %v", ids, want)
		}

		hold, held := make(chan struct{}), make(chan struct{}, 1)
		far.respond(func(w http.ResponseWriter, _ *http.Request) {
			held <- struct{}{}
			<-hold
			w.WriteHeader(503) // it would be tried again
		})
		f.report(slow, 4, at)
		<-held
		f.report(slow, 5, at.Add(time.Minute))
		if states := f.onwardStates(slow); states != "sending pending" {
			t.Errorf("meanwhile they are %s", states)
		}
		far.respond(nil)
		close(hold)
		f.onwardsBecome(slow, "replaced delivered")
		if got := far.leads(); len(got) != 5 || bodyOf(t, got[4])["reason"] != 5.0 {
			t.Errorf("the last of %d is %+v", len(got), got[len(got)-1])
		}
	})
}

// What fails is tried again as routings are, behind a breaker of the source's own,
// and given up with a notice.
func TestOnwardFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now), WithJitter(func() float64 { return 0.5 }))
		crm, far := newReceiver(t, nil), newReceiver(t, status(503))
		rule := f.activated(crm.URL, nil)
		src := f.onwardSource(far.URL)
		lead := f.from(src, "1")
		f.run()
		f.report(lead, 4, clock.Now())
		for i := range len(schedule) + 1 {
			f.eventually(fmt.Sprintf("attempt %d", i+1), func() bool { return f.onwards(lead)[0].AttemptCount == i+1 })
			clock.forward(max(schedule[min(i, len(schedule)-1)], lastProbe))
		}
		f.onwardsBecome(lead, Failed)
		id := f.onwards(lead)[0].ID.String()
		if got := far.leads(); slices.ContainsFunc(got, func(r received) bool { return r.header.Get("webhook-id") != id }) {
			t.Errorf("came %+v", got)
		}
		var notices []Notice
		f.ok(db.Read(f.ctx).Where("kind = ?", NoticeFailed).Find(&notices).Error)
		if len(notices) != 1 || notices[0].SourceID == nil || *notices[0].SourceID != src.ID || notices[0].RuleID != nil {
			t.Errorf("notices %+v", notices)
		}
		f.ok(db.Read(f.ctx).Take(src, src.ID).Error)
		if src.OnwardBreaker == BreakerClosed || src.OnwardFailingSince == nil || f.reread(rule.ID).Breaker != BreakerClosed {
			t.Errorf("breaker %s since %v, of the rule %s", src.OnwardBreaker, src.OnwardFailingSince, f.reread(rule.ID).Breaker)
		}
		// With it open others wait, up to the probe that finds the system well again.
		far.respond(nil)
		clock.forward(lastProbe)
		f.ok(f.ResendOnward(f.ctx, uuid.MustParse(id)))
		f.onwardsBecome(lead, Delivered)
		f.ok(db.Read(f.ctx).Take(src, src.ID).Error)
		if src.OnwardBreaker != BreakerClosed {
			t.Errorf("breaker %s", src.OnwardBreaker)
		}

		// An address that is gone, and a source that stops, park; a change resumes.
		far.respond(status(410))
		f.report(lead, 5, clock.Now())
		f.onwardsBecome(lead, "delivered parked")
		next := *src
		next.OnwardConnectorID = nil
		f.ok(f.leads.UpdateSource(f.ctx, &next))
		f.report(lead, 6, clock.Now().Add(time.Minute))
		far.respond(nil)
		next.OnwardConnectorID = &f.form
		f.ok(f.leads.UpdateSource(f.ctx, &next))
		f.onwardsBecome(lead, "delivered replaced") // nobody is told of what came while it was off
	})
}

func TestOnwardOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm, far := newReceiver(t, nil), newReceiver(t, nil)
		f.activated(crm.URL, nil)
		src := f.onwardSource(far.URL)
		lead := f.from(src, "1")
		f.report(lead, 4, time.Now())
		off := *src
		off.OnwardConnectorID = nil
		f.ok(f.leads.UpdateSource(f.ctx, &off))
		if o := f.onwards(lead)[0]; o.State != Parked || *o.Error != errOnwardOff {
			t.Errorf("%+v", o)
		}
		f.run()
		on := off
		on.OnwardConnectorID = &f.json
		f.ok(f.leads.UpdateSource(f.ctx, &on))
		f.onwardsBecome(lead, Delivered)
		if got := far.leads()[0].header.Get("Authorization"); got != "Bearer far-secret" {
			t.Errorf("the sealed secret came back as %q", got)
		}
	})
}

func TestOnwardChecked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		far := newReceiver(t, nil)
		cases := []struct {
			name   string
			change func(*leads.Source)
			target string
		}{
			{"unknown connector", func(s *leads.Source) { s.OnwardConnectorID = new(int64(999)) }, "OnwardConnectorID"},
			{"no mapping", func(s *leads.Source) { s.OnwardMapping = nil }, "OnwardMapping"},
			{"no URL", func(s *leads.Source) { s.OnwardSettings = nil }, "OnwardSettings/URL"},
			{"unknown setting", func(s *leads.Source) { s.OnwardSettings["Colour"] = "red" }, "OnwardSettings/Colour"},
			{"no text", func(s *leads.Source) { s.OnwardMapping = []MappingEntry{{Target: "a", Source: "toupper(Amount)"}} }, "OnwardMapping/0/Source"},
			{"empty target", func(s *leads.Source) { s.OnwardMapping = []MappingEntry{{Source: "City"}} }, "OnwardMapping/0/Target"},
			{"settings without connector", func(s *leads.Source) { s.OnwardConnectorID = nil }, "OnwardSettings"},
		}
		for _, c := range cases {
			src := leads.NewSource()
			src.Name, src.Kind, src.OnwardConnectorID = "Ads", leads.KindJSON, &f.json
			src.OnwardSettings, src.OnwardMapping = leads.SourceSettings{"URL": far.URL}, outcomeMapping
			c.change(src)
			err := f.leads.CreateSource(f.ctx, src)
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.Invalid || e.Target != c.target {
				t.Errorf("%s: %#v, want at %s", c.name, err, c.target)
			}
		}
		src := f.onwardSource(far.URL)
		own := Connector{Code: "own", Name: "Own", Method: "POST", Format: "json", URL: "{URL}", Settings: []Setting{{Name: "URL", Type: "url"}}}
		f.ok(f.CreateConnector(f.ctx, &own))
		src.OnwardConnectorID, src.OnwardSettings = &own.ID, leads.SourceSettings{"URL": far.URL}
		f.ok(f.leads.UpdateSource(f.ctx, src))
		if err := f.DeleteConnector(f.ctx, own.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("delete of a connector in use: %v", err)
		}
	})
}

func TestTestOnward(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		var seen http.Header
		far := newReceiver(t, nil)
		src, off := f.onwardSource(far.URL), f.onwardSource("")
		result, err := f.TestOnward(f.ctx, src.ID, OnwardTrial{Dry: true, Sample: map[string]any{"gclid": "G-7"}})
		f.ok(err)
		if !result.Succeeded || !strings.Contains(result.Body, `"gclid":"G-7"`) || !strings.Contains(result.Body, `"sale":true`) || strings.Contains(result.Request, "far-secret") {
			t.Errorf("dry: %+v", result)
		}
		system := newReceiver(t, nil)
		system.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r.Header
			w.WriteHeader(cmp.Or(map[bool]int{true: 422}[r.URL.Path == "/no"], 200))
		})
		src.OnwardSettings["URL"] = system.URL
		f.ok(f.leads.UpdateSource(f.ctx, src))
		result, err = f.TestOnward(f.ctx, src.ID, OnwardTrial{Feedback: &OutcomeSample{ReasonID: new(int32(2))}})
		f.ok(err)
		if !result.Succeeded || seen.Get("X-Leadloop-Test") != "1" || !strings.Contains(result.Body, `"reason":2`) {
			t.Errorf("%+v with %v", result, seen)
		}
		src.OnwardSettings["URL"] = system.URL + "/no"
		f.ok(f.leads.UpdateSource(f.ctx, src))
		if result, err = f.TestOnward(f.ctx, src.ID, OnwardTrial{}); err != nil || result.Succeeded || result.StatusCode != 422 {
			t.Errorf("%+v, %v", result, err)
		}
		draft := *src
		draft.OnwardSettings = leads.SourceSettings{"URL": system.URL, "Authentication": "bearer", "Token": "not stored yet"}
		if result, err = f.TestOnwardDraft(f.ctx, &draft, OnwardTrial{}); err != nil || !result.Succeeded || seen.Get("Authorization") != "Bearer not stored yet" {
			t.Errorf("a draft: %+v, %v", result, err)
		}
		if draft.OnwardSettings["Token"] != "not stored yet" || strings.Contains(result.Request, "not stored yet") {
			t.Errorf("the draft is %v, and its request %s", draft.OnwardSettings, result.Request)
		}
		draft.OnwardMapping = []MappingEntry{{Target: "a", Source: "toupper("}}
		var e *fault.Error
		if _, err = f.TestOnwardDraft(f.ctx, &draft, OnwardTrial{Dry: true}); !errors.As(err, &e) || e.Target != "OnwardMapping/0/Source" {
			t.Errorf("a draft that is wrong: %v", err)
		}
		for _, c := range []struct {
			id   int64
			with OnwardTrial
			code fault.Code
		}{
			{off.ID, OnwardTrial{}, fault.Conflict},
			{999, OnwardTrial{}, fault.NotFound},
			{src.ID, OnwardTrial{Feedback: &OutcomeSample{ReasonID: new(int32(999))}}, fault.Invalid},
			{src.ID, OnwardTrial{Sample: map[string]any{"City": 7.0}}, fault.Invalid},
		} {
			if _, err := f.TestOnward(f.ctx, c.id, c.with); fault.CodeOf(err) != c.code {
				t.Errorf("%+v: %v, want %s", c.with, err, c.code)
			}
		}
	})
}

// metaEvents behaves as the Conversions API does with the events of lead ads.
func metaEvents(w http.ResponseWriter, r *http.Request) {
	event, _ := readJSON(r)["data"].([]any)
	id, whole := any(nil), false
	if len(event) == 1 {
		e, _ := event[0].(map[string]any)
		user, _ := e["user_data"].(map[string]any)
		id, whole = user["lead_id"], member(e, "event_name") != "" && e["event_time"] != nil
	}
	switch _, number := id.(float64); {
	case r.URL.Path != "/v24.0/4711/events" || r.Method != http.MethodPost:
		answerJSON(w, 404, `{"error":{"message":"Unknown path components","type":"OAuthException","code":2500}}`)
	case r.Header.Get("Authorization") != "Bearer meta-token":
		answerJSON(w, 400, `{"error":{"message":"Malformed access token","type":"OAuthException","code":190,"fbtrace_id":"T"}}`)
	case !number || !whole || member(event, 0, "action_source") != "system_generated" || member(event, 0, "custom_data", "event_source") != "crm" ||
		member(event, 0, "custom_data", "lead_event_source") == "":
		answerJSON(w, 400, `{"error":{"message":"Invalid parameter","type":"OAuthException","code":100,"fbtrace_id":"T"}}`)
	default:
		answerJSON(w, 200, `{"events_received":1,"messages":[],"fbtrace_id":"AbC"}`)
	}
}

func TestMetaConversions(t *testing.T) {
	f := newFixture(t, storetest.Open(t, store.SQLite))
	meta := newReceiver(t, nil)
	meta.Config.Handler = http.HandlerFunc(metaEvents)
	connector := f.connector("meta-conversions")
	cases := []struct {
		name, token, lead string
		outcome, err      string
	}{
		{"a sale", "meta-token", "525645896321548", Accepted, ""},
		{"a lead Meta does not know by number", "meta-token", "x", "", "user_data.lead_id"},
		{"a token that ended", "old", "525645896321548", Retry, "Malformed access token"},
	}
	for _, c := range cases {
		src := leads.NewSource()
		src.Name, src.Kind, src.OnwardConnectorID = c.name, leads.KindJSON, &connector
		src.OnwardSettings = leads.SourceSettings{"URL": meta.URL + "/v24.0", "DatasetID": "4711", "AccessToken": c.token}
		src.OnwardMapping = []MappingEntry{
			{Target: "data[0].event_name", Source: "Reason"},
			{Target: "data[0].event_time", Source: "OccurredAt", Format: "unix"},
			{Target: "data[0].user_data.lead_id", Source: "cast(ExternalID,Edm.Int64)", Required: true},
			{Target: "data[0].custom_data.value", Source: "Amount"},
			{Target: "data[0].custom_data.currency", Source: "Currency"},
		}
		f.ok(f.leads.CreateSource(f.ctx, src))
		result, err := f.TestOnward(f.ctx, src.ID, OnwardTrial{Sample: map[string]any{"ExternalID": c.lead}})
		f.ok(err)
		if result.Outcome != c.outcome || !strings.Contains(result.Error, c.err) || result.Succeeded != (c.err == "") || strings.Contains(result.Request, "meta-token") {
			t.Errorf("%s: %+v", c.name, result)
		}
	}
}
