package server

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadloop/routing"
)

// TestDemoGoesOn is a demo longer than a token holds, in which somebody adds a rule
// that takes leads, and switches the source off.
func TestDemoGoesOn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	database := database{DB: filepath.Join(t.TempDir(), "demo.db")}
	a, err := open(ctx, database, serving{AllowNetworks: loopback, Workers: 4, SendTimeout: 5 * time.Second}, slog.New(slog.DiscardHandler), true)
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx, listener) }()
	defer func() {
		stop()
		must(<-served)
		must(a.Close())
	}()
	var out bytes.Buffer
	d := &demo{app: a, out: &out, base: "http://" + listener.Addr().String()}
	crm, err := startCRM(d.base)
	must(err)
	defer crm.stop()
	must(d.seed(ctx, crm))

	as := asProgram(ctx, "test")
	customer := &routing.Customer{Name: "Own"}
	must(a.Routing.CreateCustomer(as, customer))
	var connector routing.Connector
	must(a.DB.Read(ctx).Where("code = ?", "demo-crm").Take(&connector).Error)
	rule := &routing.Rule{CustomerID: customer.ID, ConnectorID: connector.ID, Name: "Own", Condition: "City eq 'Tel Aviv'", Priority: 100, Mapping: []routing.MappingEntry{{Target: "id", Source: "RoutingID"}}}
	must(a.Routing.CreateRule(as, rule))
	if result, err := a.Routing.Test(as, rule.ID, nil); err != nil || !result.Succeeded {
		t.Fatal(err, result)
	}
	must(a.Routing.Activate(as, rule.ID))

	d.token = "ended"
	must(d.turn(ctx, sampleLeads[1], crm)) // from Tel Aviv
	if said := out.String(); !strings.Contains(said, "to Own") || strings.Contains(said, "feedback") {
		t.Errorf("the demo tells %s", said)
	}
	out.Reset()
	d.intake += "x"
	d.loop(ctx, 1, 0, crm)
	if said := out.String(); !strings.Contains(said, "404") {
		t.Errorf("the demo tells %s", said)
	}
}
