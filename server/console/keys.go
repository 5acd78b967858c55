package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) keyRoutes() []route {
	return []route{
		{pattern: "GET /console/connections/{id}/keys/new", do: (*visit).newKeyPage, role: store.Manager},
		{pattern: "POST /console/connections/{id}/keys/new", do: (*visit).issueKey},
		{pattern: "POST /console/connections/{id}/keys/{key}/rotate", do: (*visit).rotateKey},
		{pattern: "POST /console/connections/{id}/keys/{key}/revoke", do: (*visit).revokeKey},
	}
}

// keyRow is a key as the card of its connection shows it.
type keyRow struct {
	keys.Key
	State  Badge
	Over   bool   // it ended
	Only   string // what it may do, where that is less than its connection may
	Revoke *Confirm
	Rotate string // where its rotation is posted to; empty for who may not
}

// Shown is a key as people recognise it.
func (k keyRow) Shown() string { return keys.Prefix + k.ID + "_…" }

func (v *visit) keyRow(k *keys.Key) keyRow {
	row := keyRow{Key: *k, State: Badge{v.T("key.state.works"), "good"}}
	switch now := v.now(); {
	case k.RevokedAt != nil:
		row.State, row.Over = Badge{v.T("key.state.revoked"), ""}, true
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		row.State, row.Over = Badge{v.T("key.state.expired"), ""}, true
	case k.ExpiresAt != nil:
		row.State = Badge{v.T("key.state.until", v.Time(*k.ExpiresAt)), "warn"}
	}
	var may []string
	for _, scope := range k.Scopes {
		may = append(may, v.scopeWord(scope))
	}
	if len(may) > 0 {
		row.Only = v.T("key.only", strings.Join(may, ", "))
	}
	if v.Can("manager") && !row.Over {
		at := connectionURL(k.ConnectionID) + "/keys/" + k.ID
		row.Rotate = at + "/rotate"
		row.Revoke = &Confirm{
			ID: "revoke-" + k.ID, Title: v.T("key.revoke"), Text: v.T("key.revoke.text", row.Shown()),
			Action: at + "/revoke", Submit: v.T("key.revoke.submit"),
		}
	}
	return row
}

func (v *visit) keyForm(c *keys.Connection) *Form {
	f := &Form{
		Action: connectionURL(c.ID) + "/keys/new", Submit: v.T("key.generate"), Cancel: customerURL(c.CustomerID),
		Fields: []*Field{{Name: "ExpiresAt", Kind: "date", Label: v.T("key.ends"), Help: v.T("key.ends.help")}},
	}
	for i, scope := range c.Scopes {
		if len(c.Scopes) < 2 {
			break
		}
		field := &Field{Name: scope, Kind: "checkbox", Label: v.scopeWord(scope), Value: "true"}
		if i == 0 {
			field.Section = v.T("key.may")
		}
		f.Fields = append(f.Fields, field)
	}
	return f
}

func (v *visit) keyView(customer *routing.Customer, c *keys.Connection, f *Form) page {
	return page{
		Title: v.T("key.new"), Crumb: &crumb{customer.Name, customerURL(customer.ID)},
		Data: map[string]any{"Form": f, "Connection": c},
	}
}

func (v *visit) newKeyPage() error {
	c, customer, err := v.connection()
	if err != nil {
		return err
	}
	return v.Page("key", v.keyView(customer, c, v.keyForm(c)))
}

// issueKey shows the new key, once. It is in no address and no cookie: who reloads
// the page is asked whether to make another.
func (v *visit) issueKey() error {
	c, customer, err := v.connection()
	if err != nil {
		return err
	}
	f := v.keyForm(c)
	f.Fill(v)
	terms, err := keyTerms(f, c)
	var issued keys.Issued
	if err == nil {
		issued, err = v.Keys.Issue(v.ctx(), c.ID, terms)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("key", v.keyView(customer, c, f))
	}
	return v.revealKey(customer, c, issued)
}

// keyTerms are what the form binds the key to.
func keyTerms(f *Form, c *keys.Connection) (keys.Terms, error) {
	var terms keys.Terms
	if day := f.Get("ExpiresAt"); day != "" {
		end, err := c.DayEnds(day)
		if err != nil {
			return terms, fault.New(fault.Invalid, err.Error()).At("ExpiresAt")
		}
		terms.ExpiresAt = &end
	}
	if len(c.Scopes) < 2 {
		return terms, nil
	}
	terms.Scopes = slices.DeleteFunc(slices.Clone(c.Scopes), func(scope string) bool { return f.Get(scope) != "true" })
	switch len(terms.Scopes) {
	case 0:
		return terms, fault.New(fault.Invalid, "the key may do nothing")
	case len(c.Scopes):
		terms.Scopes = nil // what the connection may, also later
	}
	return terms, nil
}

func (v *visit) revealKey(customer *routing.Customer, c *keys.Connection, issued keys.Issued) error {
	return v.Page("keyreveal", page{
		Title: v.T("key.new"), Crumb: &crumb{customer.Name, customerURL(customer.ID)},
		Data: map[string]any{
			"Reveal":     Reveal{Title: v.T("key.reveal"), Text: v.T("key.reveal.text"), Secret: issued.Key, Next: customerURL(customer.ID)},
			"Connection": c, "Guide": guideURL(customer.ID, c.ID),
		},
	})
}

// keyOverlaps are the hours for which a key may go on that is replaced; the first is
// chosen at first.
var keyOverlaps = []int{24, 0, 72, 168}

// Overlaps are the choices of how long a key goes on that is replaced.
func (v *visit) Overlaps() []Option {
	var list []Option
	for _, hours := range keyOverlaps {
		label := v.T("key.overlap.none")
		if hours > 0 {
			label = v.T("key.overlap.hours", hours)
		}
		list = append(list, Option{strconv.Itoa(hours), label})
	}
	return list
}

func (v *visit) rotateKey() error {
	c, customer, err := v.connection()
	if err != nil {
		return err
	}
	hours, err := strconv.Atoi(v.value("hours"))
	if err != nil || hours < 0 || hours > 24*366 {
		return fault.New(fault.Invalid, "OverlapHours must be from 0 to 8784")
	}
	issued, err := v.Keys.Rotate(v.ctx(), v.R.PathValue("key"), time.Duration(hours)*time.Hour)
	if err != nil {
		if fault.CodeOf(err) != fault.Conflict {
			return err
		}
		v.Failed(err)
		return v.Go(customerURL(customer.ID))
	}
	return v.revealKey(customer, c, issued)
}

func (v *visit) revokeKey() error {
	_, customer, err := v.connection()
	if err != nil {
		return err
	}
	id := v.R.PathValue("key")
	if err := v.Keys.Revoke(v.ctx(), id); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	v.Done(v.T("key.revoked", keys.Prefix+id+"_…"))
	return v.Go(customerURL(customer.ID))
}
