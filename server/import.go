package server

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"leadloop/leads"
	"leadloop/leads/rows"
	"leadloop/odata/fault"
)

type leadCommand struct {
	Import leadImport `cmd:"" help:"Take in the leads of a file: CSV, JSON lines, JSON or XLSX. The same file again adds nothing."`
}

type leadImport struct {
	database
	importFile
	Source int64             `help:"ID of the source that the leads are to be of." required:"" placeholder:"ID"`
	Map    map[string]string `help:"What a column becomes: a property of the lead; nothing drops it. May be given several times." placeholder:"COLUMN=PROPERTY" mapsep:"none"`
}

// importFile is a file of rows to be taken in, and what to do with those that are
// refused.
type importFile struct {
	File      string `arg:"" help:"The file. CSV and XLSX have the columns' names in their first row."`
	DryRun    bool   `help:"Only say what would be added and what refused."`
	Report    string `help:"Write the rows that were refused, with line and reason, to this CSV file." placeholder:"FILE" type:"path"`
	Format    string `help:"Form of the file: ${enum}." enum:"auto,csv,jsonl,json,xlsx" default:"auto"`
	Delimiter string `help:"What stands between the cells of CSV, a character or tab; found out unless given." placeholder:"CHARACTER"`
	Charset   string `help:"Character set of the file, such as windows-1255; found out unless given." placeholder:"NAME"`
	Sheet     string `help:"The sheet of an XLSX file; the first unless given." placeholder:"NAME"`
}

// maxShown is how many refused rows are shown where there is no report.
const maxShown = 20

// delimiter reads --delimiter; 0 where there is none.
func (c *importFile) delimiter() (rune, error) {
	if c.Delimiter == "" {
		return 0, nil
	}
	if c.Delimiter == "tab" || c.Delimiter == `\t` {
		return '\t', nil
	}
	r, size := utf8.DecodeRuneInString(c.Delimiter)
	if size != len(c.Delimiter) || r == utf8.RuneError {
		return 0, fmt.Errorf("--delimiter must be one character, or tab")
	}
	return r, nil
}

// options are how the file is to be read.
func (c *importFile) options() (rows.Options, error) {
	delimiter, err := c.delimiter()
	return rows.Options{Name: filepath.Base(c.File), Format: c.Format, Delimiter: delimiter, Charset: c.Charset, Sheet: c.Sheet}, err
}

// taking is a file that is being taken in, and where refused rows and progress go.
type taking struct {
	file     *os.File
	options  rows.Options
	refused  func(rows.Refusal) error
	progress func(read int64)
}

// imported is what became of a file.
type imported struct {
	added   int
	of      string // what is to be said of some of those; "" for nothing
	known   int
	refused int
	line    int // up to which all is done
	charset string
}

// take has read take the file into the database, and says what became of it.
func (c *importFile) take(ctx context.Context, s streams, d database, read func(context.Context, *App, taking) (imported, error)) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	return d.with(ctx, s, func(ctx context.Context, a *App) error {
		refusals, err := c.refusals(s.err)
		if err != nil {
			return err
		}
		bar := newBar(s.err, file)
		done, err := read(ctx, a, taking{file, o, refusals.add, func(n int64) { _ = bar.Set64(n) }})
		_ = bar.Finish() // only shows
		return c.tell(s, done, errors.Join(refusals.close(), err))
	})
}

// Run runs the command.
func (c *leadImport) Run(ctx context.Context, s streams) error {
	return c.take(ctx, s, c.database, func(ctx context.Context, a *App, in taking) (imported, error) {
		o := in.options
		done, err := a.Leads.Import(ctx, in.file, leads.Import{
			SourceID: c.Source, Name: o.Name, Format: o.Format, Delimiter: o.Delimiter, Charset: o.Charset, Sheet: o.Sheet,
			Map: c.Map, DryRun: c.DryRun, Refused: in.refused, Progress: in.progress,
		})
		of := ""
		if done.Duplicates > 0 {
			of = fmt.Sprintf("%d duplicates of a person", done.Duplicates)
		}
		return imported{done.Added, of, done.Known, done.Refused, done.Line, done.Charset}, err
	})
}

