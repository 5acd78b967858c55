package server

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
)

// treeLead is a lead with what was expanded.
type treeLead struct {
	handLead
	Routings []*treeRouting
}

// treeRouting is a routing with what was expanded.
type treeRouting struct {
	ETag                     string `json:"@odata.etag"`
	ID, LeadID               string
	CustomerID, RuleID       int64
	RuleRevision             int64
	State                    string
	AttemptCount             int
	NextAttemptAt            *string
	CreatedAt                string
	DeliveredAt              *string
	ExternalID, ExternalLink *string
	Error                    *string
	ReasonID                 *int32
	FeedbackAt               *string
	Version                  int64
	Feedback                 []*handFeedback
}

// handFeedback is a report.
type handFeedback struct {
	ID, RoutingID                   string
	ReasonID                        *int32
	Comment, OccurredAt             *string
	ReceivedAt                      string
	ExternalID, ExternalLink, Owner *string
	ConnectionID                    *string
	Status                          *string
}

// tree answers with 50 leads, their routings and the feedback on these: three
// statements, whatever the number of rows.
func (h *hand) tree() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leads := make([]*treeLead, 0, 50)
		byLead := make(map[string]*treeLead, 50)
		h.each(r, "SELECT "+leadColumns+" FROM leads ORDER BY id LIMIT 50", nil, func(rows *sql.Rows) error {
			l := &treeLead{Routings: []*treeRouting{}}
			if err := l.scan(rows); err != nil {
				return err
			}
			leads = append(leads, l)
			byLead[l.ID] = l
			return nil
		})
		byRouting := h.routings(r, leads, byLead)
		h.feedback(r, leads, byRouting)
		collection(w, "Leads(Routings(Feedback()))", leads)
	})
}

// routings reads the routings of the leads and gives them by their ids.
func (h *hand) routings(r *http.Request, leads []*treeLead, byLead map[string]*treeLead) map[string]*treeRouting {
	ids := make([]any, len(leads))
	for i, l := range leads {
		ids[i] = l.ID
	}
	byRouting := make(map[string]*treeRouting, 4*len(leads))
	const text = `SELECT id, lead_id, customer_id, rule_id, rule_revision, state, attempt_count, next_attempt_at, created_at,
		delivered_at, external_id, external_link, error, reason_id, feedback_at, version FROM routings WHERE lead_id IN (%s) ORDER BY lead_id, id`
	h.each(r, fmt.Sprintf(text, places(len(ids))), ids, func(rows *sql.Rows) error {
		g := &treeRouting{Feedback: []*handFeedback{}}
		if err := rows.Scan(&g.ID, &g.LeadID, &g.CustomerID, &g.RuleID, &g.RuleRevision, &g.State, &g.AttemptCount, &g.NextAttemptAt, &g.CreatedAt,
			&g.DeliveredAt, &g.ExternalID, &g.ExternalLink, &g.Error, &g.ReasonID, &g.FeedbackAt, &g.Version); err != nil {
			return err
		}
		g.ETag = etag(g.Version)
		byRouting[g.ID] = g
		l := byLead[g.LeadID]
		l.Routings = append(l.Routings, g)
		return nil
	})
	return byRouting
}

// feedback reads the feedback on the leads' routings.
func (h *hand) feedback(r *http.Request, leads []*treeLead, byRouting map[string]*treeRouting) {
	ids := make([]any, 0, len(byRouting))
	for _, l := range leads {
		for _, g := range l.Routings {
			ids = append(ids, g.ID)
		}
	}
	const text = `SELECT id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner, connection_id, status
		FROM feedback WHERE routing_id IN (%s) ORDER BY routing_id, id`
	h.each(r, fmt.Sprintf(text, places(len(ids))), ids, func(rows *sql.Rows) error {
		f := &handFeedback{}
		if err := rows.Scan(&f.ID, &f.RoutingID, &f.ReasonID, &f.Comment, &f.OccurredAt, &f.ReceivedAt, &f.ExternalID, &f.ExternalLink, &f.Owner, &f.ConnectionID, &f.Status); err != nil {
			return err
		}
		g := byRouting[f.RoutingID]
		g.Feedback = append(g.Feedback, f)
		return nil
	})
}

// places are n placeholders.
func places(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(list, ",")
}
