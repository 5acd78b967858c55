package feedback

import (
	"context"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Bounds of what is made of an Accept-Language.
const (
	maxAccept    = 500 // characters
	maxLanguages = 4
)

// Languages gives the languages that reasons have names in, of those that a
// client's Accept-Language asks for, the best first: "he-IL, en;q=0.5" gives he
// and en.
func (s *Service) Languages(ctx context.Context, accept string) ([]string, error) {
	if accept == "" || len(accept) > maxAccept {
		return nil, nil
	}
	asked, _, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return nil, nil // not an error: a header that means nothing is as none
	}
	all, err := s.reasons.list(ctx, s)
	if err != nil {
		return nil, failed("read reasons", err)
	}
	there := map[string]bool{}
	for _, r := range all {
		for name := range r.Names {
			there[name] = true
		}
	}
	var best []string
	for _, tag := range asked {
		if name := closest(slices.Sorted(maps.Keys(there)), tag); name != "" && !slices.Contains(best, name) && len(best) < maxLanguages {
			best = append(best, name)
		}
	}
	return best, nil
}

// closest is the language of the list that a reader of tag reads: the same, a
// wider one (he for he-IL), or else another kind of it (pt-BR for pt).
func closest(list []string, tag language.Tag) string {
	for t := tag; t != language.Und; t = t.Parent() {
		for _, name := range list {
			if strings.EqualFold(name, t.String()) {
				return name
			}
		}
	}
	base, confidence := tag.Base()
	if confidence < language.High {
		return ""
	}
	for _, name := range list {
		if other, err := language.Parse(name); err == nil {
			if b, _ := other.Base(); b == base {
				return name
			}
		}
	}
	return ""
}
