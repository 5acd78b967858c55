package odata

import (
	"slices"
	"strings"

	"leadloop/odata/plan"
)

// collectionContext is the context URL, below the service root, of a collection of
// entities, or of references to them (Protocol 4.01, sections 10.2, 10.7, 10.9 and 10.11).
func (q *request) collectionContext(t *target, r *plan.Read) string {
	if t.ref {
		return "$metadata#Collection($ref)"
	}
	return contextOf(t.set.Name, q.shown(r), false)
}

// shown is the select list of a context URL (Protocol 4.01, sections 10.7 to
// 10.10): "(ID,Name,Lead())", or "" where all is shown.
func (q *request) shown(r *plan.Read) string {
	list := q.selectList(&r.Show)
	if list == "" {
		return ""
	}
	return "(" + list + ")"
}

func (q *request) selectList(show *plan.Projection) string {
	return strings.Join(q.selectItems(show, ""), ",")
}

// selectItems are those of a select list, but for what is expanded of that name,
// which is the recursion that the list stands in.
func (q *request) selectItems(show *plan.Projection, recursive string) []string {
	if show.Shapes != nil {
		return q.commonItems(show.Shapes)
	}
	var parts []string
	for i := range show.Nested {
		parts = append(parts, show.Nested[i].Name+"("+q.selectList(&show.Nested[i].Show)+")")
	}
	if show.All {
		parts = append(parts, computed(show)...)
	} else {
		for _, p := range show.Props {
			parts = append(parts, p.Name)
		}
		for _, c := range show.Computed {
			parts = append(parts, c.Name)
		}
		parts = append(parts, show.Dynamics...)
		parts = append(parts, show.Navs...)
	}
	for _, x := range show.Expand {
		nested := &x.Read.Show
		if x.Count || nested.Ref || x.Name == recursive {
			continue
		}
		again := ""
		if x.Recursive {
			again = x.Name
		}
		switch list := q.selectItems(nested, again); {
		case x.Recursive && q.version == "4.0" && len(list) == 0:
			parts = append(parts, x.Name+"+")
		case x.Recursive:
			parts = append(parts, x.Name+"+("+strings.Join(list, ",")+")")
		case q.version != "4.0" || !nested.All || len(nested.Expand) > 0:
			parts = append(parts, x.Name+"("+strings.Join(list, ",")+")")
		}
	}
	return parts
}

// computed are the items of a context URL where all is shown and more: "*" and
// the properties that a query computed (Data Aggregation 4.0, section 3.4.2).
func computed(show *plan.Projection) []string {
	var items []string
	for _, p := range show.Props {
		if !p.Dynamic {
			continue
		}
		if items == nil {
			items = []string{"*"}
		}
		items = append(items, p.Name)
	}
	return items
}

// commonItems are the items of a context URL of rows of different structure:
// what all of them have, or that nothing is (Data Aggregation 4.0, section
// 3.1.1).
func (q *request) commonItems(shapes []plan.Nested) []string {
	all := true
	lists := make([][]string, len(shapes))
	for i := range shapes {
		show := shapes[i].Show
		all = all && show.All && len(show.Expand) == 0 && computed(&show) == nil
		show.All = false // by their names
		lists[i] = q.selectItems(&show, "")
	}
	if all {
		return nil
	}
	var items []string
	for _, item := range lists[0] {
		if !slices.ContainsFunc(lists[1:], func(list []string) bool { return !slices.Contains(list, item) }) {
			items = append(items, item)
		}
	}
	if items == nil {
		items = []string{"@Core.AnyStructure"}
	}
	return items
}

// contextURL is the context of what a read shows (Protocol 4.01, section 10).
func (q *request) contextURL(set, shown string, single bool) string {
	return q.root() + contextOf(set, shown, single)
}
