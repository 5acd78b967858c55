package console

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"leadloop/feedback"
)

// example is a call of the guide, for the shells that people have. It uses what
// the first one sets.
type example struct {
	ID, Title, Text   string
	Shell, PowerShell string
	Method, Path      string // for the collection; empty for what is no call
	Body              string // JSON
}

// pasteKey stands where the key belongs.
const pasteKey = "paste your key here"

// pasteRouting stands where a RoutingID belongs.
const pasteRouting = "paste a RoutingID here"

// examples are the calls of the guide, in the order in which they are tried.
func (v *visit) examples(g *guide) []example {
	list := []example{
		{
			ID: "setup", Shell: "KEY='" + pasteKey + "'\nROUTING='" + pasteRouting + "'",
			PowerShell: "$headers = @{ 'X-API-Key' = '" + pasteKey + "' }\n$routing = '" + pasteRouting + "'",
		},
		g.get("first", "FeedbackReasons?$select=ID,Name"),
	}
	list[1].Shell = strings.Replace(list[1].Shell, `-H "X-API-Key`, `-H 'Accept-Language: `+v.lang+`' -H "X-API-Key`, 1)
	if g.Reports {
		list = append(list, g.probe())
	}
	if g.Reports && len(g.Reasons) > 0 {
		list = append(list, g.reports()...)
	}
	if g.may("leads:read") {
		list = append(list, g.get("leads", "Leads?$orderby=ReceivedAt desc&$top=5"))
	}
	if g.may("leads:read") || g.may("routings:read") {
		list = append(list, g.get("routings", "Routings?$orderby=CreatedAt desc&$top=5"))
	}
	for i, e := range list {
		list[i].Title, list[i].Text = v.T("guide.example."+e.ID), v.T("guide.example.text."+e.ID)
	}
	return list
}

func (g *guide) may(scope string) bool {
	for _, s := range g.Connection.Scopes {
		if s == scope {
			return true
		}
	}
	return false
}

// Example is the example of an ID, for the templates; nil if there is none.
func (g *guide) Example(id string) *example {
	for i := range g.Examples {
		if g.Examples[i].ID == id {
			return &g.Examples[i]
		}
	}
	return nil
}

// get reads what is at path.
func (g *guide) get(id, path string) example {
	address := g.Endpoint + strings.ReplaceAll(path, " ", "%20")
	return example{
		ID: id, Method: "GET", Path: strings.ReplaceAll(path, " ", "%20"),
		Shell:      fmt.Sprintf("curl -sS -H \"X-API-Key: $KEY\" '%s'", address),
		PowerShell: fmt.Sprintf("(Invoke-RestMethod -Uri '%s' -Headers $headers).value", address),
	}
}

// probe is the report on a lead that is not there.
func (g *guide) probe() example {
	reason := int32(1)
	if len(g.Reasons) > 0 {
		reason = g.Reasons[0].ID
	}
	body := fmt.Sprintf(`{"RoutingID":"%s","ReasonID":%d}`, noRouting, reason)
	return example{
		ID: "probe", Method: "POST", Path: "Feedback", Body: body,
		Shell: fmt.Sprintf("curl -sS -w '\\n%%{http_code}\\n' -H \"X-API-Key: $KEY\" -H 'Content-Type: application/json' \\\n  '%sFeedback' -d '%s'", g.Endpoint, body),
		PowerShell: fmt.Sprintf("try {\n  Invoke-RestMethod -Method Post -Uri '%sFeedback' -Headers $headers -ContentType 'application/json' -Body '%s'\n} catch {\n  $_.Exception.Response.StatusCode.value__\n}",
			g.Endpoint, body),
	}
}

