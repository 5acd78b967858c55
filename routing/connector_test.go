package routing

import (
	"strings"
	"testing"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestBuiltInConnectors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		all := func() []Connector {
			var rows []Connector
			f.ok(db.Read(f.ctx).Order("id").Find(&rows).Error)
			return rows
		}
		files, err := connectorFiles.ReadDir("connectors")
		f.ok(err)
		before := all()
		if len(before) != len(files) || !before[0].BuiltIn || before[0].Settings[0].Name != "URL" || !before[0].Settings[0].Required {
			t.Fatalf("%+v", before)
		}
		f.ok(f.SyncConnectors(f.ctx))
		if after := all(); len(after) != len(files) || after[0].Version != 1 {
			t.Errorf("a second sync changed something: %+v", after)
		}
		f.ok(db.Write(f.ctx, exec1("UPDATE connectors SET name = 'Old name', version = 5 WHERE code = 'webhook-json'")))
		f.ok(f.SyncConnectors(f.ctx))
		for _, c := range all() {
			if c.Code == "webhook-json" && (c.Name != "Webhook, JSON" || c.Version != 6) {
				t.Errorf("not brought up to date: %+v", c)
			}
		}
		c := before[0]
		c.Name = "Mine"
		if err := f.UpdateConnector(f.ctx, &c); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("update of a built-in one: %v", err)
		}
		if err := f.DeleteConnector(f.ctx, c.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("delete of a built-in one: %v", err)
		}
	})
}

func TestConnectorValidation(t *testing.T) {
	valid := func() *Connector {
		return &Connector{
			Code: "acme-crm", Name: "Acme CRM", Method: "PUT", Format: "json", URL: "https://acme.example/{Account}/leads?key={Key}",
			Settings: []Setting{{Name: "Account", Type: "text", Required: true}, {Name: "Key", Type: "secret"}},
		}
	}
	f := New(nil, storetest.Vault())
	cases := []struct {
		name   string
		change func(*Connector)
		target string
	}{
		{"valid", func(*Connector) {}, ""},
		{"no code", func(c *Connector) { c.Code = "" }, ""},
		{"code", func(c *Connector) { c.Code = "Acme CRM" }, "Code"},
		{"no name", func(c *Connector) { c.Name = "" }, "Name"},
		{"method", func(c *Connector) { c.Method = "GET" }, "Method"},
		{"format", func(c *Connector) { c.Format = "yaml" }, "Format"},
		{"no URL", func(c *Connector) { c.URL = "" }, "URL"},
		{"relative URL", func(c *Connector) { c.URL = "/{Account}" }, "URL"},
		{"unknown setting in URL", func(c *Connector) { c.URL = "https://acme.example/{Acount}" }, "URL"},
		{"setting without a name", func(c *Connector) { c.Settings[1].Name = "" }, "Settings/1/Name"},
		{"setting's name", func(c *Connector) { c.Settings[0].Name = "a b" }, "Settings/0/Name"},
		{"setting twice", func(c *Connector) { c.Settings[1].Name = "Account" }, "Settings/1/Name"},
		{"setting's type", func(c *Connector) { c.Settings[1].Type = "colour" }, "Settings/1/Type"},
	}
	for _, c := range cases {
		connector := valid()
		c.change(connector)
		err := f.checkConnector(connector)
		if c.target == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if got := wrong(err); got[c.target] == "" {
			t.Errorf("%s: %v, want a problem at %s", c.name, got, c.target)
		}
	}
}

