package feedback

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// MaxReports is how many reports Submit takes at once.
const MaxReports = 1000

// Outcome is what became of one report of several: as it is stored, or why it is
// not.
type Outcome struct {
	Feedback Feedback
	Err      error
	Known    bool // the report was there already
}

// Report stores f and fills in its computed properties; when it returns nil the
// report is durable. If f is the newest on its routing, by OccurredAt or else by
// arrival, it becomes the current feedback of the routing and its lead. The same
// RoutingID, OccurredAt, and Status or else ReasonID again store nothing new: f
// becomes the earlier report.
//
// A Status is translated by the customer's [StatusMap]. One that is not in it is
// stored without a reason, and gets that when somebody maps it. With both given,
// ReasonID counts, and Invalid at Status is a Status that stands for another one.
// A reason that asks for a return makes f a request for one, see DecideReturn.
//
// A customer's system needs the scope feedback:write (Forbidden) and reports on
// its customer's routings only; for others it gets the very NotFound of a routing
// that does not exist. Staff need a manager. Invalid at ReasonID, with the valid
// ones listed, for an unknown or inactive reason, and where there is neither
// ReasonID nor Status; Invalid for other wrong properties, and for an OccurredAt
// over 24 hours ahead. Conflict where the connection's MaxFeedbackAge is over.
func (s *Service) Report(ctx context.Context, f *Feedback) error {
	done, err := s.submit(ctx, []Outcome{{Feedback: *f}}, false)
	if err == nil {
		err = done[0].Err
	}
	if err != nil {
		return failed("report feedback", err)
	}
	*f = done[0].Feedback
	return nil
}

// Submit is Report for up to MaxReports of them, as if one after the other but in
// one transaction, with an outcome for each in their order: those that fail keep
// none of the others from being stored. Its own error says that none was.
func (s *Service) Submit(ctx context.Context, reports []Feedback) ([]Outcome, error) {
	list := make([]Outcome, len(reports))
	for i, f := range reports {
		list[i].Feedback = f
	}
	done, err := s.submit(ctx, list, false)
	return done, failed("submit feedback", err)
}

// submit stores those of the list that have no error yet. With once a report
// without OccurredAt that equals an earlier one in all it says is that one.
func (s *Service) submit(ctx context.Context, list []Outcome, once bool) (done []Outcome, err error) {
	if s.Reported != nil {
		defer func() { s.tell(done, err) }()
	}
	customerID, err := reporter(ctx)
	if err != nil {
		return nil, err
	}
	if len(list) > MaxReports {
		return nil, fault.Newf(fault.TooLarge, "more than %d reports at once", MaxReports).At("Items")
	}
	terms, err := s.terms(ctx)
	if err != nil {
		return nil, err
	}
	done, err = s.attempt(ctx, list, batch{parties: []party{{customerID, terms}}, once: once})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		// A reason was deleted while this was under way, or the connection was.
		s.reasons.purge()
		done, err = s.attempt(ctx, list, batch{parties: []party{{customerID, terms}}, once: once})
	}
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		err = fault.New(fault.Conflict, "the connection was deleted just now")
	}
	return done, err
}

// tell tells Reported of each outcome, or of the error that stands for all.
func (s *Service) tell(done []Outcome, err error) {
	if err != nil {
		s.Reported(err)
		return
	}
	for _, o := range done {
		s.Reported(o.Err)
	}
}

func (s *Service) attempt(ctx context.Context, list []Outcome, b batch) ([]Outcome, error) {
	list = slices.Clone(list)
	if err := s.prepare(ctx, list); err != nil {
		return nil, err
	}
	if len(list) == 1 && list[0].Err == nil && !b.once && s.gathers(ctx) {
		return s.gather(ctx, list[0], b.parties[0])
	}
	return s.write(ctx, list, b)
}

// write carries out b over the prepared list, in one transaction.
func (s *Service) write(ctx context.Context, list []Outcome, b batch) (done []Outcome, err error) {
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		work := b
		work.Service, work.tx, work.list = s, tx, slices.Clone(list)
		if err := work.insert(); err != nil {
			return err
		}
		if done = work.list; b.dry {
			return errDry
		}
		return nil
	})
	return done, err
}

// prepare validates the reports and sets their computed properties.
func (s *Service) prepare(ctx context.Context, list []Outcome) error {
	reasons, err := s.reasons.list(ctx, s)
	if err != nil {
		return failed("read reasons", err)
	}
	var connection *uuid.UUID
	if actor := store.ActorOf(ctx); actor.Kind == store.Machine {
		connection = &actor.ConnectionID
	}
	now := s.Now()
	for i := range list {
		f := &list[i].Feedback
		if list[i].Err != nil {
			continue
		}
		f.Routing, f.Reason = nil, nil
		f.ReturnState, f.ReturnComment, f.ReturnDecidedAt = nil, nil, nil
		f.OccurredAt, f.ReceivedAt, f.ConnectionID = moment(f.OccurredAt), now, connection
		if list[i].Err = f.check(); list[i].Err != nil {
			continue
		}
		f.fold()
		if f.ReasonID != nil || f.Status == nil {
			if list[i].Err = usable(reasons, f.ReasonID); list[i].Err != nil {
				continue
			}
		}
		if f.ID, err = s.NewID(); err != nil {
			return err
		}
	}
	return nil
}
