// Package rows reads files of rows that people export from other systems: CSV,
// JSON lines, JSON and XLSX. It finds out what a file is, and goes on after a row
// that cannot be read.
package rows

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"leadloop/odata/fault"
)

// The formats of files.
const (
	CSV   = "csv"
	JSONL = "jsonl" // an object a line
	JSON  = "json"  // a list of objects, or one after the other
	XLSX  = "xlsx"
)

// MaxColumns is how many columns a file may have.
const MaxColumns = 500

// Options is how a file is to be read. The zero ones find it out.
type Options struct {
	Name   string // of the file
	Format string // one of the formats; "" and "auto" find it out
	// Delimiter and Charset are of CSV, Sheet is of XLSX. Charset is one that
	// Charset knows.
	Delimiter rune
	Charset   string
	Sheet     string
	// Region is the country the file comes from, which tells in what character set
	// its spreadsheets are where the text is not Unicode.
	Region string
	// Header gives the name of a column from its cell; nil takes it without the
	// white space around it.
	Header func(string) string
}

// Cell is a named cell of a row.
type Cell struct{ Name, Text string }

// Row is a row of a file: Cells of a file with columns, the text of a JSON Object
// of one without.
type Row struct {
	Line   int // of the file, or row of the sheet, from 1
	Cells  []Cell
	Object []byte
	Err    error // the row cannot be read; those after it can
}

// Refusal is a row of a file that was not taken.
type Refusal struct {
	Line   int    // of the file, or row of the sheet, from 1
	Target string // the property or field that is wrong, or ""
	Reason string
	Row    string // its fields as JSON; "" if it could not be read at all
}

// reader reads the rows of a file. next returns io.EOF after the last one;
// another error means that nothing more can be read.
type reader interface {
	next() (Row, error)
	// columns are the names the cells of every row have, nil if they differ.
	columns() []string
}

// File is a file that is being read.
type File struct {
	Format  string
	Charset string // of CSV

	rows  reader
	read  *countingReader
	close func()
}

// Next gives the next row. It returns io.EOF after the last one; another error
// means that nothing more can be read: Invalid where the file is at fault.
func (f *File) Next() (Row, error) { return f.rows.next() }

// Columns are the names that the cells of every row have, nil if they differ.
func (f *File) Columns() []string { return f.rows.columns() }

// Read is how many bytes of the file were read.
func (f *File) Read() int64 { return f.read.n }

// Close lets go of what reading took.
func (f *File) Close() { f.close() }

// countingReader counts what is read through it.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Open begins to read a file. Invalid if it is not what o says.
func Open(file io.ReadSeeker, o Options) (*File, error) {
	if o.Header == nil {
		o.Header = strings.TrimSpace
	}
	f := &File{Format: o.Format, read: &countingReader{r: file}, close: func() {}}
	if f.Format == "" || f.Format == "auto" {
		var err error
		if f.Format, err = formatOf(file, o.Name); err != nil {
			return nil, err
		}
	}
	var err error
	if f.Format == XLSX {
		f.rows, f.close, err = openSheet(f.read, o)
		return f, err
	}
	var decoded io.Reader
	if decoded, f.Charset, err = f.decode(file, o); err != nil {
		return nil, err
	}
	switch f.Format {
	case CSV:
		f.rows, err = openCSV(decoded, o)
	case JSONL:
		f.rows = &lineRows{r: bufio.NewReaderSize(decoded, 64<<10)}
	case JSON:
		f.rows, err = openJSON(decoded)
	default:
		err = fault.Newf(fault.Invalid, "there is no format %s", f.Format)
	}
	return f, asFault(err)
}

// formatOf finds out the format of a file by how it begins.
func formatOf(file io.ReadSeeker, name string) (string, error) {
	head := make([]byte, 4096)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\ufeff")), " \t\r\n")
	switch {
	case len(head) == 0:
		return "", fault.New(fault.Invalid, "the file is empty")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return XLSX, nil
	case head[0] == '[', head[0] == '{' && strings.HasSuffix(strings.ToLower(name), ".json"):
		return JSON, nil
	case head[0] == '{':
		return JSONL, nil
	}
	return CSV, nil
}

// decode gives the text of a file in UTF-8. A byte order mark says its character
// set, else o does. Otherwise it is UTF-8 if all of it can be, and if not what
// spreadsheets save in the file's country; JSON is always UTF-8.
func (f *File) decode(file io.ReadSeeker, o Options) (io.Reader, string, error) {
	name := o.Charset
	if name == "" && f.Format == CSV {
		valid, err := allUTF8(file)
		if err != nil {
			return nil, "", err
		}
		if !valid {
			name = legacyCharset(o.Region)
		}
	}
	charset, err := Charset(name)
	if err != nil {
		return nil, "", err
	}
	if charset == nil {
		return transform.NewReader(f.read, unicode.BOMOverride(encoding.UTF8Validator)), "utf-8", nil
	}
	return transform.NewReader(f.read, unicode.BOMOverride(charset.NewDecoder())), name, nil
}

// allUTF8 reports whether a file is valid UTF-8, or UTF-16 with a byte order
// mark, and goes back to its beginning.
func allUTF8(file io.ReadSeeker) (bool, error) {
	_, err := io.Copy(io.Discard, transform.NewReader(file, unicode.BOMOverride(encoding.UTF8Validator)))
	if err != nil && !errors.Is(err, encoding.ErrInvalidUTF8) {
		return false, err
	}
	_, seek := file.Seek(0, io.SeekStart)
	return err == nil, seek
}

// asFault tells whoever gave the file what is wrong with its text.
func asFault(err error) error {
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		return fault.New(fault.Invalid, "the text is not valid UTF-8; if it is in another character set, name it")
	}
	return err
}
