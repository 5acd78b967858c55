package odata_test

import (
	"net/http"
	"strings"
	"testing"

	"leadloop/odata"
)

// TestMetadataLevels holds what each amount of control information looks like.
func TestMetadataLevels(t *testing.T) {
	eachArchive(t, func(t *testing.T, s *shop) {
		const root = "http://shop.test/shop/"
		for _, c := range []struct{ path, accept, want string }{
			{
				"/Copies(VolumeCode='a',Number=1)", "odata.metadata=none",
				`{"VolumeCode":"a","Number":1,"Place":"hall","Lent":false}`,
			},
			{
				"/Copies(VolumeCode='a',Number=1)", "odata.metadata=full",
				`{"@odata.context":"` + root + `$metadata#Copies/$entity","@odata.type":"#Archive.Copy","@odata.id":"` + root + `Copies(VolumeCode='a',Number=1)",` +
					`"@odata.readLink":"` + root + `Copies(VolumeCode='a',Number=1)","VolumeCode":"a","Number@odata.type":"#Int32","Number":1,"Place":"hall","Lent":false,` +
					`"Volume@odata.associationLink":"` + root + `Copies(VolumeCode='a',Number=1)/Volume/$ref","Volume@odata.navigationLink":"` + root + `Copies(VolumeCode='a',Number=1)/Volume"}`,
			},
			{
				"/Copies?$select=Place&$orderby=VolumeCode desc,Number desc&$top=1&$count=true", "odata.metadata=minimal",
				`{"@odata.context":"` + root + `$metadata#Copies(Place)","@odata.count":3,"value":[{"@odata.id":"Copies(VolumeCode='it''s%2F50%25%3F',Number=1)","Place":"cellar"}]}`,
			},
			{
				"/Copies?$select=Place,VolumeCode,Number&$top=1", "odata.metadata=minimal",
				`{"@odata.context":"` + root + `$metadata#Copies(VolumeCode,Number,Place)","value":[{"VolumeCode":"a","Number":1,"Place":"hall"}]}`,
			},
			{
				"/Books('a')", "odata.metadata=full",
				`{"@odata.context":"` + root + `$metadata#Books/$entity","@odata.type":"#Archive.Volume","@odata.id":"` + root + `Books('a')","@odata.etag":"W/\"1\"",` +
					`"@odata.editLink":"` + root + `Books('a')","Sizes@odata.type":"#Collection(Int64)","Sizes":[1,-9223372036854775808],` +
					`"Cover@odata.type":"#Archive.Cover","Cover":{"Colour":"red","Grams@odata.type":"#Int64","Grams":5,"Foil@odata.type":"#Archive.Foil",` +
					`"Foil":{"Name":"gold","Parts@odata.type":"#Collection(Int64)","Parts":[7]}},` +
					`"Editions@odata.type":"#Collection(Archive.Edition)","Editions":[{"Year@odata.type":"#Int64","Year":1990,"Cover@odata.type":"#Archive.Cover",` +
					`"Cover":{"Colour":"blue","Grams@odata.type":"#Int64","Grams":0,"Foil@odata.type":"#Archive.Foil","Foil":null}}],` +
					`"Copies@odata.associationLink":"` + root + `Books('a')/Copies/$ref","Copies@odata.navigationLink":"` + root + `Books('a')/Copies",` +
					`"#Archive.Bind":{"title":"Archive.Bind","target":"` + root + `Books('a')/Archive.Bind"},` +
					`"Code":"a","Title":"First","Pages@odata.type":"#Int64","Pages":9223372036854775807,"Weight":0.5,` +
					`"Printed@odata.type":"#DateTimeOffset","Printed":"1990-05-01T08:30:00.000000Z","Version@odata.type":"#Int64","Version":1,"Lost":null,"Shelf":"A1"}`,
			},
			{
				"/Books('a')?$select=Title&$expand=Copies($select=Lent)", "odata.metadata=full",
				`{"@odata.context":"` + root + `$metadata#Books(Title,Copies(Lent))/$entity","@odata.type":"#Archive.Volume","@odata.id":"` + root + `Books('a')","@odata.etag":"W/\"1\"",` +
					`"@odata.editLink":"` + root + `Books('a')","Title":"First",` +
					`"Copies@odata.associationLink":"` + root + `Books('a')/Copies/$ref","Copies@odata.navigationLink":"` + root + `Books('a')/Copies","Copies":[` +
					`{"@odata.type":"#Archive.Copy","@odata.id":"` + root + `Copies(VolumeCode='a',Number=1)","@odata.readLink":"` + root + `Copies(VolumeCode='a',Number=1)","Lent":false},` +
					`{"@odata.type":"#Archive.Copy","@odata.id":"` + root + `Copies(VolumeCode='a',Number=2)","@odata.readLink":"` + root + `Copies(VolumeCode='a',Number=2)","Lent":true}],` +
					`"#Archive.Bind":{"title":"Archive.Bind","target":"` + root + `Books('a')/Archive.Bind"}}`,
			},
			// Numbers as strings, wherever they are; numbers that JSON has not.
			{
				"/Books?$select=Code,Pages,Weight,Sizes,Cover&$count=true&$top=2&$expand=Copies($count=true;$select=Number,VolumeCode)", "IEEE754Compatible=true",
				`{"@odata.context":"` + root + `$metadata#Books(Code,Pages,Weight,Sizes,Cover,Copies(VolumeCode,Number))","@odata.count":"3","value":[` +
					`{"@odata.etag":"W/\"1\"","Code":"a","Pages":"9223372036854775807","Weight":0.5,"Sizes":["1","-9223372036854775808"],` +
					`"Cover":{"Colour":"red","Grams":"5","Foil":{"Name":"gold","Parts":["7"]}},` +
					`"Copies@odata.count":"2","Copies":[{"VolumeCode":"a","Number":1},{"VolumeCode":"a","Number":2}]},` +
					`{"@odata.etag":"W/\"2\"","Code":"it's/50%?","Pages":"0","Weight":"INF","Sizes":[],"Cover":{"Colour":"","Grams":"0","Foil":null},` +
					`"Copies@odata.count":"1","Copies":[{"VolumeCode":"it's/50%?","Number":1}]}]}`,
			},
			{"/Books('ספר')?$select=Weight,Code", "odata.metadata=none", `{"Code":"ספר","Weight":"-INF"}`},
			{"/Books?$select=Title&$skip=2", "metadata=minimal", `{"@odata.context":"` + root + `$metadata#Books(Title)","value":[{"@odata.id":"Books('%D7%A1%D7%A4%D7%A8')","@odata.etag":"W/\"3\"","Title":"Third"}]}`},
		} {
			a := s.do(t, t.Context(), "GET "+c.path, "", "Accept: application/json;"+c.accept)
			if got := unspaced(t, a.body); got != c.want {
				t.Errorf("%s %s:\n got %s\nwant %s", c.path, c.accept, got, c.want)
			}
		}
		// What is created is shown as what is read.
		for _, accept := range []string{"odata.metadata=full", "odata.metadata=none", "odata.metadata=minimal;IEEE754Compatible=true", "odata.metadata=full;IEEE754Compatible=true"} {
			code := accept[15:]
			a := s.do(t, t.Context(), "POST /Books", `{"Code":"`+code+`","Title":"T","Pages":5,"Sizes":[1],"Weight":"INF","Cover":{"Colour":"x","Grams":1,"Foil":{"Parts":[1,2]}}}`, "Accept: application/json;"+accept)
			b := s.do(t, t.Context(), "GET /Books('"+code+"')", "", "Accept: application/json;"+accept)
			if a.status != http.StatusCreated || a.header.Get("ETag") != `W/"1"` || b.header.Get("ETag") != `W/"1"` || !sameJSON(a.json, b.json) {
				t.Errorf("%s: %d %v\ncreated %s\n   read %s", accept, a.status, a.header, a.body, b.body)
			}
			if content := a.header.Get("Content-Type"); content != "application/json;"+accept {
				t.Errorf("%s: the answer is %s", accept, content)
			}
		}
		a := s.do(t, t.Context(), "POST /Books('a')/Bind", `{"Colour":"green"}`, "Accept: application/json;IEEE754Compatible=true")
		if want := `{"@odata.context":"` + root + `$metadata#Archive.Cover","Colour":"green","Grams":"9223372036854775807","Foil":null}` + "\n"; a.body != want {
			t.Errorf("%s", a.body)
		}
	})
}

