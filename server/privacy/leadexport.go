package privacy

import (
	"context"
	"regexp"

	"gorm.io/gorm"

	"leadloop/store"
)

// Taken says what of the leads is being exported: those for which Filter holds,
// with Search in them, in these columns, as a file of Format.
type Taken struct {
	Filter, Search, Format string
	Columns                []string
}

// literals are the texts in a $filter, and what is not closed.
var literals = regexp.MustCompile(`'(?:[^']|'')*(?:'|$)`)

// ExportLeads notes in the audit trail that the user in ctx takes leads out, which
// are personal data. What they were looked for by may be somebody's name, and the
// trail keeps it for ever: it is left out. Call it before the first of them is given. Needs a viewer.
func (s *Service) ExportLeads(ctx context.Context, t Taken) error {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return err
	}
	if t.Search != "" {
		t.Search = "…"
	}
	t.Filter = literals.ReplaceAllString(t.Filter, "'…'")
	return s.DB.Write(ctx, func(tx *gorm.DB) error {
		return store.Audit(tx, store.Change{
			Action: "Export", Entity: "Lead",
			After: store.Facts{"Filter": t.Filter, "Search": t.Search, "Format": t.Format, "Columns": t.Columns},
		})
	})
}
