package leads

import (
	"bytes"
	"context"
	"errors"
	"net/textproto"
	"net/url"
	"time"

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
	Header      textproto.MIMEHeader
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
	// Redirect is where the sender's browser is to be sent, "" for nowhere.
	Redirect string
}

// Receive takes a delivery in: it stores its leads, in one durable write, has
// them routed, and returns a Receipt for each, in their order. token is that of
// the intake address.
//
// NotFound, always the same, for an unknown token and a disabled source;
// otherwise Invalid, TooLarge, Unsupported, MethodNotAllowed, RateLimited or
// Unauthorized (a wrong key or signature), with the field as target. Then nothing
// is stored but a Rejection. The same goes for a lead that is spam; but it has a
// Receipt like any other.
func (s *Service) Receive(ctx context.Context, token string, d Delivery) ([]Receipt, error) {
	ctx = system(ctx)
	src, err := s.sourceOf(ctx, token)
	if err != nil {
		return nil, err
	}
	if err, first := s.limit(src, d); err != nil {
		if first { // a flood of refusals is not to become one of writes
			s.reject(ctx, src, d, err)
		}
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
	in, err := s.parse(src, d)
	if err != nil {
		return nil, err
	}
	if len(in.notices) > 0 {
		return s.announced(ctx, src, in.notices, d)
	}
	if len(in.leads) == 0 {
		return nil, nil // the sender told something that is no lead
	}
	fields := in.leads
	payload := &Payload{
		Body: in.body, ContentType: quoted(d.ContentType), RemoteAddress: quoted(d.RemoteAddress), UserAgent: quoted(d.UserAgent),
	}
	rows := make([]*leadRow, len(fields))
	for i := range fields {
		if rows[i], err = s.screen(src, fields[i], payload); err == nil {
			continue
		}
		if len(fields) > 1 {
			err = inLead(i, err)
		}
		return nil, err
	}
	receipts, err := s.store(ctx, src, rows)
	if spam := firstSpam(rows); err == nil && spam != nil {
		s.reject(ctx, src, d, spam)
	}
	for i := range receipts {
		receipts[i].Redirect = in.redirect
	}
	return receipts, err
}

// parsed is what a delivery holds.
type parsed struct {
	leads    [][]field
	notices  []notice // of leads that are to be read elsewhere
	body     []byte   // as it may be stored
	redirect string
}

// parse reads the leads of a delivery in the source's format, and checks what
// its sender proves itself with.
func (s *Service) parse(src *Source, d Delivery) (in parsed, err error) {
	if d.Method != "POST" && (d.Method != "GET" || src.Kind != KindForm && src.Kind != KindLeadManager) {
		return in, fault.Newf(fault.MethodNotAllowed, "a source of the kind %s takes no %s", src.Kind, d.Method)
	}
	var fields []field
	in.body = d.Body
	switch src.Kind {
	case KindJSON:
		in.leads, err = parseJSON(d.Body)
		return in, err
	case KindTypeform:
		in.leads, err = s.typeform(src, d)
		return in, err
	case KindLinkedIn:
		in.leads, err = s.linkedIn(src, d)
		return in, err
	case KindMeta:
		in.leads, in.notices, err = s.meta(src, d)
		return in, err
	case KindForm:
		fields, err = parseForm(d)
		if len(in.body) == 0 {
			in.body = []byte(d.Query.Encode())
		}
	case KindGoogleAds:
		fields, in.body, err = s.googleAds(src, d.Body)
	case KindElementor:
		fields, err = parseElementor(d)
	case KindSalesforce:
		var returnURL string
		fields, returnURL, err = parseWebToLead(d)
		in.redirect = redirect(src, returnURL)
	case KindLeadManager:
		fields, in.body, err = s.leadManager(src, d)
	default:
		err = fault.Newf(fault.NotImplemented, "sources of the kind %s cannot receive yet", src.Kind)
	}
	in.leads = [][]field{fields}
	return in, err
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
	id, err := s.NewID()
	if err != nil {
		return nil, failed("make an id", err)
	}
	return s.rowOf(src, fields, payload, id, s.Now())
}

// rowOf is row for a lead whose id and time are known.
func (s *Service) rowOf(src *Source, fields []field, payload *Payload, id uuid.UUID, receivedAt time.Time) (*leadRow, error) {
	mapping, err := s.mappings.of(src)
	if err != nil {
		return nil, err
	}
	if fields, err = mapping.apply(fields); err != nil {
		return nil, err
	}
	lead, err := newLead(fields)
	if err != nil {
		return nil, err
	}
	if err := lead.prepare(src.Region); err != nil {
		return nil, err
	}
	if err := src.check(lead); err != nil {
		return nil, err
	}
	lead.ID, lead.SourceID, lead.ReceivedAt, lead.Version = id, &src.ID, receivedAt, 1
	lead.prepareConsent()
	return newLeadRow(lead, payload)
}

// store writes the leads of a delivery, all or none, but for spam.
func (s *Service) store(ctx context.Context, src *Source, rows []*leadRow) ([]Receipt, error) {
	var receipts []Receipt
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		if err := s.lockPersons(tx, rows, src); err != nil {
			return err
		}
		if len(rows) > 1 && s.Together != nil { // after the persons: everyone locks in this order
			if err := s.Together(tx); err != nil {
				return err
			}
		}
		done := make([]Receipt, len(rows))
		for i, row := range rows {
			if row.spam != nil {
				done[i] = Receipt{ID: row.lead.ID, Kind: src.Kind}
				continue
			}
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
