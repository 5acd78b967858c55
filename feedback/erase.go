package feedback

import (
	"github.com/google/uuid"
	"gorm.io/gorm"
)

// EraseLeads takes out of the reports on leads what a person could be known by:
// comments, of staff too, and the far records' ids and addresses. The reasons stay, and so do the customer's own words for them.
func EraseLeads(tx *gorm.DB, leadIDs []uuid.UUID) error {
	return failed("erase feedback", tx.Exec(`UPDATE feedback SET comment = NULL, return_comment = NULL, external_id = NULL, external_link = NULL
		WHERE routing_id IN (SELECT id FROM routings WHERE lead_id IN ?)`, leadIDs).Error)
}

// DropLeads deletes the reports on leads.
func DropLeads(tx *gorm.DB, leadIDs []uuid.UUID) error {
	return failed("drop feedback", tx.Exec("DELETE FROM feedback WHERE routing_id IN (SELECT id FROM routings WHERE lead_id IN ?)", leadIDs).Error)
}
