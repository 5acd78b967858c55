package leads

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"leadloop/leads/rows"
	"leadloop/odata/fault"
	"leadloop/store"
)

// importBatch is how many rows of a file are stored in one write.
const importBatch = 100

// Import is how a file of leads is to be read, and into which source.
type Import struct {
	SourceID int64
	// Name is the file's, kept as the user agent of the leads' payloads.
	Name string
	// Format is one of those of package rows; "" and "auto" find it out.
	Format string
	// Delimiter and Charset are of CSV, Sheet is of XLSX; the zero ones find it out.
	// Charset is one a form could name.
	Delimiter rune
	Charset   string
	Sheet     string
	// Map gives the property that a column becomes; "" drops it. Columns that are
	// not in it go where a delivery's field of that name would.
	Map map[string]string
	// DryRun stores nothing.
	DryRun bool
	// Progress, unless nil, is told after each batch how many bytes of the file
	// were read.
	Progress func(read int64)
	// Refused, unless nil, is told of each row that is not taken. An error ends the
	// import.
	Refused func(rows.Refusal) error
}

// Imported says what became of a file. With DryRun: what would.
type Imported struct {
	Added      int // leads that are new
	Duplicates int // of them, those of a person who came before
	Known      int // rows that had been taken before
	Refused    int
	Line       int // up to which all is done
	Format     string
	Charset    string // of CSV
}

// Import takes the rows of a file in as if each had been a delivery of the
// source, which need not be enabled, without its guards against spam. A row that
// has no ExternalID gets one made of its content, so that a file read again, in
// whole or in part, adds nothing; two equal rows are one lead. Rows are stored in
// durable batches: when ctx ends, what is done is done, and the same call again
// goes on from there. Needs a manager.
//
// The result counts what was done, also where there is an error: Invalid for a
// file that cannot be read further, NotFound for an unknown source, ctx's own.
func (s *Service) Import(ctx context.Context, file io.ReadSeeker, o Import) (Imported, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return Imported{}, err
	}
	src, err := s.sourceByID(ctx, o.SourceID)
	if fault.CodeOf(err) == fault.Invalid {
		err = fault.Newf(fault.NotFound, "there is no source %d", o.SourceID)
	}
	if err != nil {
		return Imported{}, err
	}
	f, err := rows.Open(file, rows.Options{
		Name: o.Name, Format: o.Format, Delimiter: o.Delimiter, Charset: o.Charset, Sheet: o.Sheet, Region: src.Region, Header: oneLine,
	})
	if err != nil {
		return Imported{}, err
	}
	defer f.Close()
	names, err := columnMap(f.Columns(), o.Map)
	if err != nil {
		return Imported{}, err
	}
	i := &importer{s: s, src: src, o: o, names: names, seen: map[string]bool{}}
	i.done.Format, i.done.Charset = f.Format, f.Charset
	err = i.run(ctx, f)
	return i.done, err
}

// importer is one Import under way.
type importer struct {
	s     *Service
	src   *Source
	o     Import
	names map[string]string
	done  Imported
	seen  map[string]bool // the ids of a dry run
}

func (i *importer) run(ctx context.Context, f *rows.File) error {
	for ended := false; !ended; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var batch []*leadRow
		line := i.done.Line
		for n := 0; n < importBatch; n++ {
			r, err := f.Next()
			if ended = errors.Is(err, io.EOF); ended {
				break
			}
			if err != nil {
				return errors.Join(i.flush(ctx, batch, line), err)
			}
			row, err := i.row(r)
			if err != nil {
				return err
			}
			if line = r.Line; row != nil {
				batch = append(batch, row)
			}
		}
		if err := i.flush(ctx, batch, line); err != nil {
			return err
		}
		if i.o.Progress != nil {
			i.o.Progress(f.Read())
		}
	}
	return nil
}

// row makes a lead of a row, ready to be stored; nil if it is refused.
func (i *importer) row(r rows.Row) (*leadRow, error) {
	fields, unreadable := cellsOf(r)
	text := rowText(fields)
	refuse := func(err error) (*leadRow, error) {
		var e *fault.Error
		if !errors.As(err, &e) || !refused(err) {
			return nil, err
		}
		i.done.Refused++
		if i.o.Refused == nil {
			return nil, nil
		}
		return nil, i.o.Refused(rows.Refusal{Line: r.Line, Target: e.Target, Reason: e.Message, Row: text})
	}
	if unreadable != nil {
		return refuse(unreadable)
	}
	payload := &Payload{Body: []byte(text), ContentType: "application/json", UserAgent: quoted("import of " + i.o.Name)}
	row, err := i.s.row(i.src, i.rename(fields), payload)
	if err != nil {
		return refuse(err)
	}
	if row.lead.ExternalID == nil {
		row.setExternalID("import:" + contentID(fields))
	}
	return row, nil
}

