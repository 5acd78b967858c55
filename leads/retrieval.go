package leads

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

const (
	retrievers    = 8               // exchanges at once
	retrieveLease = 2 * time.Minute // outlasts every exchange
	retrievePoll  = time.Second
	defaultGraph  = "https://graph.facebook.com"
	// graphFields are what is asked for of a lead.
	graphFields = "id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,is_organic,platform,field_data"
)

// retrieveSchedule is how long a retrieval waits after its first failure, its
// second and so on: three days in all. After the last one it waits for staff.
var retrieveSchedule = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	4 * time.Hour, 8 * time.Hour, 8 * time.Hour, 24 * time.Hour, 24 * time.Hour,
}

// Retrieval is a lead that was announced and is still to be read from the
// platform it was left on. LeadID is the id the lead will have.
type Retrieval struct {
	ID            int64 `gorm:"primaryKey"`
	SourceID      int64
	ExternalID    string
	LeadID        uuid.UUID
	Notice        string // JSON
	RemoteAddress string
	UserAgent     string
	ReceivedAt    time.Time
	AttemptCount  int
	NextAttemptAt *time.Time // while it is tried: when the lease runs out; nil: waits for staff
	LeaseToken    *string
	Error         *string
}

// announced puts the leads of notices into the queue, all or none, and returns
// the Receipt of each: the id the lead will have, or has.
func (s *Service) announced(ctx context.Context, src *Source, notices []notice, d Delivery) ([]Receipt, error) {
	ids := make([]uuid.UUID, len(notices))
	for i := range ids {
		var err error
		if ids[i], err = s.NewID(); err != nil {
			return nil, failed("make an id", err)
		}
	}
	now := s.Now()
	var receipts []Receipt
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		done := make([]Receipt, len(notices))
		for i, n := range notices {
			row := Retrieval{
				SourceID: src.ID, ExternalID: n.id, LeadID: ids[i], Notice: string(n.value), ReceivedAt: now, NextAttemptAt: &now,
				RemoteAddress: quoted(d.RemoteAddress), UserAgent: quoted(d.UserAgent),
			}
			id, err := enqueue(tx, &row)
			if err != nil {
				return err
			}
			done[i] = Receipt{ID: id, Duplicate: id != row.LeadID, Kind: src.Kind}
		}
		receipts = done
		store.AfterCommit(tx.Statement.Context, s.wakeUp)
		return nil
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return nil, fault.New(fault.NotFound, "no such intake address") // the source was deleted meanwhile
	}
	return receipts, failed("store notices", err)
}

// enqueue adds row to the queue, unless that lead is in it or was stored. It
// returns the id of the lead. The look at the leads comes last: a retrieval that
// ends meanwhile leaves the queue and becomes a lead at once.
func enqueue(tx *gorm.DB, row *Retrieval) (uuid.UUID, error) {
	var known []uuid.UUID
	added, err := exec(tx, `INSERT INTO retrievals
		(source_id, external_id, lead_id, notice, remote_address, user_agent, received_at, attempt_count, next_attempt_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT (source_id, external_id) DO NOTHING`,
		row.SourceID, row.ExternalID, row.LeadID, row.Notice, row.RemoteAddress, row.UserAgent, row.ReceivedAt, row.NextAttemptAt)
	if err != nil {
		return uuid.Nil, err
	}
	if added == 0 {
		err := tx.Model(&Retrieval{}).Where("source_id = ? AND external_id = ?", row.SourceID, row.ExternalID).Pluck("lead_id", &known).Error
		if err != nil || len(known) > 0 {
			return first(known), err
		}
	}
	err = tx.Model(&Lead{}).Where("source_id = ? AND external_id = ?", row.SourceID, row.ExternalID).Pluck("id", &known).Error
	switch {
	case err != nil:
		return uuid.Nil, err
	case len(known) == 0 && added == 0:
		return uuid.Nil, fault.New(fault.Unavailable, "the lead is just being stored; send it again")
	case len(known) == 0:
		return row.LeadID, nil
	}
	_, err = exec(tx, "DELETE FROM retrievals WHERE lead_id = $1", row.LeadID)
	return known[0], err
}

