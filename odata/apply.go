package odata

import (
	"errors"
	"slices"
	"strings"

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
func commonItems(shapes []plan.Nested) []string {
	all := true
	lists := make([][]string, len(shapes))
	for i := range shapes {
		show := shapes[i].Show
		all = all && show.All && len(show.Expand) == 0 && computed(&show) == nil
		show.All = false // by their names
		lists[i] = selectItems(&show)
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

// overflows reports whether err is the database's about a number beyond the
// range of its type. Drivers say so each in their own way.
func overflows(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState() == "22003" // numeric value out of range
	}
	return err != nil && strings.Contains(err.Error(), "integer overflow")
}
