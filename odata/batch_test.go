package odata_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata"
)

func TestBatchForms(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		multi := s.batch(t, mixed(
			"GET Makers(1)",
			[]string{"1|POST Makers\n\n{\"Name\":\"Delta\"}", "2|PATCH http://shop.test/shop/Makers(2)\nIf-Match: W/\"1\"\nPrefer: return=minimal\n\n{\"Country\":\"IT\"}"},
			"3|GET /shop/Makers/$count\nContent-Type: application/json",
			"get Makers?$filter=Name eq 'Delta'\naccept: application/json;odata.metadata=none",
		))
		want := `200 1 Aleph
1 201 in set1 4 Delta
2 204 in set1
3 200 4
200 1 rows`
		parts := multi.parts(t)
		if diff := cmp.Diff(want, briefs(parts)); diff != "" {
			t.Fatalf("%s\n%s", diff, multi.body)
		}
		if parts[1].header.Get("Location") != "http://shop.test/shop/Makers(4)" || parts[2].header.Get("ETag") != `W/"2"` || parts[0].header.Get("OData-Version") != "4.01" {
			t.Error(multi.body)
		}
		if multi.header.Get("OData-Version") != "4.01" || multi.header.Get("Preference-Applied") != "" {
			t.Error(multi.header)
		}
		// A response in a batch is what it would be alone.
		if alone := s.get(t, "/Makers(1)"); alone.body != parts[0].body || alone.header.Get("ETag") != parts[0].header.Get("ETag") {
			t.Errorf("alone %s\nin a batch %s", alone.body, parts[0].body)
		}

		js := s.batch(t, `{"requests":[
			{"id":"0","method":"get","url":"/shop/Makers(1)"},
			{"id":"1","atomicityGroup":"g","dependsOn":["0"],"method":"PATCH","url":"Makers(2)","headers":{"if-match":"W/\"2\"","prefer":"return=minimal"},"body":{"Name":"B"}},
			{"id":"2","atomicityGroup":"g","method":"post","url":"http://shop.test/shop/Makers","headers":{"content-type":"application/json"},"body":{"Name":"ה"}},
			{"id":"3","dependsOn":["g"],"method":"get","url":"Makers/$count"},
			{"id":"4","method":"get","url":"$metadata"},
			{"id":"5","method":"delete","url":"Makers(5)"}]}`)
		parts = js.parts(t)
		want = "0 200 1 Aleph\n1 204 in g\n2 201 in g 5 ה\n3 200 5\n4 200 \"PD94bWwgdmVyc2lvbj0\n5 204"
		if diff := cmp.Diff(want, strings.ReplaceAll(briefs(parts), `"5"`, "5")); diff != "" {
			t.Fatalf("%s\n%s", diff, js.body)
		}
		if js.header.Get("Content-Type") != "application/json" || parts[3].body != `"5"` {
			t.Error(js.header, parts[3].body)
		}
	})
}

func TestBatchIsAtomic(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		set := []string{"1|POST Makers\n\n{\"Name\":\"X\"}", "2|PATCH Makers(1)\n\n{\"Name\":\"Y\"}", "3|POST Makers\n\n{\"Nme\":\"Z\"}", "4|DELETE Makers(2)"}
		a := s.batch(t, mixed(set, "GET Makers(1)"))
		if diff := cmp.Diff(`3 400 invalid: Maker has no property "Nme"`, briefs(a.parts(t))); diff != "" {
			t.Error(diff)
		}
		a = s.batch(t, mixed(set, "GET Makers(1)"), "Prefer: odata.continue-on-error")
		if diff := cmp.Diff("3 400 invalid: Maker has no property \"Nme\"\n200 1 Aleph", briefs(a.parts(t))); diff != "" || a.header.Get("Preference-Applied") != "odata.continue-on-error" {
			t.Error(diff, a.header)
		}
		a = s.batch(t, `{"requests":[
			{"id":"1","atomicityGroup":"g","method":"post","url":"Makers","body":{"Name":"X"}},
			{"id":"2","atomicityGroup":"g","method":"get","url":"Makers/$count"},
			{"id":"3","atomicityGroup":"g","method":"delete","url":"Makers(99)"},
			{"id":"4","atomicityGroup":"g","method":"delete","url":"Makers(1)"},
			{"id":"5","method":"get","url":"Makers/$count"},
			{"id":"6","dependsOn":["g"],"method":"get","url":"Makers"},
			{"id":"7","dependsOn":["1"],"method":"get","url":"Makers"},
			{"id":"8","atomicityGroup":"h","method":"post","url":"Makers","body":{"Name":"X"}},
			{"id":"9","atomicityGroup":"h","dependsOn":["6"],"method":"post","url":"Makers","body":{"Name":"X"}},
			{"id":"10","atomicityGroup":"i","method":"post","url":"Makers","body":{"Name":"Last"}}]}`)
		want := `1 424 in g failed_dependency: the request was not carried out, as another of its group failed: 3
2 424 in g failed_dependency: the request was not carried out, as another of its group failed: 3
3 404 in g not_found: Makers has no entity with this key
4 424 in g failed_dependency: the request was not carried out, as another of its group failed: 3
5 200 "3"
6 424 failed_dependency: the request was not carried out, as g, which it depends on, failed
7 424 failed_dependency: the request was not carried out, as 1, which it depends on, failed
8 424 in h failed_dependency: the request was not carried out, as 6, which it depends on, failed
9 424 in h failed_dependency: the request was not carried out, as 6, which it depends on, failed
10 201 in i 4 Last`
		// PostgreSQL's sequences have moved on with what was rolled back.
		if diff := cmp.Diff(strings.ReplaceAll(want, "4 Last", "Last"), lastName(briefs(a.parts(t)))); diff != "" {
			t.Error(diff)
		}
		if got := makers(t, s); got != "Aleph Beta Gamma Last" {
			t.Errorf("stored: %s", got)
		}
	})
}