func first(ids []uuid.UUID) uuid.UUID {
	if len(ids) == 0 {
		return uuid.Nil
	}
	return ids[0]
}

// reviveRetrievals makes what waits for a source due again, as its settings may
// have been what was wrong.
func (s *Service) reviveRetrievals(tx *gorm.DB, sourceID int64) error {
	n, err := exec(tx, `UPDATE retrievals SET next_attempt_at = $1, attempt_count = 0
		WHERE source_id = $2 AND lease_token IS NULL`, s.Now(), sourceID)
	if n > 0 {
		store.AfterCommit(tx.Statement.Context, s.wakeUp)
	}
	return err
}

func (s *Service) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// Run reads announced leads from their platforms as they become due, until ctx
// ends; what is under way then is left for the next Run. Run it once per
// Service; any number of servers may run on one database.
func (s *Service) Run(ctx context.Context) error {
	ctx = system(ctx)
	if s.Fetch == nil {
		<-ctx.Done()
		return nil
	}
	var jobs sync.WaitGroup
	defer jobs.Wait()
	slots := make(chan struct{}, retrievers)
	for ctx.Err() == nil {
		due, err := s.claimRetrievals(ctx, cap(slots)-len(slots))
		if err != nil && ctx.Err() == nil {
			s.Log.Error("retrieval", "error", err)
		}
		for _, r := range due {
			slots <- struct{}{}
			jobs.Go(func() {
				s.retrieve(ctx, r)
				<-slots
				s.wakeUp()
			})
		}
		timer := time.NewTimer(retrievePoll)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// claimRetrievals takes the lease of at most limit due retrievals.
func (s *Service) claimRetrievals(ctx context.Context, limit int) ([]*Retrieval, error) {
	if limit == 0 {
		return nil, nil
	}
	var due int64
	err := s.DB.Read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM retrievals WHERE next_attempt_at <= ? LIMIT 1) AS due", s.Now()).Scan(&due).Error
	if err != nil || due == 0 {
		return nil, failed("look for due retrievals", err)
	}
	lock := ""
	if s.DB.Dialect() == store.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	var claimed []*Retrieval
	token := uuid.NewString()
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		now := s.Now()
		_, err := exec(tx, `UPDATE retrievals SET lease_token = $1, next_attempt_at = $2 WHERE id IN
			(SELECT id FROM retrievals WHERE next_attempt_at <= $3 ORDER BY next_attempt_at LIMIT $4`+lock+`)`,
			token, now.Add(retrieveLease), now, limit)
		if err != nil {
			return err
		}
		claimed = nil
		return tx.Where("lease_token = ?", token).Order("id").Find(&claimed).Error
	})
	return claimed, failed("claim retrievals", err)
}

// retrieve reads one lead under lease and stores it, or puts it back into the
// queue.
func (s *Service) retrieve(ctx context.Context, r *Retrieval) {
	src := &Source{}
	err := s.DB.Read(ctx).Where("id = ?", r.SourceID).Take(src).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return // the retrieval went with it
	}
	var body []byte
	if err == nil {
		body, err = s.fetchLead(ctx, src, r)
	}
	if err == nil {
		err = s.retrieved(ctx, src, r, body)
	}
	if err == nil || errors.Is(err, errLeaseLost) {
		return
	}
	// Whatever ended, the lease must be given back.
	cut := ctx.Err() != nil
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), rejectTimeout)
	defer cancel()
	if cut {
		err = s.DB.Write(end, func(tx *gorm.DB) error {
			_, err := exec(tx, "UPDATE retrievals SET lease_token = NULL, next_attempt_at = $1 WHERE id = $2 AND lease_token = $3", s.Now(), r.ID, r.LeaseToken)
			return err
		})
	} else {
		err = s.unretrieved(end, src, r, body, err)
	}
	if err != nil {
		s.Log.Error("retrieval", "lead", r.LeadID, "error", err)
	}
}

