package server

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store"
)

// forgetEvery is how often the answers that nobody may ask for any more are
// deleted, at most.
const forgetEvery = 10 * time.Minute

// repeats keeps the answers of repeatable requests in the database. They are
// sealed: the answer may hold a key that is shown only once.
type repeats struct {
	db    *store.DB
	vault *store.Vault
	now   func() time.Time

	forgotten atomic.Int64 // when expired answers were deleted, in Unix seconds
}

// callerOf keeps the ids of one caller from meeting another's.
func callerOf(ctx context.Context) string {
	switch a := store.ActorOf(ctx); a.Kind {
	case store.Machine:
		return "connection " + a.ConnectionID.String()
	case store.Staff:
		return fmt.Sprintf("user %d", a.UserID)
	case store.System:
		return "system"
	}
	return "nobody"
}

// Claim implements odata.Repeats.
func (r *repeats) Claim(ctx context.Context, id string, until time.Time) (earlier *odata.Repeat, err error) {
	caller, now := callerOf(ctx), r.now()
	err = r.db.Write(ctx, func(tx *gorm.DB) error {
		earlier = nil
		if err := r.forget(tx, now); err != nil {
			return err
		}
		// It waits for a transaction that has claimed the same id.
		res := tx.Exec(`INSERT INTO repeats (caller, id, expires_at) VALUES (?, ?, ?)
			ON CONFLICT (caller, id) DO UPDATE SET answer = NULL, expires_at = excluded.expires_at WHERE repeats.expires_at < ?`,
			caller, id, until, now)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		var sealed []byte
		if err := tx.Raw("SELECT answer FROM repeats WHERE caller = ? AND id = ?", caller, id).Row().Scan(&sealed); err != nil {
			return err
		}
		text, err := r.vault.Open(sealed)
		if err != nil {
			return err
		}
		earlier = &odata.Repeat{}
		return json.Unmarshal(text, earlier)
	})
	return earlier, err
}

// Keep implements odata.Repeats.
func (r *repeats) Keep(ctx context.Context, id string, answer odata.Repeat) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE repeats SET answer = ? WHERE caller = ? AND id = ?", r.vault.Seal(text), callerOf(ctx), id).Error
	})
}

// forget deletes what has expired, if that was not done a moment ago.
func (r *repeats) forget(tx *gorm.DB, now time.Time) error {
	last := r.forgotten.Load()
	if now.Unix()-last < int64(forgetEvery/time.Second) || !r.forgotten.CompareAndSwap(last, now.Unix()) {
		return nil
	}
	return tx.Exec("DELETE FROM repeats WHERE expires_at < ?", now).Error
}
