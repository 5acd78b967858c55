package uri_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// show writes a query's options in a fixed order.
func show(q *uri.Query) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if q.Filter != nil {
		add("filter=%s", q.Filter)
	}
	for _, s := range q.Select {
		add("select=%s", s)
	}
	for _, x := range q.Expand {
		add("expand=%s(%s)", strings.Join(append([]string{x.Name}, x.Path...), "/"), show(&x.Options))
	}
	for _, o := range q.OrderBy {
		word := ""
		if o.Desc {
			word = " desc"
		}
		add("orderby=%s%s", o.X, word)
	}
	if q.Top != nil {
		add("top=%d", *q.Top)
	}
	if q.Skip != nil {
		add("skip=%d", *q.Skip)
	}
	if q.Count {
		add("count")
	}
	if q.Search != nil {
		add("search=%s", q.Search)
	}
	if q.Levels != 0 {
		add("levels=%d", q.Levels)
	}
	for _, c := range q.Compute {
		add("compute=%s", c)
	}
	if q.SchemaVersion != "" {
		add("schemaversion=%s", q.SchemaVersion)
	}
	if q.SkipToken != "" {
		add("skiptoken=%s", q.SkipToken)
	}
	if q.Format != "" {
		add("format=%s", q.Format)
	}
	for _, name := range []string{"a", "b"} {
		if text, ok := q.Aliases[name]; ok {
			add("@%s=%s", name, text)
		}
	}
	return strings.Join(parts, "; ")
}

