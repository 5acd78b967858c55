package server

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadloop/keys"
	"leadloop/odata/edm"
	"leadloop/store/storetest"
)

// The worlds that callers are of: `make soak` takes more and others, and asks more.
var (
	worlds     = flag.Int("worlds", 4, "how many random worlds TestCustomersSeeNothingOfOthers takes its callers from")
	firstWorld = flag.Uint64("first-world", 0, "the number of the first of them, which says all that is in it")
)

// TestCustomersSeeNothingOfOthers: whatever a customer's key asks for, the answer
// is the one that a service would give that has only this customer's rows. What
// others do meanwhile changes nothing.
func TestCustomersSeeNothingOfOthers(t *testing.T) {
	t.Parallel()
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			seen := &sights{statuses: map[int]int{}}
			scopes := make([]*scope, *worlds)
			rapid.Check(t, func(r *rapid.T) {
				number := rapid.IntRange(0, len(scopes)-1).Draw(r, "world")
				if scopes[number] == nil {
					scopes[number] = newScope(t, dialect, *firstWorld+uint64(number), seen)
				}
				scopes[number].round(r)
			})
			seen.check(t)
		})
	}
}

// scope is a caller, a service with all of a world, and one with what is theirs.
type scope struct {
	*world
	connection keys.Connection
	whole, own *twin
	readable   map[*edm.Struct]bool
	values     map[string][]string
	seen       *sights
	held       [][2]ask // delta links of this round, to be followed later
}

func newScope(t *testing.T, dialect string, number uint64, seen *sights) *scope {
	w := newWorld(number)
	s := &scope{world: w, connection: w.connections[0], whole: newTwin(t, dialect, w), own: newTwin(t, dialect, w), seen: seen}
	s.own.narrow(s.connection)
	s.whole.remember()
	s.own.remember()
	model := s.whole.app.OData.Model()
	s.readable = map[*edm.Struct]bool{}
	for _, es := range model.Sets {
		got := s.whole.send(ask{method: http.MethodGet, path: "/odata/" + es.Name + "?$top=0"}, s.whole.keys[s.connection.ID])
		s.readable[es.Type] = got.Code == http.StatusOK
	}
	s.values = literalsOf(model, w.customers, w.connections, w.sources, w.rules, w.leads, w.routings, w.feedback, w.statusMaps)
	for id := int32(1); id <= 12; id++ {
		s.values["FeedbackReason/ID"] = append(s.values["FeedbackReason/ID"], fmt.Sprint(id))
		if !slices.Contains(w.retired, id) {
			s.values["FeedbackReason/active"] = append(s.values["FeedbackReason/active"], fmt.Sprint(id))
		}
	}
	s.preferOwn()
	return s
}

// preferOwn makes the ids of what the caller sees as likely as all others.
func (s *scope) preferOwn() {
	prefer := func(name string, id any) {
		s.values[name] = append(s.values[name], fmt.Sprint(id), fmt.Sprint(id))
	}
	prefer("Customer/ID", s.connection.CustomerID)
	prefer("Connection/ID", s.connection.ID)
	for _, r := range s.routings {
		if r.CustomerID != s.connection.CustomerID {
			continue
		}
		prefer("Routing/ID", r.ID)
		prefer("Lead/ID", r.LeadID)
		for _, f := range s.feedback {
			if f.RoutingID == r.ID {
				prefer("Feedback/ID", f.ID)
			}
		}
	}
}

// round is what the caller asks, while others are at work.
func (s *scope) round(t *rapid.T) {
	a := &asker{t: t, model: s.whole.app.OData.Model(), readable: s.readable, values: s.values}
	turn, apart, changed := 0, 1<<30, false // others' turns are not the caller's
	s.held = nil
	defer func() {
		if changed {
			s.whole.restore(t)
			s.own.restore(t)
		}
	}()
	caller := func(t *rapid.T) {
		a.t = t
		turn += 1000
		var q [2]ask
		if len(s.held) > 0 && a.n(2) == 1 {
			q = pickOf(a, s.held)
		} else {
			q[0] = a.request(false)
			q[1] = q[0]
		}
		s.whole.turn, s.own.turn = turn, turn
		if s.compare(t, q[0], q[1]) {
			changed = true
		}
	}
	t.Repeat(map[string]func(*rapid.T){
		"caller asks": caller, "caller asks more": caller,
		"others act": func(t *rapid.T) {
			a.t, changed = t, true
			apart += 1000
			s.whole.turn = apart
			s.others(t, a)
		},
	})
}

