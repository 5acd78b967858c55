package leads

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
)

// testAgent is the user agent of deliveries that SendTest makes.
const testAgent = "Leadloop, a test lead"

// SendTest takes a lead in as if a sender of the source had sent these fields,
// already proved to be itself: they are mapped, normalised and checked like those
// of any delivery. The lead is a test, which goes to no customer. Needs a manager.
// NotFound for an unknown source, Conflict for a disabled one; what the source
// refuses is Invalid with the field as target, and a Rejection.
func (s *Service) SendTest(ctx context.Context, sourceID int64, values map[string]any) (*Lead, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	src, err := s.sourceByID(ctx, sourceID)
	switch {
	case fault.CodeOf(err) == fault.Invalid:
		return nil, fault.Newf(fault.NotFound, "no source %d", sourceID)
	case err != nil:
		return nil, err
	case !src.Enabled:
		return nil, fault.New(fault.Conflict, "the source is disabled: whatever comes by its address is refused")
	}
	ctx = system(ctx)
	body, err := json.Marshal(values)
	if err != nil {
		return nil, fault.New(fault.Invalid, "the fields cannot be sent: "+err.Error()).At("Fields")
	}
	row, err := s.testRow(src, body)
	if err == nil && row.spam != nil {
		err = fault.New(fault.Invalid, messageOf(row.spam))
	}
	if err == nil && !row.lead.IsTest {
		err = fault.New(fault.Invalid, "the source's mapping makes a real lead of it: nothing was sent").At("IsTest")
	}
	if err != nil {
		if refused(err) {
			s.reject(ctx, src, Delivery{Body: body}, err)
		}
		return nil, err
	}
	_, err = s.store(ctx, src, []*leadRow{row})
	return row.lead, err
}

// testRow makes a lead of the fields in body, a JSON object.
func (s *Service) testRow(src *Source, body []byte) (*leadRow, error) {
	list, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	fields := append([]field{{name: toIsTest, value: true}}, list[0]...)
	if src.MinFillSeconds > 0 {
		shown := s.Now().Add(-time.Duration(src.MinFillSeconds+1) * time.Second).Unix()
		fields = append(fields, field{name: src.FillTimeField, value: strconv.FormatInt(shown, 10)})
	}
	return s.screen(src, fields, &Payload{Body: body, ContentType: "application/json", UserAgent: testAgent})
}
