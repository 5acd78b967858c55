package feedback

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/routing"
	"leadloop/store"
)

// settlePortion is how many waiting reports get their reason in one transaction,
// so that on SQLite nobody waits long for the writer.
const settlePortion = 500

// settlePoll is how long Run waits before it looks for words to be settled that
// another server, or the one before this, has left.
const settlePoll = time.Second

// settling is a word that has got a meaning, while reports that waited with it
// still do. They get their reason in portions, in the order of their routings;
// those up to After have it.
type settling struct {
	CustomerID int64
	Folded     string
	After      uuid.UUID
}

// settle gives reasons to the reports that wait with a status that stands for one
// in use, in the maps whose column has the value: to a portion of them within tx,
// which is almost always all, and has Run do the rest. Until that is done the words
// are among the [UnmappedStatus]es, as mapped ones.
func (s *Service) settle(tx *gorm.DB, column string, value int64) error {
	if s.DB.Dialect() == store.Postgres {
		hold := "SELECT 1 FROM customers WHERE id IN (SELECT customer_id FROM status_maps m WHERE " + column + " = ?) ORDER BY id FOR NO KEY UPDATE"
		if err := tx.Exec(hold, value).Error; err != nil {
			return err
		}
	}
	var words []settling
	err := tx.Raw(`INSERT INTO settlings (customer_id, folded, after)
		SELECT m.customer_id, m.folded, ? FROM status_maps m JOIN feedback_reasons x ON x.id = m.reason_id AND x.active
		WHERE `+column+` = ? AND EXISTS (SELECT 1 FROM feedback f WHERE f.reason_id IS NULL AND f.folded = m.folded)
		ORDER BY m.customer_id, m.folded
		ON CONFLICT (customer_id, folded) DO UPDATE SET after = excluded.after
		RETURNING customer_id, folded, after`, uuid.Nil, value).Scan(&words).Error
	if err != nil {
		return err
	}
	for left := settlePortion; len(words) > 0; words = words[1:] {
		if left <= 0 {
			store.AfterCommit(tx.Statement.Context, s.wakeSettling)
			return nil
		}
		looked, err := s.settleSome(tx, words[0], left)
		if err != nil {
			return err
		}
		left -= looked
	}
	return nil
}

func (s *Service) wakeSettling() {
	select {
	case s.settling <- struct{}{}:
	default: // it will look anyway
	}
}

// settleRest settles what is left of words, a portion in a transaction, until ctx
// ends. Any number of servers may do so on one database.
func (s *Service) settleRest(ctx context.Context) {
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = s.settleNext(ctx); err != nil && ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "reports with a status that has got a meaning", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.settling:
		}
	}
}

// settleNext settles a portion of one word, and reports whether there was one that
// no other server is at.
func (s *Service) settleNext(ctx context.Context) (found bool, err error) {
	const one = "SELECT customer_id, folded, after FROM settlings ORDER BY customer_id, folded LIMIT 1"
	var words []settling
	if err := s.DB.Read(ctx).Raw(one).Scan(&words).Error; err != nil || len(words) == 0 {
		return false, err
	}
	lock := ""
	if s.DB.Dialect() == store.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		words = nil
		if err := tx.Raw(one + lock).Scan(&words).Error; err != nil || len(words) == 0 {
			return err
		}
		_, err := s.settleSome(tx, words[0], settlePortion)
		return err
	})
	return err == nil && len(words) > 0, err
}

// settleSome settles the next reports of the word, those of up to most that wait
// with it, whosever they are, and gives how many it looked at. The word's row is
// tx's own: who changes what the word means comes before that, or after.
func (s *Service) settleSome(tx *gorm.DB, w settling, most int) (looked int, err error) {
	var meaning []int32
	err = tx.Raw(`SELECT m.reason_id FROM status_maps m JOIN feedback_reasons x ON x.id = m.reason_id AND x.active
		WHERE m.customer_id = ? AND m.folded = ?`, w.CustomerID, w.Folded).Scan(&meaning).Error
	if err != nil {
		return 0, err
	}
	var routings []uuid.UUID
	if len(meaning) > 0 {
		err = tx.Raw(`SELECT routing_id FROM feedback WHERE reason_id IS NULL AND folded = ? AND routing_id > ? ORDER BY routing_id LIMIT ?`,
			w.Folded, w.After, most).Scan(&routings).Error
	}
	if err == nil && len(routings) > 0 {
		err = s.apply(tx, w, routings[len(routings)-1], meaning[0])
	}
	if err != nil {
		return 0, err
	}
	if len(routings) < most {
		return len(routings), tx.Exec("DELETE FROM settlings WHERE customer_id = ? AND folded = ?", w.CustomerID, w.Folded).Error
	}
	store.AfterCommit(tx.Statement.Context, s.wakeSettling)
	return len(routings), tx.Exec("UPDATE settlings SET after = ? WHERE customer_id = ? AND folded = ?", routings[len(routings)-1], w.CustomerID, w.Folded).Error
}

