package server

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"leadloop/odata/edm"
)

// asker makes random expressions and query options over a model, as its author
// never thought of them. Its first choice is always the simplest.
type asker struct {
	t        *rapid.T
	model    *edm.Model
	readable map[*edm.Struct]bool // mostly kept to: the rest is refused
	values   map[string][]string  // literals by "Type/Property"
	vars     int                  // range variables so far
}

// literalsOf are the values of all properties in lists, slices of entities: what
// is worth asking for, whoever may see it.
func literalsOf(model *edm.Model, lists ...any) map[string][]string {
	values := map[string][]string{}
	for _, list := range lists {
		rows := reflect.ValueOf(list)
		for _, s := range model.Entities {
			if s.GoType != rows.Type().Elem() {
				continue
			}
			for _, p := range s.Properties {
				name := s.Name + "/" + p.Name
				for i := range rows.Len() {
					if text, ok := literal(p.Value(rows.Index(i))); ok && !slices.Contains(values[name], text) {
						values[name] = append(values[name], text)
					}
				}
			}
		}
	}
	return values
}

func literal(v any) (text string, ok bool) {
	switch v := v.(type) {
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'", true
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000000Z"), true
	case uuid.UUID, bool, int, int32, int64:
		return fmt.Sprint(v), true
	}
	return "", false
}

const noID = "01890000-0000-7000-8000-000000000000"

func (a *asker) n(below int) int { return rapid.IntRange(0, below-1).Draw(a.t, "n") }

// rarely is true once in so many times.
func (a *asker) rarely(times int) bool { return a.n(times) == times-1 }

func pickOf[T any](a *asker, list []T) T { return list[a.n(len(list))] }

func (a *asker) value(s *edm.Struct, p *edm.Property) string {
	if known := a.values[s.Name+"/"+p.Name]; len(known) > 0 && !a.rarely(12) {
		return pickOf(a, known)
	}
	switch p.Type {
	case edm.Guid:
		return noID
	case edm.String:
		return pickOf(a, []string{"'a'", "''", "'Haifa'", "null", "'%'"})
	case edm.Boolean:
		return pickOf(a, []string{"true", "false"})
	case edm.DateTimeOffset:
		return pickOf(a, []string{"2026-02-03T00:00:00Z", "now()", "null"})
	}
	return pickOf(a, []string{"1", "0", "3", "-1", "null", "9223372036854775807"})
}

// nav chooses a navigation property of s, one that may be read most times; nil
// if there is none.
func (a *asker) nav(s *edm.Struct, many bool) *edm.Navigation {
	var open, shut []*edm.Navigation
	for _, n := range s.Navigation {
		switch {
		case n.Many != many:
		case a.readable[n.Target]:
			open = append(open, n)
		default:
			shut = append(shut, n)
		}
	}
	if len(shut) > 0 && (len(open) == 0 && a.rarely(4) || a.rarely(15)) {
		return pickOf(a, shut)
	}
	if len(open) == 0 {
		return nil
	}
	return pickOf(a, open)
}

