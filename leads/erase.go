package leads

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
)

var errErased = fault.New(fault.Conflict, "the lead was erased")

// eraseLeads empties whatever a person can be known by. Campaign and the first of
// the utm properties are the advertiser's own words, and stay.
const eraseLeads = `UPDATE leads SET first_name = NULL, last_name = NULL, phone = NULL, phone_raw = NULL, email = NULL, city = NULL,
	message = NULL, utm_term = NULL, utm_content = NULL, external_id = NULL, consent_text = NULL, consent_at = NULL,
	properties = '{}', erased_at = ?, version = version + 1 WHERE id IN ? AND erased_at IS NULL`

// Erase empties the personal properties of leads for good, with the deliveries
// they came in, and gives how many were not erased before. What stays is when a
// lead came in, by which source and campaign, and what became of it.
func Erase(tx *gorm.DB, ids []uuid.UUID, now time.Time) (int64, error) {
	for _, sql := range []string{"DELETE FROM payloads WHERE lead_id IN ?", "DELETE FROM retrievals WHERE lead_id IN ?"} {
		if err := tx.Exec(sql, ids).Error; err != nil {
			return 0, failed("erase leads", err)
		}
	}
	res := tx.Exec(eraseLeads, now, ids)
	return res.RowsAffected, failed("erase leads", res.Error)
}

// Drop deletes leads and the deliveries they came in. Nothing else may refer to
// them but their duplicates, which then are those of nobody.
func Drop(tx *gorm.DB, ids []uuid.UUID) (int64, error) {
	if err := tx.Exec("UPDATE leads SET duplicate_of_id = NULL, version = version + 1 WHERE duplicate_of_id IN ?", ids).Error; err != nil {
		return 0, failed("drop leads", err)
	}
	res := tx.Exec("DELETE FROM leads WHERE id IN ?", ids)
	return res.RowsAffected, failed("drop leads", res.Error)
}

// RejectionsOf finds the refused deliveries of lead's source that seem to be of
// the same person: phone numbers and addresses are masked in them, names are not.
func (s *Service) RejectionsOf(ctx context.Context, lead *Lead) ([]Rejection, error) {
	signs := lead.signs()
	if lead.SourceID == nil || len(signs) == 0 {
		return nil, nil
	}
	all, err := s.Rejections(ctx, *lead.SourceID, maxRejections)
	var found []Rejection
	for _, r := range all {
		for _, sign := range signs {
			if holdsAll(r.Body, sign) || holdsAll(r.Reason, sign) {
				found = append(found, r)
				break
			}
		}
	}
	return found, err
}

// signs are what a text of lead's person holds, as it would be masked: all parts
// of one of them.
func (l *Lead) signs() (signs [][]string) {
	if l.FirstName != nil && l.LastName != nil {
		signs = append(signs, []string{*l.FirstName, *l.LastName})
	}
	if l.ExternalID != nil && len(*l.ExternalID) >= 6 {
		signs = append(signs, []string{*l.ExternalID})
	}
	var phone string
	if l.PhoneRaw != nil {
		phone = maskText(*l.PhoneRaw)
	}
	var address string
	if l.Email != nil {
		address = maskText(*l.Email)
	}
	for _, name := range []*string{l.FirstName, l.LastName} {
		for _, mark := range []string{phone, address} {
			if name != nil && mark != "" {
				signs = append(signs, []string{*name, mark})
			}
		}
	}
	if phone != "" && address != "" {
		signs = append(signs, []string{phone, address})
	}
	return signs
}

func holdsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

// DropRejections deletes refused deliveries.
func DropRejections(tx *gorm.DB, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	return failed("drop rejections", tx.Exec("DELETE FROM rejections WHERE id IN ?", ids).Error)
}

// DropRejectionsBefore deletes the refused deliveries of a source up to an instant.
func DropRejectionsBefore(tx *gorm.DB, sourceID int64, before time.Time) (int64, error) {
	res := tx.Exec("DELETE FROM rejections WHERE source_id = ? AND received_at < ?", sourceID, before)
	return res.RowsAffected, failed("drop rejections", res.Error)
}
