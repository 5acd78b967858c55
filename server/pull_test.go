package server

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestPulls is a customer whose system is read instead of reporting.
func TestPulls(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		system := listen(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer their-key" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"value":[{"ref":"%s","state":"נסגר","at":"%s"},{"ref":"%s","state":"נסגר","at":"%[2]s"}]}`,
				s.own, time.Now().UTC().Format(time.RFC3339), s.foreign)
		})
		connector := s.admin.post("/odata/Connectors", `{"Code":"their-api","Name":"Their API","Method":"GET","Format":"query","URL":"{URL}",
			"Auth":{"Type":"bearer","Value":"{Key}"},
			"Settings":[{"Name":"URL","Type":"url","Required":true},{"Name":"Key","Type":"secret","Required":true}],
			"Reading":{"URL":"{URL}?since={Since}","Items":"value","RoutingID":"Item/ref","Status":"Item/state","OccurredAt":"Item/at"}}`).want(201).text("ID")
		s.admin.post("/odata/Customers("+s.acme.id+")/SetStatusMap", `{"Map":{"נסגר":7}}`).want(200)
		body := `{"ConnectionID":"` + s.acme.connection + `","ConnectorID":` + connector + `,"Name":"Theirs","StartsAt":"2026-01-01T00:00:00Z",
			"Settings":{"URL":"` + system.url + `","Key":"their-key"}}`
		made := s.admin.post("/odata/Pulls", body).want(201)
		pull := "/odata/Pulls(" + made.text("ID") + ")"
		if made.at("State") != "paused" || made.text("IntervalMinutes") != "15" {
			t.Errorf("made %s", made.body)
		}
		if tested := s.admin.post(pull+"/Test", nil).want(200); tested.at("Succeeded") != true ||
			tested.text("Items", 0, "ReasonID") != "7" || tested.at("Items", 0, "Outcome") != "report" || tested.at("Items", 1, "Outcome") == "report" {
			t.Errorf("tested %s", tested.body)
		}
		s.admin.post(pull+"/Activate", nil).want(200)
		eventually(t, 20*time.Second, "the report is there", func() bool {
			return s.acme.get("/odata/Routings("+s.own+")").want(200).at("ReasonID") != nil
		})
		got := s.admin.get(pull + "?$expand=Connection,Connector").want(200)
		if got.text("Found") != "2" || got.text("Reported") != "1" || got.text("Unknown") != "1" {
			t.Errorf("after it ran: %s", got.body)
		}
		if n := string(s.admin.get("/odata/Feedback/$count").want(200).body); n != "1" {
			t.Errorf("%s reports", n)
		}
		s.admin.post(pull+"/Run", nil).want(200)
		s.admin.post(pull+"/Pause", nil).want(200)
		s.admin.post(pull+"/Run", nil).want(409)
		s.acme.get("/odata/Pulls").want(403)
		s.acme.post(pull+"/Run", nil).want(403)
		s.admin.do("DELETE", pull, nil).want(204)
	})
}