func sameJSON(a, b map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		x, nested := v.(map[string]any)
		y, _ := w.(map[string]any)
		if !ok || nested && !sameJSON(x, y) || !nested && !sameValue(v, w) {
			return false
		}
	}
	return true
}

func sameValue(a, b any) bool {
	x, listed := a.([]any)
	y, _ := b.([]any)
	if !listed {
		return a == b
	}
	for i := range x {
		if len(x) != len(y) || !sameValue(x[i], y[i]) {
			return false
		}
	}
	return len(x) == len(y)
}

// TestMediaTypes: what Accept and $format choose between.
func TestMediaTypes(t *testing.T) {
	s := newArchive(t, "sqlite", nil)
	for _, c := range []struct {
		path, accept string
		status       int
		want         string // Content-Type
	}{
		{"/Copies", "", 200, "odata.metadata=minimal"},
		{"/Copies", "*/*", 200, "odata.metadata=minimal"},
		{"/Copies", "application/*;q=0.5", 200, "odata.metadata=minimal"},
		{"/Copies", "application/json;metadata=full", 200, "metadata=full"},
		{"/Copies", "application/json;ODATA.METADATA=FULL", 200, "odata.metadata=full"},
		{"/Copies", "application/json;IEEE754Compatible=true", 200, "odata.metadata=minimal;IEEE754Compatible=true"},
		{"/Copies", "application/json;ieee754compatible=false", 200, "odata.metadata=minimal"},
		{"/Copies", "application/json;ExponentialDecimals=true", 200, "odata.metadata=minimal"},
		{"/Copies", "application/json;charset=utf-8", 200, "odata.metadata=minimal;charset=utf-8"},
		{"/Copies", `application/json;charset="UTF-8"`, 200, "odata.metadata=minimal;charset=utf-8"},
		{"/Copies", "application/json;charset=iso-8859-1", 406, ""},
		{"/Copies", "application/json;charset=iso-8859-1, application/json;q=0.1", 200, "odata.metadata=minimal"},
		{"/Copies", "application/json;streaming=true", 200, "odata.metadata=minimal;odata.streaming=true"},
		{"/Copies", "application/json;odata.metadata=none;q=0.2, application/json;odata.metadata=full;q=0.8", 200, "odata.metadata=full"},
		{"/Copies", "application/json;odata.metadata=none, application/json;odata.metadata=full", 200, "odata.metadata=none"},
		{"/Copies", "application/json;odata.metadata=minimal;q=1.0,application/json;odata=minimalmetadata;q=0.9,application/atomsvc+xml;q=0.8,application/xml;q=0.5,text/plain;q=0.3", 200, "odata.metadata=minimal"},
		{"/Copies", "application/json;odata=verbose", 406, ""},
		{"/Copies", "application/json;odata.metadata=some", 406, ""},
		{"/Copies", "application/json;version=2", 406, ""},
		{"/Copies", "application/json;q=0, */*", 406, ""},
		{"/Copies", "*/*;q=0", 406, ""},
		{"/Copies", "text/html, application/xhtml+xml, image/avif, */*;q=0.8", 200, "odata.metadata=minimal"},
		{"/Copies", "application/xml", 406, ""},
		{"/Copies?$format=json", "application/xml", 200, "odata.metadata=minimal"},
		{"/Copies?format=JSON", "", 200, "odata.metadata=minimal"},
		{"/Copies?$format=json;odata.metadata=full", "", 406, ""},
		{"/Copies?$format=application/json;odata.metadata=full;IEEE754Compatible=true", "", 200, "odata.metadata=full;IEEE754Compatible=true"},
		{"/Copies?$format=*/*", "", 406, ""},
		{"/Copies?$format=xml", "", 406, ""},
	} {
		a := s.do(t, t.Context(), "GET "+c.path, "", "Accept: "+c.accept)
		got := strings.TrimPrefix(a.header.Get("Content-Type"), "application/json;")
		if a.status != c.status || c.want != "" && got != c.want {
			t.Errorf("%s %s: got %d %s, want %d %s", c.path, c.accept, a.status, got, c.status, c.want)
		}
	}
	for _, c := range []struct {
		headers []string
		status  int
		version string
		content string
	}{
		{[]string{"OData-MaxVersion: 4.0"}, 200, "4.0", "application/json;odata.metadata=minimal"},
		{[]string{"OData-MaxVersion: 4.0;NetFx"}, 200, "4.0", "application/json;odata.metadata=minimal"},
		{[]string{"OData-MaxVersion: 4.0", "Accept: application/json;metadata=none"}, 200, "4.0", "application/json;odata.metadata=none"},
		{[]string{"OData-MaxVersion: 4.01"}, 200, "4.01", "application/json;odata.metadata=minimal"},
		{[]string{"OData-MaxVersion: 5.0"}, 200, "4.01", "application/json;odata.metadata=minimal"},
		{[]string{"OData-MaxVersion: 3.0"}, 400, "4.0", "application/json"},
		{[]string{"OData-MaxVersion: four"}, 400, "4.01", "application/json"},
		{[]string{"OData-Version: 4.0"}, 200, "4.01", "application/json;odata.metadata=minimal"},
		{[]string{"OData-Version: 3.0"}, 400, "4.01", "application/json"},
		{[]string{"Accept-Charset: iso-8859-1"}, 406, "4.01", "application/json"},
		{[]string{"Accept-Charset: iso-8859-1, *;q=0.5"}, 200, "4.01", "application/json;odata.metadata=minimal"},
		{[]string{"Accept-Charset: iso-8859-1, UTF-8;q=0.5"}, 200, "4.01", "application/json;odata.metadata=minimal"},
		{[]string{"Isolation: snapshot"}, 412, "4.01", "application/json"},
	} {
		a := s.do(t, t.Context(), "GET /Copies", "", c.headers...)
		if a.status != c.status || a.header.Get("OData-Version") != c.version || a.header.Get("Content-Type") != c.content || !strings.Contains(a.header.Get("Vary"), "OData-MaxVersion") {
			t.Errorf("%v: %d %v", c.headers, a.status, a.header)
		}
	}
}

