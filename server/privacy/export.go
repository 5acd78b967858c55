package privacy

import (
	"context"
	"time"

	"gorm.io/gorm"

	"leadloop/feedback"
	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"

	"github.com/google/uuid"
)

// Held is all that is held about a person.
type Held struct {
	ExportedAt time.Time
	Leads      []HeldLead
}

// HeldLead is what is held of one lead. Payload is the delivery it came in, Consent
// what the person agreed to, when, and from which address, and Announced what a
// platform told of a lead that is still to be read from it. Onwards are outcomes that
// were sent back to where the lead came from; their exchanges are among the Attempts.
// Rejections are refused deliveries that seem to be of the same person, Notices what
// staff were told of, and AuditEvents who erased or changed what of the lead.
type HeldLead struct {
	LeadID      uuid.UUID
	Lead        store.Facts
	Consent     store.Facts
	Payload     store.Facts
	Announced   []store.Facts
	Routings    []store.Facts
	Attempts    []store.Facts
	Feedback    []store.Facts
	Onwards     []store.Facts
	Decisions   []store.Facts
	Rejections  []store.Facts
	Notices     []store.Facts
	AuditEvents []store.Facts
}

// Export gives all that is held about a person: their leads, as FindPerson finds
// them, with all that hangs on them. Needs a manager. Invalid without anything to look for.
func (s *Service) Export(ctx context.Context, p leads.Person) (*Held, error) {
	found, err := s.Leads.FindPerson(ctx, p)
	if err != nil {
		return nil, err
	}
	held := &Held{ExportedAt: s.Now(), Leads: make([]HeldLead, len(found))}
	listed := make([]string, len(found))
	for i := range found {
		listed[i] = found[i].ID.String()
		if held.Leads[i], err = s.held(ctx, &found[i]); err != nil {
			return nil, err
		}
	}
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		return store.Audit(tx, store.Change{Action: "Export", Entity: "Person", After: store.Facts{"Leads": listed}})
	})
	return held, err
}

// held gathers what hangs on a lead.
func (s *Service) held(ctx context.Context, lead *leads.Lead) (h HeldLead, err error) {
	h.LeadID = lead.ID
	if h.Lead, err = store.FactsOf(lead); err != nil {
		return h, err
	}
	db := s.DB.Read(ctx)
	var payloads []leads.Payload
	if err := db.Where("lead_id = ?", lead.ID).Find(&payloads).Error; err != nil {
		return h, err
	}
	h.Payload, h.Consent = store.Facts{}, store.Facts{"Text": lead.ConsentText, "At": lead.ConsentAt}
	for _, p := range payloads { // at most one
		h.Payload = store.Facts{"Body": string(p.Body), "ContentType": p.ContentType, "RemoteAddress": p.RemoteAddress, "UserAgent": p.UserAgent}
		h.Consent["RemoteAddress"] = p.RemoteAddress
	}
	ofLead := db.Model(&routing.Routing{}).Select("id").Where("lead_id = ?", lead.ID)
	if h.Routings, err = rows[routing.Routing](db.Where("lead_id = ?", lead.ID).Order("id")); err != nil {
		return h, err
	}
	if h.Attempts, err = rows[routing.Attempt](db.Where("routing_id IN (?)", ofLead).Order("id")); err != nil {
		return h, err
	}
	if h.Feedback, err = rows[feedback.Feedback](db.Where("routing_id IN (?)", ofLead).Order("id")); err != nil {
		return h, err
	}
	if h.Announced, err = rows[leads.Retrieval](db.Where("lead_id = ?", lead.ID).Order("id")); err != nil {
		return h, err
	}
	if h.Onwards, err = rows[routing.Onward](db.Where("lead_id = ?", lead.ID).Order("id")); err != nil {
		return h, err
	}
	if h.Decisions, err = rows[routing.Decision](db.Where("lead_id = ?", lead.ID).Order("n")); err != nil {
		return h, err
	}
	if h.Notices, err = rows[routing.Notice](db.Where("routing_id IN (?)", ofLead).Order("id")); err != nil {
		return h, err
	}
	if h.AuditEvents, err = rows[store.AuditEvent](db.Where("entity = 'Lead' AND key = ?", lead.ID.String()).Order("id")); err != nil {
		return h, err
	}
	refused, err := s.Leads.RejectionsOf(ctx, lead)
	if err != nil {
		return h, err
	}
	h.Rejections, err = factsOf(refused)
	return h, err
}

// rows are those of T that q finds, without their secrets.
func rows[T any](q *gorm.DB) ([]store.Facts, error) {
	var found []T
	if err := q.Find(&found).Error; err != nil {
		return nil, err
	}
	return factsOf(found)
}

func factsOf[T any](found []T) (list []store.Facts, err error) {
	list = make([]store.Facts, len(found))
	for i := range found {
		if list[i], err = store.FactsOf(&found[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}
