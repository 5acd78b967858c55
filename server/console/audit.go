package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"leadloop/store"
)

func (c *Console) auditRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/audit", do: (*visit).auditPage, role: store.Admin},
		{pattern: "GET /console/settings/audit/{id}", do: (*visit).auditEventPage, role: store.Admin},
		{pattern: "POST /console/settings/audit/verify", do: (*visit).verifyAudit, role: store.Admin},
	}
}

// auditData is what the audit trail's page shows.
type auditData struct {
	Filters Filters
	Table   Table
	Proof   auditProof
}

func (v *visit) auditPage() error {
	data, err := v.auditData(auditProof{})
	if err != nil {
		return err
	}
	return v.Page("audit", v.settings("audit", data))
}

func (v *visit) auditData(proof auditProof) (*auditData, error) {
	filters, search, err := v.auditFilters()
	if err != nil {
		return nil, err
	}
	after := v.value("after")
	events, err := readList[store.AuditEvent](v, "AuditEvents", 0, query{"$orderby": "ID desc", "$filter": strings.Join(search, " and "), "$skiptoken": after})
	if err != nil {
		return nil, err
	}
	t := Table{
		Caption: v.T("settings.tab.audit"),
		Columns: []Column{{Title: v.T("audit.what")}, {Title: v.T("audit.key")}, {Title: v.T("audit.who")}, {Title: v.T("audit.when")}},
		Empty:   &Empty{Icon: "shield", Title: v.T("list.nothing"), Text: v.T("list.nothing.text"), Action: v.T("list.clear"), URL: v.Path()},
	}
	for _, e := range events.Rows {
		what := textCell(v.auditWhat(&e))
		what.Sub = strings.Join(changedNames(&e), ", ")
		who := textCell(e.ActorName)
		who.Sub = v.auditRoad(&e)
		t.Rows = append(t.Rows, Row{URL: thingURL("audit", e.ID), Cells: []Cell{what, codeCell(e.Key), who, v.timeCell(&e.At)}})
	}
	t.Pages(settingsURL("audit"), url.Values{"q": {v.value("q")}, "entity": {v.value("entity")}, "from": {v.value("from")}, "to": {v.value("to")}}, after, events.After)
	return &auditData{Filters: filters, Table: t, Proof: proof}, nil
}

// auditFilters is the bar over the list, and what it asks for.
func (v *visit) auditFilters() (Filters, []string, error) {
	kinds, err := v.DB.AuditEntities(v.ctx())
	if err != nil {
		return Filters{}, nil, err
	}
	options := []Option{{"", v.T("audit.entity.all")}}
	for _, k := range kinds {
		options = append(options, Option{k, v.auditEntity(k)})
	}
	f := Filters{
		Action: settingsURL("audit"), Target: "list", Search: v.value("q"), Placeholder: v.T("audit.search"),
		Fields: []*Field{
			{Name: "entity", Kind: "select", Label: v.T("audit.entity"), Value: v.value("entity"), Options: options},
			{Name: "from", Kind: "date", Label: v.T("audit.from"), Value: v.value("from")},
			{Name: "to", Kind: "date", Label: v.T("audit.to"), Value: v.value("to")},
		},
	}
	var search []string
	if f.Search != "" {
		text := "tolower(" + literal(f.Search) + ")"
		search = append(search, "(contains(tolower(ActorName),"+text+") or tolower(Key) eq "+text+" or contains(tolower(Action),"+text+"))")
	}
	if entity := v.value("entity"); entity != "" {
		search = append(search, "Entity eq "+literal(entity))
	}
	for name, compare := range map[string]string{"from": "ge", "to": "lt"} {
		day, err := time.ParseInLocation(time.DateOnly, v.value(name), v.place)
		if err != nil { // none
			continue
		}
		if name == "to" {
			day = day.AddDate(0, 0, 1)
		}
		search = append(search, "At "+compare+" "+day.UTC().Format(time.RFC3339))
	}
	slices.Sort(search)
	return f, search, nil
}

// known reports whether there is a message with the key.
func (l *locale) known(key string) bool { _, ok := l.messages.messages[key]; return ok }

// auditEntity is what the type of an entity is called.
func (v *visit) auditEntity(name string) string {
	if v.known("audit.entity." + name) {
		return v.T("audit.entity." + name)
	}
	return name
}