// TestLevelsInContextURLs: recursion is a plus sign and not spelled out (Protocol
// 4.01, section 10.10).
func TestLevelsInContextURLs(t *testing.T) {
	eachForest(t, odata.Limits{}, func(t *testing.T, s *shop) {
		for _, c := range []struct{ path, new, old string }{
			{"/Trees?$expand=Children($levels=3)", "#Trees(Children+())", "#Trees(Children+)"},
			{"/Trees(1)?$expand=Children($levels=max;$select=Name)", "#Trees(Children+(Name))/$entity", "#Trees(Children+(Name))/$entity"},
			{"/Trees?$expand=Children($levels=1)", "#Trees(Children())", "#Trees"},
			{"/Trees?$select=ID&$expand=Parent($select=ID;$levels=2;$expand=Nests($select=Code))", "#Trees(ID,Parent+(ID,Nests(Code)))", "#Trees(ID,Parent+(ID,Nests(Code)))"},
			{"/Nests?$select=Code&$expand=Tree($expand=Children($levels=2),Parent)", "#Nests(Code,Tree(Children+(),Parent()))", "#Nests(Code,Tree(Children+))"},
			{"/Nests?$select=Code&$expand=*($levels=2)", "#Nests(Code,Tree(Parent(),Children(),Nests()),Visits(Nest()))", "#Nests(Code,Tree(),Visits())"},
		} {
			for version, want := range map[string]string{"4.01": c.new, "4.0": c.old} {
				a := s.do(t, t.Context(), "GET "+c.path, "", "OData-MaxVersion: "+version)
				if got := a.json["@odata.context"]; got != "http://shop.test/shop/$metadata"+want {
					t.Errorf("%s (%s): %v, want %s", c.path, version, got, want)
				}
			}
		}
	})
}

