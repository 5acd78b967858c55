package server

import "testing"

// TestSearchLeads finds leads by names, by parts of numbers and by what belongs
// to them; a customer's key finds none but its own.
func TestSearchLeads(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		s.anyone.post(s.intake, `{"FirstName":"שירה","LastName":"Cohen-Levi","Phone":"052-765 4321","Email":"Shira.C@example.com","City":"Nowhere"}`).want(201)
		for _, c := range []struct {
			search string
			want   int
		}{
			{"שיר", 1},
			{"cohen", 1},
			{"LEVI שירה", 1},
			{`"cohen levi"`, 1},
			{"7654", 1},
			{"6543", 1},
			{"052-7654321", 1},
			{"%2B972527654321", 1},
			{"shira.c@example.com", 1},
			{"nowhere AND NOT shira", 0},
			{"nobody", 0},
		} {
			path := "/odata/Leads?$select=ID&$search=" + c.search
			if n := len(s.admin.get(path).want(200).at("value").([]any)); n != c.want {
				t.Errorf("%s: %d leads, want %d", c.search, n, c.want)
			}
			if n := len(s.acme.get(path).want(200).at("value").([]any)); n != 0 {
				t.Errorf("%s: the customer found %d leads that are not its own", c.search, n)
			}
		}
		if n := len(s.admin.get("/odata/Customers?$search=acm").want(200).at("value").([]any)); n != 1 {
			t.Errorf("%d customers", n)
		}
		s.admin.get("/odata/Rules?$search=x").want(501)
	})
}