// lastName drops the key of the maker named Last.
func lastName(text string) string {
	head, _, _ := strings.Cut(text, "201 in i ")
	return head + "201 in i Last"
}

func TestBatchReferences(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		a := s.batch(t, mixed(
			[]string{
				"a.1|POST Makers\n\n{\"Name\":\"New\"}", "a.2|PATCH $a.1\nIf-Match: $a.1\n\n{\"Country\":\"FR\"}",
				"a.3|POST $a.1/Rename\n\n{\"Name\":\"Newer\"}", "a.4|PATCH http://shop.test/shop/$a.1\nIf-Match: $a.2\nPrefer: return=minimal\n\n{\"Name\":\"Newest\"}",
			},
			"5|GET $a.1?$select=ID,Name",
			"GET /$a.1/Products?$top=1",
			"6|GET Products(00000000-0000-0000-0000-000000000001)?$select=ID",
			"7|GET $6/Maker?$select=ID,Name",
			"8|GET $7/Products/$count",
			"POST Makers\nPrefer: return=minimal\n\n{\"Name\":\"Z\"}",
			"PATCH Makers(1)\nIf-Match: $7\n\n{\"Name\":\"Alpha\"}",
		))
		want := `a.1 201 in set1 4 New
a.2 200 in set1 4 New
a.3 200 in set1 4 Newer
a.4 204 in set1
5 200 4 Newest
200 0 rows
6 200
7 200 1 Aleph
8 200 2
204
200 1 Alpha`
		parts := a.parts(t)
		if diff := cmp.Diff(want, briefs(parts)); diff != "" {
			t.Errorf("%s\n%s", diff, a.body)
		}
		if strings.Contains(a.body, "$a.1") {
			t.Error("a response holds a reference")
		}
		a = s.batch(t, `{"requests":[
			{"id":"1","method":"post","url":"Makers","headers":{"prefer":"return=minimal"},"body":{"Name":"J"}},
			{"id":"2","dependsOn":["1"],"method":"get","url":"$1"},
			{"id":"3","dependsOn":["1"],"method":"get","url":"$1/Products"},
			{"id":"4","dependsOn":["2"],"method":"delete","url":"$2","headers":{"if-match":"$2"}},
			{"id":"5","method":"get","url":"$1"},
			{"id":"6","method":"get","url":"$5/Products"},
			{"id":"7","method":"get","url":"$8"},
			{"id":"8","method":"post","url":"Makers(1)/Close"},
			{"id":"9","method":"get","url":"$8/Products"},
			{"id":"10","method":"patch","url":"Makers(1)","headers":{"if-match":"$3"},"body":{}},
			{"id":"11","method":"patch","url":"Makers(1)","headers":{"if-match":"$99"},"body":{}},
			{"id":"12","method":"get","url":"$metadata/x"}]}`)
		want = `1 204
2 200 J
3 200 0 rows
4 204
5 404 not_found: Makers has no entity with this key
6 424 failed_dependency: the request was not carried out, as 5, which it refers to, failed
7 400 invalid: $8 refers to no request before this one
8 204
9 400 invalid: the request 8 led to no entity that could be referred to
10 400 invalid: the answer to the request 3 had no ETag
11 400 invalid: $99 refers to no request before this one
12 501 not_implemented: $metadata is not served`
		got := briefs(a.parts(t))
		got = strings.Replace(strings.Replace(got, "2 200 6 J", "2 200 J", 1), "2 200 7 J", "2 200 J", 1)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBatchErrors(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	three := mixed("1|POST Makers\nPrefer: return=minimal\n\n{\"Name\":\"X\"}", "2|GET Nothing", "3|DELETE Makers(77)")
	threeJSON := `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},{"id":"2","method":"get","url":"Nothing"},{"id":"3","method":"get","url":"Makers(2)"}]}`
	const nothing = `2 404 not_found: there is no entity set "Nothing"`
	const gone = "\n3 404 not_found: Makers has no entity with this key"
	for _, c := range []struct{ body, prefer, want, applied string }{
		{three, "", "1 204\n" + nothing, ""},
		{three, "continue-on-error=false", "1 204\n" + nothing, "continue-on-error=false"},
		{three, "x-other=1, ODATA.Continue-On-Error = true;x=y", "1 204\n" + nothing + gone, "odata.continue-on-error=true"},
		{three, "odata.continue-on-error=false, continue-on-error", "1 204\n" + nothing + gone, "continue-on-error"},
		{three, "continue-on-error=maybe", "1 204\n" + nothing, ""},
		{threeJSON, "", "1 200 1 Aleph\n" + nothing + "\n3 200 2 Beta", ""},
		{threeJSON, "continue-on-error=false", "1 200 1 Aleph\n" + nothing, "continue-on-error=false"},
	} {
		a := s.batch(t, c.body, "Prefer: "+c.prefer)
		if diff := cmp.Diff(c.want, briefs(a.parts(t))); diff != "" || a.header.Get("Preference-Applied") != c.applied {
			t.Errorf("%s: %s %s", c.prefer, a.header.Get("Preference-Applied"), diff)
		}
	}
	// What one request does wrong is its own trouble.
	a := s.batch(t, mixed(
		"GET Makers(1", "BREW Makers", "PUT Makers(1)\n\n{}", "GET http://elsewhere.test/shop/Makers", "GET /elsewhere/Makers", "GET Makers/%zz",
		"POST $batch\nContent-Type: multipart/mixed; boundary=x\n\n--x--", "POST /shop/$batch\nContent-Type: application/json\n\n{\"requests\":[]}",
		"GET Makers?$filter=Name eq", "POST Makers(1)/Fail", "POST Makers\nContent-Type: application/xml\n\n<a/>", "GET Makers(1)#part",
	), "Prefer: continue-on-error")
	want := `404 405 400 400 404 400 400 400 400 500 415 200`
	var got []string
	for _, p := range a.parts(t) {
		got = append(got, fmt.Sprint(p.status))
	}
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" || strings.Contains(a.body, "secret trouble") {
		t.Errorf("%s\n%s", diff, a.body)
	}
	a = s.batch(t, `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},
		{"id":"2","method":"get","url":"Makers","dependsOn":["1"],"if":"$1/$succeeded"},
		{"id":"3","atomicityGroup":"g","method":"delete","url":"Makers(1)"},
		{"id":"4","atomicityGroup":"g","method":"delete","url":"Makers(2)","if":"$1/$succeeded"}]}`)
	want = "1 200 1 Aleph\n2 424 failed_dependency: the request was not carried out: the member \"if\" is not served\n" +
		"3 424 in g failed_dependency: the request was not carried out: the member \"if\" is not served\n" +
		"4 424 in g failed_dependency: the request was not carried out: the member \"if\" is not served"
	if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
		t.Error(diff)
	}
}

