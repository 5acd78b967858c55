package routing

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// standIn is a system as its public documentation describes it, and what a rule
// for it looks like.
type standIn struct {
	connector string
	handler   http.Handler
	settings  Settings
	mapping   []MappingEntry
	email     string // of the lead; noa@example.com unless given
	secrets   []string

	state, outcome, id, link, err string
}

const noa = "noa@example.com"

// answerJSON writes an answer.
func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func readJSON(r *http.Request) map[string]any {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	return body
}

// at gives what is at the path of a decoded body, as text.
func member(v any, path ...any) string {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return ""
			}
			v = l[p]
		}
	}
	return formText(v)
}

// connectWise behaves like the REST API of ConnectWise PSA: API member keys by
// Basic with company+public:private, clientId on every request, errors as code,
// message and errors.
func connectWise() http.Handler {
	mux := http.NewServeMux()
	const contacts = "/v4_6_release/apis/3.0/company/contacts"
	allowed := func(w http.ResponseWriter, r *http.Request) bool {
		user, password, ok := r.BasicAuth()
		if !ok || user != "acme+pub" || password != "priv" {
			answerJSON(w, 401, `{"code":"Unauthorized","message":"The provided company name or member was not valid","errors":null}`)
			return false
		}
		if r.Header.Get("clientId") != "5f1c7a7e-0000-4000-8000-000000000001" {
			answerJSON(w, 401, `{"code":"InvalidClientId","message":"clientId is required"}`)
			return false
		}
		return true
	}
	save := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if !allowed(w, r) {
				return
			}
			body := readJSON(r)
			if member(body, "firstName") == "" {
				answerJSON(w, 400, `{"code":"InvalidObject","message":"contact object is invalid","errors":[{"code":"MissingRequiredField","message":"The firstName field is required","resource":"contact","field":"firstName"}]}`)
				return
			}
			if body["company"].(map[string]any)["id"] != 250.0 || member(body, "communicationItems", 0, "type", "id") != "1" || member(body, "communicationItems", 0, "value") == "" {
				answerJSON(w, 400, `{"code":"InvalidObject","message":"contact object is invalid","errors":[]}`)
				return
			}
			answerJSON(w, status, `{"id":3412,"firstName":"`+member(body, "firstName")+`","_info":{"lastUpdated":"2026-11-22T09:00:00Z"}}`)
		}
	}
	mux.HandleFunc("POST "+contacts, save(201))
	mux.HandleFunc("PUT "+contacts+"/3412", save(200))
	mux.HandleFunc("GET "+contacts, func(w http.ResponseWriter, r *http.Request) {
		if !allowed(w, r) {
			return
		}
		if r.URL.Query().Get("childConditions") == `communicationItems/value="`+noa+`"` {
			answerJSON(w, 200, `[{"id":3412}]`)
			return
		}
		answerJSON(w, 200, `[]`)
	})
	return mux
}

// superOffice behaves like SuperOffice's REST API.
func superOffice() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /Cust1/api/v1/Person", func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "crm" || password != "so-pass" || r.Header.Get("SO-AppToken") != "so-app" {
			answerJSON(w, 401, `{"Error":true,"ErrorType":"SoUnauthorizedException","Message":"Not authenticated"}`)
			return
		}
		body := readJSON(r)
		if member(body, "Lastname") == "" || member(body, "Emails", 0, "Value") == "" || member(body, "Contact", "ContactId") != "7" {
			answerJSON(w, 500, `{"Error":true,"ErrorType":"SoException","Message":"Lastname is mandatory","UserLevelMessage":""}`)
			return
		}
		answerJSON(w, 200, `{"PersonId":81,"Firstname":"נועה","Lastname":"לוי","Contact":{"ContactId":7}}`)
	})
	return mux
}

