package leads

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"leadloop/odata/fault"
)

// holds checks what is true of every lead made of a delivery that was taken,
// and of every refusal.
func holds(t *testing.T, fields []field, err error) {
	t.Helper()
	var l *Lead
	if err == nil {
		l, err = newLead(fields)
	}
	if err == nil {
		err = l.prepare("IL")
	}
	if err != nil {
		var e *fault.Error
		if !errors.As(err, &e) || e.Message == "" {
			t.Fatalf("a refusal without a reason: %#v", err)
		}
		return
	}
	column, err := serializer{}.Value(context.Background(), nil, reflect.Value{}, l.Properties)
	if err != nil || !json.Valid([]byte(column.(string))) {
		t.Fatalf("properties cannot be stored: %s, %v", column, err)
	}
	for name := range l.Properties {
		if name == "" || strings.Contains(name, "@") || name != emailRaw && reserved(name) {
			t.Fatalf("a property is called %q", name)
		}
	}
	if all, _ := json.Marshal(text(l)); !utf8.Valid(all) || strings.Contains(string(all), `\u0000`) {
		t.Fatalf("text no database can hold: %s", all)
	}
	again := *l
	if err := again.prepare("IL"); err != nil {
		t.Fatalf("a stored lead cannot be saved again: %v", err)
	}
}

