// Package activity keeps count of the leads that come in and of what becomes of
// them, so that looking at a day or a year reads some counters and no leads.
//
// The counters follow the change logs of leads, routings and feedback: what is
// written there is found soon after by [Service.Run], and the hours it belongs
// to are counted anew. So nothing that takes leads or reports in waits for a
// counter, and counting twice, or again after a crash, comes to the same.
//
// A month of counters is hundreds of thousands of rows, so their sums by hour and
// by day are kept beside them: they grow, in the same transaction, by what an hour
// comes to more than before. [Service.Since] reads those.
package activity

import (
	"context"
	"log/slog"
	"time"

	"leadloop/store"
)

// Activity counts what happened in one hour with leads of one source, for one
// customer, by one rule, and with one reason as the newest feedback. 0 stands for
// none of them. Rows of customer 0 count leads; the others count routings, in the
// hour that their lead came in. Reports are counted in the hour that they came in
// themselves, under reason 0.
type Activity struct {
	Hour       time.Time `gorm:"primaryKey" odata:"computed"` // its beginning
	SourceID   int64     `gorm:"primaryKey;autoIncrement:false" odata:"computed"`
	CustomerID int64     `gorm:"primaryKey;autoIncrement:false" odata:"computed"`
	RuleID     int64     `gorm:"primaryKey;autoIncrement:false" odata:"computed"`
	ReasonID   int32     `gorm:"primaryKey;autoIncrement:false" odata:"computed"`

	Leads      int64 `odata:"computed"` // that came in, but for tests
	Tests      int64 `odata:"computed"`
	Duplicates int64 `odata:"computed"` // of Leads
	Unmatched  int64 `odata:"computed"` // of Leads
	Routed     int64 `odata:"computed"` // routings
	Waiting    int64 `odata:"computed"` // of Routed, as are those that follow: still to be sent
	Delivered  int64 `odata:"computed"`
	Rejected   int64 `odata:"computed"`
	Failed     int64 `odata:"computed"`
	Parked     int64 `odata:"computed"`
	Answered   int64 `odata:"computed"` // there was feedback
	Returned   int64 `odata:"computed"` // the customer gave the lead back, and staff agreed
	Reports    int64 `odata:"computed"` // feedback that came in
}

// TableName implements GORM's Tabler.
func (Activity) TableName() string { return "activity" }

// Service keeps the counters. Make one with New; its fields may be changed before
// first use.
type Service struct {
	DB  *store.DB
	Log *slog.Logger
	// Every is how often Run looks for what changed: three seconds unless changed,
	// and less often where counting takes longer than a twentieth of that.
	Every time.Duration
}

// New returns a Service over db.
func New(db *store.DB) *Service {
	return &Service{DB: db, Log: slog.Default(), Every: 3 * time.Second}
}

// share is the part of the time that counting may take.
const share = 20

// Run keeps counting until ctx ends, and returns nil. Several servers may do so at
// once: what one has counted the others leave.
func (s *Service) Run(ctx context.Context) error {
	ctx = store.WithActor(ctx, store.Actor{Kind: store.System, Name: "activity", Through: store.Program})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil
		}
		start := time.Now()
		if err := s.Roll(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "activity was not counted; will try again", "error", err)
		}
		timer.Reset(max(s.Every, share*time.Since(start)))
	}
}
