package routing

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

// A customer's system that does not let a rule in gets its leads once it does:
// they are not given to others. A connector may say otherwise.
func TestShutOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for i, c := range []struct {
			status   int
			rejected string // the connector's own word
			state    string
			breaker  string
		}{
			{http.StatusUnauthorized, "", Pending, BreakerOpen},
			{http.StatusForbidden, "", Pending, BreakerClosed},
			{http.StatusForbidden, "Status eq 403", Rejected, BreakerClosed},
		} {
			clock := newClock()
			f := newFixture(t, db, WithClock(clock.Now), func(s *Service) { s.recheck = 0 })
			crm, next := newReceiver(t, status(c.status)), newReceiver(t, nil)
			own := &Connector{
				Code: fmt.Sprintf("own-%d", i),
				Name: "Own", Method: "POST", Format: formatJSON, URL: "{URL}", Settings: []Setting{{Name: "URL", Type: "url", Required: true}},
				Outcomes: Outcomes{Rejected: c.rejected},
			}
			f.ok(f.CreateConnector(f.ctx, own))
			first := f.activated(crm.URL, func(r *Rule) { r.Priority, r.ConnectorID = 1, own.ID })
			second := f.activated(next.URL, func(r *Rule) { r.Priority, r.CustomerID = 2, f.newCustomer("other") })
			stop := f.run()
			lead := f.lead(nil)
			var r Routing
			f.eventually("it is tried", func() bool {
				r = f.routings(lead.ID)[0]
				return len(r.Attempts) == 1 && r.State != Sending
			})
			if r.State != c.state || f.reread(first.ID).Breaker != c.breaker {
				t.Errorf("%d: %s, %+v", c.status, r.State, f.reread(first.ID))
			}
			if c.state == Rejected {
				f.eventually("the next one has it", func() bool { return len(next.leads()) == 1 })
			} else {
				var n Notice
				f.ok(db.Read(f.ctx).Where("rule_id = ?", first.ID).Take(&n).Error)
				if n.Kind != NoticeShutOut || !strings.Contains(n.Message, http.StatusText(c.status)) || *n.RoutingID != r.ID {
					t.Errorf("%+v", n)
				}
				crm.respond(nil)
				clock.forward(firstProbe)
				r = f.becomes(lead.ID, Delivered)
				if got := crm.leads(); len(got) != 2 || got[0].header.Get("webhook-id") != got[1].header.Get("webhook-id") || len(next.leads()) != 0 {
					t.Errorf("%d: %d were sent, %d to the next", c.status, len(got), len(next.leads()))
				}
			}
			f.ok(f.Pause(f.ctx, first.ID))
			f.ok(f.Pause(f.ctx, second.ID))
			stop()
		}
	})
}
