package plan

import (
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Expand is an expanded navigation property.
type Expand struct {
	Name  string
	Read  *Read
	Count bool // only the number of entities

	Recursive bool // it is expanded in itself, as $levels says
}

// Next is where the next page of an expanded collection is: what is related to
// the entity it is expanded in.
type Next struct {
	Set   string // of the entity
	Path  string // below the entity
	Query string // options, percent-encoded; empty or with an & at its end
	// It is what $it is in Query, where ItMark stands: an entity of the set ItSet.
	It    *Var
	ItSet string
}

// ItMark stands in the Query of a Next where an entity is to be named, percent-encoded as
// that is: no request can have it.
const ItMark = "%00"

// expand resolves $expand (URL Conventions 4.01, section 5.1.3).
func (b *Binder) expand(v *Var, show *Projection, q *uri.Query, depth int, left *int) error {
	if len(q.Expand) > 0 && depth >= b.Limits.ExpandDepth {
		return fault.Newf(fault.Invalid, "$expand nests deeper than %d (limit ExpandDepth)", b.Limits.ExpandDepth).At("$expand")
	}
	items := q.Expand
	if len(items) == 0 {
		items = v.Expand
	}
	seen := map[*edm.Navigation]bool{}
	// What is expanded by name has its own options, wherever the * stands.
	for _, star := range []bool{false, true} {
		for i := range items {
			item := &items[i]
			if (item.Name == "*") != star {
				continue
			}
			item, err := uncast(v.Struct, item)
			if err != nil {
				return err
			}
			navs, err := b.navigations(v, item)
			if err != nil {
				return err
			}
			for _, nav := range navs {
				if seen[nav] && star || nav.Inline() {
					continue
				}
				if seen[nav] {
					return uri.Errorf("$expand", item.At, "%s is expanded twice", item.Name)
				}
				seen[nav] = true
				if *left--; *left < 0 {
					return fault.Newf(fault.Invalid, "$expand has more than %d navigation properties (limit Expands)", b.Limits.Expands).At("$expand")
				}
				x, err := b.expanded(v, nav, item, q.Aliases, depth, left)
				if err != nil {
					return err
				}
				show.Expand = append(show.Expand, x)
			}
		}
	}
	return nil
}

// uncast returns item without casts to the types that s, which it starts from, and what
// it leads to have already (URL Conventions 4.01, section 4.11).
func uncast(s *edm.Struct, item *uri.ExpandItem) (*uri.ExpandItem, error) {
	plain := *item
	for plain.Name == s.String() {
		if len(plain.Path) == 0 {
			return nil, uri.Errorf("$expand", item.At, "%s is a type: name a navigation property of it", plain.Name)
		}
		plain.Name, plain.Path = plain.Path[0], plain.Path[1:]
	}
	for nav := s.Nav(plain.Name); nav != nil && len(plain.Path) > 0 && plain.Path[0] == nav.Target.String(); {
		plain.Path = plain.Path[1:]
	}
	return &plain, nil
}

// navigations are the navigation properties that an item of $expand names.
func (b *Binder) navigations(v *Var, item *uri.ExpandItem) ([]*edm.Navigation, error) {
	for _, name := range append([]string{item.Name}, item.Path...) {
		if strings.Contains(name, ".") {
			if err := b.qualified("$expand", item.At, name); err != nil {
				return nil, err
			}
			return nil, uri.Errorf("$expand", item.At, "%s is no navigation property", name)
		}
	}
	last := ""
	if len(item.Path) > 0 {
		last = item.Path[0]
	}
	nav := v.Struct.Nav(item.Name)
	switch {
	case item.Name == "$value" || item.Name == "$ref" || item.Name == "$count":
		return nil, fault.Newf(fault.NotImplemented, "$expand, position %d: %s is not served", item.At, item.Name).At("$expand")
	case item.Name != "*" && nav == nil:
		return nil, uri.Errorf("$expand", item.At, "%s has no navigation property %q", v.Struct.Name, item.Name)
	case len(item.Path) > 1 || last != "" && last != "$ref" && last != "$count":
		return nil, uri.Errorf("$expand", item.At, "%s/%s is no path of navigation: write what is below %s as its option, %s($expand=…)",
			item.Name, strings.Join(item.Path, "/"), item.Name, item.Name)
	case last == "$count" && (nav == nil || !nav.Many):
		return nil, uri.Errorf("$expand", item.At, "%s/$count needs a collection", item.Name)
	case nav != nil:
		return []*edm.Navigation{nav}, nil
	}
	for _, option := range item.Options.Names() {
		if option != "$levels" {
			return nil, uri.Errorf("$expand", item.At, "%s does not apply to *", option)
		}
	}
	return v.Struct.Navigation, nil
}

// ofRefs and ofCount are the options of nav/$ref and nav/$count.
var (
	ofRefs  = map[string]bool{"$filter": true, "$search": true, "$orderby": true, "$top": true, "$skip": true, "$count": true, "$compute": true}
	ofCount = map[string]bool{"$filter": true, "$search": true, "$compute": true}
)

func (b *Binder) expanded(v *Var, nav *edm.Navigation, item *uri.ExpandItem, aliases map[string]string, depth int, left *int) (Expand, error) {
	x := Expand{Name: nav.Name}
	last := ""
	if len(item.Path) > 0 {
		last = item.Path[0]
	}
	for _, option := range item.Options.Names() {
		switch {
		case !nav.Many && option != "$select" && option != "$expand" && option != "$compute" && option != "$levels":
			return x, uri.Errorf("$expand", item.At, "%s does not apply to %s, a single entity", option, nav.Name)
		case last == "$ref" && !ofRefs[option], last == "$count" && !ofCount[option]:
			return x, uri.Errorf("$expand", item.At, "%s does not apply to %s/%s", option, nav.Name, last)
		}
	}
	options, err := b.levels(v, nav, item, depth, *left)
	if err != nil {
		return x, err
	}
	options.Aliases = inside(aliases, item.Options.Aliases)
	target, err := b.over(v, nav)
	if err != nil {
		return x, err
	}
	if x.Read, err = b.related(&Read{Var: target, Limit: -1}, &options, depth+1, left); err != nil {
		return x, err
	}
	x.Count = last == "$count"
	x.Recursive = item.Name != "*" && (item.Options.Levels > 1 || item.Options.Levels == uri.MaxLevels)
	if last == "$ref" {
		x.Read.Show = Projection{Ref: true}
	}
	if nav.Many {
		if set := b.setOf(v); set != nil {
			path := strings.Join(append([]string{nav.Name}, item.Path...), "/")
			x.Read.Next = &Next{Set: set.Name, Path: path, Query: following(&options)}
			if strings.Contains(x.Read.Next.Query, ItMark) {
				it := b.setOf(b.it)
				if it == nil {
					return x, fault.Newf(fault.NotImplemented, "$expand, position %d: $it of what a query has aggregated is not served", item.At).At("$expand")
				}
				x.Read.Next.It, x.Read.Next.ItSet = b.it, it.Name
			}
		} else if x.Read.More {
			// What a query has aggregated has no address, and so no further pages.
			x.Read.More, x.Read.Limit = false, -1
			if x.Read.Top != nil {
				x.Read.Limit = *x.Read.Top
			}
		}
	}
	return x, nil
}

// following is the query of the next pages of an expanded collection.
func following(options *uri.Query) string {
	q := *options
	q.Count = false // the first page has told
	text := q.EncodeWith("\x00")
	if text != "" {
		text += "&"
	}
	return text
}

// levels gives the options of an expanded navigation property with its $levels
// spelled out by one: what is left of them is an expansion of the same below.
func (b *Binder) levels(v *Var, nav *edm.Navigation, item *uri.ExpandItem, depth, left int) (uri.Query, error) {
	options := item.Options
	levels := options.Levels
	options.Levels = 0
	switch {
	case levels == 0:
		return options, nil
	case item.Name != "*" && nav.Target != v.Struct && levels != 1:
		return options, uri.Errorf("$expand", item.At, "$levels needs a navigation property to entities of the same type, and %s is none", nav.Name)
	case levels == uri.MaxLevels && item.Name == "*":
		// As many whole levels as the limits allow; this one is counted already.
		levels = 1
		for levels < b.Limits.ExpandDepth-depth && expansions(nav.Target, levels)*len(v.Struct.Navigation) <= left {
			levels++
		}
	case levels == uri.MaxLevels && (depth+1 >= b.Limits.ExpandDepth || left <= 0):
		return options, nil
	}
	if levels == 1 {
		return options, nil
	}
	if levels > 1 {
		levels--
	}
	again := *item
	again.Options.Levels = levels
	options.Expand = append(options.Expand[:len(options.Expand):len(options.Expand)], again)
	return options, nil
}

// expansions is how many navigation properties levels of * below s expand.
func expansions(s *edm.Struct, levels int) int {
	n := 0
	for _, nav := range s.Navigation {
		n++
		if levels > 1 {
			n += expansions(nav.Target, levels-1)
		}
	}
	return n
}
