package leads

import (
	"bytes"
	"context"
	"errors"
	"net/url"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
)

// MaxBody is how many bytes the body of a delivery may have. Whoever reads it
// need not read more than one byte beyond.
const MaxBody = 1 << 20

// Delivery is what arrived at an intake address.
type Delivery struct {
	Method      string // GET or POST
	ContentType string
	Query       url.Values
	Body        []byte
	// RemoteAddress and UserAgent are kept with the payload.
	RemoteAddress string
	UserAgent     string
}

// Receipt says what became of one lead of a delivery.
type Receipt struct {
	ID uuid.UUID
	// Duplicate is true if the source sent a lead with this ExternalID before: ID
	// is that first lead's, and nothing new was stored.
	Duplicate bool
	// Kind is the source's: some kinds of senders expect an answer of their own.
	Kind string
}

// Receive takes a delivery in: it stores its leads, in one durable write, has
// them routed, and returns a Receipt for each, in their order. token is that of
// the intake address.
//
// NotFound, always the same, for an unknown token and a disabled source;
// otherwise Invalid, TooLarge, Unsupported, MethodNotAllowed or Unauthorized (a
// wrong google_key), with the field as target. Then nothing is stored but a
// Rejection.
func (s *Service) Receive(ctx context.Context, token string, d Delivery) ([]Receipt, error) {
	ctx = system(ctx)
	src, err := s.sourceOf(ctx, token)
	if err != nil {
		return nil, err
	}
	receipts, err := s.receive(ctx, src, d)
	if refused(err) {
		s.reject(ctx, src, d, err)
	}
	return receipts, err
}

// receive is Receive for a known source.
func (s *Service) receive(ctx context.Context, src *Source, d Delivery) ([]Receipt, error) {
	if len(d.Body) > MaxBody {
		return nil, fault.Newf(fault.TooLarge, "the body is longer than %d bytes", MaxBody)
	}
	fields, body, err := s.parse(src, d)
	if err != nil {
		return nil, err
	}
	payload := &Payload{
		Body: body, ContentType: quoted(d.ContentType), RemoteAddress: quoted(d.RemoteAddress), UserAgent: quoted(d.UserAgent),
	}
	rows := make([]*leadRow, len(fields))
	for i := range fields {
		if rows[i], err = s.row(src, fields[i], payload); err == nil {
			continue
		}
		if len(fields) > 1 {
			err = inLead(i, err)
		}
		return nil, err
	}
	return s.store(ctx, src, rows)
}

// parse reads the leads of a delivery in the source's format. It returns the
// body too, as it may be stored.
func (s *Service) parse(src *Source, d Delivery) (leads [][]field, body []byte, err error) {
	if d.Method != "POST" && (d.Method != "GET" || src.Kind != KindForm) {
		return nil, nil, fault.Newf(fault.MethodNotAllowed, "a source of the kind %s takes no %s", src.Kind, d.Method)
	}
	var fields []field
	switch src.Kind {
	case KindJSON:
		leads, err = parseJSON(d.Body)
		return leads, d.Body, err
	case KindForm:
		fields, err = parseForm(d)
		body = d.Body
		if len(body) == 0 {
			body = []byte(d.Query.Encode())
		}
	case KindGoogleAds:
		fields, body, err = s.googleAds(src, d.Body)
	default:
		err = fault.Newf(fault.NotImplemented, "sources of the kind %s cannot receive yet", src.Kind)
	}
	return [][]field{fields}, body, err
}

// googleAds reads a delivery of google-ads and checks its google_key.
func (s *Service) googleAds(src *Source, body []byte) ([]field, []byte, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	fields, key, err := parseGoogleAds(body)
	if err != nil {
		return nil, nil, err
	}
	if !s.proves(src, key) {
		return nil, nil, fault.New(fault.Unauthorized, "google_key is not the one of this source").At("google_key")
	}
	return fields, withoutKey(body), nil
}

// row makes a lead of a sender's fields, ready to be stored.
func (s *Service) row(src *Source, fields []field, payload *Payload) (*leadRow, error) {
	lead, err := newLead(fields)
	if err != nil {
		return nil, err
	}
	if err := lead.prepare(src.Region); err != nil {
		return nil, err
	}
	if lead.ID, err = s.NewID(); err != nil {
		return nil, failed("make an id", err)
	}
	lead.SourceID, lead.ReceivedAt, lead.Version = &src.ID, s.Now(), 1
	return newLeadRow(lead, payload)
}

// store writes the leads of a delivery, all or none.
func (s *Service) store(ctx context.Context, src *Source, rows []*leadRow) ([]Receipt, error) {
	var receipts []Receipt
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		if len(rows) > 1 && s.Together != nil {
			if err := s.Together(tx); err != nil {
				return err
			}
		}
		done := make([]Receipt, len(rows))
		for i, row := range rows {
			first, err := s.insert(tx, row, src)
			if err != nil {
				return err
			}
			done[i] = Receipt{ID: first, Duplicate: first != row.lead.ID, Kind: src.Kind}
		}
		receipts = done
		return nil
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return nil, fault.New(fault.NotFound, "no such intake address") // the source was deleted meanwhile
	}
	return receipts, failed("store leads", err)
}
