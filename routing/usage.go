package routing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Usage is what a rule has had so far. Day, Week, Month and Total are how many
// leads count against its caps in the periods that are now, nil where it has no
// such cap.
type Usage struct {
	Day, Week, Month, Total *int
	// DeliveredAt is when the last lead was delivered, of the newest thousand given
	// to the rule; nil if none was.
	DeliveredAt *time.Time
}

// usageDepth is how many of a rule's routings are looked through for the last one
// delivered.
const usageDepth = 1000

// Usage gives what the rule has had. It returns NotFound.
func (s *Service) Usage(ctx context.Context, ruleID int64) (*Usage, error) {
	db := s.db.Read(ctx)
	r, err := s.ruleFor(db, db, ruleID)
	if err != nil {
		return nil, err
	}
	u := &Usage{}
	zone := zoneOf(&problems{}, r.TimeZone)
	places := map[string]**int{capDay: &u.Day, capWeek: &u.Week, capMonth: &u.Month, capTotal: &u.Total}
	for _, l := range r.caps() {
		n, err := s.taken(db, place{slot{r.ID, periodName(l.period, s.now(), zone)}, l, zone})
		if err != nil {
			return nil, fmt.Errorf("usage of rule %d: %w", r.ID, err)
		}
		*places[l.period] = &n
	}
	var newest []Routing
	err = db.Select("delivered_at").Where("rule_id = ?", r.ID).Order("created_at DESC").Limit(usageDepth).Find(&newest).Error
	if err != nil {
		return nil, fmt.Errorf("usage of rule %d: %w", r.ID, err)
	}
	for _, n := range newest {
		if at := n.DeliveredAt; at != nil && (u.DeliveredAt == nil || at.After(*u.DeliveredAt)) {
			u.DeliveredAt = at
		}
	}
	return u, nil
}

// taken reads how many places of a cap are taken: as they are counted, or, where
// no count has begun, as it would begin.
func (s *Service) taken(tx *gorm.DB, p place) (n int, err error) {
	err = tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context,
		"SELECT taken FROM rule_counts WHERE rule_id = $1 AND period = $2", p.rule, p.slot.period).Scan(&n)
	if !errors.Is(err, sql.ErrNoRows) {
		return n, err
	}
	return countRouted(tx, p, s.now())
}