// applied are the statements of apply. $1 is the reason, $2 the status, $3 and $4
// the routings from and to, $5 the customer, in this order, as SQLite numbers
// parameters as they come. The reports lose what marks them as waiting in the last
// of them.
var applied = []string{
	// Where the newest report with a meaning is one that waited, it is current.
	`UPDATE routings SET reason_id = $1, feedback_at = n.at, version = version + 1
	FROM (
		SELECT f.routing_id, f.reason_id, coalesce(f.occurred_at, f.received_at) AS at,
			row_number() OVER (PARTITION BY f.routing_id ORDER BY coalesce(f.occurred_at, f.received_at) DESC, f.received_at DESC, f.id DESC) AS place
		FROM feedback f
		WHERE f.routing_id IN (` + waiting + `) AND (f.reason_id IS NOT NULL OR f.folded = $2)
	) n
	WHERE routings.id = n.routing_id AND n.place = 1 AND n.reason_id IS NULL`,

	// Their leads follow, unless another customer's report is newer.
	updateLeads + `reason_id = $1, feedback_at = r.feedback_at, version = leads.version + 1
	FROM routings r
	WHERE r.lead_id = leads.id AND r.id IN (` + waiting + `) AND r.reason_id = $1
		AND (leads.feedback_at IS NULL OR leads.feedback_at < r.feedback_at OR leads.feedback_at = r.feedback_at AND leads.reason_id <> $1)`,

	`UPDATE feedback SET reason_id = $1,
		return_state = CASE WHEN (SELECT asks_for_return FROM feedback_reasons WHERE id = $1) THEN 'requested' END
	WHERE reason_id IS NULL AND folded = $2 AND routing_id > $3 AND routing_id <= $4
		AND (SELECT customer_id FROM routings WHERE id = feedback.routing_id) = $5`,
}

const updateLeads = "UPDATE leads SET "

// waiting are the routings with reports that wait.
const waiting = `SELECT w.routing_id FROM feedback w JOIN routings x ON x.id = w.routing_id
	WHERE w.reason_id IS NULL AND w.folded = $2 AND w.routing_id > $3 AND w.routing_id <= $4 AND x.customer_id = $5`

// holdRoutings keeps reports from those routings, so that none is overlooked that
// another transaction stores meanwhile; in the order in which reports take them.
const holdRoutings = `SELECT 1 FROM routings WHERE customer_id = ? AND id IN (
		SELECT routing_id FROM feedback WHERE reason_id IS NULL AND folded = ? AND routing_id > ? AND routing_id <= ?)
	ORDER BY id FOR NO KEY UPDATE`

// apply gives the reason to the customer's reports that wait with the word, on the
// routings after w.After up to last, in three statements however many they are. What
// that changes of leads is sent onward where their sources say so.
func (s *Service) apply(tx *gorm.DB, w settling, last uuid.UUID, reasonID int32) error {
	onward, err := s.Routing.AnyOnward(tx.Statement.Context)
	if err != nil {
		return err
	}
	if s.DB.Dialect() == store.Postgres {
		if err := tx.Exec(holdRoutings, w.CustomerID, w.Folded, w.After, last).Error; err != nil {
			return err
		}
	}
	var changed []uuid.UUID
	args := []any{reasonID, w.Folded, w.After, last, w.CustomerID}
	for _, statement := range applied {
		if onward && strings.HasPrefix(statement, updateLeads) {
			if err := tx.Raw(statement+" RETURNING leads.id", args...).Scan(&changed).Error; err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, statement, args...); err != nil {
			return err
		}
	}
	return s.sendOnward(tx, changed)
}

// sendOnward has the current feedback of the leads sent onward.
func (s *Service) sendOnward(tx *gorm.DB, leadIDs []uuid.UUID) error {
	return store.Portions(leadIDs, func(part []uuid.UUID) error {
		var rows []struct {
			LeadID   uuid.UUID
			Feedback `gorm:"embedded"`
		}
		err := tx.Table("feedback f").Joins("JOIN routings r ON r.id = f.routing_id").Joins("JOIN leads l ON l.id = r.lead_id").
			Where("l.id IN ? AND r.feedback_at = l.feedback_at AND f.reason_id = l.reason_id AND coalesce(f.occurred_at, f.received_at) = l.feedback_at", part).
			Select("l.id AS lead_id, f.*").Order("f.received_at, f.id").Find(&rows).Error
		if err != nil {
			return err
		}
		newest := make(map[uuid.UUID]routing.Current, len(rows))
		for _, row := range rows {
			newest[row.LeadID] = row.Feedback.current(row.LeadID)
		}
		return s.Routing.SendOnward(tx, slices.Collect(maps.Values(newest))...)
	})
}