var queries = []struct{ raw, want string }{
	{"", ""},
	{"&&", ""},
	{"$filter=a%20eq%201", "filter=a eq 1"},
	{"filter=a%20eq%201", "filter=a eq 1"},
	{"$FILTER=a%20eq%201", "filter=a eq 1"},
	{"%24filter=a%20eq%201", "filter=a eq 1"},
	{"FilTer=a%20eq%201", "filter=a eq 1"},
	{"$filter=a%20eq%20'1+1'", "filter=a eq '1+1'"},
	{"$filter=a%20eq%20'x%26y%3Dz'", "filter=a eq 'x&y=z'"},
	{"$filter=a%20eq%20%27O%27%27Neil%27", "filter=a eq 'O''Neil'"},
	{"$filter=a%20eq%20'%2F%252F'", "filter=a eq '/%2F'"},
	{"$filter=a=1", `$filter, position 2: expected an operator or the end, found "="`},
	{"$filter=a eq '%D7%A0'", "filter=a eq 'נ'"},
	{"$select=a,b,*", "select=a; select=b; select=*"},
	{"$select= a , b ", "select=a; select=b"},
	{"$select=$count", `$select, position 1: expected a property, found "$"`},
	{"$select=", "$select, position 1: expected a name, but the text ends here"},
	{"$select=a/b/c,d($select=e;$filter=f%20gt%201),N.*,N.o", "select=a/b/c; select=d($filter=f gt 1;$select=e); select=N.*; select=N.o"},
	{"$select=a($skiptoken=x)", "$skiptoken cannot stand inside $select"},
	{"$select=a($top=1;top=2)", "$top is given twice"},
	{"$select=" + strings.Repeat("a($select=", 300), "limit Depth"},
	{"$orderby=a,b%20desc,c%20ASC,f(d)%20Desc", "orderby=a; orderby=b desc; orderby=c; orderby=f(d) desc"},
	{"$orderby=a%20down", `$orderby, position 3: expected asc, desc or a comma, found "down"`},
	{"$orderby=a%20desc%20b", `$orderby, position 8: expected an operator or the end, found "b"`},
	{"$expand=A", "expand=A()"},
	{"$expand=*,A", "expand=*(); expand=A()"},
	{"$expand=A($filter=b%20eq%20';)';$select=c,d;top=5),B", "expand=A(filter=b eq ';)'; select=c; select=d; top=5); expand=B()"},
	{"$expand=A($expand=B($orderby=c%20desc,d;$count=true);$skip=2)", "expand=A(expand=B(orderby=c desc; orderby=d; count); skip=2)"},
	{"$expand=A()", "$expand, position 3: expected a name"},
	{"$expand=A($top=1;$top=2)", "$top is given twice"},
	{"$expand=A($format=json)", "$format cannot stand inside $expand"},
	{"$expand=A($search=x%20OR%20%22y;%20z%22;$levels=max;$compute=b%20add%201%20as%20c)", `expand=A(search=x OR "y; z"; levels=-1; compute=b add 1 as c)`},
	{"$expand=A($levels=0)", "$expand, position 11: $levels is max or at least 1"},
	{"$expand=A/$ref($top=1),B/$count,*/$ref", "expand=A/$ref(top=1); expand=B/$count(); expand=*/$ref()"},
	{"$expand=A($top=1", `expected ";" or ")", but the text ends here`},
	{"$expand=A($filter=b%20eq%20@a;@a=1%20add%202;@b='x;)'),B(@a=[1,2])&@a=9", "expand=A(filter=b eq @a; @a=1 add 2; @b='x;)'); expand=B(@a=[1,2]); @a=9"},
	{"$expand=A(@a=1;@a=2)", "$expand, position 9: @a is given twice"},
	{"$select=A(@a=1;$top=2)", "select=A($top=2;@a=1)"},
	{"$select=A(@a)", `$select, position 5: expected "=", found ")"`},
	{"$expand=A($nope=1)", "$nope is not a query option"},
	{"$top=0&$skip=7&$count=TRUE", "top=0; skip=7; count"},
	{"$count=false", ""},
	{"$count='true'", `$count, position 1: expected true or false, found "'true'"`},
	{"$top=-1", "expected a whole number of at least 0"},
	{"$top=1.0", "expected a whole number of at least 0"},
	{"$top=99999999999999999999", "expected a whole number of at least 0"},
	{"$top=5%205", `$top, position 3: expected an operator or the end, found "5"`},
	{"$skiptoken=a+b/c%3D", "skiptoken=a+b/c="},
	{"$format=application/json;odata.metadata=none", "format=application/json;odata.metadata=none"},
	{"@a=1&@b='x'&$filter=a%20eq%20@a", "filter=a eq @a; @a=1; @b='x'"},
	{"@a=1&@a=2", "@a is given twice"},
	{"$top=1&top=2", "$top is given twice"},
	{"$top=1&%24TOP=2", "$top is given twice"},
	{"$frobnicate=1", "$frobnicate is not a query option"},
	{"frobnicate=1&custom", ""},
	{"$filter=%zz", "malformed percent-encoding"},
	{"$filter=%ff", "not valid UTF-8"},
	{"$apply=x", "there is no transformation"},
	{"search=x", "search=x"},
	{"$search=a%20b%20OR%20NOT%20c%20AND%20(d%20OR%20%22e%20\\%22f%22)", `search=a AND b OR NOT c AND (d OR "e \"f")`},
	{"$search=not%20or%20and", "search=not AND or AND and"},
	{"$search=NOT(a%20b)c", "search=NOT (a AND b) AND c"},
	{"$search=a)", `$search, position 2: expected an operator or the end, found ")"`},
	{"$search=AND", "$search, position 1: expected a word or a phrase to search for"},
	{"$search=%22a", "$search, position 1: the quote opened here is not closed"},
	{"$search=-", "$search, position 1: - has no letter or digit to search for"},
	{"$search=a" + strings.Repeat("%20a", 3000), "limit Nodes"},
	{"$search=" + strings.Repeat("(", 3000), "limit Depth"},
	{"$compute=a%20mul%202%20as%20b,c%20AS%20d", "compute=a mul 2 as b; compute=c as d"},
	{"$compute=a%20mul%202", `$compute, position 8: expected "as" and a name, but the text ends here`},
	{"$compute=a as b.c", "$compute, position 6: expected the name of a computed property"},
	{"$levels=2", "$levels stands inside $expand only"},
	{"$schemaversion=*", "schemaversion=*"},
	{"$select=a" + strings.Repeat(",a", 300), "limit Items"},
	{"$orderby=a" + strings.Repeat(",a", 300), "limit Items"},
	{"$expand=a" + strings.Repeat(",a", 300), "limit Items"},
	{"$expand=" + strings.Repeat("a($expand=", 300), "limit Depth"},
}

func TestQueries(t *testing.T) {
	for _, c := range queries {
		q, err := uri.ParseQuery(c.raw, uri.Limits{})
		got := ""
		if err == nil {
			got = show(q)
			again(t, c.raw, q)
		} else if got = err.Error(); strings.Contains(got, c.want) {
			got = c.want
		}
		if got != c.want {
			t.Errorf("%.60s: got %s, want %s", c.raw, got, c.want)
		}
	}
}