// TestContextURLs of the two versions, where they differ.
func TestContextURLs(t *testing.T) {
	s := newArchive(t, "sqlite", nil)
	for _, c := range []struct{ path, new, old string }{
		{"/", "", ""},
		{"/Books", "#Books", "#Books"},
		{"/Books('a')", "#Books/$entity", "#Books/$entity"},
		{"/Books('a')/Copies", "#Copies", "#Copies"},
		{"/Copies(VolumeCode='a',Number=1)/Volume", "#Books/$entity", "#Books/$entity"},
		{"/Books?$select=Title,Code", "#Books(Code,Title)", "#Books(Code,Title)"},
		{"/Books?$select=*", "#Books", "#Books"},
		{"/Books?$select=Shelf", "#Books(Shelf)", "#Books(Shelf)"},
		{"/Books?$compute=Pages div 2 as Sheets&$select=Title,Sheets", "#Books(Title,Sheets)", "#Books(Title,Sheets)"},
		{"/Books?$expand=Copies", "#Books(Copies())", "#Books"},
		{"/Books?$expand=Copies($select=Place)", "#Books(Copies(Place))", "#Books(Copies(Place))"},
		{"/Books?$expand=Copies($expand=Volume)", "#Books(Copies(Volume()))", "#Books(Copies())"},
		{"/Books?$select=Title,Copies&$expand=Copies", "#Books(Title,Copies,Copies())", "#Books(Title,Copies)"},
		{"/Books('a')?$select=Title&$expand=Copies", "#Books(Title,Copies())/$entity", "#Books(Title)/$entity"},
	} {
		for version, want := range map[string]string{"4.01": c.new, "4.0": c.old} {
			a := s.do(t, t.Context(), "GET "+c.path, "", "OData-MaxVersion: "+version)
			if got := a.json["@odata.context"]; got != "http://shop.test/shop/$metadata"+want {
				t.Errorf("%s (%s): %v, want %s", c.path, version, got, want)
			}
		}
	}
}
