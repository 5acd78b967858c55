package console

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/store"
)

// A connection's guide tells the customer's developer all that is needed to
// report, and nothing secret. It is read as the connection itself, so it can show
// no more than that may see.

func (c *Console) guideRoutes() []route {
	return []route{
		{pattern: "GET /console/customers/{id}/guide", do: (*visit).guideTab},
		{pattern: "POST /console/connections/{id}/guide", do: (*visit).offerGuide},
		{pattern: "POST /console/connections/{id}/guide/{link}/revoke", do: (*visit).revokeGuide},
		{pattern: "GET /console/connections/{id}/guide", do: (*visit).staffGuide},
		{pattern: "GET /console/connections/{id}/guide/{file}", do: (*visit).staffGuide},
		{pattern: "GET /guide/{token}", do: (*visit).openGuide, open: true},
		{pattern: "GET /guide/{token}/{file}", do: (*visit).openGuide, open: true},
	}
}

func guideURL(customer int64, connection uuid.UUID) string {
	return customerURL(customer) + "/guide?connection=" + connection.String()
}

// guide is what the guide of a connection shows.
type guide struct {
	Connection *keys.Connection
	Base       string // the server's address as customers reach it
	Endpoint   string
	At         string // the address of the guide itself, which its files are below
	Reports    bool   // the connection may report feedback
	IDFields   []string
	Reasons    []feedback.Reason
	Statuses   []guideStatus
	Fields     []guideField // the names that a fixed webhook sends
	Ways       []guideField // how the key can be sent
	Examples   []example
	Languages  []languageChoice
	Call       guideCall
}

// guideStatus is one of the customer's own words and the reason it stands for.
type guideStatus struct {
	Status string
	ID     int32
	Reason string
}

// guideField is a name and what stands behind it.
type guideField struct{ Name, Value string }

// hostName is what a Host header may be to stand in an example that people paste
// into a shell.
var hostName = regexp.MustCompile(`^[0-9A-Za-z._:\[\]-]+$`)

// publicURL is where customers reach the server.
func (v *visit) publicURL() (string, error) {
	if v.PublicURL != "" {
		return strings.TrimRight(v.PublicURL, "/"), nil
	}
	o := v.Proxies.Origin(v.R)
	if !hostName.MatchString(o.Host) {
		return "", fault.New(fault.Invalid, "the Host of the request is none")
	}
	return o.Scheme + "://" + o.Host + o.Prefix, nil
}

// guideOf gathers the guide of a connection, in the language chosen by the query.
// at is where the guide is read.
func (v *visit) guideOf(c *keys.Connection, at string) (*visit, *guide, error) {
	as := *v // the customer's system, in the language of the guide
	actor := store.Actor{Kind: store.Machine, ConnectionID: c.ID, CustomerID: c.CustomerID, Scopes: scopeNames, Name: c.Name}
	as.R = v.R.WithContext(store.WithActor(v.ctx(), actor))
	lang := v.value("language")
	if !spoken(lang) {
		lang = v.lang
	}
	var err error
	if as.locale, err = v.Console.locale(lang, cmp.Or(c.TimeZone, defaultZone)); err != nil {
		return nil, nil, err
	}
	g := &guide{Connection: c, At: at, Reports: slices.Contains(c.Scopes, keys.FeedbackWrite), Languages: choices(lang)}
	if g.Base, err = v.publicURL(); err != nil {
		return nil, nil, err
	}
	g.Endpoint = g.Base + "/odata/"
	if g.IDFields, err = v.Routing.IDFields(as.ctx(), c.CustomerID); err != nil {
		return nil, nil, err
	}
	if err := as.guideWords(g); err != nil {
		return nil, nil, err
	}
	as.guideNames(g)
	g.Examples = as.examples(g)
	g.Call, err = as.guideCall(g)
	return &as, g, err
}

