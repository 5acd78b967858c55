package leads

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Incoming is the delivery a lead came in, to be looked at: Text is its body
// where that is text, and Bytes where it is none.
type Incoming struct {
	Text          *string
	Bytes         []byte
	ContentType   string
	RemoteAddress string
	UserAgent     string
}

// Payload gives the delivery that a lead came in. Needs a viewer. NotFound for a
// lead that is not there, that did not come in a delivery, or whose delivery is
// erased.
func (s *Service) Payload(ctx context.Context, id uuid.UUID) (*Incoming, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	var p Payload
	err := s.DB.Read(ctx).Where("lead_id = ?", id).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.Newf(fault.NotFound, "nothing is kept of how lead %v came in", id)
	}
	if err != nil {
		return nil, failed("read payload", err)
	}
	r := &Incoming{ContentType: p.ContentType, RemoteAddress: p.RemoteAddress, UserAgent: p.UserAgent}
	if utf8.Valid(p.Body) {
		text := string(p.Body)
		r.Text = &text
	} else {
		r.Bytes = p.Body
	}
	return r, nil
}