// miniCRM behaves like MiniCRM's R3 API: HTTP Basic with system id and key, PUT
// makes and changes, results are keyed by id.
func miniCRM() http.Handler {
	mux := http.NewServeMux()
	guarded := func(f http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "12345" || password != "mini-key" {
				http.Error(w, "Unauthorized", http.StatusUnauthorized)
				return
			}
			f(w, r)
		}
	}
	mux.HandleFunc("GET /Api/R3/Contact", guarded(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("Email") != noa {
			answerJSON(w, 200, `{"Count":0,"Results":[]}`)
			return
		}
		answerJSON(w, 200, `{"Count":1,"Results":{"12346":{"Id":"12346","Name":"Noa Levi","Type":"Person","Email":"noa@example.com"}}}`)
	}))
	put := func(id string) http.HandlerFunc {
		return guarded(func(w http.ResponseWriter, r *http.Request) {
			body := readJSON(r)
			if strings.Contains(r.URL.Path, "Project") && (member(body, "ContactId") != "12346" || body["CategoryId"] != 3.0) {
				http.Error(w, "Missing ContactId", http.StatusBadRequest)
				return
			}
			answerJSON(w, 200, `{"Id":`+id+`}`)
		})
	}
	mux.HandleFunc("PUT /Api/R3/Contact", put("777"))
	mux.HandleFunc("PUT /Api/R3/Contact/12346", put("12346"))
	mux.HandleFunc("PUT /Api/R3/Project", put("1234"))
	return mux
}

// unas behaves like the XML API of UNAS: a login gives a token for two hours,
// general errors are 400 with one Error element.
func unas() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /shop/login", func(w http.ResponseWriter, r *http.Request) {
		var params struct {
			XMLName xml.Name `xml:"Params"`
			ApiKey  string
		}
		if xml.NewDecoder(r.Body).Decode(&params) != nil || params.ApiKey != "unas-key" {
			w.WriteHeader(400)
			fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" ?><Error>Authentication Error</Error>`)
			return
		}
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" ?><Login><Token>unas-token</Token><Expire>2026.11.22 12:00:00</Expire><ShopId>1000</ShopId><Permissions><Permission>setCustomer</Permission></Permissions><Status>ok</Status></Login>`)
	})
	mux.HandleFunc("POST /shop/setCustomer", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer unas-token" {
			w.WriteHeader(400)
			fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" ?><Error>Invalid token</Error>`)
			return
		}
		var customers struct {
			XMLName  xml.Name `xml:"Customers"`
			Customer []struct {
				Action, Email string
				Contact       struct{ Name string }
			}
		}
		if err := xml.NewDecoder(r.Body).Decode(&customers); err != nil || len(customers.Customer) != 1 || customers.Customer[0].Action != "add" {
			w.WriteHeader(400)
			fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" ?><Error>XML error</Error>`)
			return
		}
		if customers.Customer[0].Email != noa || customers.Customer[0].Contact.Name != "לוי & <בנים>" {
			fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" ?><Customers><Customer><Action>add</Action><Status>error</Status><Error>Email exists</Error></Customer></Customers>`)
			return
		}
		fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8" ?><Customers><Customer><Id>998</Id><Action>add</Action><Status>ok</Status></Customer></Customers>`)
	})
	return mux
}

// dynamics behaves like the Dataverse Web API, with the token endpoint beside it.
func dynamics() http.Handler {
	mux := http.NewServeMux()
	const id = "7eb682f1-ca75-e511-80d4-00155d2a68d1"
	mux.HandleFunc("POST /tenant-1/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_id") != "app" || r.FormValue("client_secret") != "dyn-secret" ||
			!strings.HasSuffix(r.FormValue("scope"), "/.default") {
			answerJSON(w, 401, `{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}`)
			return
		}
		answerJSON(w, 200, `{"token_type":"Bearer","expires_in":3599,"access_token":"dyn-token"}`)
	})
	created := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("OData-EntityId", "http://"+r.Host+"/api/data/v9.2/leads("+id+")")
		w.WriteHeader(http.StatusNoContent)
	}
	guarded := func(f http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer dyn-token" || r.Header.Get("OData-Version") != "4.0" {
				w.WriteHeader(401)
				return
			}
			f(w, r)
		}
	}
	mux.HandleFunc("POST /api/data/v9.2/leads", guarded(func(w http.ResponseWriter, r *http.Request) {
		body := readJSON(r)
		switch {
		case member(body, "lastname") == "":
			answerJSON(w, 400, `{"error":{"code":"0x80040203","message":"Last Name is required"}}`)
		case member(body, "emailaddress1") == "dup@example.com" && r.Header.Get("MSCRM.SuppressDuplicateDetection") == "false":
			answerJSON(w, 500, `{"error":{"code":"0x80040333","message":"A record was not created or updated because a duplicate of the current record already exists."}}`)
		default:
			created(w, r)
		}
	}))
	mux.HandleFunc("PATCH /api/data/v9.2/leads("+id+")", guarded(created))
	mux.HandleFunc("GET /api/data/v9.2/leads", guarded(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("$filter") == "emailaddress1 eq 'o''hara@example.com'" {
			answerJSON(w, 200, `{"@odata.context":"…","value":[{"@odata.etag":"W/\"1\"","leadid":"`+id+`"}]}`)
			return
		}
		answerJSON(w, 200, `{"@odata.context":"…","value":[]}`)
	}))
	return mux
}

