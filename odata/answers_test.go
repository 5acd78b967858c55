package odata_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// styles are all ways to ask for the representation of an entity.
func styles() (list [][]string) {
	for _, metadata := range []string{"minimal", "full", "none"} {
		for _, numbers := range []string{"", ";IEEE754Compatible=true"} {
			for _, prefer := range []string{"wait=1", "omit-values=nulls"} {
				list = append(list, []string{"Accept: application/json;metadata=" + metadata + numbers, "Prefer: " + prefer})
			}
		}
	}
	return list
}

// TestAnswersAreReads: whatever shows an entity shows what a read of it does, in
// every representation.
func TestAnswersAreReads(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		const body = `{"Name":"n","Price":3.5,"Cost":-0.07,"Grade":"Fair","Size":{"Grams":5,"Grade":"Good","Since":"2020-05-05T05:05:05+02:00"},` +
			`"Uses":[{"Day":1},{"Day":9007199254740993,"Note":"x"}],"Bought":"2020-05-05T05:05:05.123456789Z","Zip":{"a":null,"b":[null,1.50]},"Big":12}`
		ids := []string{"1", "2"}
		for _, style := range styles() {
			as := style // how it is read; what was changed shows its nulls in any case
			check := func(what, got, path string) {
				t.Helper()
				want := s.do(t, t.Context(), "GET "+path, "", as...)
				if want.status != http.StatusOK || normal(got) != normal(want.body) {
					t.Errorf("%v: %s\n got %s\nread %s", style, what, got, want.body)
				}
			}
			a := s.do(t, t.Context(), "POST /Tools", body, style...)
			path := strings.TrimPrefix(a.header.Get("Location"), "http://shop.test/shop")
			check("POST", a.body, path)
			ids = append(ids, strings.Trim(path, "/Tols()"))
			for _, request := range []string{"PATCH " + path, "PUT " + path, "POST " + path + "/Work.Touch", "GET " + path + "/Self()"} {
				text := `{"Name":"m","Other":{"c":null}}`
				if strings.HasSuffix(request, "Touch") {
					text = "{}"
				}
				if strings.HasPrefix(request, "P") && !strings.HasPrefix(request, "POST") {
					as = style[:1]
				}
				check(request, s.do(t, t.Context(), request, text, style...).body, path)
				as = style
			}
			returns := append([]string{"Prefer: return=representation"}, style...)
			for _, property := range []string{"Price", "Cost", "Name", "Grade", "Size", "Uses", "Bought", "Zip"} {
				before := s.do(t, t.Context(), "GET "+path+"/"+property, "")
				if before.status == http.StatusNoContent {
					before.body = `{"value":null}`
				}
				a := s.do(t, t.Context(), "PUT "+path+"/"+property, before.body, returns...)
				want := s.do(t, t.Context(), "GET "+path+"/"+property, "", style[0])
				if a.status != want.status || normal(a.body) != normal(want.body) || a.status > 204 {
					t.Errorf("%v: %s\n got %d %s\nread %d %s", style, property, a.status, a.body, want.status, want.body)
				}
			}
			for property, raw := range map[string]string{"Price": "1.20", "Cost": "-0.07", "Name": "a b", "Grade": "Poor", "Size/Grams": "9007199254740993", "Size/Grade": "Fair", "Zip": "z"} {
				a := s.do(t, t.Context(), "PUT "+path+"/"+property+"/$value", raw, append([]string{"Content-Type: text/plain"}, returns...)...)
				if b := s.get(t, path+"/"+property+"/$value"); a.status != http.StatusOK || a.body != raw || b.body != raw {
					t.Errorf("%v: %s/$value\n got %d %s\nread %d %s", style, property, a.status, a.body, b.status, b.body)
				}
			}
			id := ids[len(ids)-1]
			a = s.do(t, t.Context(), "PATCH /Tools", `{"@context":"#$delta","value":[{"ID":`+id+`,"Name":"d"}]}`, style...)
			list := s.do(t, t.Context(), "GET /Tools?$filter=ID eq "+id, "", style[0])
			if marshal(a.json["value"]) != marshal(list.json["value"]) {
				t.Errorf("%v: a changed collection\n got %s\nread %s", style, a.body, list.body)
			}
			batch := fmt.Sprintf(`{"requests":[{"id":"1","method":"get","url":"Tools(%s)","headers":{"Accept":%q,"Prefer":%q}}]}`,
				id, strings.TrimPrefix(style[0], "Accept: "), strings.TrimPrefix(style[1], "Prefer: "))
			b := s.do(t, t.Context(), "POST /$batch", batch, "Content-Type: application/json")
			part, _ := b.json["responses"].([]any)[0].(map[string]any)
			check("a batch", marshal(part["body"]), path)
			functions := s.do(t, t.Context(), "GET /Tools/Work.Oldest()", "", style...)
			reads := s.do(t, t.Context(), "GET /Tools?$top=2", "", style...)
			if marshal(functions.json["value"]) != marshal(reads.json["value"]) {
				t.Errorf("%v: a function\n got %s\nread %s", style, functions.body, reads.body)
			}
			rows := s.do(t, t.Context(), "GET /Tools?$apply=concat(topcount(1,Price),filter(ID eq -1))", "", style...)
			row := rows.json["value"].([]any)[0].(map[string]any)
			entity := s.do(t, t.Context(), "GET /Tools(1)", "", style...).json
			for name, value := range row {
				if marshal(value) != marshal(entity[name]) {
					t.Errorf("%v: %s after concat is %v, not %v", style, name, value, entity[name])
				}
			}
		}
	})
}