// guideWords reads the reasons and the customer's own words for them.
func (v *visit) guideWords(g *guide) error {
	var err error
	if g.Reasons, err = readAll[feedback.Reason](v, "FeedbackReasons", query{"$orderby": "Position,ID"}); err != nil {
		return err
	}
	names := map[int32]string{}
	for i := range g.Reasons {
		r := &g.Reasons[i]
		r.Name = cmp.Or(r.Names[v.lang], r.Name)
		names[r.ID] = r.Name
	}
	words, err := readAll[feedback.StatusMap](v, "StatusMaps", query{"$orderby": "ReasonID,Status", "$select": "Status,ReasonID"})
	for _, m := range words {
		if name, known := names[m.ReasonID]; known { // one out of use waits as an unknown word does
			g.Statuses = append(g.Statuses, guideStatus{m.Status, m.ReasonID, name})
		}
	}
	return err
}

// guideNames lists how the key can be sent, and the names of fields.
func (v *visit) guideNames(g *guide) {
	g.Ways = []guideField{
		{"X-API-Key", "X-API-Key: " + keys.Prefix + "…"},
		{"Bearer", "Authorization: Bearer " + keys.Prefix + "…"},
		{"Basic", g.Connection.ID.String()},
	}
	for _, property := range []string{"RoutingID", "ReasonID", "Status", "OccurredAt", "Comment", "Amount", "Currency", "ExternalID", "ExternalLink", "Owner"} {
		g.Fields = append(g.Fields, guideField{property, g.field(property)})
	}
}

// field is what the customer's system calls a property of feedback.
func (g *guide) field(property string) string {
	return cmp.Or(g.Connection.FeedbackFields[property], property)
}

// GuideReason describes what a reason does, in words.
func (v *visit) GuideReason(r feedback.Reason) string {
	words := []string{v.T("reason.category." + r.Category)}
	if r.CountsAsSale {
		words = append(words, v.T("reason.sale"))
	}
	if r.ClosesLead {
		words = append(words, v.T("reason.closes"))
	}
	if r.AsksForReturn {
		words = append(words, v.T("reason.returns"))
	}
	return strings.Join(words, " · ")
}

// guideCall is what the guide tells of the last call of the connection.
type guideCall struct {
	*keys.LastCall        // nil: there was none
	URL            string // asks again
	Tone           string
	Verdict        string
}

// noRouting is a RoutingID that no lead has: the test that stores nothing.
const noRouting = "00000000-0000-4000-8000-000000000000"

// callCodes are the codes of calls that the guide has its own words for.
var callCodes = []string{
	keys.RefusedRevoked, keys.RefusedExpired, keys.RefusedEarly, keys.RefusedLate, keys.RefusedClaim, keys.RefusedNetwork, keys.RefusedRate,
	"not_found", "invalid", "forbidden", "unsupported", "method_not_allowed", "conflict", "too_large",
}

func (v *visit) guideCall(g *guide) (guideCall, error) {
	out := guideCall{URL: g.At + "/check?language=" + v.lang}
	last, err := v.Keys.LastCall(v.ctx(), g.Connection.ID)
	if err != nil || last == nil {
		return out, err
	}
	out.LastCall = last
	switch report := strings.HasSuffix(last.Path, "/Feedback") || last.Path == "/feedback"; {
	case last.Code == "" && strings.Contains(last.Path, "/FeedbackReasons"):
		out.Tone, out.Verdict = "good", v.T("guide.call.first")
	case last.Code == "":
		out.Tone, out.Verdict = "good", v.T("guide.call.fine")
	case last.Code == "not_found" && report && strings.Contains(last.Message, noRouting):
		out.Tone, out.Verdict = "good", v.T("guide.call.second")
	case slices.Contains(callCodes, last.Code):
		out.Tone, out.Verdict = "bad", v.T("guide.call."+last.Code)
	default:
		out.Tone, out.Verdict = "bad", v.T("guide.call.other")
	}
	return out, nil
}

