// Package console is the pages by which the staff run Leadloop: rendered by the
// server, in Hebrew and English, with htmx for what changes in place. Everything
// is embedded; nothing comes from another host.
//
// # A page
//
// Each noun has its Go file, its templates and its messages:
//
//	server/console/sources.go                 routes, handlers, what the templates show
//	server/console/templates/sources.html     defines "content", and may define "actions" and "scripts"
//	server/console/messages/en/sources.json   texts, and he/sources.json with the same keys
//	server/console_sweep_test.go              a row of consolePages, so that the sweep visits it
//	server/console_sources_test.go            what people do there, in a real browser
//
// The file gives its routes, which are added to routes in routes.go:
//
//	func (c *Console) sourceRoutes() []route {
//		return []route{
//			{pattern: "GET /console/sources", do: (*visit).sourcesPage, nav: "sources"},
//			{pattern: "POST /console/sources/{id}", do: (*visit).updateSource},
//		}
//	}
//
// A nav puts the route into the navigation, at its place in navOrder, with the
// message nav.<name>. A role is the least that may come; the domain functions
// check for themselves.
//
// A handler takes a visit, and ends with Page, Part, Invalid or Go, or returns
// an error, which is shown in the reader's language: as a page, or as a toast
// where htmx asked. It reads by the OData service, as the user, so that access,
// visibility and paging are the API's:
//
//	source, err := read[leads.Source](v, "Sources(7)", query{"$expand": "Rejections"})
//	rows, err := readList[leads.Source](v, "Sources", 0, query{"$filter": "contains(Name," + literal(text) + ")", "$skiptoken": v.value("after")})
//
// and it changes by calling the domain functions: v.Leads.UpdateSource(v.ctx(), &source).
// T may be a type of the page's own with just the properties it needs.
//
// In a template the dot is the page: .Data is the handler's own, .Can "manager"
// leaves out what would be refused, and the visit's fields and methods are there
// as well (.User, .Path). customers.go is a list, a form to create and one to
// edit, and a deletion, to follow.
//
// # Words
//
// {{t "sources.title" .Data.Name}} in a template and v.T("sources.title", name)
// in Go say a message; {0} is the first argument, and a message may have plural
// forms by it. A key ending in a dot is put together: v.T("state." + state). Tests find
// keys that a language lacks, keys that nothing asks for, and words that stand in
// a template. What domain functions say in English is translated by
// messages/<language>/faults.json.
//
// {{number}}, {{money .Amount .Currency}}, {{percent}}, {{date}}, {{time}} and {{ago}}
// write values as the language and the user's time zone have them; v.Number,
// v.Time and so on do in Go. Words of people and of data stand in <bdi> or under
// dir="auto"; ids, phone numbers, keys and expressions in <bdi dir="ltr" class="code">.
//
// # Parts
//
// Each is a Go value and a template of the same name.
//
//	Form, Field      {{template "form" .Data.Form}}         fields with help; Fill and Fail keep the input and put faults next to their fields
//	Confirm          {{template "confirm" .}}               a dialog, opened by <button data-dialog="ID">; with Name it must be typed
//	Filters          {{template "filters" .Data.Filters}}   the bar over a list; replaces the element Target as one types
//	Table            {{template "table" .Data.Table}}       rows of textCell, codeCell, badgeCell, v.numberCell, v.agoCell; cards where narrow; Pages makes the links
//	Empty            {{template "empty" .}}                 what to do while there is nothing; also Table.Empty
//	Badge            {{template "badge" .}}                 v.State("paused") is the badge of a state
//	Stat             {{template "stat" .}}                  a number with a trend; put several in <div class="grid">
//	Chart            {{template "chart" .}}                 Chart{…}.Draw(v.locale): bar, line or stacked, with its table
//	Event            {{template "timeline" .Data.Events}}   a story in time, with Facts to open
//	Fact             {{template "fact" .}}                  something exact to open and copy
//	Reveal           {{template "reveal" .}}                a secret, shown once
//	Progress         {{template "progress" .}}              how far a long job is; resend.go shows one that asks for itself again
//	                 {{template "copy" .Key}}               a button that copies a text
//	flash            v.Done, v.DoneUndo, v.Failed, then v.Go   a toast on the next page
//	tab, crumb       page{Tabs: …, Crumb: …}                the faces of a thing, and the way up
//
// A drawer is any element with hx-get="…" hx-target="#drawer-body": what comes
// opens at the side. Icons are {{icon "key"}}, of the list in icon.go.
//
// Classes for laying out: card, card narrow, columns (wide and narrow beside each
// other), grid (as many as fit), stack (below each other), facts (a dl), rows (a
// ul), notice, button, primary, danger, quiet, small. A page's own styles go into
// static/css/<noun>.css, under names that no other page has, with the colours of
// 1-base.css and logical properties only; its module into static/js/<noun>.js,
// loaded by {{define "scripts"}}<script type="module" src="{{static "rule.js"}}">
// </script>{{end}}. Neither scripts nor styles may stand in a page: the policy
// forbids them.
package console
