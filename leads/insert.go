package leads

import (
	"context"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// leadRow is a lead about to be stored. All that takes time is done before the
// write, which other writers wait for.
type leadRow struct {
	lead    *Lead
	fresh   Lead  // lead as it was before routing: a write may run more than once
	values  []any // of the lead's columns
	payload []any // of the payload's columns; nil where there is none
	spam    error // why the lead is not to be stored at all, only its ID is shown
}

// insertion is the INSERT of a model, made of GORM's view of it: Create spends
// more on reflection and callbacks than the database does on the row.
type insertion struct {
	sql    string
	fields []*schema.Field
}

var (
	insertLead    = sync.OnceValue(func() insertion { return newInsertion(&Lead{}, conflict) })
	insertPayload = sync.OnceValue(func() insertion { return newInsertion(&Payload{}, "") })
)

// conflict makes the lead's INSERT do nothing if the source has sent that
// ExternalID before, whoever else is sending it at this moment.
const conflict = " ON CONFLICT (source_id, external_id) WHERE external_id IS NOT NULL DO NOTHING"

func newInsertion(model any, tail string) insertion {
	parsed, err := schema.Parse(model, &sync.Map{}, schema.NamingStrategy{IdentifierMaxLength: 64})
	if err != nil {
		panic(err) // the models of this package are sound
	}
	var in insertion
	var columns []string
	for _, f := range parsed.Fields {
		if f.DBName != "" {
			columns = append(columns, f.DBName)
			in.fields = append(in.fields, f)
		}
	}
	in.sql = "INSERT INTO " + parsed.Table + " (" + strings.Join(columns, ", ") + ") VALUES ("
	for i := range columns {
		if i > 0 {
			in.sql += ", "
		}
		in.sql += "$" + strconv.Itoa(i+1)
	}
	in.sql += ")" + tail
	return in
}

// values are those of the model's columns, serialized.
func (in insertion) values(model any) ([]any, error) {
	ctx, v := context.Background(), reflect.ValueOf(model).Elem()
	values := make([]any, len(in.fields))
	for i, f := range in.fields {
		if f.Serializer == nil {
			values[i] = v.FieldByIndex(f.StructField.Index).Interface()
			continue
		}
		var err error
		values[i], err = f.Serializer.Value(ctx, f, v, v.FieldByIndex(f.StructField.Index).Interface())
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// newLeadRow makes the row of a prepared lead and of the payload it came in, nil
// if it came in none.
func newLeadRow(lead *Lead, payload *Payload) (*leadRow, error) {
	row := &leadRow{lead: lead, fresh: *lead}
	var err error
	if row.values, err = insertLead().values(lead); err != nil {
		return nil, failed("store lead", err)
	}
	if payload != nil {
		own := *payload
		own.LeadID = lead.ID
		row.payload, err = insertPayload().values(&own)
	}
	return row, failed("store payload", err)
}

// exec runs SQL with nothing of GORM's in between but its translation of errors.
func exec(tx *gorm.DB, sql string, args ...any) (affected int64, err error) {
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, sql, args...)
	if err != nil {
		return 0, tx.Session(&gorm.Session{}).AddError(err)
	}
	return res.RowsAffected()
}

// insert stores a lead with its payload, marked as a duplicate where it is one,
// and has it routed. The caller has locked the persons. It returns the lead's
// id, or that of the first lead with this ExternalID if the source sent one
// before; then nothing is stored.
func (s *Service) insert(tx *gorm.DB, row *leadRow, src *Source) (uuid.UUID, error) {
	*row.lead = row.fresh
	original, err := s.original(tx, row.lead, src)
	if err != nil {
		return uuid.Nil, err
	}
	row.markDuplicate(original, src)
	inserted, err := exec(tx, insertLead().sql, row.values...)
	if err != nil {
		return uuid.Nil, failed("store lead", err)
	}
	if inserted == 0 {
		var first Lead
		err := tx.Select("id").Where("source_id = ? AND external_id = ?", row.lead.SourceID, row.lead.ExternalID).Take(&first).Error
		return first.ID, failed("read the first lead", err)
	}
	if row.payload != nil {
		if _, err := exec(tx, insertPayload().sql, row.payload...); err != nil {
			return uuid.Nil, failed("store payload", err)
		}
	}
	if s.Route == nil || row.lead.State != StateNew {
		return row.lead.ID, nil
	}
	return row.lead.ID, s.Route(tx, row.lead, src)
}
