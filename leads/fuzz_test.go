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