// webToLead behaves like Salesforce's servlet: 200 whatever comes, and a header
// that tells.
func webToLead(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/servlet/servlet.WebToLead" || r.FormValue("encoding") != "UTF-8" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		http.NotFound(w, r)
		return
	}
	processed := "true"
	if r.PostFormValue("oid") != "00D000000000001" || r.PostFormValue("last_name") == "" {
		processed = "true Exception:common.exception.SalesforceGenericException"
	}
	w.Header().Set("Is-Processed", processed)
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	fmt.Fprint(w, "<html><head><meta http-equiv=\"Refresh\" content=\"0\"></head></html>")
}

func standIns() []standIn {
	base := []MappingEntry{{Target: "ref", Source: "RoutingID"}}
	with := func(entries ...MappingEntry) []MappingEntry { return append(base[:1:1], entries...) }
	cw := Settings{"CompanyID": "acme", "PublicKey": "pub", "PrivateKey": "priv", "ClientID": "5f1c7a7e-0000-4000-8000-000000000001", "CompanyRecID": 250.0}
	cwMapping := with(
		MappingEntry{Target: "firstName", Source: "FirstName"}, MappingEntry{Target: "lastName", Source: "LastName"},
		MappingEntry{Target: "communicationItems[0].type.id", Source: "1"}, MappingEntry{Target: "communicationItems[0].value", Source: "Email"},
		MappingEntry{Target: "communicationItems[0].communicationType", Source: "'Email'"})
	mini := Settings{"SystemID": "12345", "APIKey": "mini-key"}
	miniMapping := with(MappingEntry{Target: "FirstName", Source: "FirstName"}, MappingEntry{Target: "Email", Source: "Email"})
	dyn := Settings{"TenantID": "tenant-1", "ClientID": "app", "ClientSecret": "dyn-secret", "SuppressDuplicateDetection": "false"}
	dynMapping := with(MappingEntry{Target: "lastname", Source: "LastName"}, MappingEntry{Target: "emailaddress1", Source: "Email"})
	and := func(s Settings, more ...any) Settings {
		out := Settings{}
		for k, v := range s {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i].(string)] = more[i+1]
		}
		return out
	}
	const guid = "7eb682f1-ca75-e511-80d4-00155d2a68d1"
	return []standIn{
		{
			connector: "connectwise-contacts", handler: connectWise(), settings: cw, mapping: cwMapping, secrets: []string{"priv"},
			state: Delivered, outcome: Accepted, id: "3412", link: "/v4_6_release/services/system_io/router/openrecord.rails?recordType=ContactFV&recid=3412",
		},
		{
			connector: "connectwise-contacts", handler: connectWise(), settings: cw, mapping: with(cwMapping[2:]...),
			state: Rejected, outcome: Refused, err: "HTTP 400 Bad Request: contact object is invalid: firstName The firstName field is required",
		},
		{
			connector: "connectwise-contacts", handler: connectWise(), settings: and(cw, "OnlyKnown", true), mapping: cwMapping,
			state: Delivered, outcome: Accepted, id: "3412", link: "/v4_6_release/services/system_io/router/openrecord.rails?recordType=ContactFV&recid=3412",
		},
		{
			connector: "connectwise-contacts", handler: connectWise(), settings: and(cw, "OnlyKnown", true), mapping: cwMapping, email: "x@example.com",
			state: Rejected, outcome: Refused, err: errUnknownPerson,
		},
		{
			connector: "superoffice", handler: superOffice(), secrets: []string{"so-pass", "so-app"},
			settings: Settings{"URL": "/Cust1/api/", "Username": "crm", "Password": "so-pass", "ApplicationToken": "so-app", "ContactID": 7.0},
			mapping:  with(MappingEntry{Target: "Lastname", Source: "LastName"}, MappingEntry{Target: "Emails[0].Value", Source: "Email"}),
			state:    Delivered, outcome: Accepted, id: "81",
		},
		{
			connector: "superoffice", handler: superOffice(), mapping: base,
			settings: Settings{"URL": "/Cust1/api", "Username": "crm", "Password": "so-pass", "ApplicationToken": "so-app"},
			state:    Pending, outcome: Retry, err: "HTTP 500 Internal Server Error: Lastname is mandatory",
		},
		{connector: "minicrm-contact", handler: miniCRM(), settings: mini, mapping: miniMapping, secrets: []string{"mini-key"}, state: Delivered, outcome: Accepted, id: "777"},
		{connector: "minicrm-contact", handler: miniCRM(), settings: and(mini, "OnlyKnown", true), mapping: miniMapping, state: Delivered, outcome: Accepted, id: "12346"},
		{connector: "minicrm-contact", handler: miniCRM(), settings: and(mini, "OnlyKnown", true), mapping: miniMapping, email: "x@example.com", state: Rejected, outcome: Refused, err: errUnknownPerson},
		{connector: "minicrm-contact", handler: miniCRM(), settings: and(mini, "APIKey", "wrong"), mapping: miniMapping, state: Pending, outcome: Retry, err: "HTTP 401 Unauthorized: Unauthorized"},
		{connector: "minicrm-project", handler: miniCRM(), settings: and(mini, "CategoryID", 3.0), mapping: miniMapping, state: Delivered, outcome: Accepted, id: "1234"},
		{
			connector: "unas-customer", handler: unas(), settings: Settings{"URL": "/shop", "APIKey": "unas-key"}, secrets: []string{"unas-key", "unas-token"},
			mapping: with(MappingEntry{Target: "Email", Source: "Email"}, MappingEntry{Target: "Contact.Name", Source: "'לוי & <בנים>'"}),
			state:   Delivered, outcome: Accepted, id: "998",
		},
		{
			connector: "unas-customer", handler: unas(), settings: Settings{"URL": "/shop", "APIKey": "unas-key"},
			mapping: with(MappingEntry{Target: "Email", Source: "Email"}),
			state:   Rejected, outcome: Refused, err: "HTTP 200 OK: Email exists",
		},
		{
			connector: "unas-customer", handler: unas(), settings: Settings{"URL": "/shop", "APIKey": "wrong"}, mapping: base,
			state: Pending, outcome: Retry, err: "no token was to be had: HTTP 400 Bad Request",
		},
		{
			connector: "dynamics-365", handler: dynamics(), settings: dyn, mapping: dynMapping, secrets: []string{"dyn-secret", "dyn-token"},
			state: Delivered, outcome: Accepted, id: guid, link: "/main.aspx?pagetype=entityrecord&etn=lead&id=" + guid,
		},
		{
			connector: "dynamics-365", handler: dynamics(), settings: dyn, mapping: dynMapping, email: "dup@example.com",
			state: Delivered, outcome: Duplicate,
		},
		{
			connector: "dynamics-365", handler: dynamics(), settings: dyn, mapping: base,
			state: Rejected, outcome: Refused, err: "HTTP 400 Bad Request: Last Name is required",
		},
		{
			connector: "dynamics-365", handler: dynamics(), settings: and(dyn, "OnlyKnown", true), mapping: dynMapping, email: "o'hara@example.com",
			state: Delivered, outcome: Accepted, id: guid, link: "/main.aspx?pagetype=entityrecord&etn=lead&id=" + guid,
		},
		{
			connector: "dynamics-365", handler: dynamics(), settings: and(dyn, "ClientSecret", "old"), mapping: dynMapping,
			state: Pending, outcome: Retry, err: "no token was to be had: HTTP 401 Unauthorized",
		},
		{
			connector: "salesforce-web-to-lead", handler: http.HandlerFunc(webToLead), settings: Settings{"OrganizationID": "00D000000000001", "LeadSource": "Web"},
			mapping: []MappingEntry{{Target: "00N000000000001", Source: "RoutingID"}, {Target: "last_name", Source: "LastName"}, {Target: "company", Source: "'-'"}},
			state:   Delivered, outcome: Accepted,
		},
		{
			connector: "salesforce-web-to-lead", handler: http.HandlerFunc(webToLead), settings: Settings{"OrganizationID": "00D000000000002"}, mapping: base,
			state: Rejected, outcome: Refused, err: "HTTP 200 OK: true Exception:common.exception.SalesforceGenericException",
		},
		{connector: "leadloop", handler: leadloop(), settings: Settings{"URL": "/intake/tok"}, mapping: with(MappingEntry{Target: "ExternalID", Source: "RoutingID"}), state: Delivered, outcome: Accepted, id: "0193-new"},
		{connector: "leadloop", handler: leadloop(), settings: Settings{"URL": "/intake/tok"}, mapping: with(MappingEntry{Target: "ExternalID", Source: "'seen'"}), state: Delivered, outcome: Duplicate, id: "0193-old"},
		{connector: "leadloop", handler: leadloop(), settings: Settings{"URL": "/intake/gone"}, mapping: base, state: Rejected, outcome: Refused, err: "HTTP 404 Not Found: no such source"},
	}
}