func TestBatchFormats(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	multi := mixed("1|GET Makers(1)", []string{"2|DELETE Makers(3)", "3|PATCH Makers(2)\nPrefer: return=minimal\n\n{}"}, []string{"4|DELETE Makers(9)"})
	js := `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},{"id":"2","atomicityGroup":"g","method":"patch","url":"Makers(2)","headers":{"prefer":"return=minimal"},"body":{}},{"id":"3","atomicityGroup":"h","method":"delete","url":"Makers(9)"}]}`
	for _, c := range []struct{ body, accept, want string }{
		{multi, "application/json", "1 200 1 Aleph\n2 204 in changeset_1\n3 204 in changeset_1\n4 404 in changeset_2 not_found: Makers has no entity with this key"},
		{js, "multipart/mixed", "1 200 1 Aleph\n2 204\n3 404 not_found: Makers has no entity with this key"},
		{js, "multipart/mixed;q=0.5, application/json;q=0.9", "1 200 1 Aleph\n2 204 in g\n3 404 in h not_found: Makers has no entity with this key"},
		{js, "multipart/mixed, */*;q=0.8", "1 200 1 Aleph\n2 204\n3 404 not_found: Makers has no entity with this key"},
		{js, "multipart/mixed, application/*", "1 200 1 Aleph\n2 204 in g\n3 404 in h not_found: Makers has no entity with this key"},
	} {
		var made Maker
		err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.FirstOrCreate(&made, Maker{ID: 3, Name: "Gamma"}).Error })
		if err != nil {
			t.Fatal(err)
		}
		a := s.batch(t, c.body, "Accept: "+c.accept)
		if diff := cmp.Diff(c.want, briefs(a.parts(t))); diff != "" {
			t.Errorf("%s: %s", c.accept, diff)
		}
	}
	// $format says it too, and what is asked of the batch holds inside it.
	a := s.do(t, t.Context(), "POST /$batch?$format=json", mixed("GET Makers(1)", "GET Makers(1)\nAccept: application/json"), asMixed, "Accept: application/json;odata.metadata=none", "OData-MaxVersion: 4.0")
	parts := a.parts(t)
	if parts[0].header.Get("Content-Type") != "application/json;odata.metadata=none" || parts[1].header.Get("Content-Type") != "application/json;odata.metadata=minimal" ||
		parts[0].header.Get("OData-Version") != "4.0" || a.header.Get("OData-Version") != "4.0" {
		t.Error(a.header, a.body)
	}
	a = s.batch(t, mixed("GET Makers(1)\nOData-MaxVersion: 4.01", "GET Makers(x"), "OData-MaxVersion: 4.0", "Accept: multipart/mixed")
	parts = a.parts(t)
	if parts[0].header.Get("OData-Version") != "4.01" || parts[1].header.Get("OData-Version") != "4.0" {
		t.Error(a.body)
	}
	a = s.batch(t, mixed())
	if a.status != 200 || len(a.parts(t)) != 0 || s.batch(t, `{"requests":[]}`).body != "{\"responses\":[]}\n" {
		t.Errorf("an empty batch: %d %s", a.status, a.body)
	}
}

