package routing

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// The formats of a Connector.
const (
	formatJSON  = "json"  // a JSON object; dotted targets nest
	formatForm  = "form"  // application/x-www-form-urlencoded
	formatXML   = "xml"   // elements below Root; dotted targets nest, @ makes an attribute
	formatQuery = "query" // no body: the fields are part of the URL
	formatEmail = "email" // a message by SMTP
)

// Connector says how to talk to a kind of system: method, address, headers,
// authentication and the body's format, how to read the answer, and which
// settings a Rule must fill in. {NAME} in its templates stands for the setting
// NAME, or {RoutingID}, or, with a look-up, {KnownID}.
type Connector struct {
	ID   int64  `gorm:"primaryKey" odata:"computed"`
	Code string `odata:"immutable" validate:"max=64"`
	Name string `validate:"required,max=200"`
	// Method is GET, POST, PUT, PATCH or, for e-mail, SMTP: a template.
	Method string `validate:"required,max=100"`
	Format string `validate:"oneof=json form xml query email"`
	URL    string `validate:"required,max=2000"` // a template
	// Root is the dotted path of the element that an XML body's fields are in: a
	// template.
	Root    string `validate:"max=200"`
	Headers []Pair `gorm:"serializer:json" validate:"max=50,dive"`
	Query   []Pair `gorm:"serializer:json" validate:"max=50,dive"`
	// Fields are parts of the body before those of the rule's mapping, which may
	// fill them otherwise.
	Fields []Pair         `gorm:"serializer:json" validate:"max=50,dive"`
	Auth   Authentication `gorm:"serializer:json"`
	Lookup Lookup         `gorm:"serializer:json"`
	// Reading is how to read what became of the leads.
	Reading Reading `gorm:"serializer:json"`
	// Outcomes tell from the answer what became of the lead.
	Outcomes Outcomes `gorm:"serializer:json"`
	// ExternalID and ExternalLink pick the far record's id and its address from the
	// answer. Without the first, the id, ID or Id of a JSON object is taken.
	ExternalID   string    `validate:"max=2000"`
	ExternalLink string    `validate:"max=2000"`
	Settings     []Setting `gorm:"serializer:json" validate:"max=50,dive"`
	BuiltIn      bool      `odata:"computed"`
	CreatedAt    time.Time `odata:"computed"`
	Version      int64     `odata:"computed,etag"`
}

//go:embed connectors/*.json
var connectorFiles embed.FS

var (
	codePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	namePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
)

func (c *Connector) setting(name string) *Setting {
	for i := range c.Settings {
		if c.Settings[i].Name == name {
			return &c.Settings[i]
		}
	}
	return nil
}

func (c *Connector) settingNames() string {
	names := make([]string, len(c.Settings))
	for i, s := range c.Settings {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

// CreateConnector stores a new connector. It returns Invalid, or Conflict when
// the Code is taken.
func (s *Service) CreateConnector(ctx context.Context, c *Connector) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		row := *c
		row.ID, row.BuiltIn, row.CreatedAt, row.Version = 0, false, s.now(), 1
		if err := s.checkConnector(&row); err != nil {
			return err
		}
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if res.Error != nil {
			return fmt.Errorf("create connector: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.Conflict, "there is a connector with the code %s already", row.Code).At("Code")
		}
		*c = row
		return store.Audit(tx, store.Change{Action: "create", Entity: "Connector", Key: row.ID, After: &row})
	})
}