var paths = []struct{ raw, want string }{
	{"", ""},
	{"/", ""},
	{"/Makers", "Makers"},
	{"Makers/", "Makers"},
	{"/Makers(1)", "Makers(1)"},
	{"/Makers()", "Makers()"},
	{"/Makers(ID=1,Name='x')", "Makers(ID=1,Name='x')"},
	{"/Makers( ID=1 , Name='x' )", "Makers(ID=1,Name='x')"},
	{"/Makers('a%2Fb')/Products", "Makers('a/b') Products"},
	{"/Makers('O''Neil')", "Makers('O''Neil')"},
	{"/Makers(%27O%27%27Neil%27)", "Makers('O''Neil')"},
	{"/Makers('a+b')", "Makers('a+b')"},
	{"/Makers('a%252Fb')", "Makers('a%2Fb')"},
	{"/Makers(-1)/$count", "Makers(-1) $count"},
	{"/Makers(@a)", "Makers(@a)"},
	{"/Products(00000000-0000-0000-0000-00000000000A)", "Products(00000000-0000-0000-0000-00000000000a)"},
	{"/Makers(1)/My.Own.Action", "Makers(1) My.Own.Action"},
	{"/%D7%A9%D7%9D", "שם"},
	{"/Makers//Products", "not_found"},
	{"/Makers('a/b')", "not_found"},
	{"/Makers(1)(2)", "not_found"},
	{"/Makers(1", "not_found"},
	{"/Makers)", "not_found"},
	{"/Makers%2F$count", "not_found"},
	{"/Mak ers", "not_found"},
	{"/1", "not_found"},
	{"/%zz", "not_found"},
	{"/%ff", "invalid"},
	{"/.", "not_found"},
	{"/" + strings.Repeat("a/", 300), "invalid"},
}

func TestPaths(t *testing.T) {
	for _, c := range paths {
		segments, err := uri.ParsePath(c.raw, uri.Limits{})
		got := ""
		if err != nil {
			got = string(fault.CodeOf(err))
		}
		for i, s := range segments {
			if i > 0 {
				got += " "
			}
			got += s.Name
			if s.Parens {
				var args []string
				for _, a := range s.Args {
					text := a.Value.String()
					if a.Name != "" {
						text = a.Name + "=" + text
					}
					args = append(args, text)
				}
				got += "(" + strings.Join(args, ",") + ")"
			}
		}
		if got != c.want {
			t.Errorf("%.60s: got %s, want %s", c.raw, got, c.want)
		}
	}
}

func FuzzQuery(f *testing.F) {
	for _, c := range queries {
		if len(c.raw) < 200 {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := uri.ParseQuery(raw, uri.Limits{})
		if (q == nil) == (err == nil) {
			t.Fatalf("%q: %v and %v", raw, q, err)
		}
		if err == nil {
			again(t, raw, q)
		}
	})
}

// again holds that a query written as a URL parses to the same query.
func again(t *testing.T, raw string, q *uri.Query) {
	t.Helper()
	plain := *q
	plain.Skip, plain.SkipToken, plain.Format, plain.SchemaVersion = nil, "", "", ""
	text := q.Encode()
	second, err := uri.ParseQuery(text, uri.Limits{Length: 1 << 20, Depth: 300, Nodes: 10_000, Items: 1000})
	if err != nil {
		t.Errorf("%.60q: written as %q, which is wrong: %v", raw, text, err)
	} else if got, want := show(second), show(&plain); got != want || second.String() != q.String() {
		t.Errorf("%.60q: written as %q, which reads %s, want %s", raw, text, got, want)
	}
}

func FuzzPath(f *testing.F) {
	for _, c := range paths {
		if len(c.raw) < 200 {
			f.Add(c.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		segments, err := uri.ParsePath(raw, uri.Limits{})
		if err != nil && fault.CodeOf(err) == fault.Internal {
			t.Fatalf("%q: %v", raw, err)
		}
		for _, s := range segments {
			if s.Name == "" {
				t.Fatalf("%q: a segment without a name", raw)
			}
		}
	})
}

// TestNames: of several wrong options the same one is told of each time.
func TestNames(t *testing.T) {
	for query, want := range map[string]string{
		"":                                   "",
		"a=1":                                "",
		"$top=1&expand=A&$COUNT=true&@a=1":   "$count $expand $top",
		"$skip=1&$select=A,B&$filter=A eq 1": "$filter $select $skip",
	} {
		q, err := uri.ParseQuery(strings.ReplaceAll(query, " ", "%20"), uri.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(q.Names(), " "); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// Texts that no option makes sense of take no longer than their length says.
func TestWithoutEntities(t *testing.T) {
	for text, want := range map[string]string{
		"ID ne $root/Trees(5)/ID":                 "ID ne $it/ID",
		"ID ne $root/Trees(ID=5,Of='(')/ID and 1": "ID ne $it/ID and 1",
		"Name eq '$root/Trees(5)'":                "Name eq '$root/Trees(5)'",
		"$root/Trees/$count gt 1":                 "$root/Trees/$count gt 1",
		"$root/Trees(5":                           "$it",
	} {
		if got := uri.WithoutEntities(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	start := time.Now()
	uri.WithoutEntities(strings.Repeat("$root/A(", 1<<17)) // as long as a body may be
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}
