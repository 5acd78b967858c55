package leads

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/eval"
	"leadloop/odata/fault"
	"leadloop/store"
)

// Received is a delivery as a source's mapping sees it. Of one with several leads
// the fields are the first's.
type Received struct {
	LeadID      uuid.UUID
	ReceivedAt  time.Time
	ContentType string
	Body        string // without the sender's secret
	Fields      []ReceivedField
}

// ReceivedField is an incoming field: Name is what the Field of a FieldMapping
// calls it, Expression what its Source does.
type ReceivedField struct {
	Name, Expression string
	Value            string // as text, cut short
}

// maxShownField is how many characters are shown of a field.
const maxShownField = 200

// LastReceived gives the newest delivery of a source that became a lead, but for
// those of SendTest. Needs a manager: it is personal, and as it came. NotFound
// for an unknown source, and where there is none.
func (s *Service) LastReceived(ctx context.Context, sourceID int64) (*Received, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	var src Source
	if err := s.DB.Read(ctx).Where("id = ?", sourceID).Take(&src).Error; err != nil {
		return nil, absent(err, "there is no such source")
	}
	var row struct {
		Payload
		ReceivedAt time.Time
	}
	err := s.DB.Read(ctx).Raw(`SELECT payloads.*, leads.received_at FROM leads JOIN payloads ON payloads.lead_id = leads.id
		WHERE leads.source_id = ? AND leads.erased_at IS NULL AND payloads.user_agent <> ?
		ORDER BY leads.received_at DESC, leads.id DESC LIMIT 1`, sourceID, testAgent).Take(&row).Error
	if err != nil {
		return nil, absent(err, "nothing was received by this source yet")
	}
	r := &Received{
		LeadID: row.LeadID, ReceivedAt: row.ReceivedAt, ContentType: row.ContentType,
		Body: strings.ToValidUTF8(string(row.Body), "\ufffd"), Fields: []ReceivedField{},
	}
	for _, f := range storedFields(&src, row.Payload) {
		if f.value == (nested{}) || f.name == "" {
			continue
		}
		text, ok := listed(f.value)
		if !ok {
			text = eval.Text(f.value)
		}
		if runes := []rune(text); len(runes) > maxShownField {
			text = string(runes[:maxShownField]) + "…"
		}
		r.Fields = append(r.Fields, ReceivedField{Name: f.name, Expression: pathOf(f.name), Value: text})
	}
	return r, nil
}

func absent(err error, message string) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.New(fault.NotFound, message)
	}
	return failed("last delivery", err)
}

// storedFields reads the fields of a payload that was a delivery of src, none where
// that is not possible any more. It was proved then who sent it.
func storedFields(src *Source, p Payload) (fields []field) {
	d := Delivery{Method: "POST", ContentType: p.ContentType, Body: p.Body}
	var list [][]field
	var err error
	switch kind := src.Kind; {
	case kind == KindGoogleAds:
		fields, _, err = parseGoogleAds(p.Body)
	case kind == KindMeta:
		list, _, err = parseMeta(p.Body)
	case kind == KindLinkedIn:
		list, err = parseLinkedIn(p.Body)
	case kind == KindTypeform:
		list, err = parseTypeform(p.Body)
	case kind == KindJSON, strings.HasPrefix(p.ContentType, "application/json"): // a row of an imported file
		list, err = parseJSON(p.Body)
	case kind == KindElementor:
		fields, err = parseElementor(d)
	case kind == KindSalesforce:
		fields, _, err = parseWebToLead(d)
	case kind == KindLeadManager:
		fields, _, err = parseLeadManager(d)
	default:
		fields, err = parseForm(d)
	}
	switch {
	case err != nil:
		return nil
	case len(list) > 0:
		return list[0]
	}
	return fields
}

// pathOf is how an expression reaches the field called name.
func pathOf(name string) string {
	parts := strings.Split(name, ".")
	for _, part := range parts {
		if identifier(part) != part {
			return identifier(name)
		}
	}
	return strings.Join(parts, "/")
}