// reports are the ways to say what became of a lead.
func (g *guide) reports() []example {
	list := []example{g.post("report", map[string]any{"ReasonID": g.pick(func(r feedback.Reason) bool { return r.Category == "in_progress" }).ID, "Comment": "Called, will call again"})}
	if sale := g.pick(func(r feedback.Reason) bool { return r.CountsAsSale }); sale.CountsAsSale {
		list = append(list, g.post("sale", map[string]any{"ReasonID": sale.ID, "Amount": 1250.5, "Currency": "ILS"}))
	}
	if len(g.Statuses) > 0 {
		list = append(list, g.post("status", map[string]any{"Status": g.Statuses[0].Status}))
	}
	return append(list, g.many(), g.webhook())
}

// pick is the first reason that fits, or else the first.
func (g *guide) pick(fits func(r feedback.Reason) bool) feedback.Reason {
	for _, r := range g.Reasons {
		if fits(r) {
			return r
		}
	}
	return g.Reasons[0]
}

// post reports on the lead of $ROUTING.
func (g *guide) post(id string, more map[string]any) example {
	rest, _ := json.Marshal(more) // numbers and texts always marshal
	tail := "," + string(rest[1:])
	return example{
		ID: id, Method: "POST", Path: "Feedback", Body: `{"RoutingID":"{{routingId}}"` + tail,
		Shell: fmt.Sprintf("curl -sS -H \"X-API-Key: $KEY\" -H 'Content-Type: application/json' \\\n  '%sFeedback' -d '{\"RoutingID\":\"'$ROUTING'\"%s'",
			g.Endpoint, shellQuoted(tail)),
		PowerShell: fmt.Sprintf("$body = '{\"RoutingID\":\"' + $routing + '\"%s'\nInvoke-RestMethod -Method Post -Uri '%sFeedback' -Headers $headers -ContentType 'application/json; charset=utf-8' -Body ([Text.Encoding]::UTF8.GetBytes($body))",
			strings.ReplaceAll(tail, "'", "''"), g.Endpoint),
	}
}

// many reports on several leads at once.
func (g *guide) many() example {
	reason := g.Reasons[0].ID
	item := func(routing string) string { return fmt.Sprintf(`{"RoutingID":"%s","ReasonID":%d}`, routing, reason) }
	body := fmt.Sprintf(`{"Items":[%s,%s]}`, item("{{routingId}}"), item(noRouting))
	return example{
		ID: "many", Method: "POST", Path: "SubmitFeedback", Body: body,
		Shell: fmt.Sprintf("curl -sS -H \"X-API-Key: $KEY\" -H 'Content-Type: application/json' \\\n  '%sSubmitFeedback' -d '%s'",
			g.Endpoint, strings.Replace(body, "{{routingId}}", "'$ROUTING'", 1)),
		PowerShell: fmt.Sprintf("$body = '%s'\n(Invoke-RestMethod -Method Post -Uri '%sSubmitFeedback' -Headers $headers -ContentType 'application/json; charset=utf-8' -Body $body).value",
			strings.Replace(body, "{{routingId}}", "' + $routing + '", 1), g.Endpoint),
	}
}

// webhook is the report of a system that can only send its own form.
func (g *guide) webhook() example {
	routing, reason := g.field("RoutingID"), g.field("ReasonID")
	last := g.Reasons[len(g.Reasons)-1].ID
	return example{
		ID: "webhook",
		Shell: fmt.Sprintf("curl -sS -H \"X-API-Key: $KEY\" '%s/feedback' \\\n  --data-urlencode '%s='$ROUTING --data-urlencode '%s=%d'",
			g.Base, url.QueryEscape(routing), url.QueryEscape(reason), last),
		PowerShell: fmt.Sprintf("Invoke-RestMethod -Method Post -Uri '%s/feedback' -Headers $headers -Body @{ '%s' = $routing; '%s' = '%d' }",
			g.Base, strings.ReplaceAll(routing, "'", "''"), strings.ReplaceAll(reason, "'", "''"), last),
	}
}

// shellQuoted is text as it stands inside of single quotes.
func shellQuoted(text string) string { return strings.ReplaceAll(text, "'", `'\''`) }