// Who calls is who sent the batch, whatever a request inside it says.
func TestBatchAccess(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		ctx := as(t.Context(), 1)
		requests := []string{
			"GET /Makers", "GET /Makers(2)", "GET /Products?$select=ID,Name&$orderby=Name", "GET /Products(00000000-0000-0000-0000-000000000003)",
			"GET /Products/$count", "GET /Reviews", "GET /Products?$filter=Reviews/any()", "DELETE /Makers(2)", "PATCH /Products(00000000-0000-0000-0000-000000000003)",
		}
		var items []any
		for _, r := range requests {
			items = append(items, strings.Replace(r, " /", " ", 1)+"\nAuthorization: Basic YWRtaW46YWRtaW4=\nX-API-Key: x\nX-Forwarded-Host: evil.test\nHost: evil.test\n\n{}")
		}
		a := s.do(t, ctx, "POST /$batch", mixed(items...), asMixed, "Prefer: continue-on-error")
		for i, p := range a.parts(t) {
			alone := s.do(t, ctx, requests[i], "{}")
			if alone.status != p.status || alone.body != p.body {
				t.Errorf("%s: in a batch %d %s\nalone %d %s", requests[i], p.status, p.body, alone.status, alone.body)
			}
		}
		a = s.do(t, ctx, "POST /$batch", mixed([]string{"1|PATCH Makers(1)\n\n{\"Name\":\"Mine\"}", "2|PATCH Makers(2)\n\n{\"Name\":\"Mine\"}"}), asMixed)
		if got := briefs(a.parts(t)); got != "2 404 not_found: Makers has no entity with this key" {
			t.Error(got)
		}
		if got := makers(t, s); got != "Aleph Beta Gamma" {
			t.Error(got)
		}
	})
}

// One request sees what those before it did, and ETags guard it.
func TestBatchOrder(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		a := s.batch(t, mixed(
			"PATCH Makers(1)\nIf-Match: W/\"1\"\nPrefer: return=minimal\n\n{\"Name\":\"One\"}", "GET Makers(1)",
			"PATCH Makers(1)\nIf-Match: W/\"1\"\n\n{\"Name\":\"Two\"}", "DELETE Makers(3)\nIf-Match: W/\"7\"", "DELETE Makers(3)\nIf-Match: W/\"3\"", "GET Makers(3)",
			[]string{"1|PATCH Makers(1)\nPrefer: return=minimal\n\n{\"Name\":\"Three\"}", "2|PATCH Makers(1)\nIf-Match: W/\"2\"\n\n{\"Name\":\"Four\"}"},
			[]string{"3|PATCH Makers(1)\nPrefer: return=minimal\n\n{\"Name\":\"Five\"}", "4|PATCH Makers(1)\nIf-Match: $3\n\n{\"Name\":\"Six\"}"},
		), "Prefer: continue-on-error=true")
		want := `204
200 1 One
412 precondition_failed: the entity has changed since it was read: read it again
412 precondition_failed: the entity has changed since it was read: read it again
204
404 not_found: Makers has no entity with this key
2 412 precondition_failed: the entity has changed since it was read: read it again
3 204 in set1
4 200 in set1 1 Six`
		if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
			t.Error(diff)
		}
	})
}
