package routing

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/store"
)

// Customer is a company that receives leads.
type Customer struct {
	ID          int64     `gorm:"primaryKey" odata:"computed"`
	Name        string    `validate:"required,max=200"`
	Description string    `validate:"max=2000"`
	CreatedAt   time.Time `odata:"computed"`
	// MaxConcurrent is how many transmissions may be under way to the customer's
	// systems at once, from each server. Half of the server's workers unless given.
	MaxConcurrent *int `validate:"omitempty,min=1,max=1000"`
	// MaxPerMinute is how many transmissions each server begins in a minute, evenly
	// spread. Unbounded unless given.
	MaxPerMinute *int  `validate:"omitempty,min=1,max=100000"`
	Version      int64 `odata:"computed,etag"`

	Connections []keys.Connection `odata:"partner=Customer"`
	Rules       []Rule            `odata:"partner=Customer"`
	Routings    []Routing         `odata:"partner=Customer"`
}

// CreateCustomer stores a new customer and sets its ID, CreatedAt and Version.
// It returns Invalid with a detail for each field that is wrong.
func (s *Service) CreateCustomer(ctx context.Context, c *Customer) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		row := Customer{
			Name: c.Name, Description: c.Description, CreatedAt: s.now(), Version: 1,
			MaxConcurrent: c.MaxConcurrent, MaxPerMinute: c.MaxPerMinute,
		}
		if err := fault.Validate(&row); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("create customer: %w", err)
		}
		*c = row
		return store.Audit(tx, store.Change{Action: "create", Entity: "Customer", Key: row.ID, After: &row})
	})
}

// UpdateCustomer stores the changes of c, which was loaded at c.Version. It returns NotFound, Invalid, or PreconditionFailed when the
// stored version is another.
func (s *Service) UpdateCustomer(ctx context.Context, c *Customer) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		row, err := load[Customer](tx, "customer", c.ID)
		if err != nil {
			return err
		}
		old := *row
		row.Name, row.Description, row.Version = c.Name, c.Description, c.Version+1
		row.MaxConcurrent, row.MaxPerMinute = c.MaxConcurrent, c.MaxPerMinute
		if err := fault.Validate(row); err != nil {
			return err
		}
		if err := save(tx, row, c.Version); err != nil {
			return err
		}
		*c = *row
		return store.Audit(tx, store.Change{Action: "update", Entity: "Customer", Key: row.ID, Before: &old, After: row})
	})
}

// DeleteCustomer removes the customer. It returns NotFound, or Conflict while
// rules, connections or routings refer to it.
func (s *Service) DeleteCustomer(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		old, err := load[Customer](tx, "customer", id)
		if err != nil {
			return err
		}
		err = unreferenced(tx, "customer", id,
			reference{"rules", "customer_id", "rules"},
			reference{"connections", "customer_id", "connections"},
			reference{"routings", "customer_id", "routings"})
		if err != nil {
			return err
		}
		if err := remove(tx, &Customer{ID: id}, "customer", id); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Customer", Key: id, Before: old})
	})
}