// auditWhat says what was done to what.
func (v *visit) auditWhat(e *store.AuditEvent) string {
	if v.known("audit.action." + e.Action) {
		return v.T("audit.action."+e.Action, v.auditEntity(e.Entity))
	}
	return v.auditEntity(e.Entity) + ": " + e.Action
}

// auditRoad says by which road the change came, and from where.
func (v *visit) auditRoad(e *store.AuditEvent) string {
	road := e.Through
	if v.known("audit.through." + road) {
		road = v.T("audit.through." + road)
	}
	return strings.Trim(road+" · "+e.RemoteAddress, " ·")
}

// changedNames are the properties that an event tells of.
func changedNames(e *store.AuditEvent) []string {
	names := slices.Sorted(maps.Keys(e.Before))
	for name := range e.After {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// auditChange is one property as it was and as it is; "" is none.
type auditChange struct{ Name, Before, After string }

// auditEventView is what the page of an event shows.
type auditEventView struct {
	Event   *store.AuditEvent
	Who     string
	Road    string
	URL     string // of what was changed, if there is a page for it
	Changes []auditChange
}

func (v *visit) auditEventPage() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	e, err := read[store.AuditEvent](v, fmt.Sprintf("AuditEvents(%d)", id), nil)
	if err != nil {
		return err
	}
	view := auditEventView{Event: &e, Who: e.ActorName, Road: v.auditRoad(&e), URL: v.auditLink(&e)}
	for _, name := range changedNames(&e) {
		view.Changes = append(view.Changes, changesOf(name, e.Before[name], e.After[name])...)
	}
	return v.Page("auditevent", v.setting("audit", v.auditWhat(&e), view))
}

// changesOf are the differences of a property, by its own properties where it is
// an object.
func changesOf(name string, before, after any) []auditChange {
	was, wasObject := before.(map[string]any)
	is, isObject := after.(map[string]any)
	if !wasObject && !isObject || before != nil && !wasObject || after != nil && !isObject {
		return []auditChange{{name, shown(before), shown(after)}}
	}
	names := slices.Collect(maps.Keys(was))
	for n := range is {
		if _, both := was[n]; !both {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var list []auditChange
	for _, n := range names {
		list = append(list, auditChange{name + "/" + n, shown(was[n]), shown(is[n])})
	}
	if len(list) == 0 {
		list = append(list, auditChange{name, shown(before), shown(after)})
	}
	return list
}

// shown is a value as text: a string as it is, others as JSON.
func shown(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSpace(b.String())
}

// auditLinks are the addresses of the pages of entities, up to the key.
var auditLinks = map[string]string{
	"Customer":       "/console/customers/",
	"Rule":           "/console/rules/",
	"Connection":     "/console/connections/",
	"Source":         "/console/sources/",
	"Lead":           "/console/leads/",
	"FeedbackReason": "/console/settings/reasons/",
	"Connector":      "/console/settings/connectors/",
	"User":           "/console/settings/users/",
	"Group":          "/console/settings/groups/",
}

func (v *visit) auditLink(e *store.AuditEvent) string {
	if to, ok := auditLinks[e.Entity]; ok && e.Key != "" && e.Action != "delete" {
		return to + url.PathEscape(e.Key)
	}
	return ""
}

// auditProof is what proving the trail came to; empty before.
type auditProof struct {
	Proof    *store.Proof
	BrokenAt int64
	Error    string
}

// verifyAudit proves the trail, and shows how far that is.
func (v *visit) verifyAudit() error {
	return v.Stream("audit", "proof", func(progress func(string, int64, int64)) (any, error) {
		proof, err := v.DB.ProveAudit(v.ctx(), nil, func(done, of int64) { progress(v.T("audit.verify.progress", done, of), done, of) })
		shown := auditProof{Proof: &proof}
		if proof.BrokenAt != nil {
			shown.BrokenAt = *proof.BrokenAt
		}
		return shown, err
	}, func(text string) any { return auditProof{Error: text} }, func(data any) error {
		whole, err := v.auditData(data.(auditProof))
		if err != nil {
			return err
		}
		return v.Page("audit", v.settings("audit", whole))
	})
}
