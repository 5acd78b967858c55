package odata

import (
	"slices"

	"leadloop/odata/plan"
)

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
		lists[i] = q.selectItems(&show)
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
