package console

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"leadloop/feedback"
	"leadloop/leads"
	"leadloop/leads/rows"
	"leadloop/odata/fault"
	"leadloop/store"
)

const (
	maxFile      = 100 << 20 // bytes of a file that is taken in
	shownRefused = 200       // refused rows that are shown
)

func (c *Console) fileRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/files", do: (*visit).filesPage, role: store.Manager},
		{pattern: "POST /console/settings/files", do: (*visit).takeFile, role: store.Manager, body: maxFile + maxForm},
	}
}

// filesData is what the page to take in files shows.
type filesData struct {
	What   *Field
	Report fileReport
}

// fileReport is what became of a file, or of a dry run; empty before.
type fileReport struct {
	Error   string
	DryRun  bool
	Name    string
	Stats   []Stat
	Refused []rows.Refusal
	More    int    // refused rows that are not shown
	Charset string // if it is one to tell
	Fine    bool   // something would be taken
	Line    int    // up to which all is done, where it ended early
}

func (v *visit) filesPage() error {
	data, err := v.filesData(fileReport{})
	if err != nil {
		return err
	}
	return v.Page("files", v.settings("files", data))
}

func (v *visit) filesData(report fileReport) (*filesData, error) {
	sources, err := readList[leads.Source](v, "Sources", 1000, query{"$orderby": "Name,ID", "$select": "ID,Name"})
	if err != nil {
		return nil, err
	}
	what := &Field{Name: "what", Kind: "select", Label: v.T("files.what"), Value: v.value("what"), Options: []Option{{"feedback", v.T("files.feedback")}}}
	for _, s := range sources.Rows {
		what.Options = append(what.Options, Option{strconv.FormatInt(s.ID, 10), v.T("files.leads", s.Name)})
	}
	return &filesData{What: what, Report: report}, nil
}

// takeFile takes the rows of a file in, or with dry tells what would become of
// them. It ends with the request: the same file again goes on from there.
func (v *visit) takeFile() error {
	return v.Stream("files", "report", v.importFile,
		func(text string) any { return fileReport{Error: text} },
		func(data any) error {
			whole, err := v.filesData(data.(fileReport))
			if err != nil {
				return err
			}
			return v.Page("files", v.settings("files", whole))
		})
}

var errNoFile = fault.New(fault.Invalid, "choose a file first").At("file")

func (v *visit) importFile(progress func(string, int64, int64)) (any, error) {
	file, head, err := v.R.FormFile("file")
	if err != nil {
		return nil, errNoFile
	}
	defer file.Close()
	r := fileReport{DryRun: v.value("dry") != "", Name: head.Filename}
	refused := func(row rows.Refusal) error {
		if len(r.Refused) < shownRefused {
			row.Reason = v.faultMessage(row.Reason)
			r.Refused = append(r.Refused, row)
		} else {
			r.More++
		}
		return v.ctx().Err()
	}
	read := func(n int64) {
		progress(v.T("files.progress", v.bytes(n), v.bytes(head.Size)), n, head.Size)
	}
	if what := v.value("what"); what == "feedback" {
		var done feedback.Imported
		done, err = v.Feedback.Import(v.ctx(), file, feedback.Import{Options: rows.Options{Name: head.Filename}, DryRun: r.DryRun, Refused: refused, Progress: read})
		r.Line, r.Charset = done.Line, done.Charset
		r.Stats = []Stat{
			{Label: v.T("files.added"), Value: v.Number(done.Added), Tone: "good", Hint: v.waiting(done.Waiting)},
			{Label: v.T("files.known"), Value: v.Number(done.Known)},
			v.refusedStat(done.Refused),
		}
		r.Fine = done.Added > 0
	} else {
		id, wrong := strconv.ParseInt(what, 10, 64)
		if wrong != nil {
			return nil, fault.Newf(fault.Invalid, "%q is not a number", what)
		}
		var done leads.Imported
		done, err = v.Leads.Import(v.ctx(), file, leads.Import{SourceID: id, Name: head.Filename, DryRun: r.DryRun, Refused: refused, Progress: read})
		r.Line, r.Charset = done.Line, done.Charset
		r.Stats = []Stat{
			{Label: v.T("files.added"), Value: v.Number(done.Added), Tone: "good", Hint: v.duplicates(done.Duplicates)},
			{Label: v.T("files.known"), Value: v.Number(done.Known)},
			v.refusedStat(done.Refused),
		}
		r.Fine = done.Added > 0
	}
	return v.endImport(r, err)
}

// endImport is the report of a file that may have ended early.
func (v *visit) endImport(r fileReport, err error) (any, error) {
	if errors.Is(err, context.Canceled) || err != nil && r.Line == 0 {
		return nil, err
	}
	if err != nil {
		r.Error = v.T("files.stopped", r.Line, v.faultText(v.told(err)))
	}
	if strings.EqualFold(r.Charset, "utf-8") {
		r.Charset = ""
	}
	return r, nil
}

func (v *visit) waiting(n int) string {
	if n == 0 {
		return ""
	}
	return v.T("files.waiting", n)
}

func (v *visit) duplicates(n int) string {
	if n == 0 {
		return ""
	}
	return v.T("files.duplicates", n)
}

func (v *visit) refusedStat(n int) Stat {
	s := Stat{Label: v.T("files.refused"), Value: v.Number(n)}
	if n > 0 {
		s.Tone = "bad"
	}
	return s
}
