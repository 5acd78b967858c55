package routing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
)

// TestResult is what came of a test transmission.
type TestResult struct {
	Succeeded  bool
	StatusCode int    // of the answer; 0 where there was none
	DurationMs int64  // milliseconds
	Request    string // as it was sent, secrets masked
	Response   string // as it came, at most 64 kB
	Error      string // why it did not succeed
	Outcome    string // accepted, duplicate, rejected or retry; "" where nothing was sent
	Body       string // of the request, as it was or would be sent, secrets masked
	// ExternalID and ExternalLink are what was picked from the answer.
	ExternalID   *string
	ExternalLink *string
}

// Trial says how to test a rule.
type Trial struct {
	Sample map[string]any // the lead: values by property name, over a built-in one
	// Dry shows the request and sends nothing: no look-up, no token, no test passed.
	Dry bool
	// Mapping, with Dry, is tried in the place of the rule's.
	Mapping []MappingEntry
}

// Test sends one lead made of sample (values by property name, over a built-in
// sample) by the rule's current content, marked with the header X-Leadloop-Test:
// 1 and a RoutingID that refers to nothing. If the customer's system accepts it,
// the current revision counts as tested. A failed exchange is a result, not an
// error. Errors: NotFound; Invalid where the sample is wrong; Conflict when the
// rule was changed during the test.
func (s *Service) Test(ctx context.Context, ruleID int64, sample map[string]any) (TestResult, error) {
	return s.Try(ctx, ruleID, Trial{Sample: sample})
}

// Try is Test, or with t.Dry shows what Test would send. Invalid also where
// t.Mapping is wrong or given without Dry.
func (s *Service) Try(ctx context.Context, ruleID int64, t Trial) (TestResult, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return TestResult{}, err
	}
	lead, err := sampleLead(t.Sample, s.now())
	if err != nil {
		return TestResult{}, err
	}
	db := s.db.Read(ctx)
	r, err := s.ruleFor(db, db, ruleID)
	if err != nil {
		return TestResult{}, err
	}
	if len(t.Mapping) > 0 {
		if !t.Dry {
			return TestResult{}, fault.New(fault.Invalid, "a mapping other than the rule's can be tried with Dry only").At("Mapping")
		}
		var p problems
		if _, err := s.exprs.mapping(&p, t.Mapping); err != nil {
			return TestResult{}, err
		}
		if err := p.err(); err != nil {
			return TestResult{}, err
		}
		r.Mapping = t.Mapping
	}
	result, err := s.trial(ctx, r, lead, t.Dry)
	if err != nil || t.Dry || !result.Succeeded {
		return result, err
	}
	return result, s.passed(ctx, r)
}

// trial makes the exchange, or if dry only the request.
func (s *Service) trial(ctx context.Context, r *Rule, lead *leads.Lead, dry bool) (TestResult, error) {
	connector, err := load[Connector](s.db.Read(ctx), "connector", r.ConnectorID)
	if err != nil {
		return TestResult{}, err
	}
	p, err := s.plan(r.revision(), connector)
	if err != nil {
		return TestResult{Error: err.Error()}, nil
	}
	return s.tryOut(ctx, p.sender, newDelivery(lead, r.CustomerID), dry)
}

// newDelivery is one of a lead to a customer as a routing that does not exist.
func newDelivery(lead *leads.Lead, customerID int64) delivery {
	id := uuid.New()
	return delivery{lead: lead, id: id, routingID: id, customerID: customerID}
}

// tryOut makes the exchange of d, marked as a test, or if dry only the request.
func (s *Service) tryOut(ctx context.Context, p *sender, d delivery, dry bool) (TestResult, error) {
	d.header = []field[string]{{"X-Leadloop-Test", "1"}}
	shown, body, err := s.sample(ctx, p, d)
	if dry && err == nil {
		return TestResult{Succeeded: true, Request: shown, Body: body}, nil
	}
	var x exchange
	if !dry { // what a sample without a look-up lacks, the exchange may have
		x, err = s.deliver(ctx, p, d)
	}
	if err != nil {
		return TestResult{Error: err.Error()}, nil
	}
	result := TestResult{
		Succeeded: x.accepted(), StatusCode: x.status, DurationMs: x.duration.Milliseconds(),
		Request: x.request, Response: x.response, Outcome: x.outcome(), Body: body,
		ExternalID: x.externalID(), ExternalLink: x.externalLink(),
	}
	if !result.Succeeded {
		result.Error = x.problem()
	}
	return result, nil
}