// TestHeadIsGet: HEAD has the headers of GET, wherever.
func TestHeadIsGet(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		for _, path := range []string{
			"/", "/$metadata", "/openapi.json", "/Tools", "/Tools?$apply=aggregate($count as N)", "/Tools?$top=1&$expand=Pieces", "/Tools/$count", "/Tools/$filter(ID gt 1)",
			"/Tools/$filter(ID gt 1)/$count", "/Tools/$ref", "/Tools(1)", "/Tools(1)?$select=Name", "/Tools(1)/$ref", "/Tools(1)/Name", "/Tools(1)/Name/$value", "/Tools(1)/ParentID",
			"/Tools(1)/ParentID/$value", "/Tools(1)/Marks/$count", "/Tools(1)/Color", "/Tools(1)/Size", "/Tools(4)/Bench", "/Tools(2)/Parent", "/Tools(1)/Pieces", "/Tools(1)/Self()",
			"/Tools/Oldest()", "/Tools(99)", "/Tools(99)/Name", "/Tools(99)/Pieces", "/Tools(99)/Pieces/$count", "/Nothing", "/Tools?$filter=", "/Tools(1)/Work.Touch", "/Tools?$search=saw",
			"/$entity?$id=Tools(1)", "/Tools?$deltatoken=x",
		} {
			for _, headers := range [][]string{{"Prefer: maxpagesize=1, omit-values=nulls, track-changes, return=minimal"}, {`If-None-Match: W/"70", *`}, {`If-Match: W/"1"`}} {
				get := s.do(t, t.Context(), "GET "+path, "", headers...)
				head := s.do(t, t.Context(), "HEAD "+path, "", headers...)
				get.header.Del("Content-Length")
				head.header.Del("Content-Length")
				if head.status != get.status || !maps.EqualFunc(head.header, get.header, slices.Equal) || head.body != "" {
					t.Errorf("%s %v\nHEAD %d %v %s\n GET %d %v", path, headers, head.status, head.header, head.body, get.status, get.header)
				}
			}
			multipart := "--b\r\nContent-Type: application/http\r\n\r\nHEAD /shop" + strings.ReplaceAll(path, " ", "%20") + " HTTP/1.1\r\n\r\n\r\n--b--\r\n"
			a := s.do(t, t.Context(), "POST /$batch", multipart, "Content-Type: multipart/mixed;boundary=b")
			if get := s.get(t, path); !strings.Contains(a.body, fmt.Sprintf("HTTP/1.1 %d ", get.status)) {
				t.Errorf("HEAD %s in a batch: %d %s", path, a.status, a.body)
			}
		}
	})
}

// TestCompressed: a compressed answer is the same answer.
func TestCompressed(t *testing.T) {
	eachWorkshop(t, func(t *testing.T, s *shop) {
		batch := `{"requests":[` + strings.Repeat(`{"id":"1","method":"get","url":"Tools","headers":{"Accept-Encoding":"gzip"}},`, 9)
		for i := range 9 {
			batch = strings.Replace(batch, `"id":"1",`, fmt.Sprintf(`"id":"n%d",`, i), 1)
		}
		batch = strings.TrimSuffix(batch, ",") + "]}"
		for _, c := range []struct {
			request, body string
			long          bool
			headers       []string
		}{
			{"GET /$metadata", "", true, nil},
			{"GET /openapi.json", "", true, nil},
			{"GET /Tools?$expand=Pieces", "", true, []string{"Accept: application/json;metadata=full"}},
			{"GET /Tools(1)", "", true, []string{"Accept: application/json;metadata=full"}},
			{"GET /Tools(1)/Name", "", false, nil},
			{"GET /Tools(4)/Bench", "", false, nil},
			{"GET /Tools(1)", "", false, []string{`If-None-Match: W/"70"`}},
			{"GET /openapi.json", "", false, []string{"If-None-Match: *"}},
			{"GET /Tools?$filter=" + strings.Repeat("Nope/Nope or ", 200), "", false, nil},
			{"POST /$batch", batch, true, []string{"Content-Type: application/json"}},
			{"POST /Tools/$query", "$expand=Pieces", true, []string{"Content-Type: text/plain", "Accept: application/json;metadata=full"}},
		} {
			plain := s.do(t, t.Context(), c.request, c.body, c.headers...)
			packed := s.do(t, t.Context(), c.request, c.body, append([]string{"Accept-Encoding: br, gzip;q=0.5"}, c.headers...)...)
			text := packed.body
			if (packed.header.Get("Content-Encoding") == "gzip") != c.long {
				t.Errorf("%s: coding %q", c.request, packed.header.Get("Content-Encoding"))
			}
			if c.long {
				z, err := gzip.NewReader(strings.NewReader(packed.body))
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(z)
				if text = string(b); err != nil {
					t.Errorf("%s: %v", c.request, err)
				}
			}
			if packed.status != plain.status || text != plain.body || packed.header.Get("ETag") != plain.header.Get("ETag") {
				t.Errorf("%s: %d %v %s\nplain %d %v %s", c.request, packed.status, packed.header, text, plain.status, plain.header, plain.body)
			}
		}
	})
}