// cellsOf are the fields of a row, also of one that cannot be read to its end.
func cellsOf(r rows.Row) ([]field, error) {
	if r.Object == nil {
		fields := make([]field, len(r.Cells))
		for i, c := range r.Cells {
			fields[i] = field{name: c.Name, value: c.Text}
		}
		return fields, r.Err
	}
	leads, err := parseJSON(r.Object)
	if err != nil {
		return nil, err
	}
	return leads[0], nil
}

// rename gives the fields the names that they are to have; those that were given
// one go first, as the first of several is taken.
func (i *importer) rename(fields []field) []field {
	if len(i.names) == 0 {
		return fields
	}
	var named, others []field
	for _, f := range fields {
		switch target, ok := i.names[f.name]; {
		case !ok:
			others = append(others, f)
		case target != "":
			named = append(named, field{name: target, value: f.value})
		}
	}
	return append(named, others...)
}

// flush stores rows, the file's up to line. It is not interrupted: what is
// counted is what is stored.
func (i *importer) flush(ctx context.Context, rows []*leadRow, line int) error {
	if len(rows) > 0 {
		count := i.store
		if i.o.DryRun {
			count = i.look
		}
		if err := count(context.WithoutCancel(ctx), rows); err != nil {
			return err
		}
	}
	i.done.Line = line
	return nil
}

func (i *importer) store(ctx context.Context, rows []*leadRow) error {
	receipts, err := i.s.store(system(ctx), i.src, rows)
	if err != nil {
		return err
	}
	for n, r := range receipts {
		switch {
		case r.Duplicate:
			i.done.Known++
		case rows[n].lead.DuplicateOfID != nil:
			i.done.Duplicates++
			fallthrough
		default:
			i.done.Added++
		}
	}
	return nil
}

// look counts rows without storing them.
func (i *importer) look(ctx context.Context, rows []*leadRow) error {
	ids := make([]string, len(rows))
	for n, row := range rows {
		ids[n] = *row.lead.ExternalID
	}
	var known []string
	err := i.s.DB.Read(ctx).Model(&Lead{}).Where("source_id = ? AND external_id IN ?", i.src.ID, ids).Pluck("external_id", &known).Error
	if err != nil {
		return failed("look for leads", err)
	}
	for _, id := range known {
		i.seen[id] = true
	}
	for _, id := range ids {
		if i.seen[id] {
			i.done.Known++
			continue
		}
		i.seen[id] = true
		i.done.Added++
	}
	return nil
}

// setExternalID gives a row that has none an ExternalID.
func (row *leadRow) setExternalID(id string) {
	row.lead.ExternalID, row.fresh.ExternalID = &id, &id
	row.values[placeOfExternalID()] = &id
}

var placeOfExternalID = sync.OnceValue(func() int {
	for i, f := range insertLead().fields {
		if f.DBName == "external_id" {
			return i
		}
	}
	panic("leads have no external_id")
})

// contentID tells rows apart by what is in them: the same for fields in another
// order, and whatever blank ones there are.
func contentID(fields []field) string {
	var parts []string
	for _, f := range fields {
		text, ok := textOf(f.value)
		if !ok {
			b, _ := json.Marshal(f.value) // came from JSON or is nothing
			text = string(b)
		}
		if text = strings.TrimSpace(text); text == "" || f.value == nil || f.value == (nested{}) {
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s %s", len(f.name), f.name, text))
	}
	slices.Sort(parts)
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// rowText shows the fields of a row as JSON, in their order.
func rowText(fields []field) string {
	var b bytes.Buffer
	for _, f := range fields {
		if f.value == (nested{}) {
			continue
		}
		name, _ := json.Marshal(f.name)
		value, _ := json.Marshal(f.value)
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	if b.Len() == 0 {
		return ""
	}
	return "{" + b.String() + "}"
}

// columnMap checks which columns are to be what.
func columnMap(columns []string, names map[string]string) (map[string]string, error) {
	taken := map[string]string{}
	for column, target := range names {
		if columns != nil && !slices.Contains(columns, column) {
			return nil, fault.Newf(fault.Invalid, "the file has no column %q; it has: %s", column, strings.Join(columns, ", "))
		}
		if target == "" {
			continue
		}
		if target != toIsTest && !fillable(target) {
			return nil, fault.Newf(fault.Invalid, "%q cannot become %s: that is not a property that a file could fill", column, target)
		}
		if other, twice := taken[target]; twice {
			return nil, fault.Newf(fault.Invalid, "%q and %q cannot both become %s", min(column, other), max(column, other), target)
		}
		taken[target] = column
	}
	return names, nil
}
