package feedback

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// What is reported goes onward, with what the report says: also when a word that
// nobody had mapped gets its meaning, and not when an older report comes late.
func TestOnward(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		source := leads.New(db, storetest.Vault())
		source.Onward = w.Routing.CheckOnward
		src := leads.NewSource()
		src.Name, src.Kind = "Ads", leads.KindJSON
		var connector int64
		if err := db.Read(background).Raw("SELECT min(id) FROM connectors").Scan(&connector).Error; err != nil {
			t.Fatal(err)
		}
		if err := w.exec(`UPDATE connectors SET url = 'https://ads.example.com', settings = '[]' WHERE id = ?`, connector); err != nil {
			t.Fatal(err)
		}
		src.OnwardConnectorID, src.OnwardMapping = &connector, []leads.MappingEntry{{Target: "a", Source: "Amount"}}
		if err := source.CreateSource(asManager, src); err != nil {
			t.Fatal(err)
		}
		ids := w.newRouting(t, w.acme)
		if err := w.exec("UPDATE leads SET source_id = ?", src.ID); err != nil {
			t.Fatal(err)
		}
		report := func(f Feedback) {
			t.Helper()
			f.RoutingID = ids[0]
			if err := w.Report(w.acme.asClient, &f); err != nil {
				t.Fatal(err)
			}
		}
		at := w.Now().Add(-time.Hour)
		report(Feedback{ReasonID: new(int32(2)), OccurredAt: new(at)})
		report(Feedback{Status: new("Won"), OccurredAt: new(at.Add(time.Minute)), Amount: new(int64(12_5000)), Currency: new("ILS")})
		report(Feedback{ReasonID: new(int32(3)), OccurredAt: new(at.Add(-time.Minute))})
		if err := w.CreateStatusMap(asManager, &StatusMap{CustomerID: w.acme.customer, Status: "won", ReasonID: 7}); err != nil {
			t.Fatal(err)
		}
		var rows []routing.Onward
		if err := db.Read(background).Order("occurred_at").Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, o := range rows {
			got += fmt.Sprintln(o.RoutingID == ids[0], o.ReasonID, o.State, o.Status != nil && *o.Status == "Won", o.Amount != nil && *o.Amount == 12_5000, o.ID != uuid.Nil)
		}
		if want := "true 2 replaced false false true\ntrue 7 pending true true true\n"; got != want {
			t.Errorf("outcomes\n%swant\n%s", got, want)
		}
	})
}
