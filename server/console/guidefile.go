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

// object is a JSON object.
type object = map[string]any

// openAPI is the calls that the connection may make as an OpenAPI 3.1 document.
func (g *guide) openAPI() (any, error) {
	paths := object{"/odata/FeedbackReasons": object{"get": operation("FeedbackReasons", "The reasons that a report can give", nil, object{
		"200": answered("The reasons", listOf(object{"$ref": "#/components/schemas/FeedbackReason"})),
	})}}
	schemas := object{
		"FeedbackReason": object{"type": "object", "properties": object{"ID": integer(), "Name": textual(), "Category": textual()}},
		"Error": object{"type": "object", "properties": object{"error": object{
			"type": "object", "properties": object{"code": textual(), "message": textual(), "target": textual()},
		}}},
	}
	if g.Reports {
		g.describeReports(paths, schemas)
	}
	for _, set := range []struct{ scope, name string }{{"leads:read", "Leads"}, {"routings:read", "Routings"}} {
		if g.may(set.scope) {
			paths["/odata/"+set.name] = object{"get": operation(set.name, "The "+strings.ToLower(set.name)+" of the customer", []any{
				option("$filter"), option("$select"), option("$orderby"), option("$top"),
			}, object{"200": answered("A page of them", listOf(object{"type": "object"}))})}
		}
	}
	return object{
		"openapi": "3.1.0", "info": object{"title": "Leadloop", "version": "1"}, "servers": []any{object{"url": g.Base}}, "paths": paths,
		"security": []any{object{"key": []any{}}, object{"bearer": []any{}}, object{"basic": []any{}}},
		"components": object{"schemas": schemas, "securitySchemes": object{
			"key":    object{"type": "apiKey", "in": "header", "name": "X-API-Key"},
			"bearer": object{"type": "http", "scheme": "bearer"},
			"basic":  object{"type": "http", "scheme": "basic", "description": "The ConnectionID and the key"},
		}},
	}, nil
}

// describeReports adds what a connection needs that may report.
func (g *guide) describeReports(paths, schemas object) {
	ids := []any{}
	for _, r := range g.Reasons {
		ids = append(ids, r.ID)
	}
	schemas["Report"] = object{
		"type": "object", "required": []string{"RoutingID"}, "properties": object{
			"RoutingID": object{"type": "string", "format": "uuid"},
			"ReasonID":  object{"type": "integer", "enum": ids},
			"Status":    object{"type": "string", "maxLength": 200, "description": "Your own word, in place of ReasonID"},
			"Comment":   object{"type": "string", "maxLength": 10000}, "OccurredAt": object{"type": "string", "format": "date-time"},
			"ExternalID": textual(), "ExternalLink": textual(), "Owner": textual(),
			"Amount": object{"type": "number"}, "Currency": object{"type": "string", "minLength": 3, "maxLength": 3},
		},
	}
	report := object{"$ref": "#/components/schemas/Report"}
	wrong := answered("What went wrong", object{"$ref": "#/components/schemas/Error"})
	answers := object{"201": answered("The report is stored", object{"type": "object"}), "400": wrong, "401": wrong, "403": wrong, "404": wrong, "429": wrong}
	one := operation("Report", "Says what became of a lead", nil, answers)
	one["requestBody"] = bodyOf(report)
	paths["/odata/Feedback"] = object{"post": one}
	many := operation("SubmitFeedback", "Up to 1,000 reports, with a result for each", nil, object{"200": answered("The results", listOf(object{"type": "object"})), "400": wrong, "401": wrong, "413": wrong})
	many["requestBody"] = bodyOf(object{"type": "object", "required": []string{"Items"}, "properties": object{"Items": object{"type": "array", "maxItems": 1000, "items": report}}})
	paths["/odata/SubmitFeedback"] = object{"post": many}
}

func textual() object { return object{"type": "string"} }

func integer() object { return object{"type": "integer"} }

func listOf(items object) object {
	return object{"type": "object", "properties": object{"value": object{"type": "array", "items": items}}}
}

func answered(description string, schema object) object {
	return object{"description": description, "content": object{"application/json": object{"schema": schema}}}
}

func bodyOf(schema object) object {
	return object{"required": true, "content": object{"application/json": object{"schema": schema}}}
}

func option(name string) object { return object{"name": name, "in": "query", "schema": textual()} }

func operation(id, summary string, parameters []any, answers object) object {
	o := object{"operationId": id, "summary": summary, "responses": answers}
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