// leadloop behaves like the intake of a Source of the kind json.
func leadloop() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /intake/{token}", func(w http.ResponseWriter, r *http.Request) {
		switch body := readJSON(r); {
		case r.PathValue("token") != "tok":
			answerJSON(w, 404, `{"error":{"code":"not_found","message":"no such source"}}`)
		case member(body, "ExternalID") == "seen":
			answerJSON(w, 200, `{"id":"0193-old"}`)
		default:
			answerJSON(w, 201, `{"id":"0193-new"}`)
		}
	})
	return mux
}

// Every ready-made connector sends to a system that behaves as its public
// documentation says, and reads its answers.
func TestStandIns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		cases := standIns()
		rows := make([]*leads.Lead, len(cases))
		servers := make([]string, len(cases))
		for i, c := range cases {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			servers[i] = server.URL
			rows[i] = f.sendThrough(t, c, server.URL, i)
		}
		f.run()
		for i, c := range cases {
			var r Routing
			f.eventually(fmt.Sprintf("an attempt of case %d, %s", i, c.connector), func() bool {
				r = f.routing(rows[i].ID)
				return r.AttemptCount == 1
			})
			got := []string{r.State, r.Attempts[0].Outcome, textOf(r.ExternalID), strings.TrimPrefix(textOf(r.ExternalLink), servers[i]), textOf(r.Error)}
			want := []string{c.state, c.outcome, c.id, c.link, c.err}
			if strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("case %d, %s\n got %q\nwant %q\n%s\n%s", i, c.connector, got, want, r.Attempts[0].Request, r.Attempts[0].Response)
			}
			for _, s := range c.secrets {
				if strings.Contains(r.Attempts[0].Request+r.Attempts[0].Response, s) {
					t.Errorf("case %d, %s: %s is shown in\n%s\n%s", i, c.connector, s, r.Attempts[0].Request, r.Attempts[0].Response)
				}
			}
		}
	})
}

