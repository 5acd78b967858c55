package odata_test

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata"
)

var update = flag.Bool("update", false, "write the golden files and the examples of docs/odata.md")

// golden compares got with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; if that is meant, run go test ./odata -update\n%s", file, diff)
	}
}

// TestMetadata holds every description of two models to the letter.
func TestMetadata(t *testing.T) {
	services := map[string]*shop{"shop": newShop(t, "sqlite", odata.Limits{}), "depot": newDepot(t, "sqlite")}
	for name, s := range services {
		for _, c := range []struct{ file, path, version string }{
			{"metadata-4.0.xml", "/$metadata", "4.0"},
			{"metadata-4.01.xml", "/$metadata", "4.01"},
			{"metadata-4.0.json", "/$metadata?$format=json", "4.0"},
			{"metadata-4.01.json", "/$metadata?$format=json", "4.01"},
			{"openapi.json", "/openapi.json", "4.01"},
		} {
			a := s.do(t, t.Context(), "GET "+c.path, "", "OData-MaxVersion: "+c.version)
			if a.status != http.StatusOK || a.header.Get("OData-Version") != c.version {
				t.Fatalf("%s: %d %v %s", c.file, a.status, a.header, a.body)
			}
			golden(t, name+"-"+c.file, a.body)
			if strings.HasSuffix(c.file, "4.0.xml") && strings.Contains(a.body, "Untyped") {
				t.Errorf("%s-%s speaks of Edm.Untyped, which 4.0 does not know", name, c.file)
			}
		}
	}
}

// TestMetadataIsCached: who has a description does not get it again.
func TestMetadataIsCached(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	tags := map[string]bool{}
	for _, path := range []string{"/$metadata", "/$metadata?$format=json", "/openapi.json"} {
		a := s.get(t, path)
		tag := a.header.Get("ETag")
		tags[tag] = true
		if b := s.do(t, t.Context(), "GET "+path, "", "If-None-Match: \"x\", "+tag); b.status != http.StatusNotModified || b.body != "" || b.header.Get("ETag") != tag {
			t.Errorf("%s: %d %v", path, b.status, b.header)
		}
		if b := s.do(t, t.Context(), "GET "+path, "", `If-None-Match: "x"`); b.body != a.body {
			t.Errorf("%s: %d %s", path, b.status, b.body)
		}
		if b := s.do(t, t.Context(), "HEAD "+path, ""); b.status != http.StatusOK || b.body != "" || b.header.Get("ETag") != tag {
			t.Errorf("%s: %d %v", path, b.status, b.header)
		}
		if b := s.do(t, t.Context(), "POST "+path, ""); b.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", path, b.status)
		}
	}
	if len(tags) != 3 {
		t.Errorf("different descriptions share an ETag: %v", tags)
	}
	for accept, want := range map[string]string{
		"application/json;q=0.5, application/xml":                         "application/xml",
		"application/xml;q=0.5, application/json":                         "application/json",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "application/xml",
		"image/png": "application/json", // of the error
	} {
		if a := s.do(t, t.Context(), "GET /$metadata", "", "Accept: "+accept); a.header.Get("Content-Type") != want {
			t.Errorf("%s: %s", accept, a.header.Get("Content-Type"))
		}
	}
}

// TestMetadataRefersToWhatIs: every type, path and term that the XML names
// exists: in the schema, among OData's primitive types, or in the vocabularies.
func TestMetadataRefersToWhatIs(t *testing.T) {
	for name, s := range map[string]*shop{"Shop": newShop(t, "sqlite", odata.Limits{}), "Depot": newDepot(t, "sqlite")} {
		for _, version := range []string{"4.0", "4.01"} {
			known := map[string]bool{}
			for _, primitive := range strings.Fields("Boolean String SByte Byte Int16 Int32 Int64 Decimal Single Double Date TimeOfDay DateTimeOffset Duration Guid Binary") {
				known["Edm."+primitive] = true
			}
			known["Edm.Untyped"] = version == "4.01"
			aliases := map[string]bool{}
			var references []string
			walk(t, s.do(t, t.Context(), "GET /$metadata", "", "OData-MaxVersion: "+version).body, func(e xml.StartElement, path []string) {
				a := attributes(e)
				switch e.Name.Local {
				case "EnumType", "ComplexType", "EntityType", "Action", "Function":
					known[name+"."+a["Name"]] = true
				case "EntitySet":
					known["set "+a["Name"]] = true
				case "Include":
					aliases[a["Alias"]] = true
				}
				for _, attribute := range []string{"Type", "EntityType", "Action", "Function"} {
					if v := a[attribute]; v != "" && e.Name.Local != "Annotation" {
						references = append(references, strings.TrimSuffix(strings.TrimPrefix(v, "Collection("), ")"))
					}
				}
				for _, attribute := range []string{"EntitySet", "Target"} {
					if a[attribute] != "" {
						references = append(references, "set "+a[attribute])
					}
				}
				if term := a["Term"]; term != "" && !slices.Contains(terms, term) {
					t.Errorf("%s %s: no vocabulary has the term %s", name, version, term)
				}
				if alias, _, _ := strings.Cut(a["Term"], "."); alias != "" && !aliases[alias] {
					t.Errorf("%s %s: %s is used and not included", name, version, alias)
				}
			})
			for _, r := range references {
				if !known[r] {
					t.Errorf("%s %s refers to %s, which is not there", name, version, r)
				}
			}
		}
	}
}