// errLeaseLost says that another server has the retrieval.
var errLeaseLost = errors.New("the lease ran out")

// fetchLead gives the platform's answer with the lead. Its errors tell staff
// what is wrong, without the access token.
func (s *Service) fetchLead(ctx context.Context, src *Source, r *Retrieval) ([]byte, error) {
	token, err := s.setting(src, setAccessToken)
	if err != nil {
		return nil, err
	}
	secret, err := s.setting(src, setAppSecret)
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, errors.New("the source has no AccessToken")
	}
	base := textSetting(src, setGraphURL)
	if base == "" {
		base = defaultGraph
	}
	query := url.Values{"access_token": {token}, "fields": {graphFields}}
	if secret != "" {
		query.Set("appsecret_proof", hex.EncodeToString(sign(secret, token)))
	}
	// The Graph takes the token in the query; a gateway before it may want the header.
	header := map[string]string{"Accept": "application/json", "Authorization": "Bearer " + token}
	status, body, err := s.Fetch(ctx, metaAddress(base, r.ExternalID)+"?"+query.Encode(), header)
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), token, "***"))
	}
	if status != 200 {
		return nil, fmt.Errorf("HTTP %d%s", status, strings.ReplaceAll(graphError(body), token, "***"))
	}
	return body, nil
}

// graphError is what the Graph says in an answer that is no lead.
func graphError(body []byte) string {
	var answer struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Error.Message == "" {
		return ""
	}
	return ": " + quoted(answer.Error.Message)
}

// retrieved stores the lead that came, and takes it from the queue.
func (s *Service) retrieved(ctx context.Context, src *Source, r *Retrieval, body []byte) error {
	fields, err := metaFetched(body, notice{r.ExternalID, json.RawMessage(r.Notice)})
	if err != nil {
		return fmt.Errorf("the answer is no lead: %s", messageOf(err))
	}
	payload := &Payload{Body: body, ContentType: "application/json", RemoteAddress: r.RemoteAddress, UserAgent: r.UserAgent}
	row, err := s.rowOf(src, fields, payload, r.LeadID, r.ReceivedAt)
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *gorm.DB) error {
		n, err := exec(tx, "DELETE FROM retrievals WHERE id = $1 AND lease_token = $2", r.ID, r.LeaseToken)
		if err == nil && n == 0 {
			err = errLeaseLost
		}
		if err == nil {
			if err = s.lockPersons(tx, []*leadRow{row}, src); err == nil {
				_, err = s.insert(tx, row, src)
			}
		}
		return err
	})
}

// unretrieved puts r back into the queue, for later, or where that is over or
// could not help, for staff: then there is a Rejection too.
func (s *Service) unretrieved(ctx context.Context, src *Source, r *Retrieval, body []byte, cause error) error {
	problem := quoted(cause.Error())
	var next *time.Time
	if r.AttemptCount < len(retrieveSchedule) && !refused(cause) {
		next = new(s.Now().Add(retrieveSchedule[r.AttemptCount]))
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		n, err := exec(tx, `UPDATE retrievals SET lease_token = NULL, next_attempt_at = $1, attempt_count = attempt_count + 1, error = $2
			WHERE id = $3 AND lease_token = $4`, next, problem, r.ID, r.LeaseToken)
		if err == nil && n == 0 {
			err = errLeaseLost
		}
		return err
	})
	s.Log.WarnContext(ctx, "an announced lead could not be read", "source", r.SourceID, "lead", r.LeadID, "attempt", r.AttemptCount+1, "problem", problem)
	if err != nil || next != nil {
		return err
	}
	if len(body) == 0 {
		body = []byte(r.Notice)
	}
	if !refused(cause) {
		cause = fault.Newf(fault.Unavailable, "the lead %s could not be read: %s", r.ExternalID, problem)
	}
	s.reject(ctx, src, Delivery{Body: body}, cause)
	return nil
}
