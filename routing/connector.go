package routing

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
)

// Connector says how to talk to a kind of system: the method, the address and
// the body's format, and which settings a Rule must fill in.
type Connector struct {
	ID     int64  `gorm:"primaryKey" odata:"computed"`
	Code   string `odata:"immutable" validate:"max=64"`
	Name   string `validate:"required,max=200"`
	Method string `validate:"oneof=POST PUT PATCH"`
	Format string `validate:"oneof=json form"`
	// URL is a template: {NAME} stands for the setting NAME.
	URL       string    `validate:"required,max=2000"`
	Settings  []Setting `gorm:"serializer:json" validate:"max=50,dive"`
	BuiltIn   bool      `odata:"computed"`
	CreatedAt time.Time `odata:"computed"`
	Version   int64     `odata:"computed,etag"`
}

//go:embed connectors/*.json
var connectorFiles embed.FS

var (
	codePattern  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	namePattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	placePattern = regexp.MustCompile(`\{([^{}]*)\}`)
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
		if err := row.check(); err != nil {
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
		return nil
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
		if err := row.check(); err != nil {
			return err
		}
		if err := save(tx, &row, c.Version); err != nil {
			return err
		}
		*c = row
		return s.rulesChanged(tx)
	})
}

// DeleteConnector removes a connector. It returns NotFound, or Conflict for a
// built-in connector and while a rule or a live revision uses it.
func (s *Service) DeleteConnector(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		if _, err := s.ownConnector(tx, id); err != nil {
			return err
		}
		err := unreferenced(tx, "connector", id,
			reference{"rules", "connector_id", "rules"},
			reference{"rule_revisions", "connector_id", "activated rules"})
		if err != nil {
			return err
		}
		return remove(tx, &Connector{ID: id}, "connector", id)
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
	builtIn, err := builtInConnectors()
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
	if res.Error != nil || res.RowsAffected > 0 {
		return true, res.Error
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
	return true, save(tx, &c, old.Version)
}

// builtInConnectors reads the data files under connectors/, in order of their
// names.
func builtInConnectors() ([]Connector, error) {
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
		if err := json.Unmarshal(data, &c); err != nil {
			return nil, fmt.Errorf("connectors/%s: %w", f.Name(), err)
		}
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("connectors/%s: %w", f.Name(), err)
		}
		all = append(all, c)
	}
	return all, nil
}

// check returns Invalid with everything wrong with the connector's definition.
func (c *Connector) check() error {
	var p problems
	if c.Settings == nil {
		c.Settings = []Setting{}
	}
	if err := p.addError("", fault.Validate(c)); err != nil {
		return err
	}
	if c.Code != "" && !codePattern.MatchString(c.Code) {
		p.addf("Code", "Code must be lower-case letters and digits, with single hyphens between")
	}
	seen := map[string]bool{}
	for i, s := range c.Settings {
		target := fmt.Sprintf("Settings/%d/Name", i)
		if s.Name != "" && !namePattern.MatchString(s.Name) {
			p.addf(target, "a setting's name is a letter followed by letters, digits and underscores")
		}
		if seen[s.Name] {
			p.addf(target, "the setting %s is there twice", s.Name)
		}
		seen[s.Name] = true
	}
	c.checkTemplate(&p)
	return p.err()
}

// checkTemplate checks that URL names only settings there are, and comes to a
// URL when they are filled in.
func (c *Connector) checkTemplate(p *problems) {
	sample := map[string]string{}
	for _, m := range placePattern.FindAllStringSubmatch(c.URL, -1) {
		s := c.setting(m[1])
		if s == nil {
			p.addf("URL", "URL refers to {%s}, which is not one of the settings", m[1])
			return
		}
		sample[s.Name] = "x"
		if s.Type == "url" {
			sample[s.Name] = "https://example.com"
		}
	}
	if c.URL == "" {
		return
	}
	if _, err := c.address(sample); err != nil {
		p.addf("URL", "%s", err)
	}
}

// address fills the settings into the URL template. A setting of type url goes
// in as it is; others are escaped for the place they stand in.
func (c *Connector) address(values map[string]string) (string, error) {
	var b strings.Builder
	rest := c.URL
	for {
		at := placePattern.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(rest[:at[0]])
		name := rest[at[2]:at[3]]
		value, inQuery := values[name], strings.Contains(b.String(), "?")
		s := c.setting(name)
		switch {
		case s == nil || value == "":
			return "", fmt.Errorf("the setting %s has no value", name)
		case s.Type == "url":
			b.WriteString(value)
		case inQuery:
			b.WriteString(url.QueryEscape(value))
		default:
			b.WriteString(url.PathEscape(value))
		}
		rest = rest[at[1]:]
	}
	b.WriteString(rest)
	if err := checkURL(b.String()); err != nil {
		return "", errors.New("URL " + err.Error())
	}
	return b.String(), nil
}