// passed records that the revision of r has passed its test.
func (s *Service) passed(ctx context.Context, r *Rule) error {
	return s.db.Write(ctx, func(tx *gorm.DB) error {
		old, err := load[Rule](lockRow(tx), "rule", r.ID)
		if err != nil {
			return err
		}
		res := tx.Exec(`UPDATE rules SET tested_revision = revision, version = version + 1,
			state = CASE state WHEN 'draft' THEN 'tested' ELSE state END
			WHERE id = ? AND revision = ?`, r.ID, r.Revision)
		if res.Error != nil {
			return fmt.Errorf("test of rule %d: %w", r.ID, res.Error)
		}
		if res.RowsAffected == 0 {
			return fault.New(fault.Conflict, "the rule was changed while it was tested; test it again")
		}
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return auditRule(tx, "Test", old)
	})
}

// revision gives the rule's current content as a revision.
func (r *Rule) revision() *RuleRevision {
	return &RuleRevision{
		RuleID: r.ID, Revision: r.Revision, ConnectorID: r.ConnectorID,
		Settings: r.Settings, Condition: r.Condition, Mapping: r.Mapping,
	}
}

// sampleLead makes a lead of the built-in sample with the given values over it.
// Names the lead does not declare become dynamic properties, null removes a
// value. It returns Invalid with a detail per value that does not fit.
func sampleLead(given map[string]any, now time.Time) (*leads.Lead, error) {
	text := func(s string) *string { return &s }
	l := &leads.Lead{
		ID: uuid.New(), ReceivedAt: now, State: leads.StateTest, IsTest: true,
		FirstName: text("נועה"), LastName: text("לוי"), Phone: text("+972501234567"), PhoneRaw: text("050-1234567"),
		Email: text("noa.levi@example.com"), City: text("חיפה"), Message: text("אשמח לקבל פרטים נוספים"), Campaign: text("בדיקה"),
		UtmSource: text("leadloop"), UtmMedium: text("test"), UtmCampaign: text("בדיקה"),
		Properties: map[string]any{},
	}
	declared := map[string]**string{
		"FirstName": &l.FirstName, "LastName": &l.LastName, "Phone": &l.Phone, "PhoneRaw": &l.PhoneRaw, "Email": &l.Email,
		"City": &l.City, "Message": &l.Message, "Campaign": &l.Campaign, "UtmSource": &l.UtmSource, "UtmMedium": &l.UtmMedium,
		"UtmCampaign": &l.UtmCampaign, "UtmTerm": &l.UtmTerm, "UtmContent": &l.UtmContent, "ExternalID": &l.ExternalID,
		"ConsentText": &l.ConsentText,
	}
	var p problems
	for name, value := range given {
		place, text := declared[name], ""
		ok := true
		if place != nil && value != nil {
			text, ok = value.(string)
		}
		switch {
		case !ok:
			p.addf("Sample/"+name, "%s must be text", name)
		case place != nil && value == nil:
			*place = nil
		case place != nil:
			*place = &text
		case serverSet[name]:
			p.addf("Sample/"+name, "%s is set by the server", name)
		case value != nil:
			l.Properties[name] = value
		}
	}
	return l, p.err()
}

// serverSet are the lead's properties that a sample cannot choose.
var serverSet = map[string]bool{
	"ID": true, "SourceID": true, "ReceivedAt": true, "IsTest": true, "DuplicateOfID": true, "State": true,
	"ReasonID": true, "FeedbackAt": true, "Version": true, "ConsentAt": true, "ErasedAt": true,
}
