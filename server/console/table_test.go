package console

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"leadloop/routing"
)

// TestPages: a list without filters has pages, too.
func TestPages(t *testing.T) {
	var table Table
	table.Pages("/console/settings/users", nil, "", "token")
	if want := "/console/settings/users?after=token"; table.Next != want {
		t.Errorf("the next page is %q, want %q", table.Next, want)
	}
}

// spokenIn is the locale of a language at noon of the third of May.
func spokenIn(t *testing.T, lang string) *locale {
	t.Helper()
	catalogues, err := loadCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	c := &Console{catalogues: catalogues}
	c.Now = func() time.Time { return time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC) }
	l, err := c.locale(lang, "UTC")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRows: what stands in a table is data, wherever it stands; and instants are
// told as the language does.
func TestRows(t *testing.T) {
	const hostile = `<b title="x">'&`
	l := spokenIn(t, "en")
	at := time.Date(2026, 5, 3, 11, 30, 0, 0, time.UTC)
	got := string(l.rowsOf(Table{
		Caption: hostile, Columns: []Column{{Title: hostile, Wide: true}, {Title: "When", Number: true}},
		Rows: []Row{{
			ID: hostile, URL: "/console/x?a=1&b=" + hostile, Drawer: true,
			Cells: []Cell{{Text: hostile, Sub: hostile, Code: hostile, Copy: true, Badge: &Badge{hostile, hostile}}, l.agoCell(&at)},
		}, {Cells: []Cell{textCell(""), l.agoCell(nil)}}},
	}))
	if strings.Contains(got, "<b ") {
		t.Errorf("data became markup:\n%s", got)
	}
	if n := strings.Count(got, template.HTMLEscapeString(hostile)); n != 13 {
		t.Errorf("the text stands %d times, want 13:\n%s", n, got)
	}
	if want := `<time datetime="2026-05-03T11:30:00Z" title="3 May 2026 11:30:00 UTC">30 minutes ago</time>`; !strings.Contains(got, want) {
		t.Errorf("no %s in\n%s", want, got)
	}
	if !strings.Contains(got, "<div>–</div>") {
		t.Errorf("never is no dash:\n%s", got)
	}
}

// TestMany: above what is counted a number says that there may be more.
func TestMany(t *testing.T) {
	v := &visit{locale: spokenIn(t, "en")}
	counts := map[string]int{routing.Delivered: 1001, routing.Failed: 10_001, routing.Parked: 10_000, routing.Rejected: 1}
	for _, c := range []struct {
		states []string
		want   any
	}{
		{[]string{routing.Delivered}, "1,000+"},
		{[]string{routing.Failed}, "10,000+"},
		{[]string{routing.Parked}, 10_000},
		{[]string{routing.Rejected, routing.Pending}, 1},
		{[]string{routing.Failed, routing.Parked}, "20,000+"},
		{nil, 0},
	} {
		if got := v.many(counts, c.states...); got != c.want {
			t.Errorf("%v: %v, want %v", c.states, got, c.want)
		}
	}
}

// TestFill: arguments are put in once, whatever they say.
func TestFill(t *testing.T) {
	for _, c := range [][2]string{
		{"{0} of {1}", "{1} of b"},
		{"{1}{0}", "b{1}"},
		{"{2} {x} {", "{2} {x} {"},
		{"none", "none"},
	} {
		if got := fill(c[0], []string{"{1}", "b"}); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
}
