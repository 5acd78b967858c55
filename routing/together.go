package routing

import (
	"fmt"

	"gorm.io/gorm"

	"leadloop/store"
)

// A decision on PostgreSQL holds the counts and turns it changed until its
// transaction ends, and takes them in one order, so that no two decisions wait
// for each other. A transaction with several decisions cannot keep that order:
// it decides while no other does that needs counts or turns. Those hold a lock of
// the database in common, and it holds the lock alone.
const decisionLock = 0x6c6561646c6f6f70 // leadloop

// Together prepares a transaction in which Route is to be called for several
// leads; call it first. On SQLite, where transactions are one after the other
// anyway, it does nothing.
func (s *Service) Together(tx *gorm.DB) error {
	set, err := s.rules(tx.Statement.Context)
	if err != nil || !set.counted {
		return err
	}
	return lockDecisions(tx, "SELECT pg_advisory_xact_lock($1)")
}

// alongside is for a decision that changes counts or turns.
func alongside(tx *gorm.DB) error {
	return lockDecisions(tx, "SELECT pg_advisory_xact_lock_shared($1)")
}

func lockDecisions(tx *gorm.DB, query string) error {
	if tx.Name() != store.Postgres {
		return nil
	}
	if _, err := exec(tx, query, int64(decisionLock)); err != nil {
		return fmt.Errorf("lock of decisions: %w", err)
	}
	return nil
}

// counts reports whether decisions change counts or turns of r.
func (r *liveRule) counts() bool { return len(r.limits) > 0 || r.rotation == byTurn }
