package feedback

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"leadloop/keys"
	"leadloop/leads/rows"
	"leadloop/odata/fault"
	"leadloop/store"
)

// importBatch is how many rows of a file are stored in one write.
const importBatch = 500

// Import is how a file of reports is to be read.
type Import struct {
	rows.Options
	// Map gives the property of Feedback that a column becomes; "" drops it. Columns
	// that are not in it become the property of their own name, if there is one.
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
	Added   int // reports that are new
	Waiting int // of them, those whose status nobody has said the meaning of
	Known   int // rows that had been taken before
	Refused int
	Line    int // up to which all is done
	Format  string
	Charset string // of CSV
}

// Import stores the rows of a file as reports. A row that equals an earlier report
// is that report, also where neither has an OccurredAt, if they agree in all they
// say: so a file read again adds nothing. Rows are stored in durable batches: when
// ctx ends, what is done is done, and the same call again goes on from there. Needs
// a manager.
//
// The result counts what was done, also where there is an error: Invalid for a
// file that cannot be read further or has no column for RoutingID, ctx's own.
func (s *Service) Import(ctx context.Context, file io.ReadSeeker, o Import) (Imported, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return Imported{}, err
	}
	f, err := rows.Open(file, o.Options)
	if err != nil {
		return Imported{}, err
	}
	defer f.Close()
	i := &importer{s: s, o: o, dry: map[string]bool{}}
	if i.names, i.fields, err = columnsOf(f.Columns(), o.Map); err != nil {
		return Imported{}, err
	}
	i.done.Format, i.done.Charset = f.Format, f.Charset
	err = i.run(ctx, f)
	return i.done, err
}

// columnsOf checks which columns are to be what.
func columnsOf(columns []string, given map[string]string) (naming, keys.FieldNames, error) {
	names, fields := naming{}, keys.FieldNames{}
	for column, property := range given {
		switch {
		case columns != nil && !slices.Contains(columns, column):
			return nil, nil, fault.Newf(fault.Invalid, "the file has no column %q; it has: %s", column, strings.Join(columns, ", "))
		case property != "" && properties[property] == nil:
			return nil, nil, fault.Newf(fault.Invalid, "%q cannot become %s: that is not a property that is reported", column, property)
		case property != "" && fields[property] != "":
			return nil, nil, fault.Newf(fault.Invalid, "%q and %q cannot both become %s",
				min(column, fields[property]), max(column, fields[property]), property)
		}
		names[column] = property
		if property != "" {
			fields[property] = column
		}
	}
	there := map[string]bool{}
	for _, column := range columns {
		there[names.property(column, fields)] = true
	}
	if columns != nil && (!there["RoutingID"] || !there["ReasonID"] && !there["Status"]) {
		return nil, nil, fault.Newf(fault.Invalid, "the file needs a column RoutingID, and ReasonID or Status; it has: %s", strings.Join(columns, ", "))
	}
	return names, fields, nil
}

// importer is one Import under way.
type importer struct {
	s      *Service
	o      Import
	names  naming
	fields keys.FieldNames
	done   Imported
	dry    map[string]bool // the reports of a dry run
}

// line is a row with what it says.
type line struct {
	n    int
	text string
}

func (i *importer) run(ctx context.Context, f *rows.File) error {
	for ended := false; !ended; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var list []Outcome
		var lines []line
		var broken error
		for len(list) < importBatch {
			r, err := f.Next()
			if ended = errors.Is(err, io.EOF); ended {
				break
			}
			if err != nil {
				broken = err
				break
			}
			outcome, text := i.read(r)
			list, lines = append(list, outcome), append(lines, line{r.Line, text})
		}
		// It is not interrupted: what is counted is what is stored.
		if err := errors.Join(i.store(context.WithoutCancel(ctx), list, lines), broken); err != nil {
			return err
		}
		if i.o.Progress != nil {
			i.o.Progress(f.Read())
		}
	}
	return nil
}

// read makes a report of a row.
func (i *importer) read(r rows.Row) (o Outcome, text string) {
	var fields []field
	for _, c := range r.Cells {
		fields = append(fields, field{c.Name, c.Text})
	}
	if o.Err = r.Err; r.Object != nil {
		fields, o.Err = objectFields(r.Object)
	}
	text = rowText(fields)
	if o.Err == nil {
		o.Feedback, o.Err = i.names.item(i.fields, fields).report()
	}
	return o, text
}

// rowText shows the fields of a row as JSON.
func rowText(fields []field) string {
	if len(fields) == 0 {
		return ""
	}
	values := make(map[string]any, len(fields))
	for _, f := range fields {
		values[f.name] = f.value
	}
	text, _ := json.Marshal(values) // they came from JSON, or are text
	return string(text)
}

// errDry undoes what a dry run would do.
var errDry = errors.New("a dry run stores nothing")

func (i *importer) store(ctx context.Context, list []Outcome, lines []line) (err error) {
	var done []Outcome
	if i.o.DryRun {
		done, err = i.s.rehearse(ctx, list)
	} else {
		done, err = i.s.submit(ctx, list, true)
	}
	if err != nil {
		return failed("import feedback", err)
	}
	for n, o := range done {
		if err := i.count(o, lines[n]); err != nil {
			return err
		}
		i.done.Line = lines[n].n
	}
	return nil
}

func (i *importer) count(o Outcome, l line) error {
	var f *fault.Error
	switch {
	case errors.As(o.Err, &f):
		i.done.Refused++
		if i.o.Refused != nil {
			return i.o.Refused(rows.Refusal{Line: l.n, Target: f.Target, Reason: f.Message, Row: l.text})
		}
		return nil
	case o.Err != nil:
		return o.Err
	case o.Known || i.dry[o.Feedback.saying()]:
		i.done.Known++
		return nil
	}
	if i.o.DryRun {
		i.dry[o.Feedback.saying()] = true
	}
	i.done.Added++
	if o.Feedback.ReasonID == nil {
		i.done.Waiting++
	}
	return nil
}

// rehearse is submit that leaves no trace.
func (s *Service) rehearse(ctx context.Context, list []Outcome) (done []Outcome, err error) {
	list = slices.Clone(list)
	if err := s.prepare(ctx, list); err != nil {
		return nil, err
	}
	customerID, err := reporter(ctx)
	if err != nil {
		return nil, err
	}
	done, err = s.write(ctx, list, batch{parties: []party{{customerID: customerID}}, once: true, dry: true})
	if errors.Is(err, errDry) {
		err = nil
	}
	return done, err
}

// saying is equal for reports that an import takes for one.
func (f *Feedback) saying() string {
	if f.OccurredAt != nil {
		return fmt.Sprint(f.likeness())
	}
	text, _ := json.Marshal([]any{f.RoutingID, f.Folded, f.ReasonID, f.Comment, f.ExternalID, f.ExternalLink, f.Owner, f.Amount, f.Currency, time.Time{}})
	return string(text)
}
