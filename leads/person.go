package leads

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Person is what somebody is found by: a phone number, an e-mail address, or
// both, of which one is enough.
type Person struct {
	Phone string // without a country code: of the countries of the sources, and DefaultRegion
	Email string
}

// FindPerson gives the leads of a person, erased ones not among them, the oldest
// first. It looks at the leads' own properties and at the texts among the dynamic
// ones, by indexes. Needs a manager. Invalid without anything to look for.
func (s *Service) FindPerson(ctx context.Context, p Person) ([]Lead, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	l := looking{db: s.DB.Read(ctx)}
	if raw := strings.TrimSpace(p.Phone); raw != "" {
		if err := l.phone(raw); err != nil {
			return nil, failed("find person", err)
		}
	}
	if raw := strings.TrimSpace(p.Email); raw != "" {
		address, ok := email(raw)
		if !ok {
			return nil, fault.Newf(fault.Invalid, "%s is no e-mail address", raw).At("Email")
		}
		l.column("email", []string{address})
		l.texts(otherEmails, raw, address)
	}
	if len(l.queries) == 0 {
		return nil, fault.New(fault.Invalid, "give a Phone, an Email, or both").At("Phone")
	}
	var found []Lead
	err := l.db.Where("id IN ("+strings.Join(l.queries, " UNION ")+")", l.args...).Order("received_at, id").Find(&found).Error
	return found, failed("find person", err)
}

// looking gathers queries for the ids of a person's leads, each of which has its
// index.
type looking struct {
	db      *gorm.DB
	queries []string
	args    []any
}

func (l *looking) add(where string, args ...any) {
	l.queries, l.args = append(l.queries, "SELECT id FROM leads WHERE "+where), append(l.args, args...)
}

// column looks for leads with one of the values in a column. The index that serves
// the search for duplicates leaves some leads out, and another has those.
func (l *looking) column(name string, values []string) {
	l.add(name+" IN ? AND "+name+" IS NOT NULL AND duplicate_of_id IS NULL AND NOT is_test", values)
	l.add(name+" IN ? AND "+name+" IS NOT NULL AND (duplicate_of_id IS NOT NULL OR is_test)", values)
}

// phone looks for a number as it was written, and as it is in each country that
// leads come from.
func (l *looking) phone(raw string) error {
	var regions []string
	if err := l.db.Raw("SELECT DISTINCT region FROM sources WHERE region <> ?", DefaultRegion).Scan(&regions).Error; err != nil {
		return err
	}
	var numbers []string
	for _, region := range append(regions, DefaultRegion) {
		if n := e164(raw, region); n != nil && !slices.Contains(numbers, *n) {
			numbers = append(numbers, *n)
		}
	}
	if len(numbers) > 0 {
		l.column("phone", numbers)
	}
	l.add("phone_raw = ? AND phone_raw IS NOT NULL AND phone IS NULL", raw)
	l.texts(otherPhones, append(numbers, raw)...)
	return nil
}

// other is a kind of texts among the dynamic properties: condition is that of the
// index of leads that may have some, as each dialect writes it.
type other struct {
	condition map[string]string
	indexed   *regexp.Regexp // what the condition holds for; others are looked for in all leads
}

var (
	otherEmails = other{
		condition: map[string]string{store.SQLite: "instr(properties, '@') > 0", store.Postgres: "strpos(CAST(properties AS text), '@') > 0"},
		indexed:   regexp.MustCompile(`@`),
	}
	otherPhones = other{
		condition: map[string]string{store.SQLite: `properties GLOB '*[0-9][0-9][0-9][0-9]"*'`, store.Postgres: `CAST(properties AS text) ~ '[0-9]{4}"'`},
		indexed:   regexp.MustCompile(`[0-9]{4}$`),
	}
)

// texts looks for leads with a dynamic property that is just one of these texts.
func (l *looking) texts(of other, texts ...string) {
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		holds := "instr(properties, ?) > 0"
		if l.db.Name() == store.Postgres {
			holds = "strpos(CAST(properties AS text), ?) > 0"
		}
		if of.indexed.MatchString(text) {
			holds = of.condition[l.db.Name()] + " AND " + holds
		}
		l.add(holds, jsonText(text))
	}
}

// jsonText is text as it stands in the JSON of the properties.
func jsonText(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