func TestOwnConnector(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		c := &Connector{
			Code: "acme", Name: "Acme", Method: "PUT", Format: "json", URL: "{Base}/{Account}?key={Key}",
			Settings: []Setting{
				{Name: "Base", Type: "url", Required: true},
				{Name: "Account", Type: "text", Required: true},
				{Name: "Key", Type: "secret", Required: true},
				{Name: "Depth", Type: "number"},
				{Name: "Loud", Type: "boolean"},
			},
		}
		f.ok(f.CreateConnector(f.ctx, c))
		twin := *c
		if err := f.CreateConnector(f.ctx, &twin); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a second one with the code: %v", err)
		}
		settings := Settings{"Base": crm.URL, "Account": "a/b", "Key": "p&ss word", "Depth": 3.0, "Loud": true}
		r := f.rule("", func(r *Rule) { r.ConnectorID, r.Settings = c.ID, settings })
		r.Settings["Depth"], r.Settings["Loud"] = "deep", "very"
		if got := wrong(f.CreateRule(f.ctx, r)); got["Settings/Depth"] == "" || got["Settings/Loud"] == "" {
			t.Errorf("wrong types: %v", got)
		}
		r.Settings["Depth"], r.Settings["Loud"] = 3.0, true
		f.ok(f.CreateRule(f.ctx, r))
		sealed, _ := r.Settings["Key"].(string)
		if !strings.HasPrefix(sealed, sealedPrefix) {
			t.Fatalf("the secret is stored as %v", r.Settings["Key"])
		}

		r.Settings = Settings{"Base": crm.URL, "Account": "a/b", "Key": "p&ss word", "Depth": 3.0, "Loud": true}
		f.ok(f.UpdateRule(f.ctx, r))
		if r.Revision != 1 || r.Settings["Key"] != sealed {
			t.Errorf("the same secret again counts as a change: revision %d", r.Revision)
		}
		r.Settings["Key"] = sealedPrefix + "abc"
		if got := wrong(f.UpdateRule(f.ctx, r)); got["Settings/Key"] == "" {
			t.Errorf("foreign sealed value: %v", got)
		}

		result, err := f.Test(f.ctx, r.ID, nil)
		f.ok(err)
		if !result.Succeeded || !strings.HasPrefix(result.Request, "PUT "+crm.URL+"/a%2Fb?key=***\n") {
			t.Errorf("%+v", result)
		}
		f.ok(f.Activate(f.ctx, r.ID))
		if err := f.DeleteConnector(f.ctx, c.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("delete of one in use: %v", err)
		}

		c.Format, c.Method = "form", "POST"
		f.ok(f.UpdateConnector(f.ctx, c))
		f.run()
		f.becomes(f.lead(nil).ID, Delivered)
		if got := crm.leads(); !strings.HasPrefix(got[0].body, "ref=") {
			t.Errorf("the changed connector is not in use: %s", got[0].body)
		}
	})
}

func TestCustomers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		if got := wrong(f.CreateCustomer(f.ctx, &Customer{})); got["Name"] == "" {
			t.Errorf("no name: %v", got)
		}
		c := Customer{ID: 77, Name: "חברה", Version: 9}
		f.ok(f.CreateCustomer(f.ctx, &c))
		if c.ID == 77 || c.Version != 1 || c.CreatedAt.IsZero() {
			t.Errorf("%+v", c)
		}
		c.Description = "Solar panels"
		f.ok(f.UpdateCustomer(f.ctx, &c))
		stale := c
		stale.Version = 1
		if err := f.UpdateCustomer(f.ctx, &stale); fault.CodeOf(err) != fault.PreconditionFailed {
			t.Errorf("stale: %v", err)
		}
		stored, err := load[Customer](db.Read(f.ctx), "customer", c.ID)
		f.ok(err)
		if stored.Description != "Solar panels" || stored.Version != 2 || !stored.CreatedAt.Equal(c.CreatedAt) {
			t.Errorf("%+v", stored)
		}
		f.ok(f.DeleteCustomer(f.ctx, c.ID))
		for _, err := range []error{f.DeleteCustomer(f.ctx, c.ID), f.UpdateCustomer(f.ctx, &c)} {
			if fault.CodeOf(err) != fault.NotFound {
				t.Errorf("after deletion: %v", err)
			}
		}
	})
}