// sendThrough makes a live rule for the stand-in at address, and a lead for it.
func (f *fixture) sendThrough(t *testing.T, c standIn, address string, i int) *leads.Lead {
	t.Helper()
	settings := Settings{}
	for name, v := range c.settings {
		settings[name] = v
	}
	path, _ := settings["URL"].(string)
	settings["URL"] = address + path
	if c.connector == "dynamics-365" {
		settings["Authority"] = address
	}
	city := fmt.Sprintf("city %d", i)
	r := f.rule("", func(r *Rule) {
		r.ConnectorID, r.Settings, r.Mapping, r.Condition = f.connector(c.connector), settings, c.mapping, "City eq '"+city+"'"
	})
	f.ok(f.CreateRule(f.ctx, r))
	email := c.email
	if email == "" {
		email = noa
	}
	result, err := f.Try(f.ctx, r.ID, Trial{Sample: map[string]any{"Email": email}})
	f.ok(err)
	if result.Outcome != c.outcome || result.Succeeded != (c.state == Delivered) || textOf(result.ExternalID) != c.id {
		t.Errorf("test of case %d, %s: %+v", i, c.connector, result)
	}
	for _, s := range c.secrets {
		if strings.Contains(result.Request+result.Response+result.Body, s) {
			t.Errorf("test of %s shows %s", c.connector, s)
		}
	}
	f.ok(f.passed(f.ctx, r)) // those that are to fail when it counts, too
	f.ok(f.Activate(f.ctx, r.ID))
	return f.lead(func(l *leads.Lead) { l.City, l.Email = &city, &email })
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