// terms are the terms of the public vocabularies that we know to exist.
var terms = strings.Fields(`Core.Description Core.LongDescription Core.Computed Core.Immutable Core.Permissions Core.IsURL Core.OptionalParameter
	Core.ODataVersions Core.OptimisticConcurrency Core.ConventionalIDs Core.DereferenceableIDs Core.DefaultNamespace
	Capabilities.ConformanceLevel Capabilities.SupportedFormats Capabilities.SupportedMetadataFormats Capabilities.AcceptableEncodings
	Capabilities.KeyAsSegmentSupported Capabilities.QuerySegmentSupported Capabilities.AsynchronousRequestsSupported
	Capabilities.CrossJoinSupported Capabilities.AnnotationValuesInQuerySupported Capabilities.BatchSupported Capabilities.BatchSupport
	Capabilities.FilterFunctions Capabilities.IndexableByKey Capabilities.TopSupported Capabilities.SkipSupported
	Capabilities.ComputeSupported Capabilities.SelectSupport Capabilities.CountRestrictions Capabilities.FilterRestrictions
	Capabilities.SortRestrictions Capabilities.ExpandRestrictions Capabilities.SearchRestrictions Capabilities.InsertRestrictions
	Capabilities.DeepInsertSupport Capabilities.UpdateRestrictions Capabilities.DeepUpdateSupport Capabilities.DeleteRestrictions
	Capabilities.ChangeTracking Validation.Pattern Validation.Minimum Validation.Maximum Validation.Exclusive
	Validation.AllowedValues Validation.MinItems Validation.MaxItems`)

// walk calls f for each element of a document, with the elements around it.
func walk(t *testing.T, text string, f func(e xml.StartElement, path []string)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	var path []string
	for {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch token := token.(type) {
		case xml.StartElement:
			f(token, path)
			path = append(path, token.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

func attributes(e xml.StartElement) map[string]string {
	a := map[string]string{}
	for _, x := range e.Attr {
		a[x.Name.Local] = x.Value
	}
	return a
}

// TestOpenAPI: every reference leads somewhere, every parameter in a path is
// declared, and no two operations have one name.
func TestOpenAPI(t *testing.T) {
	for _, s := range []*shop{newShop(t, "sqlite", odata.Limits{}), newDepot(t, "sqlite")} {
		doc := s.get(t, "/openapi.json").json
		each := func(v any, f func(map[string]any)) {}
		each = func(v any, f func(map[string]any)) {
			switch v := v.(type) {
			case map[string]any:
				f(v)
				for _, x := range v {
					each(x, f)
				}
			case []any:
				for _, x := range v {
					each(x, f)
				}
			}
		}
		each(doc, func(o map[string]any) {
			to, ok := o["$ref"].(string)
			if !ok {
				return
			}
			var at any = doc
			for part := range strings.SplitSeq(strings.TrimPrefix(to, "#/"), "/") {
				at, _ = at.(map[string]any)[part], true
			}
			if at == nil {
				t.Errorf("%s leads nowhere", to)
			}
		})
		ids := map[string]bool{}
		for path, item := range doc["paths"].(map[string]any) {
			shared, _ := item.(map[string]any)["parameters"].([]any)
			for method, operation := range item.(map[string]any) {
				o, ok := operation.(map[string]any)
				if !ok {
					continue
				}
				id := o["operationId"].(string)
				if ids[id] {
					t.Errorf("two operations are called %s", id)
				}
				ids[id] = true
				own, _ := o["parameters"].([]any)
				declared := map[string]int{}
				for _, p := range slices.Concat(shared, own) {
					if p := p.(map[string]any); p["in"] == "path" {
						declared["{"+p["name"].(string)+"}"]++
					}
				}
				for name, n := range declared {
					if n != 1 || strings.Count(path, name) != 1 {
						t.Errorf("%s %s: %s is declared %d times", method, path, name, n)
					}
				}
				if strings.Count(path, "{") != len(declared) {
					t.Errorf("%s %s declares %v", method, path, slices.Collect(maps.Keys(declared)))
				}
			}
		}
	}
}

// TestMetadataFollowsTheTables: a service that nobody may write to says so.
func TestMetadataFollowsTheTables(t *testing.T) {
	s := odata.New(odata.Options{Namespace: "N", Prefix: "/n"})
	odata.Add(s, odata.Set[Part2]{Name: "Parts", Access: func(context.Context) (odata.Predicate, error) { return odata.All, nil }})
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := s.Model().WriteJSON(&b, "4.01"); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(b.String()), &doc); err != nil {
		t.Fatal(err)
	}
	set := doc["N"].(map[string]any)["Container"].(map[string]any)["Parts"].(map[string]any)
	for term, member := range map[string]string{"InsertRestrictions": "Insertable", "UpdateRestrictions": "Updatable", "DeleteRestrictions": "Deletable"} {
		if set["@Capabilities."+term].(map[string]any)[member] != false {
			t.Errorf("%s: %v", term, set["@Capabilities."+term])
		}
	}
}

// TestNamesDiffer: two names of one type differ in more than the case of their
// letters.
func TestNamesDiffer(t *testing.T) {
	s := odata.New(odata.Options{Namespace: "N", Prefix: "/n"})
	odata.Add(s, odata.Set[Twins]{Name: "Twins", Access: func(context.Context) (odata.Predicate, error) { return odata.All, nil }})
	if err := s.Build(); err == nil || !strings.Contains(err.Error(), "Twins.NAME is declared twice") {
		t.Error(err)
	}
}

type (
	// Part2 is a model that nothing is said of.
	Part2 struct{ ID int64 }

	// Twins is a model with two names that are one to some.
	Twins struct {
		ID   int64
		Name string
		NAME string `gorm:"column:other"`
	}
)