// tell says what became of the file.
func (c *importFile) tell(s streams, done imported, err error) error {
	if errors.Is(err, context.Canceled) {
		return withHint(fmt.Errorf("stopped after line %d: %s", done.line, c.summary(done)), "the same command again goes on from there")
	}
	if err != nil && done.line > 0 {
		return withHint(fmt.Errorf("%w; up to line %d: %s", err, done.line, c.summary(done)), "what is in is not added again: put the file right and import it again")
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, c.summary(done))
	if done.refused > 0 && c.Report == "" {
		return withHint(errors.New(refusedRows(done.refused)), "--report FILE writes them to a file")
	}
	if done.refused > 0 {
		return fmt.Errorf("%s; %s says why", refusedRows(done.refused), c.Report)
	}
	return nil
}

func refusedRows(n int) string {
	if n == 1 {
		return "1 row was refused"
	}
	return fmt.Sprintf("%d rows were refused", n)
}

func (c *importFile) summary(done imported) string {
	text := fmt.Sprintf("added %d", done.added)
	if c.DryRun {
		text = fmt.Sprintf("would add %d", done.added)
	}
	if done.of != "" {
		text += " (" + done.of + ")"
	}
	text += fmt.Sprintf(", there already %d, refused %d", done.known, done.refused)
	if done.charset != "" && done.charset != "utf-8" {
		text += "; read as " + done.charset
	}
	return text
}

// newBar makes a progress bar over the bytes of file, seen only on a terminal.
func newBar(w io.Writer, file *os.File) *progressbar.ProgressBar {
	size := int64(-1)
	if info, err := file.Stat(); err == nil && info.Size() > 0 {
		size = info.Size()
	}
	terminal, ok := w.(*os.File)
	seen := ok && term.IsTerminal(int(terminal.Fd()))
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(seen),
		progressbar.OptionShowBytes(true), progressbar.OptionSetDescription("importing"), progressbar.OptionClearOnFinish())
}

// refusals is where refused rows go: a report, or else the error output.
type refusals struct {
	shown int
	err   io.Writer
	file  *os.File
	csv   *csv.Writer
}

// refusals opens the report that the flags ask for. It holds what people gave
// about themselves, so only its owner can read it.
func (c *importFile) refusals(stderr io.Writer) (*refusals, error) {
	if c.Report == "" {
		return &refusals{err: stderr}, nil
	}
	file, err := os.OpenFile(c.Report, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	r := &refusals{file: file, csv: csv.NewWriter(file)}
	_, err = file.WriteString("\ufeff") // or spreadsheets would not see that it is UTF-8
	return r, errors.Join(err, r.csv.Write([]string{"Line", "Field", "Reason", "Row"}))
}

func (r *refusals) add(refused rows.Refusal) error {
	if r.csv != nil {
		return r.csv.Write([]string{fmt.Sprint(refused.Line), harmless(refused.Target), harmless(refused.Reason), harmless(refused.Row)})
	}
	if r.shown++; r.shown > maxShown {
		return nil
	}
	why := fault.New(fault.Invalid, refused.Reason).At(refused.Target)
	_, err := fmt.Fprintf(r.err, "line %d: %s\n", refused.Line, strings.Map(printable, why.Error()))
	return err
}

// printable drops what would steer a terminal.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

func (r *refusals) close() error {
	if r.csv == nil {
		return nil
	}
	r.csv.Flush()
	return errors.Join(r.csv.Error(), r.file.Close())
}

// harmless gives text for a cell that no spreadsheet takes for a formula.
func harmless(text string) string {
	if begin := strings.TrimLeft(text, " \u00a0"); begin != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(begin)[0]) {
		return "'" + text
	}
	return text
}
