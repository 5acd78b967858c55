package staff

import (
	"cmp"
	"context"

	"leadloop/store"
)

// Colleague is a user as others see them, to choose from.
type Colleague struct {
	ID     int64
	Name   string // or the e-mail address of who gave none
	Active bool
}

// Colleagues gives all users by name. Needs a manager.
func (s *Service) Colleagues(ctx context.Context) ([]Colleague, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	var users []User
	if err := s.DB.Read(ctx).Select("id", "name", "email", "active").Order("name, email").Find(&users).Error; err != nil {
		return nil, userFault("colleagues", err)
	}
	list := make([]Colleague, len(users))
	for i, u := range users {
		list[i] = Colleague{u.ID, cmp.Or(u.Name, u.Email), u.Active}
	}
	return list, nil
}
