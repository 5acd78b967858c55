package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// The files that a guide gives to download. They hold no key: that is a variable.

// postman is the calls of the guide as a Postman collection, version 2.1.
func (g *guide) postman() (any, error) {
	var items []any
	for _, e := range g.Examples {
		if e.Method == "" {
			continue
		}
		path, rawQuery, _ := strings.Cut(e.Path, "?")
		address := map[string]any{"raw": "{{baseUrl}}/odata/" + e.Path, "host": []string{"{{baseUrl}}"}, "path": []string{"odata", path}}
		var options []any
		for pair := range strings.SplitSeq(rawQuery, "&") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				plain, err := url.PathUnescape(value)
				if err != nil {
					return nil, err
				}
				options = append(options, map[string]string{"key": name, "value": plain})
			}
		}
		if options != nil {
			address["query"] = options
		}
		request := map[string]any{"method": e.Method, "url": address, "description": e.Text, "header": []any{}}
		if e.Body != "" {
			request["header"] = []any{map[string]string{"key": "Content-Type", "value": "application/json"}}
			request["body"] = map[string]any{"mode": "raw", "raw": e.Body, "options": map[string]any{"raw": map[string]string{"language": "json"}}}
		}
		items = append(items, map[string]any{"name": e.Title, "request": request})
	}
	return map[string]any{
		"info": map[string]string{"name": "Leadloop: " + g.Connection.Name, "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
		"auth": map[string]any{"type": "apikey", "apikey": []any{
			map[string]string{"key": "key", "value": "X-API-Key", "type": "string"},
			map[string]string{"key": "value", "value": "{{apiKey}}", "type": "string"},
			map[string]string{"key": "in", "value": "header", "type": "string"},
		}},
		"variable": []any{
			map[string]string{"key": "baseUrl", "value": g.Base},
			map[string]string{"key": "apiKey", "value": ""},
			map[string]string{"key": "routingId", "value": ""},
		},
		"item": items,
	}, nil
}

// document is a JSON document.
type document = map[string]any

// openAPI is the calls that the connection may make as an OpenAPI 3.1 document.
func (g *guide) openAPI() (any, error) {
	paths := document{"/odata/FeedbackReasons": document{"get": operation("FeedbackReasons", "The reasons that a report can give", nil, document{
		"200": answered("The reasons", listOf(document{"$ref": "#/components/schemas/FeedbackReason"})),
	})}}
	schemas := document{
		"FeedbackReason": document{"type": "object", "properties": document{"ID": integer(), "Name": textual(), "Category": textual()}},
		"Error": document{"type": "object", "properties": document{"error": document{
			"type": "object", "properties": document{"code": textual(), "message": textual(), "target": textual()},
		}}},
	}
	if g.Reports {
		g.describeReports(paths, schemas)
	}
	for _, set := range []struct{ scope, name string }{{"leads:read", "Leads"}, {"routings:read", "Routings"}} {
		if g.may(set.scope) {
			paths["/odata/"+set.name] = document{"get": operation(set.name, "The "+strings.ToLower(set.name)+" of the customer", []any{
				option("$filter"), option("$select"), option("$orderby"), option("$top"),
			}, document{"200": answered("A page of them", listOf(document{"type": "object"}))})}
		}
	}
	return document{
		"openapi": "3.1.0", "info": document{"title": "Leadloop", "version": "1"}, "servers": []any{document{"url": g.Base}}, "paths": paths,
		"security": []any{document{"key": []any{}}, document{"bearer": []any{}}, document{"basic": []any{}}},
		"components": document{"schemas": schemas, "securitySchemes": document{
			"key":    document{"type": "apiKey", "in": "header", "name": "X-API-Key"},
			"bearer": document{"type": "http", "scheme": "bearer"},
			"basic":  document{"type": "http", "scheme": "basic", "description": "The ConnectionID and the key"},
		}},
	}, nil
}

// describeReports adds what a connection needs that may report.
func (g *guide) describeReports(paths, schemas document) {
	ids := []any{}
	for _, r := range g.Reasons {
		ids = append(ids, r.ID)
	}
	schemas["Report"] = document{
		"type": "object", "required": []string{"RoutingID"}, "properties": document{
			"RoutingID": document{"type": "string", "format": "uuid"},
			"ReasonID":  document{"type": "integer", "enum": ids},
			"Status":    document{"type": "string", "maxLength": 200, "description": "Your own word, in place of ReasonID"},
			"Comment":   document{"type": "string", "maxLength": 10000}, "OccurredAt": document{"type": "string", "format": "date-time"},
			"ExternalID": textual(), "ExternalLink": textual(), "Owner": textual(),
			"Amount": document{"type": "number"}, "Currency": document{"type": "string", "minLength": 3, "maxLength": 3},
		},
	}
	report := document{"$ref": "#/components/schemas/Report"}
	wrong := answered("What went wrong", document{"$ref": "#/components/schemas/Error"})
	answers := document{"201": answered("The report is stored", document{"type": "object"}), "400": wrong, "401": wrong, "403": wrong, "404": wrong, "429": wrong}
	one := operation("Report", "Says what became of a lead", nil, answers)
	one["requestBody"] = bodyOf(report)
	paths["/odata/Feedback"] = document{"post": one}
	many := operation("SubmitFeedback", "Up to 1,000 reports, with a result for each", nil, document{"200": answered("The results", listOf(document{"type": "object"})), "400": wrong, "401": wrong, "413": wrong})
	many["requestBody"] = bodyOf(document{"type": "object", "required": []string{"Items"}, "properties": document{"Items": document{"type": "array", "maxItems": 1000, "items": report}}})
	paths["/odata/SubmitFeedback"] = document{"post": many}
}

func textual() document { return document{"type": "string"} }

func integer() document { return document{"type": "integer"} }

func listOf(items document) document {
	return document{"type": "object", "properties": document{"value": document{"type": "array", "items": items}}}
}

func answered(description string, schema document) document {
	return document{"description": description, "content": document{"application/json": document{"schema": schema}}}
}

func bodyOf(schema document) document {
	return document{"required": true, "content": document{"application/json": document{"schema": schema}}}
}

func option(name string) document { return document{"name": name, "in": "query", "schema": textual()} }

func operation(id, summary string, parameters []any, answers document) document {
	o := document{"operationId": id, "summary": summary, "responses": answers}
	if parameters != nil {
		o["parameters"] = parameters
	}
	return o
}

// download answers with a file of JSON.
func (v *visit) download(content any, err error) error {
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	h := v.W.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="`+v.R.PathValue("file")+`"`)
	h.Set("Cache-Control", "no-store")
	v.W.WriteHeader(http.StatusOK)
	_, _ = v.W.Write(text) // a client that left needs no answer
	return nil
}
