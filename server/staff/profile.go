package staff

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Profile is what users say of themselves: their name, the language of the
// console as a BCP 47 tag and their time zone as the tz database names it.
// Language and TimeZone may be empty: as the browser asks, and the default.
type Profile struct {
	Name     string `validate:"max=200"`
	Language string `validate:"omitempty,bcp47_language_tag"`
	TimeZone string `validate:"max=64"`
}

// SaveProfile stores the profile of the signed-in user. Invalid, with a detail
// for each, for what is wrong.
func (s *Service) SaveProfile(ctx context.Context, p Profile) error {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return err
	}
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Staff {
		return fault.New(fault.Forbidden, "only staff have a profile")
	}
	p.Name = strings.TrimSpace(p.Name)
	if err := fault.Validate(&p); err != nil {
		return err
	}
	if _, err := time.LoadLocation(p.TimeZone); err != nil || p.TimeZone == "Local" {
		return fault.Newf(fault.Invalid, "%q is no time zone", p.TimeZone).At("TimeZone")
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old User
		if err := tx.Take(&old, "id = ?", actor.UserID).Error; err != nil {
			return err
		}
		next := old
		next.Name, next.Language, next.TimeZone, next.Version = p.Name, p.Language, p.TimeZone, old.Version+1
		if err := tx.Model(&next).Select("Name", "Language", "TimeZone", "Version").Updates(&next).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "SaveProfile", Entity: "User", Key: old.ID, Before: &old, After: &next})
	})
	return userFault("save profile", err)
}
