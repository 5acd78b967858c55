package server

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTrials is what the test of a rule says of customers' systems that do not
// take it.
func TestTrials(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn, "--send-timeout", "500ms")
		acme := s.join(t, "Acme")
		good := listen(t, nil)
		over := make(chan struct{})
		slow := listen(t, func(http.ResponseWriter, *http.Request) { <-over })
		defer close(over)
		elsewhere := listen(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, good.url, http.StatusFound) })
		tests := []struct {
			name, url string
			status    string
			problem   string
		}{
			{"refuses", listen(t, failWith(422)).url, "422", "422"},
			{"fails", listen(t, failWith(500)).url, "500", "500"},
			{"sends elsewhere", elsewhere.url, "302", "302"},
			{"never answers", slow.url, "0", "500ms"},
			{"is not there", "http://" + closedAddress(t) + "/leads", "0", "refused"},
			{"has no address", "http://no-such-host.invalid/leads", "0", "no-such-host.invalid"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				id := s.admin.post("/odata/Rules", s.ruleFor(acme.id, tt.url, nil)).want(201).text("ID")
				got := s.admin.post("/odata/Rules("+id+")/Test", nil).want(200)
				if got.at("Succeeded") != false || got.text("StatusCode") != tt.status || !strings.Contains(got.text("Error"), tt.problem) {
					t.Errorf("test: %s", got.body)
				}
				s.admin.post("/odata/Rules("+id+")/Activate", nil).want(409)
			})
		}
		select {
		case d := <-good.received:
			t.Errorf("a redirect was followed: %+v", d)
		default:
		}
	})
}

// closedAddress is one where nobody listens.
func closedAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestForbiddenAddresses has a server that may send to public addresses only.
func TestForbiddenAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme := s.join(t, "Acme")
		rule := s.rule(t, acme.id, crm.url, nil)
		intake := s.source(t, "json", nil)
		crm.next(t, time.Second)
		s.stop()
		s.start(t) // without --allow-networks

		port := crm.url[strings.LastIndexByte(crm.url, ':'):]
		for _, url := range []string{crm.url, "http://localhost" + port, "http://[::1]" + port, "http://[::ffff:127.0.0.1]" + port, "http://0.0.0.0" + port, "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/"} {
			s.admin.do("PATCH", "/odata/Rules("+rule+")", map[string]any{"Settings": map[string]any{"URL": url}}).want(200)
			got := s.admin.post("/odata/Rules("+rule+")/Test", nil).want(200)
			if got.at("Succeeded") != false || !strings.Contains(got.text("Error"), "--allow-networks") {
				t.Errorf("%s: %s", url, got.body)
			}
		}
		// The revision that went live before is still the one that is sent by.
		lead := s.anyone.post(intake, `{"FirstName":"Dana"}`).want(201).text("id")
		eventually(t, 5*time.Second, "the transmission is refused", func() bool {
			got := s.admin.get("/odata/Leads(" + lead + ")/Routings").want(200)
			problem, _ := got.at("value", 0, "Error").(string)
			return strings.Contains(problem, "--allow-networks")
		})
		select {
		case d := <-crm.received:
			t.Errorf("delivered %+v", d)
		default:
		}
	})
}
