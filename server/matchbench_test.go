package server

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"
)

// matchCost is how many times as much a lead may cost among 10,000 rules as
// among 100.
const matchCost = 3

// TestMeasureMatch is what a decision about a lead costs among few and many
// active rules, of which ten want it.
func TestMeasureMatch(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	cost := map[int]time.Duration{}
	for _, n := range []int{10, 100, 1000, 10_000} {
		cost[n] = decisionAmong(t, n)
		fmt.Fprintf(t.Output(), "%-34s %-42s %10.1f µs\n", "decide about a lead", fmt.Sprintf("among %d rules", n), float64(cost[n].Nanoseconds())/1e3)
	}
	ratio := float64(cost[10_000]) / float64(cost[100])
	fmt.Fprintf(t.Output(), "%-34s 10,000 rules cost %.2f times as much as 100\n", "", ratio)
	if ratio > matchCost {
		t.Errorf("among 10,000 rules a lead costs %.2f times as much as among 100, at most %d expected", ratio, matchCost)
	}
}

// decisionAmong is the best of several rounds.
func decisionAmong(t *testing.T, n int) time.Duration {
	dir := t.TempDir()
	vault, err := database{DB: filepath.Join(dir, "rules.db"), SecretKeyFile: filepath.Join(dir, "leadloop.key")}.vault()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "rules.db"), store.WithVault(vault))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	must(db.Migrate(t.Context()))
	service := routing.New(db, vault)
	defer service.Close()
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	must(service.SyncConnectors(ctx))
	must(db.Write(ctx, func(tx *gorm.DB) error { return storeRules(tx, n) }))
	lead := &leads.Lead{ID: uuid.Must(uuid.NewV7()), FirstName: new("נועה"), City: new("City 0"), Message: new("שלום"), Properties: map[string]any{"Budget": int64(5000)}}
	const rounds, each = 9, 200
	took := make([]time.Duration, rounds)
	for i := range rounds {
		begin := time.Now()
		for range each {
			considered(ctx, service, lead)
		}
		took[i] = time.Since(begin) / each
	}
	return slices.Min(took)
}

func considered(ctx context.Context, service *routing.Service, lead *leads.Lead) {
	verdicts, err := service.Consider(ctx, lead, 3)
	must(err)
	if len(verdicts) != 10 {
		panic(fmt.Sprintf("%d rules want the lead", len(verdicts)))
	}
}

// storeRules stores n active rules of a customer each, ten for a city.
func storeRules(tx *gorm.DB, n int) error {
	now, one := store.Now(), int64(1)
	var connector int64
	if err := tx.Raw("SELECT id FROM connectors WHERE code = 'webhook-json'").Scan(&connector).Error; err != nil {
		return err
	}
	var customers []routing.Customer
	var rules []routing.Rule
	var revisions []routing.RuleRevision
	for i := range n {
		condition := fmt.Sprintf("City eq 'City %d' and Budget ge 1000 and not contains(Message,'spam')", i/10)
		customers = append(customers, routing.Customer{ID: int64(i + 1), Name: fmt.Sprint("Customer ", i), CreatedAt: now, Version: 1})
		rules = append(rules, routing.Rule{
			ID: int64(i + 1), CustomerID: int64(i + 1), ConnectorID: connector, Name: fmt.Sprint("Rule ", i), Settings: routing.Settings{"URL": "http://127.0.0.1:1/"},
			Condition: condition, Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}}, Priority: 100 + i%2, Rotation: "weight", Weight: 1 + i%3,
			TimeZone: "Asia/Jerusalem", Schedule: []routing.Window{}, State: routing.Active, Revision: 1, TestedRevision: &one, ActiveRevision: &one, CreatedAt: now, Version: 1,
		})
		revisions = append(revisions, routing.RuleRevision{
			RuleID: int64(i + 1), Revision: 1, ConnectorID: connector, Settings: rules[i].Settings, Condition: condition, Mapping: rules[i].Mapping, CreatedAt: now,
		})
	}
	if err := tx.CreateInBatches(customers, 500).Error; err != nil {
		return err
	}
	if err := tx.CreateInBatches(rules, 500).Error; err != nil {
		return err
	}
	return tx.CreateInBatches(revisions, 500).Error
}