// property chooses a property of s whose type is one of types, any if none is
// given.
func (a *asker) property(s *edm.Struct, types ...edm.Type) *edm.Property {
	var fit []*edm.Property
	for _, p := range s.Properties {
		if len(types) == 0 || slices.Contains(types, p.Type) {
			fit = append(fit, p)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return pickOf(a, fit)
}

// way goes over single-valued navigation properties, mostly over none.
func (a *asker) way(s *edm.Struct, prefix string) (*edm.Struct, string) {
	for !prefixLong(prefix) && a.rarely(3) {
		n := a.nav(s, false)
		if n == nil {
			break
		}
		s, prefix = n.Target, prefix+n.Name+"/"
	}
	return s, prefix
}

func prefixLong(prefix string) bool { return strings.Count(prefix, "/") > 3 }

// condition is a Boolean expression over s.
func (a *asker) condition(s *edm.Struct, prefix string, depth int) string {
	kinds := 14
	if depth == 0 {
		kinds = 8
	}
	switch a.n(kinds) {
	default:
		return a.comparison(s, prefix)
	case 4:
		return a.textual(s, prefix)
	case 5:
		if s.Open {
			return prefix + pickOf(a, someFields) + pickOf(a, []string{" eq ", " ne ", " gt ", " lt "}) + pickOf(a, []string{"1", "null", "'Haifa'", "true", "0.5"})
		}
		return a.comparison(s, prefix)
	case 6:
		if n := a.nav(s, false); n != nil {
			return prefix + n.Name + pickOf(a, []string{" eq null", " ne null"})
		}
		return a.comparison(s, prefix)
	case 7:
		return a.arithmetic(s, prefix)
	case 8:
		return "not (" + a.condition(s, prefix, depth-1) + ")"
	case 9:
		return "(" + a.condition(s, prefix, depth-1) + pickOf(a, []string{" and ", " or "}) + a.condition(s, prefix, depth-1) + ")"
	case 10, 11, 12:
		return a.lambda(s, prefix, depth)
	case 13:
		return a.counting(s, prefix, depth)
	}
}

func (a *asker) comparison(s *edm.Struct, prefix string) string {
	s, prefix = a.way(s, prefix)
	p := a.property(s)
	if _, primitive := p.Type.(edm.Primitive); !primitive {
		return prefix + p.Name + " ne null"
	}
	if p.Type == edm.Boolean || p.Type == edm.Guid {
		return prefix + p.Name + pickOf(a, []string{" eq ", " ne "}) + a.value(s, p)
	}
	if a.rarely(8) {
		return fmt.Sprintf("%s%s in (%s,%s)", prefix, p.Name, a.value(s, p), a.value(s, p))
	}
	return prefix + p.Name + pickOf(a, []string{" eq ", " ne ", " gt ", " le ", " lt ", " ge "}) + a.value(s, p)
}

func (a *asker) textual(s *edm.Struct, prefix string) string {
	s, prefix = a.way(s, prefix)
	p := a.property(s, edm.String)
	if p == nil {
		return a.comparison(s, prefix)
	}
	x := prefix + p.Name
	return fmt.Sprintf(pickOf(a, []string{
		"contains(%s,'a')", "startswith(tolower(%s),'h')", "endswith(%s,'n')", "length(%s) gt 4", "indexof(%s,'a') eq 1", "concat(%s,'x') ne 'x'",
		"substring(%s,1) eq 'aifa'", "matchesPattern(%s,'^[A-Z]')", "trim(%s) eq ''", "toupper(%s) gt 'D'",
	}), x)
}

// arithmetic may fail for some rows, which must be the caller's own.
func (a *asker) arithmetic(s *edm.Struct, prefix string) string {
	s, prefix = a.way(s, prefix)
	if p := a.property(s, edm.DateTimeOffset); p != nil && a.n(2) == 0 {
		return fmt.Sprintf(pickOf(a, []string{"year(%s) eq 2026", "day(%s) gt 3", "hour(%s) ge 4", "date(%s) eq 2026-02-03", "%s lt now()"}), prefix+p.Name)
	}
	x := ""
	if p := a.property(s, edm.Int64, edm.Int32); p != nil {
		x = prefix + p.Name
	} else if s.Open {
		x = prefix + pickOf(a, someFields)
	} else {
		return a.comparison(s, prefix)
	}
	return fmt.Sprintf(pickOf(a, []string{
		"%s add 1 gt 2", "%s mod 2 eq 0", "6 div %s ge 2", "6 mod %s eq 0", "6 divby %s gt 1", "%s mul 9223372036854775807 gt 0", "%s sub 3 lt 0",
		"cast(%s,Edm.String) eq '1'", "cast(%s,Edm.Int32) eq 1", "-%s lt 0", "round(%s) eq 2",
	}), x)
}

func (a *asker) lambda(s *edm.Struct, prefix string, depth int) string {
	s, prefix = a.way(s, prefix)
	n := a.nav(s, true)
	if n == nil {
		return a.comparison(s, prefix)
	}
	if a.rarely(5) {
		return prefix + n.Name + "/any()"
	}
	a.vars++
	v := fmt.Sprintf("v%d", a.vars)
	return fmt.Sprintf("%s%s/%s(%s:%s)", prefix, n.Name, pickOf(a, []string{"any", "all"}), v, a.condition(n.Target, v+"/", depth-1))
}

func (a *asker) counting(s *edm.Struct, prefix string, depth int) string {
	s, prefix = a.way(s, prefix)
	n := a.nav(s, true)
	if n == nil {
		return a.comparison(s, prefix)
	}
	count := prefix + n.Name + "/$count"
	if a.n(2) == 1 {
		count += "($filter=" + a.condition(n.Target, "", depth-1) + ")"
	}
	return count + pickOf(a, []string{" gt ", " eq ", " lt "}) + pickOf(a, []string{"0", "1", "2"})
}

// order is a $orderby.
func (a *asker) order(s *edm.Struct) string {
	var terms []string
	for range 1 + a.n(2) {
		at, prefix := a.way(s, "")
		term := prefix + a.property(at, edm.String, edm.Guid, edm.DateTimeOffset, edm.Boolean, edm.Int64, edm.Int32).Name
		switch a.n(6) {
		case 4:
			if n := a.nav(at, true); n != nil {
				term = prefix + n.Name + "/$count"
			}
		case 5:
			term = a.condition(s, "", 1)
		}
		terms = append(terms, term+pickOf(a, []string{"", " desc"}))
	}
	return strings.Join(terms, ",")
}

func (a *asker) selection(s *edm.Struct) string {
	var names []string
	for range 1 + a.n(3) {
		switch a.n(6) {
		case 4:
			names = append(names, "*")
		case 5:
			names = append(names, pickOf(a, []string{"Budget", "שם", "Routings", "Nothing"}))
		default:
			names = append(names, a.property(s).Name)
		}
	}
	return strings.Join(names, ",")
}

// expansion is a $expand.
func (a *asker) expansion(s *edm.Struct, depth int) string {
	if a.rarely(12) {
		return pickOf(a, []string{"*", "*($levels=1)", "*/$ref"})
	}
	var items []string
	for range 1 + a.n(2) {
		n := a.nav(s, a.n(2) == 0)
		if n == nil {
			n = a.nav(s, true)
		}
		if n == nil {
			n = a.nav(s, false)
		}
		if n == nil {
			return "Nothing"
		}
		item := n.Name
		if a.rarely(15) {
			item += pickOf(a, []string{"/$count", "/$ref"})
		}
		if options := a.options(n.Target, depth-1, n.Many); len(options) > 0 && a.n(3) > 0 {
			item += "(" + strings.Join(options, ";") + ")"
		}
		items = append(items, item)
	}
	return strings.Join(items, ",")
}

// options are query options of a collection, or else of one entity, of s.
func (a *asker) options(s *edm.Struct, depth int, many bool) (list []string) {
	if a.rarely(3) {
		list = append(list, "$select="+a.selection(s))
	}
	if depth > 0 && a.rarely(3) {
		list = append(list, "$expand="+a.expansion(s, depth))
	}
	if !many {
		return list
	}
	if a.n(2) == 1 {
		list = append(list, "$filter="+a.condition(s, "", depth))
	}
	if a.rarely(3) {
		list = append(list, "$orderby="+a.order(s))
	}
	if a.rarely(4) {
		list = append(list, "$count=true")
	}
	if a.rarely(4) {
		list = append(list, fmt.Sprint("$top=", 1+a.n(5)))
	}
	if a.rarely(6) {
		list = append(list, fmt.Sprint("$skip=", a.n(4)))
	}
	if a.rarely(12) {
		list = append(list, "$search="+pickOf(a, []string{"Dana", "theirs", "NOT ours", `"called twice"`, "Haifa OR נועה", "972501000001"}))
	}
	if a.rarely(12) {
		list = append(list, "$compute="+pickOf(a, []string{"1 add 1 as Two", a.property(s).Name + " as Same", "length(Name) as Long"}))
	}
	return list
}
