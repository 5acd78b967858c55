package edm

import (
	"fmt"

	"gorm.io/gorm/schema"
)

// relate adds the navigation property of a GORM relation, and the one back.
func (b *Builder) relate(s *Struct, rel *schema.Relationship, partner string) error {
	if rel.Type == schema.Many2Many || len(rel.References) != 1 || rel.References[0].PrimaryValue != "" {
		return fmt.Errorf("relations over a join table or several columns are not supported")
	}
	target := b.types[rel.FieldSchema.ModelType]
	ref := rel.References[0]
	local, remote := ref.ForeignKey, ref.PrimaryKey
	if rel.Type != schema.BelongsTo {
		local, remote = remote, local
	}
	n := &Navigation{Name: rel.Name, Target: target, Many: rel.Type == schema.HasMany, Partner: partner}
	n.Dependent = rel.Type == schema.BelongsTo
	n.Local, n.Remote = s.byColumn(local.DBName), target.byColumn(remote.DBName)
	if n.Local == nil || n.Remote == nil {
		return fmt.Errorf("its columns %s and %s must be properties", local.DBName, remote.DBName)
	}
	s.Navigation = append(s.Navigation, n)
	if partner == "" || b.schemas[target].Relationships.Relations[partner] != nil {
		return nil
	}
	target.Navigation = append(target.Navigation, &Navigation{
		Name: partner, Target: s, Many: rel.Type == schema.BelongsTo, Partner: n.Name,
		Local: n.Remote, Remote: n.Local, Inverse: true, Dependent: !n.Dependent,
	})
	return nil
}

func (s *Struct) byColumn(column string) *Property {
	for _, p := range s.Properties {
		if p.Column == column {
			return p
		}
	}
	return nil
}