func FuzzJSON(f *testing.F) {
	for _, body := range []string{
		`{"FirstName":"נועה","LastName":"לוי","Phone":"050-1234567","City":"Haifa","Budget":5000}`,
		`[{"a":{"b":[1,{"c":null}]},"@odata.id":1e5},{"email":"x","name":"א ב"}]`, "\ufeff{}", `{"a":"\ud800"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		leads, err := parseJSON(body)
		if err != nil {
			holds(t, nil, err)
			return
		}
		if !json.Valid([]byte(strings.TrimPrefix(string(body), "\ufeff"))) {
			t.Fatal("malformed JSON was taken")
		}
		for _, fields := range leads {
			holds(t, fields, nil)
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add(urlencoded, "name=%D7%A0%D7%95%D7%A2%D7%94&tel=050-1234567", "utm_source=x")
	f.Add(urlencoded+"; charset=windows-1255", "%F9%ED=%F8%E5%FA", "")
	f.Add("multipart/form-data; boundary=bound", multipartBody, "")
	f.Fuzz(func(t *testing.T, contentType, body, query string) {
		values, _ := url.ParseQuery(query)
		fields, err := parseForm(Delivery{Method: "POST", ContentType: contentType, Query: values, Body: []byte(body)})
		holds(t, fields, err)
	})
}

func FuzzGoogleAds(f *testing.F) {
	f.Add([]byte(googleLead))
	f.Add([]byte(`{"google_key":"x","user_column_data":[{"column_id":"a","string_value":null}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, key, err := parseGoogleAds(body)
		holds(t, fields, err)
		if err != nil {
			return
		}
		if shown := withoutKey(body); len(key) > 8 && !strings.Contains(strings.ReplaceAll(string(body), key, ""), key) &&
			strings.Count(string(shown), key) >= strings.Count(string(body), key) && strings.Contains(string(body), key) {
			t.Fatalf("the key shows in %s", shown)
		}
	})
}

func FuzzTypeform(f *testing.F) {
	f.Add([]byte(typeformLead))
	f.Add([]byte(`{"form_response":{"answers":[{"type":"payment","payment":{"amount":"1"},"field":{"id":"x"}}],"hidden":{"a":null}}}`))
	f.Fuzz(func(t *testing.T, body []byte) { allHold(t, body, parseTypeform) })
}

func FuzzLinkedIn(f *testing.F) {
	f.Add([]byte(linkedInBody))
	f.Add([]byte(`[{"id":1,"formResponse":{"answers":[{"questionId":1,"answerDetails":{"x":{}}},{"questionId":1}]}}]`))
	f.Fuzz(func(t *testing.T, body []byte) { allHold(t, body, parseLinkedIn) })
}

func FuzzMeta(f *testing.F) {
	f.Add([]byte(metaWebhook("18446744073709551617", `"7"`)))
	f.Add([]byte(metaAnswer("9007199254740993")))
	f.Add([]byte(`{"id":"1","field_data":[{"name":"a","values":[]},{"name":"a","values":[1,true]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		allHold(t, body, func(body []byte) ([][]field, error) {
			leads, notices, err := parseMeta(body)
			for _, n := range notices {
				if !metaID.MatchString(n.id) || !json.Valid(n.value) {
					t.Fatalf("notice %s: %s", n.id, n.value)
				}
				fields, err := metaFetched([]byte(metaAnswer(n.id)), n)
				holds(t, fields, err)
			}
			return leads, err
		})
	})
}

func FuzzElementor(f *testing.F) {
	f.Add(elementorAdvanced)
	f.Add(encoded("No Label name", "x", "Page URL", "https://a/?utm_source=%00", "fields[][value]", "y", "fields[a][b]", "z"))
	f.Fuzz(func(t *testing.T, body string) {
		fields, err := parseElementor(Delivery{Method: "POST", ContentType: urlencoded, Body: []byte(body)})
		holds(t, fields, err)
	})
}

func FuzzWebToLead(f *testing.F) {
	f.Add("encoding=windows-1255&last_name=%EB%E4%EF&retURL=https%3A%2F%2Fok.example%2F&00N5=x")
	src := &Source{Settings: SourceSettings{setReturnHosts: "ok.example"}}
	f.Fuzz(func(t *testing.T, body string) {
		fields, returnURL, err := parseWebToLead(Delivery{Method: "POST", ContentType: urlencoded, Body: []byte(body)})
		holds(t, fields, err)
		if to := redirect(src, returnURL); to != "" {
			if u, err := url.Parse(to); err != nil || !strings.EqualFold(u.Host, "ok.example") || strings.ContainsAny(to, "\r\n") {
				t.Fatalf("sent on to %q", to)
			}
		}
	})
}

func FuzzLeadManager(f *testing.F) {
	f.Add(encoded("lm_key", "k3y-of-form", "subscribers_name", "רונית גל", "fields[REF]", "A", "lm_redirect", "no"))
	f.Fuzz(func(t *testing.T, body string) {
		d := Delivery{Method: "POST", ContentType: urlencoded, Body: []byte(body)}
		fields, key, err := parseLeadManager(d)
		holds(t, fields, err)
		if err == nil && len(key) > 8 {
			kept, _, _ := parseLeadManager(Delivery{Method: "POST", ContentType: urlencoded, Body: withoutLMKey(d, key)})
			if len(kept) != len(fields) {
				t.Fatalf("without its key %q became %q", body, withoutLMKey(d, key))
			}
			if _, again, _ := parseLeadManager(Delivery{Method: "POST", ContentType: urlencoded, Body: withoutLMKey(d, key)}); again == key {
				t.Fatal("the key is still there")
			}
		}
	})
}

// FuzzMapping has any mapping over any lead.
func FuzzMapping(f *testing.F) {
	f.Add("City", "town", "", `{"town":["a",1],"utm":{"source":"x"}}`)
	f.Add("FullName", "", "concat(a,b/c)", `{"a":"x","b":{"c":1e400},"b.c":2}`)
	f.Add("n", "", "a div b", `{"a":1.5,"b":0.0}`)
	f.Fuzz(func(t *testing.T, target, name, source, body string) {
		m, err := compileMapping([]FieldMapping{{Target: target, Field: name, Source: source}})
		if err != nil {
			holds(t, nil, err)
			return
		}
		allHold(t, []byte(body), func(body []byte) ([][]field, error) {
			leads, err := parseJSON(body)
			for i := range leads {
				if leads[i], err = m.apply(leads[i]); err != nil {
					return nil, err
				}
			}
			return leads, err
		})
	})
}

// allHold is holds for every lead of a body.
func allHold(t *testing.T, body []byte, parse func([]byte) ([][]field, error)) {
	t.Helper()
	leads, err := parse(body)
	if err != nil {
		holds(t, nil, err)
		return
	}
	for _, fields := range leads {
		holds(t, fields, nil)
	}
}
