package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// What the server shows of the day, over OData.

type seenLead struct {
	ID, State, FirstName, LastName, Phone, Email, City, Message, UtmSource, ExternalID, Topic, Ref string

	Budget, Rooms any
	IsTest        bool
	DuplicateOfID *string
	ReceivedAt    time.Time
	ReasonID      *int64
	FeedbackAt    *time.Time
	Routings      []*seenRouting

	enquiry   *enquiry
	explained *seenExplanation
}

type seenRouting struct {
	ID, State          string
	CustomerID, RuleID int64
	AttemptCount       int
	NextAttemptAt      *time.Time
	CreatedAt          time.Time
	DeliveredAt        *time.Time
	ExternalID, Error  *string
	ReasonID           *int64
	Attempts           []seenAttempt

	lead *seenLead
	rule *dayRule
}

type seenAttempt struct {
	StartedAt  time.Time
	DurationMs int64
	StatusCode *int
	Outcome    string
	Error      *string
}

type seenExplanation struct {
	State, Code, Reason string
	Decisions           []*seenDecision
}

type seenDecision struct {
	Number, Rules, Held, Left int
	At                        time.Time
	Cause                     string
	RoutingID                 *string
	Verdicts                  []*seenVerdict

	lead *seenLead
}

type seenVerdict struct {
	RuleID                          int64
	Code, Reason, Cap, RoutingState string
	Limit, Rank, Of                 int
	Until, Breaker                  *time.Time
	ByRuleID, Turn                  *int64
	RoutingID                       *string
	Draw                            float64
	Parts                           []json.RawMessage
}

type seenRule struct {
	ID             int64
	State, Breaker string
	PauseReason    *string
}

// evidence is all of it.
type evidence struct {
	read      time.Time // when that began
	leads     []*seenLead
	routings  map[string]*seenRouting
	decisions []*seenDecision // in the order of time
	rules     map[int64]*seenRule
}

// gather reads what the server shows.
func (d *day) gather() *evidence {
	e := &evidence{read: time.Now(), routings: map[string]*seenRouting{}, rules: map[int64]*seenRule{}}
	for _, rule := range list[*seenRule](d, "/odata/Rules?$select=ID,State,Breaker,PauseReason") {
		e.rules[rule.ID] = rule
	}
	e.leads = list[*seenLead](d, "/odata/Leads?$orderby=ID&$expand=Routings($orderby=CreatedAt,ID;$expand=Attempts($select=StartedAt,DurationMs,StatusCode,Outcome,Error;$orderby=ID))")
	for _, l := range e.leads {
		for _, r := range l.Routings {
			r.lead, r.rule = l, d.rules[r.RuleID]
			e.routings[r.ID] = r
		}
	}
	d.explainAll(e.leads)
	for _, l := range e.leads {
		for _, x := range l.explained.Decisions {
			x.lead = l
			e.decisions = append(e.decisions, x)
		}
	}
	slices.SortStableFunc(e.decisions, func(a, b *seenDecision) int { return a.At.Compare(b.At) })
	return e
}

// list reads all pages of a set.
func list[T any](d *day, path string) []T {
	var all []T
	for path != "" {
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		got := d.admin.with("OData-MaxVersion", "4.0").get(path).want(200)
		if err := json.Unmarshal(got.body, &page); err != nil {
			d.t.Fatalf("%s: %v: %s", path, err, got.body[:min(len(got.body), 1000)])
		}
		all = append(all, page.Value...)
		path = strings.TrimPrefix(page.Next, d.stage.base)
		if path != "" && !strings.HasPrefix(path, "/") {
			path = "/odata/" + path
		}
	}
	return all
}

// explainAll asks for the explanation of each lead, a few at a time.
func (d *day) explainAll(leads []*seenLead) {
	next := make(chan *seenLead)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for l := range next {
				l.explained = &seenExplanation{}
				got, err := d.admin.try("GET", "/odata/Leads("+l.ID+")/Explain()", nil)
				if err == nil && got.status == 200 {
					err = json.Unmarshal(got.body, l.explained)
				}
				if err != nil || got.status != 200 {
					d.t.Errorf("explain lead %s: %d, %v", l.ID, got.status, err)
				}
			}
		})
	}
	for _, l := range leads {
		next <- l
	}
	close(next)
	readers.Wait()
}

// story is all that is known of a lead, for who has to find out what went wrong.
func (l *seenLead) story() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  lead %s %+v: %s, %s\n", l.ID, l.enquiry, l.State, l.explained.Reason)
	for _, d := range l.explained.Decisions {
		fmt.Fprintf(&b, "  decision %d at %s (%s):\n", d.Number, d.At.Format(time.RFC3339Nano), d.Cause)
		lost := map[string][]int64{} // the many that came too late
		for _, v := range d.Verdicts {
			switch {
			case v.Code == "condition_false":
			case strings.HasPrefix(v.Code, "lost"):
				lost[v.Code] = append(lost[v.Code], v.RuleID)
			default:
				fmt.Fprintf(&b, "    rule %d: %s: %s\n", v.RuleID, v.Code, v.Reason)
			}
		}
		fmt.Fprintf(&b, "    rules that lost: %v\n", lost)
	}
	for _, r := range l.Routings {
		b.WriteString("  " + r.story())
	}
	return b.String()
}

func (r *seenRouting) story() string {
	var b strings.Builder
	said := ""
	if r.Error != nil {
		said = *r.Error
	}
	fmt.Fprintf(&b, "routing %s by rule %d to %s: %s, created %s, next %v: %s\n", r.ID, r.RuleID, r.rule.customer.name, r.State,
		r.CreatedAt.Format(time.RFC3339Nano), r.NextAttemptAt, said)
	for _, a := range r.Attempts {
		status, said := 0, ""
		if a.StatusCode != nil {
			status = *a.StatusCode
		}
		if a.Error != nil {
			said = *a.Error
		}
		fmt.Fprintf(&b, "    attempt %s, %d ms: %d %s %s\n", a.StartedAt.Format(time.RFC3339Nano), a.DurationMs, status, a.Outcome, said)
	}
	return b.String()
}
