package uri_test

import (
	"strings"
	"testing"

	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// tree writes an expression with every operator's operands in brackets, to see
// how it was read.
func tree(e uri.Expr) string {
	list := func(items []uri.Expr) string {
		parts := make([]string, len(items))
		for i, x := range items {
			parts[i] = tree(x)
		}
		return strings.Join(parts, " ")
	}
	switch e := e.(type) {
	case *uri.Unary:
		return "[" + e.Op.String() + " " + tree(e.X) + "]"
	case *uri.Binary:
		return "[" + tree(e.L) + " " + e.Op.String() + " " + tree(e.R) + "]"
	case *uri.List:
		return "{" + list(e.Items) + "}"
	case *uri.Call:
		return e.Func + "<" + list(e.Args) + ">"
	case *uri.Member:
		return tree(e.X) + "." + e.Name
	case *uri.Lambda:
		if e.Body == nil {
			return tree(e.X) + ".any"
		}
		word := ".any "
		if e.All {
			word = ".all "
		}
		return tree(e.X) + word + e.Var + ":" + tree(e.Body)
	case *uri.Count:
		if e.Filter == nil {
			return tree(e.X) + ".count"
		}
		return tree(e.X) + ".count " + tree(e.Filter)
	}
	return e.String()
}

// readable are expressions, what String makes of them ("" if the same), and
// their trees.
var readable = []struct{ text, printed, tree string }{
	{"a eq 1", "", "[a eq 1]"},
	{"  a   EQ\t1 ", "a eq 1", "[a eq 1]"},
	{"a or b and c", "", "[a or [b and c]]"},
	{"(a or b) and c", "", "[[a or b] and c]"},
	{"a and b and c", "", "[[a and b] and c]"},
	{"a and (b and c)", "", "[a and [b and c]]"},
	{"a eq b and c lt d or e", "", "[[[a eq b] and [c lt d]] or e]"},
	{"a eq b lt c", "", "[a eq [b lt c]]"},
	{"(a eq b) lt c", "", "[[a eq b] lt c]"},
	{"a add b mul c sub d", "", "[[a add [b mul c]] sub d]"},
	{"a div b divby c mod d", "", "[[[a div b] divby c] mod d]"},
	{"a has b eq c", "", "[[a has b] eq c]"},
	{"not a and b", "", "[[not a] and b]"},
	{"not (a and b)", "", "[not [a and b]]"},
	{"not(a)", "not a", "[not a]"},
	{"not not a", "", "[not [not a]]"},
	{"NOT a in (1,2)", "not a in (1,2)", "[not [a in {1 2}]]"},
	{"not eq not", "", "[not eq not]"}, // a property called not
	{"not in (1)", "", "[not in {1}]"},
	{"eq eq eq", "", "[eq eq eq]"},
	{"-a lt 5", "", "[[- a] lt 5]"},
	{"-5 lt a", "", "[-5 lt a]"},
	{"- 5 lt a", "", "[[- 5] lt a]"},
	{"-(a add 5)", "", "[- [a add 5]]"},
	{"- -5", "--5", "[- -5]"},
	{"-(2026-01-01)", "- 2026-01-01", "[- 2026-01-01]"},
	{"5 sub -3", "", "[5 sub -3]"},
	{"a in ()", "", "[a in {}]"},
	{"a in ('x', 'y''z',null)", "a in ('x','y''z',null)", "[a in {'x' 'y''z' null}]"},
	{"a in b", "", "[a in b]"},
	{"f()", "", "f<>"},
	{"concat(a,concat(' ',b)) eq 'x'", "", "[concat<a concat<' ' b>> eq 'x']"},
	{"My.Own.func(a)", "", "My.Own.func<a>"},
	{"A/B/C eq 1", "", "[A.B.C eq 1]"},
	{"A/any()", "", "A.any"},
	{"A/ANY(x:x/B eq 1 or x/C)", "A/any(x:x/B eq 1 or x/C)", "A.any x:[[x.B eq 1] or x.C]"},
	{"A/B/all(x:x/C/any(y:y/D eq x/E))", "", "A.B.all x:x.C.any y:[y.D eq x.E]"},
	{"A/$count gt 1", "", "[A.count gt 1]"},
	{"A/$count($filter=B eq 1 and C) gt 1", "", "[A.count [[B eq 1] and C] gt 1]"},
	{"A/$count(filter=B)", "A/$count($filter=B)", "A.count B"},
	{"$root/A(1)/B eq $root/C(D='x',E=2)/F/G", "", "[$root/A(1).B eq $root/C(D='x',E=2).F.G]"},
	{"$root/A/$count gt 1", "", "[$root.A.count gt 1]"},
	{"$root/A/any(x:x/B)", "", "$root.A.any x:x.B"},
	{"$it/A eq @a", "", "[$it.A eq @a]"},
	// Literals.
	{"null", "", "null"},
	{"TRUE", "true", "true"},
	{"a eq -INF or a eq INF or a eq NaN", "", "[[[a eq -INF] or [a eq INF]] or [a eq NaN]]"},
	{"-INFO", "- INFO", "[- INFO]"},
	{"1.50", "", "1.50"},
	{"-1.5e-7", "", "-1.5e-7"},
	{"9223372036854775807", "", "9223372036854775807"},
	{"''", "", "''"},
	{"'O''Neil'", "", "'O''Neil'"},
	{"'a(b),c;d/e$f@g=h'", "", "'a(b),c;d/e$f@g=h'"},
	{"2026-02-28", "", "2026-02-28"},
	{"-0044-03-15", "", "-0044-03-15"},
	{"12:30", "", "12:30"},
	{"12:30:01.5", "", "12:30:01.5"},
	{"2026-02-28T12:30Z", "", "2026-02-28T12:30Z"},
	{"2026-02-28T12:30:01.123456+02:00", "", "2026-02-28T12:30:01.123456+02:00"},
	{"duration'P1DT2H'", "", "duration'P1DT2H'"},
	{"DURATION'-PT1.5S'", "duration'-PT1.5S'", "duration'-PT1.5S'"},
	{"duration'a''b'", "", "duration'a''b'"},
	{"binary'T0RhdGE'", "", "binary'T0RhdGE'"},
	{"Sales.Pattern'Red,Yellow'", "", "Sales.Pattern'Red,Yellow'"},
	{"A has Sales.Pattern'Red'", "", "[A has Sales.Pattern'Red']"},
	{`A eq {"B":[1,{"c":"}'"}]} and C`, "", `[[A eq {"B":[1,{"c":"}'"}]}] and C]`},
	{`A eq [{"B":1},{}]`, "", `[A eq {{"B":1} {}}]`},
	{"hassubset(A,[1,2])", "", "hassubset<A {1 2}>"},
	{"geography'SRID=0;Point(1 2)'", "", "geography'SRID=0;Point(1 2)'"},
	{"0123ABCD-0000-0000-0000-00000000000f", "0123abcd-0000-0000-0000-00000000000f", "0123abcd-0000-0000-0000-00000000000f"},
	{"abcdef01-0000-0000-0000-00000000000f", "", "abcdef01-0000-0000-0000-00000000000f"},
	// Names.
	{"שם eq 'נועה'", "", "[שם eq 'נועה']"},
	{"עִיר/שם_פרטי", "", "עִיר.שם_פרטי"},
	{"utm.source eq _x1", "", "[utm.source eq _x1]"},
	{"nullable eq trueish", "", "[nullable eq trueish]"},
	{"a/null_", "", "a.null_"},
}

func TestExpressions(t *testing.T) {
	for _, c := range readable {
		e, err := uri.ParseExpr(c.text, "$filter", uri.Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if c.printed == "" {
			c.printed = c.text
		}
		if e.String() != c.printed || tree(e) != c.tree {
			t.Errorf("%s: printed %s, tree %s; want %s, %s", c.text, e, tree(e), c.printed, c.tree)
		}
		again, err := uri.ParseExpr(e.String(), "$filter", uri.Limits{})
		if err != nil || tree(again) != c.tree {
			t.Errorf("%s: read again: %v, %v", c.text, again, err)
		}
	}
}

func TestErrorsInExpressions(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "position 1: expected an expression, but the text ends here"},
		{"   ", "position 4: expected an expression, but the text ends here"},
		{"a eq", "position 5: expected an expression, but the text ends here"},
		{"a eq 1 b", `position 8: expected an operator or the end, found "b"`},
		{"a == 1", `position 3: expected an operator or the end, found "="`},
		{"a eq 1)", `position 7: expected an operator or the end, found ")"`},
		{"(a eq 1", `position 8: expected ")", but the text ends here`},
		{"a in (1 2)", `position 9: expected ",", found "2"`},
		{"a in (1,)", `position 9: expected an expression, found ")"`},
		{"f(a,)", `position 5: expected an expression, found ")"`},
		{"f(,a)", `position 3: expected an expression, found ","`},
		{"a eq 'x", "position 6: the quote opened here is not closed"},
		{"a eq 'x''", "position 6: the quote opened here is not closed"},
		{"'שלום' eq 'x", "position 11: the quote opened here is not closed"},
		{"שם eq 'לוי' ו 5", `position 13: expected an operator or the end, found "ו"`},
		{"שם eq 5 andd 6", `position 9: expected an operator or the end, found "andd"`},
		{"a eq 12abc", "position 6: malformed number 12abc"},
		{"a eq 1.", "position 6: malformed number 1."},
		{"a eq 1.5.5", "position 6: malformed number 1.5.5"},
		{"a eq money'5'", "position 6: unknown literal prefix money"},
		{"a eq 5 # b", "position 8: unexpected character '#'"},
		{"a/ eq 5", `position 7: expected an operator or the end, found "5"`}, // the member eq
		{"a/5", `position 3: expected a name, found "5"`},
		{"a/$value", "position 3: $value cannot stand here"},
		{"a/any(:x)", `position 7: expected the name of a range variable, found ":"`},
		{"a/any(x)", `position 8: expected ":", found ")"`},
		{"a/all()", `position 7: expected the name of a range variable, found ")"`},
		{"a/$count($top=5)", "position 3: $top cannot stand inside $count"},
		{"a/$count($nope=5)", "position 10: $nope is not a query option"},
		{"a/f(x)", "position 3: bound functions in expressions are not served"},
		{"@", "position 2: expected the name of a parameter alias, but the text ends here"},
		{"@1", `position 2: expected the name of a parameter alias, found "1"`},
		{"$ it", `position 3: expected a name, found "it"`},
		{"-", "position 2: expected an expression, but the text ends here"},
		{"a eq \x00", "is not valid UTF-8 text"},
		{"a eq '\xff'", "is not valid UTF-8 text"},
		{strings.Repeat("(", 20000), "limit Depth"},
		{strings.Repeat("not ", 20000) + "a", "limit Depth"},
		{strings.Repeat("-", 20000) + "a", "limit Depth"},
		{strings.Repeat("f(", 20000), "limit Depth"},
		{"a" + strings.Repeat(" eq (a", 20000), "limit Depth"},
		{strings.Repeat("a/any(x:", 10000), "limit Depth"},
		{"a" + strings.Repeat(" and a", 3000), "limit Nodes"},
		{"a" + strings.Repeat("/a", 3000), "limit Nodes"},
		{"f(1" + strings.Repeat(",1", 3000) + ")", "limit Nodes"},
		{"a in (1" + strings.Repeat(",1", 6000) + ")", "limit List"},
		{"a in (1" + strings.Repeat(",1", 3000) + ") or b in (1" + strings.Repeat(",1", 3000) + ")", "limit List"},
		{"'" + strings.Repeat("x", 200_000) + "'", "limit Length"},
	} {
		_, err := uri.ParseExpr(c.text, "$filter", uri.Limits{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: got %v, want %s", c.text, err, c.want)
			continue
		}
		if f := err.(*fault.Error); f.Target != "$filter" || f.Code != fault.Invalid && f.Code != fault.NotImplemented {
			t.Errorf("%.40s: %+v", c.text, f)
		}
	}
}

func TestPositions(t *testing.T) {
	e, err := uri.ParseExpr("'שלום' eq שם and  f(b/c)", "$filter", uri.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	and := e.(*uri.Binary)
	call := and.R.(*uri.Call)
	member := call.Args[0].(*uri.Member)
	got := []int{and.Pos(), and.L.(*uri.Binary).R.Pos(), call.Pos(), member.X.Pos(), member.Pos()}
	for i, want := range []int{1, 11, 19, 21, 23} {
		if got[i] != want {
			t.Errorf("positions are %v", got)
			break
		}
	}
}

func FuzzExpr(f *testing.F) {
	for _, c := range readable {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := uri.ParseExpr(text, "$filter", uri.Limits{Length: 4000})
		if err != nil {
			return
		}
		printed := e.String()
		// Printing may add the parentheses of an operand, and so a level.
		again, err := uri.ParseExpr(printed, "$filter", uri.Limits{Length: 20_000, Depth: 1000})
		if err != nil {
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		if again.String() != printed || tree(again) != tree(e) {
			t.Fatalf("%q prints as %q, and that as %q\n%s\n%s", text, printed, again, tree(e), tree(again))
		}
	})
}