// UpdateConnector stores the changes of c, which was loaded at c.Version. Rules
// that use it send by the new definition from then on. It returns NotFound,
// Invalid, Conflict for a built-in connector, or PreconditionFailed.
func (s *Service) UpdateConnector(ctx context.Context, c *Connector) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		old, err := s.ownConnector(tx, c.ID)
		if err != nil {
			return err
		}
		row := *c
		row.Code, row.BuiltIn, row.CreatedAt, row.Version = old.Code, old.BuiltIn, old.CreatedAt, c.Version+1
		if c.Code != old.Code {
			return fault.New(fault.Invalid, "Code cannot be changed").At("Code")
		}
		if err := s.checkConnector(&row); err != nil {
			return err
		}
		if err := save(tx, &row, c.Version); err != nil {
			return err
		}
		*c = row
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "Connector", Key: row.ID, Before: old, After: &row})
	})
}

// DeleteConnector removes a connector. It returns NotFound, or Conflict for a
// built-in connector and while a rule or a live revision uses it.
func (s *Service) DeleteConnector(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		old, err := s.ownConnector(tx, id)
		if err != nil {
			return err
		}
		err = unreferenced(tx, "connector", id,
			reference{"rules", "connector_id", "rules"},
			reference{"rule_revisions", "connector_id", "activated rules"},
			reference{"sources", "onward_connector_id", "sources that send outcomes by it"})
		if err != nil {
			return err
		}
		if err := remove(tx, &Connector{ID: id}, "connector", id); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Connector", Key: id, Before: old})
	})
}

// ownConnector loads a connector that is not built in.
func (s *Service) ownConnector(tx *gorm.DB, id int64) (*Connector, error) {
	c, err := load[Connector](tx, "connector", id)
	if err == nil && c.BuiltIn {
		err = fault.Newf(fault.Conflict, "the connector %s is built in and cannot be changed", c.Name)
	}
	return c, err
}

// SyncConnectors brings the built-in connectors in the database up to what this
// program carries. Call it at start, before anything is routed.
func (s *Service) SyncConnectors(ctx context.Context) error {
	builtIn, err := s.builtInConnectors()
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *gorm.DB) error {
		changed := false
		for _, c := range builtIn {
			wrote, err := s.syncConnector(tx, c)
			if err != nil {
				return fmt.Errorf("sync connector %s: %w", c.Code, err)
			}
			changed = changed || wrote
		}
		if changed {
			return s.rulesChanged(tx)
		}
		return nil
	})
}

// syncConnector inserts c or updates the row of its code, and reports whether
// it wrote. Two servers may start at once, so an insert may find the row there.
func (s *Service) syncConnector(tx *gorm.DB, c Connector) (bool, error) {
	c.BuiltIn, c.CreatedAt, c.Version = true, s.now(), 1
	res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&c)
	if res.Error != nil {
		return false, res.Error
	}
	if res.RowsAffected > 0 {
		return true, store.Audit(tx, store.Change{Action: "create", Entity: "Connector", Key: c.ID, After: &c})
	}
	var old Connector
	if err := tx.Where("code = ?", c.Code).Take(&old).Error; err != nil {
		return false, err
	}
	c.ID, c.CreatedAt, c.Version = old.ID, old.CreatedAt, old.Version
	if reflect.DeepEqual(c, old) {
		return false, nil
	}
	c.Version++
	if err := save(tx, &c, old.Version); err != nil {
		return false, err
	}
	return true, store.Audit(tx, store.Change{Action: "update", Entity: "Connector", Key: c.ID, Before: &old, After: &c})
}

// builtInConnectors reads the data files under connectors/, in order of their
// names.
func (s *Service) builtInConnectors() ([]Connector, error) {
	files, err := connectorFiles.ReadDir("connectors")
	if err != nil {
		return nil, err
	}
	var all []Connector
	for _, f := range files {
		data, err := connectorFiles.ReadFile("connectors/" + f.Name())
		if err != nil {
			return nil, err
		}
		var c Connector
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&c); err != nil {
			return nil, fmt.Errorf("connectors/%s: %w", f.Name(), err)
		}
		if err := s.checkConnector(&c); err != nil {
			return nil, fmt.Errorf("connectors/%s: %w", f.Name(), err)
		}
		all = append(all, c)
	}
	return all, nil
}
