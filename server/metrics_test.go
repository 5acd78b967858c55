package server

import (
	"regexp"
	"strings"
	"testing"
)

var adminListens = regexp.MustCompile(`msg="admin listens" admin=(\S+)`)

// TestMetrics is what Prometheus reads after a round of traffic: the numbers, and
// nothing of a person among the labels.
func TestMetrics(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":3}`).want(201)
		s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.foreign+`","ReasonID":3}`).want(404)
		s.anyone.post(s.intake, `{"FirstName":"Zilpa","Email":"zilpa@example.com","ExternalID":"far"}`).want(201)
		s.anyone.post(s.intake, `{"FirstName":"Zilpa","Email":"zilpa@example.com","ExternalID":"far"}`).want(200)
		s.anyone.post(s.intake, `{}`).want(400)
		s.anyone.get("/odata/Zilpa(1)").want(401)
		s.admin.get("/Zilpa").want(404)
		m := adminListens.FindStringSubmatch(s.log.String())
		if m == nil {
			t.Fatal(s.log.String())
		}
		admin := client{t: t, base: "http://" + m[1]}
		got := string(admin.get("/metrics").want(200).body)
		for _, want := range []string{
			`leadloop_http_request_seconds_count{method="POST",route="/odata/Feedback",status="201"} 1`,
			`leadloop_http_request_seconds_count{method="POST",route="/intake",status="400"} 1`,
			`leadloop_http_request_seconds_count{method="GET",route="other",status="404"} 1`,
			`leadloop_http_request_seconds_count{method="GET",route="/odata",status="401"} 1`,
			`leadloop_intake_total{result="repeated"} 1`, `leadloop_intake_total{result="invalid"} 1`, `leadloop_intake_total{result="stored"} 3`,
			`leadloop_feedback_total{result="stored"} 1`, `leadloop_feedback_total{result="not_found"} 1`,
			`leadloop_transmission_seconds_count{outcome="accepted"} 2`, "leadloop_writer_batches_total ", "leadloop_writer_waiting 0",
			"leadloop_database_connections_open ", "go_goroutines ", "process_resident_memory_bytes ",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s", want)
			}
		}
		for _, never := range []string{"Zilpa", "zilpa", "example.com", s.acme.connection, s.own, strings.TrimPrefix(s.intake, "/intake/")} {
			if strings.Contains(got, never) {
				t.Errorf("%s is among the metrics", never)
			}
		}
		admin.get("/odata/").want(404)
		s.anyone.get("/metrics").want(404) // not on the public face
		if t.Failed() {
			t.Log(got)
		}
	})
}

// What is due and cannot be sent shows in the queue.
func TestMetricsOfTheQueue(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		acme := s.join(t, "Acme")
		crm := listen(t, nil)
		s.stop()
		s.start(t, "--allow-networks", "127.0.0.0/8")
		s.rule(t, acme.id, crm.url, nil)
		s.stop()
		s.start(t) // the address is refused now, and tried again later
		s.anyone.post(s.source(t, "json", nil), `{"FirstName":"Dana"}`).want(201)
		admin := client{t: t, base: "http://" + adminListens.FindStringSubmatch(s.log.String())[1]}
		eventually(t, 10e9, "the queue shows", func() bool {
			got := string(admin.get("/metrics").want(200).body)
			return strings.Contains(got, `leadloop_queue_routings{state="pending"} 1`) && strings.Contains(got, `leadloop_queue_oldest_due_seconds{state="pending"} `)
		})
	})
}
