package server

import (
	"fmt"
	"strings"

	"leadloop/odata/edm"
)

// transformations are a $apply.
func (a *asker) transformations(s *edm.Struct) string {
	var steps []string
	for range 1 + a.n(2) {
		steps = append(steps, a.transformation(s))
	}
	switch a.n(4) {
	case 2:
		steps = append(steps, "aggregate("+a.aggregate(s)+")")
	case 3:
		steps = append(steps, fmt.Sprintf("groupby((%s),aggregate(%s))", a.group(s), a.aggregate(s)))
	}
	return strings.Join(steps, "/")
}

func (a *asker) transformation(s *edm.Struct) string {
	switch a.n(11) {
	case 1:
		return "aggregate(" + a.aggregate(s) + ")"
	case 2:
		return fmt.Sprintf("groupby((%s))", a.group(s))
	case 3, 4, 5:
		return fmt.Sprintf("groupby((%s),aggregate(%s))", a.group(s), a.aggregate(s))
	case 6:
		return fmt.Sprintf("concat(filter(%s),aggregate(%s))", a.condition(s, "", 1), a.aggregate(s))
	case 7:
		return fmt.Sprintf("%s(%d,%s)", pickOf(a, []string{"topcount", "bottomcount", "topsum", "bottompercent"}), 1+a.n(3), a.property(s).Name)
	case 8:
		return "orderby(" + a.order(s) + ")/" + pickOf(a, []string{"top(2)", "skip(1)", "identity"})
	case 9:
		return "compute(" + pickOf(a, []string{"1 as One", a.property(s).Name + " as Same"}) + ")"
	case 10:
		return pickOf(a, []string{"search(Dana)", "identity", "join(Routings as R)", "outerjoin(Routings as R)", "nest(identity as N)"})
	}
	return "filter(" + a.condition(s, "", 2) + ")"
}

func (a *asker) group(s *edm.Struct) string {
	var paths []string
	for range 1 + a.n(2) {
		at, prefix := a.through(s)
		paths = append(paths, prefix+a.property(at).Name)
	}
	return strings.Join(paths, ",")
}

func (a *asker) aggregate(s *edm.Struct) string {
	at, prefix := a.through(s)
	switch a.n(4) {
	case 0:
		return prefix + "$count as N"
	case 1:
		return "$count as N," + prefix + a.property(at).Name + " with countdistinct as D"
	}
	return prefix + a.property(at).Name + " with " + pickOf(a, []string{"max", "min", "sum", "average", "countdistinct"}) + " as X"
}

// through is way that also goes over collections, as $apply may.
func (a *asker) through(s *edm.Struct) (*edm.Struct, string) {
	prefix := ""
	for !prefixLong(prefix) && a.rarely(3) {
		n := a.nav(s, a.n(2) == 0)
		if n == nil {
			break
		}
		s, prefix = n.Target, prefix+n.Name+"/"
	}
	return s, prefix
}
