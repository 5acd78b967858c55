package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
)

func (c *Console) retentionRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/retention", do: (*visit).retentionPage},
		{pattern: "POST /console/settings/retention", do: (*visit).saveRetention, role: store.Manager},
	}
}

// retentionColumns are the spans of a source, by the names of its properties.
var retentionColumns = []string{"MaskAfterDays", "DropAfterDays", "AttemptsDays"}

func days(s *leads.Source, name string) **int {
	switch name {
	case "MaskAfterDays":
		return &s.MaskAfterDays
	case "DropAfterDays":
		return &s.DropAfterDays
	}
	return &s.AttemptsDays
}

// retentionRow are the spans of one source.
type retentionRow struct {
	Source *leads.Source
	Fields []*Field
}

// retentionData is what the page of retention shows.
type retentionData struct {
	Rows    []retentionRow
	Error   string
	Lost    []string // what saving would erase, which is to be confirmed
	Confirm bool
	Person  *Form // to find one; nil for who may not
}

// retention is the page with the spans as stored.
func (v *visit) retention() (*retentionData, error) {
	sources, err := readList[leads.Source](v, "Sources", 1000, query{"$orderby": "Name,ID"})
	if err != nil {
		return nil, err
	}
	data := &retentionData{}
	for i := range sources.Rows {
		s := &sources.Rows[i]
		row := retentionRow{Source: s}
		for _, name := range retentionColumns {
			row.Fields = append(row.Fields, &Field{
				Name: fmt.Sprintf("%s-%d", name, s.ID), Label: v.T("retention." + name), Kind: "number", Min: "1", Max: "36500",
				Value: numberText(*days(s, name)), Placeholder: v.T("retention.forever"),
			})
		}
		data.Rows = append(data.Rows, row)
	}
	if v.Can("manager") {
		data.Person = v.personForm()
	}
	return data, nil
}

func (v *visit) retentionPage() error {
	data, err := v.retention()
	if err != nil {
		return err
	}
	return v.Page("retention", v.settings("retention", data))
}

// saveRetention saves the spans of all sources, or of none. What would be erased
// by shorter ones is named first, and done once that is confirmed.
func (v *visit) saveRetention() error {
	data, err := v.retention()
	if err != nil {
		return err
	}
	var changed []*leads.Source
	wrong := false
	for _, row := range data.Rows {
		was := *row.Source
		for i, name := range retentionColumns {
			f := row.Fields[i]
			f.Value = v.value(f.Name)
			n, err := (&Form{Fields: row.Fields}).number(f.Name)
			if err != nil {
				f.Error, wrong = v.faultText(err), true
				continue
			}
			*days(row.Source, name) = n
		}
		if !slices.EqualFunc(retentionColumns, retentionColumns, func(name, _ string) bool { return same(*days(&was, name), *days(row.Source, name)) }) {
			changed = append(changed, row.Source)
			lost, err := v.lost(&was, row.Source)
			if err != nil {
				return err
			}
			data.Lost = append(data.Lost, lost...)
		}
	}
	if wrong {
		return v.Invalid("retention", v.settings("retention", data))
	}
	if len(data.Lost) > 0 && v.value("confirm") != "true" {
		data.Confirm = true
		return v.Invalid("retention", v.settings("retention", data))
	}
	err = v.DB.Write(v.ctx(), func(tx *gorm.DB) error {
		for _, s := range changed {
			next := *s
			if err := v.saveSource(tx.Statement.Context, &next, data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		if data.Error = v.faultText(err); fault.CodeOf(err) != fault.Invalid && fault.CodeOf(err) != fault.PreconditionFailed {
			return err
		}
		return v.Invalid("retention", v.settings("retention", data))
	}
	v.Done(v.T("form.saved"))
	return v.Go(settingsURL("retention"))
}

// saveSource saves a source. What is wrong with a span is put to its field.
func (v *visit) saveSource(ctx context.Context, s *leads.Source, data *retentionData) error {
	err := v.Leads.UpdateSource(ctx, s)
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	for _, row := range data.Rows {
		if row.Source.ID != s.ID {
			continue
		}
		form := Form{Fields: row.Fields}
		details := f.Details
		if len(details) == 0 {
			details = []fault.Detail{{Target: f.Target, Message: f.Message}}
		}
		for _, d := range details {
			if field := form.Field(fmt.Sprintf("%s-%d", d.Target, s.ID)); field != nil {
				field.Error = v.faultMessage(d.Message)
			}
		}
	}
	return err
}

func same(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }

// lost names what shorter spans erase of a source.
func (v *visit) lost(was, is *leads.Source) (list []string, err error) {
	for _, name := range retentionColumns[:2] {
		before, after := *days(was, name), *days(is, name)
		if after == nil || *after < 1 || *after > 36500 || before != nil && *before <= *after {
			continue
		}
		filter := fmt.Sprintf("SourceID eq %d and ReceivedAt lt %s", is.ID, v.Now().Add(-time.Duration(*after)*24*time.Hour).UTC().Format(time.RFC3339))
		if name == "MaskAfterDays" {
			filter += " and ErasedAt eq null"
		}
		body, err := v.ask("Leads/$count", query{"$filter": filter}, 0)
		if err != nil {
			return nil, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(body)))
		if err != nil {
			return nil, err
		}
		if n > 0 {
			list = append(list, v.T("retention.lost."+name, n, is.Name, *after))
		}
	}
	return list, nil
}
