package leads

import (
	"context"
	"encoding/json"
	"strings"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Person is what somebody is found by: a phone number, an e-mail address, or
// both, of which one is enough.
type Person struct {
	Phone string // without a country code: of DefaultRegion
	Email string
}

// FindPerson gives the leads of a person, erased ones not among them, the oldest
// first. It looks at the leads' own properties and at the texts among the dynamic
// ones. It reads all leads there are. Needs a manager. Invalid without anything to
// look for.
func (s *Service) FindPerson(ctx context.Context, p Person) ([]Lead, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	q := s.DB.Read(ctx).Where("1 = 0")
	if raw := strings.TrimSpace(p.Phone); raw != "" {
		q = q.Or("phone_raw = ?", raw).Or(s.propertyHolds(raw))
		if phone := e164(raw, DefaultRegion); phone != nil {
			q = q.Or("phone = ?", *phone).Or(s.propertyHolds(*phone))
		}
	}
	if raw := strings.TrimSpace(p.Email); raw != "" {
		q = q.Or(s.propertyHolds(raw))
		address, ok := email(raw)
		if !ok {
			return nil, fault.Newf(fault.Invalid, "%s is no e-mail address", raw).At("Email")
		}
		q = q.Or("email = ?", address).Or(s.propertyHolds(address))
	}
	if strings.TrimSpace(p.Phone+p.Email) == "" {
		return nil, fault.New(fault.Invalid, "give a Phone, an Email, or both").At("Phone")
	}
	var found []Lead
	err := s.DB.Read(ctx).Where(q).Order("received_at, id").Find(&found).Error
	return found, failed("find person", err)
}

// propertyHolds is true of leads with a dynamic property that is just this text.
func (s *Service) propertyHolds(text string) (query string, value string) {
	quoted, _ := json.Marshal(text) // a string always marshals
	if s.DB.Dialect() == store.Postgres {
		return "strpos(CAST(properties AS text), ?) > 0", string(quoted)
	}
	return "instr(properties, ?) > 0", string(quoted)
}