// render executes a part into HTML, in the visit's language.
func (v *visit) render(name, part string, data any) (template.HTML, error) {
	templates, err := v.template(v.lang, v.zone, name)
	if err != nil {
		return "", err
	}
	var body bytes.Buffer
	err = templates.ExecuteTemplate(&body, part, page{visit: v, Data: data})
	return template.HTML(body.String()), err
}

// guideTabData is what the tab of the guide shows.
type guideTabData struct {
	Customer    int64
	Connections []Option
	Connection  *keys.Connection // nil: the customer has none
	Languages   []languageChoice
	Links       []guideLink
	Offer       *Form
	New         *Reveal // the link just made
	At          string
	Dir         string
	Lang        string
	Guide       template.HTML
}

// guideLink is a link to the guide as the tab shows it.
type guideLink struct {
	keys.GuideLink
	State  Badge
	Revoke string // where its end is posted to; empty for one that ended, and who may not
}

func (v *visit) guideTab() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	list, err := readList[keys.Connection](v, "Connections", 500, query{
		"$filter": fmt.Sprintf("CustomerID eq %d", customer.ID), "$orderby": "CreatedAt", "$select": "ID,Name",
	})
	if err != nil {
		return err
	}
	if len(list.Rows) == 0 {
		return v.Page("guidetab", v.guideView(customer.Name, guideTabData{Customer: customer.ID}))
	}
	chosen := list.Rows[0].ID
	for _, c := range list.Rows {
		if c.ID.String() == v.value("connection") {
			chosen = c.ID
		}
	}
	return v.guideOn(chosen, nil, nil, http.StatusOK)
}

// guideOn shows the tab with the guide of a connection, and the link that was just
// made, if one was.
func (v *visit) guideOn(id uuid.UUID, offer *Form, made *Reveal, status int) error {
	c, err := v.Keys.Connection(v.ctx(), id)
	if err != nil {
		return err
	}
	data := guideTabData{Customer: c.CustomerID, Connection: c, New: made, Offer: cmp.Or(offer, v.offerForm(c)), At: connectionURL(c.ID) + "/guide"}
	as, g, err := v.guideOf(c, data.At)
	if err != nil {
		return err
	}
	data.Dir, data.Lang, data.Languages = as.dir, as.lang, g.Languages
	if data.Guide, err = as.render("guidetab", "guide", g); err != nil {
		return err
	}
	list, err := readList[keys.Connection](v, "Connections", 500, query{
		"$filter": fmt.Sprintf("CustomerID eq %d", c.CustomerID), "$orderby": "CreatedAt", "$select": "ID,Name",
	})
	if err != nil {
		return err
	}
	for _, other := range list.Rows {
		data.Connections = append(data.Connections, Option{other.ID.String(), other.Name})
	}
	if data.Links, err = v.guideLinks(c); err != nil {
		return err
	}
	customer, err := read[struct{ Name string }](v, fmt.Sprintf("Customers(%d)", c.CustomerID), query{"$select": "Name"})
	if err != nil {
		return err
	}
	return v.pageStatus(status, "guidetab", v.guideView(customer.Name, data))
}

func (v *visit) guideView(customer string, data guideTabData) page {
	return page{
		Title: customer, Crumb: &crumb{v.T("nav.customers"), "/console/customers"},
		Tabs: v.customerTabs(data.Customer, "guide"), Data: data,
	}
}