// others do something on the whole service, which is not to be seen.
func (s *scope) others(t *rapid.T, a *asker) {
	if len(s.routings) == 0 || a.rarely(3) {
		s.whole.give(t, pickOf(a, s.leads).ID, pickOf(a, s.customers[1:]).ID)
		return
	}
	r := pickOf(a, s.routings)
	if r.CustomerID == s.connection.CustomerID {
		return
	}
	for _, c := range s.connectionsOf(r.CustomerID) {
		body := fmt.Sprintf(`{"RoutingID":"%s","ReasonID":%s,"Comment":"theirs"}`, r.ID, s.values["FeedbackReason/active"][0])
		s.whole.send(ask{method: http.MethodPost, path: "/odata/Feedback", header: http.Header{"Content-Type": {"application/json"}}, body: body}, s.whole.keys[c.ID])
	}
}

// compare sends q to the whole service and theirs, the same but for a token in it,
// to the other, follows the next links in the answers, and fails where they
// differ. It reports whether q changed something.
func (s *scope) compare(t *rapid.T, q, theirs ask) (changed bool) {
	key := s.whole.keys[s.connection.ID]
	follow := func(path string) ask { return ask{method: http.MethodGet, path: path, header: q.header} }
	for range 4 {
		a, b := s.whole.send(q, key), s.own.send(theirs, key)
		s.seen.add(q, a)
		if a.Code == http.StatusInternalServerError || a.Code == 0 {
			t.Fatalf("%s\n%s", q, shown(a))
		}
		if x, y := shown(a), shown(b); x != y {
			t.Fatalf("%s\nover the whole service:\n%s\nover what is the caller's:\n%s", q, x, y)
		}
		changed = changed || q.method != http.MethodGet && a.Code/100 == 2
		nextA, deltaA := links(a)
		nextB, deltaB := links(b)
		if deltaA != "" {
			s.held = append(s.held, [2]ask{follow(deltaA), follow(deltaB)})
		}
		if nextA == "" {
			break
		}
		q, theirs = follow(nextA), follow(nextB)
	}
	return changed
}

// shown is an answer as the caller sees it, without what differs by right.
func shown(w *httptest.ResponseRecorder) string {
	var b strings.Builder
	fmt.Fprintln(&b, w.Code)
	_ = w.Header().Write(&b) // in the order of the names
	b.WriteString("\n" + w.Body.String())
	text := b.String()
	for _, r := range byRight {
		text = r.pattern.ReplaceAllString(text, r.with)
	}
	return text
}

// byRight is what two answers may differ in.
var byRight = []struct {
	pattern *regexp.Regexp
	with    string
}{
	// Boundaries of multipart answers are drawn so that no content can hold them.
	{regexp.MustCompile(`(batch|changeset_\d+)_[0-9A-Za-z-]{16,}`), "${1}_boundary"},
	// The token of a delta link says how far the log of everybody's changes was.
	{regexp.MustCompile(`\$deltatoken=[\w.-]+`), "$$deltatoken=token"},
}

// links are the next and the delta link of an answer, as paths.
func links(w *httptest.ResponseRecorder) (next, delta string) {
	var body struct {
		Next  string `json:"@odata.nextLink"`
		Delta string `json:"@odata.deltaLink"`
	}
	if json.Unmarshal(w.Body.Bytes(), &body) != nil {
		return "", ""
	}
	path := func(link string) string {
		u, err := url.Parse(link)
		if err != nil || link == "" {
			return ""
		}
		return u.RequestURI()
	}
	return path(body.Next), path(body.Delta)
}

// sights counts what was asked and answered, to see that the requests are worth
// something.
type sights struct {
	requests, shown, made int
	statuses              map[int]int
}

func (s *sights) add(q ask, w *httptest.ResponseRecorder) {
	s.requests++
	s.statuses[w.Code]++
	if w.Code == http.StatusCreated || w.Code == http.StatusNoContent && q.method == http.MethodPost {
		s.made++
	}
	if q.method == http.MethodGet && w.Code == http.StatusOK && !strings.Contains(w.Body.String(), `"value":[]`) {
		s.shown++
	}
}

func (s *sights) check(t *testing.T) {
	t.Logf("%d requests, %d that showed something, %d that made something; by status: %v", s.requests, s.shown, s.made, s.statuses)
	if !t.Failed() && (s.shown < s.requests/6 || s.made == 0) {
		t.Error("too few of the requests show or make something")
	}
}