// guideLinks are the last links to the guide, the newest first.
func (v *visit) guideLinks(c *keys.Connection) ([]guideLink, error) {
	rows, err := readList[keys.GuideLink](v, "GuideLinks", 20, query{"$filter": fmt.Sprintf("ConnectionID eq %v", c.ID), "$orderby": "ID desc"})
	var list []guideLink
	for _, row := range rows.Rows {
		l := guideLink{GuideLink: row, State: Badge{v.T("guide.link.works"), "good"}}
		switch {
		case row.RevokedAt != nil:
			l.State = Badge{v.T("guide.link.revoked"), ""}
		case !v.now().Before(row.ExpiresAt):
			l.State = Badge{v.T("guide.link.expired"), ""}
		case v.Can("manager"):
			l.Revoke = fmt.Sprintf("%s/guide/%d/revoke", connectionURL(c.ID), row.ID)
		}
		list = append(list, l)
	}
	return list, err
}

func (v *visit) offerForm(c *keys.Connection) *Form {
	return &Form{
		Action: connectionURL(c.ID) + "/guide", Submit: v.T("guide.link.make"),
		Fields: []*Field{{Name: "Days", Kind: "number", Label: v.T("guide.link.days"), Value: "30", Min: "1", Max: "366", Required: true}},
	}
}

// offerGuide makes a link and shows it, once.
func (v *visit) offerGuide() error {
	c, _, err := v.connection()
	if err != nil {
		return err
	}
	f := v.offerForm(c)
	f.Fill(v)
	days, err := f.number("Days")
	switch {
	case err == nil && days == nil, err == nil && *days == 0:
		err = fault.New(fault.Invalid, "Days must be from 1 to 366").At("Days")
	}
	var offered keys.OfferedGuide
	if err == nil {
		offered, err = v.Keys.OfferGuide(v.ctx(), c.ID, *days)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.guideOn(c.ID, f, nil, http.StatusUnprocessableEntity)
	}
	base, err := v.publicURL()
	if err != nil {
		return err
	}
	return v.guideOn(c.ID, nil, &Reveal{
		Title: v.T("guide.link.made"), Text: v.T("guide.link.made.text", v.Date(offered.ExpiresAt)), Secret: base + "/guide/" + offered.Token,
		Next: guideURL(c.CustomerID, c.ID),
	}, http.StatusOK)
}

func (v *visit) revokeGuide() error {
	c, _, err := v.connection()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(v.R.PathValue("link"), 10, 64)
	if err != nil {
		return errNoPage
	}
	if err := v.Keys.RevokeGuide(v.ctx(), id); err != nil {
		return err
	}
	v.Done(v.T("guide.link.ended"))
	return v.Go(guideURL(c.CustomerID, c.ID))
}

// staffGuide is the guide alone, or one of its files, for staff.
func (v *visit) staffGuide() error {
	id, err := v.connectionID()
	if err != nil {
		return err
	}
	c, err := v.Keys.Connection(v.ctx(), id)
	if err != nil {
		return err
	}
	return v.showGuide(c, connectionURL(id)+"/guide")
}

// openGuide is the same for whoever has a link.
func (v *visit) openGuide() error {
	h := v.W.Header()
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	v.User, v.Actor = nil, store.Actor{} // who is signed in sees what the customer sees
	token := v.R.PathValue("token")
	c, err := v.Keys.OpenGuide(v.ctx(), token)
	if err != nil {
		if v.R.PathValue("file") == "check" && fault.CodeOf(err) == fault.NotFound {
			return v.write(stopPolling, "guide", "guide-over", page{visit: v})
		}
		return err
	}
	return v.showGuide(c, "/guide/"+url.PathEscape(token))
}

// stopPolling is the status by which htmx stops to ask.
const stopPolling = 286

func (v *visit) showGuide(c *keys.Connection, at string) error {
	as, g, err := v.guideOf(c, at)
	if err != nil {
		return err
	}
	switch v.R.PathValue("file") {
	case "":
		return as.Page("guide", page{Title: as.T("guide.title", c.Name), Bare: true, Data: g})
	case "check":
		return as.Part("guide", "guide-check", g.Call)
	case "leadloop.postman_collection.json":
		return as.download(g.postman())
	case "leadloop.openapi.json":
		return as.download(g.openAPI())
	}
	return errNoPage
}
