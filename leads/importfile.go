package leads

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

// The formats of files that leads can be imported from.
const (
	FormatCSV   = "csv"
	FormatJSONL = "jsonl" // an object a line
	FormatJSON  = "json"  // a list of objects, or one after the other
	FormatXLSX  = "xlsx"
)

// importFile is a file that is being read.
type importFile struct {
	rows    rowReader
	read    *countingReader
	format  string
	charset string
	close   func()
}

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

// openFile begins to read a file. Invalid if it is not what o says.
func openFile(file io.ReadSeeker, src *Source, o Import) (*importFile, error) {
	f := &importFile{format: o.Format, read: &countingReader{r: file}, close: func() {}}
	if f.format == "" || f.format == "auto" {
		var err error
		if f.format, err = formatOf(file, o.Name); err != nil {
			return nil, err
		}
	}
	var err error
	if f.format == FormatXLSX {
		f.rows, f.close, err = openSheet(f.read, o.Sheet)
		return f, err
	}
	var decoded io.Reader
	if decoded, f.charset, err = f.decode(file, src, o); err != nil {
		return nil, err
	}
	switch f.format {
	case FormatCSV:
		f.rows, err = openCSV(decoded, o.Delimiter)
	case FormatJSONL:
		f.rows = &lineRows{r: bufio.NewReaderSize(decoded, 64<<10)}
	case FormatJSON:
		f.rows, err = openJSON(decoded)
	default:
		err = fault.Newf(fault.Invalid, "there is no format %s", f.format)
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
		return FormatXLSX, nil
	case head[0] == '[', head[0] == '{' && strings.HasSuffix(strings.ToLower(name), ".json"):
		return FormatJSON, nil
	case head[0] == '{':
		return FormatJSONL, nil
	}
	return FormatCSV, nil
}

// decode gives the text of a file in UTF-8. A byte order mark says its character
// set, else o does. Otherwise it is UTF-8 if all of it can be, and if not what
// spreadsheets save in the source's country; JSON is always UTF-8.
func (f *importFile) decode(file io.ReadSeeker, src *Source, o Import) (io.Reader, string, error) {
	name := o.Charset
	if name == "" && f.format == FormatCSV {
		valid, err := allUTF8(file)
		if err != nil {
			return nil, "", err
		}
		if !valid {
			name = legacyCharset(src.Region)
		}
	}
	charset, err := charsetOf(name)
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

// legacyCharset is the character set in which spreadsheets of a country save
// text that is not Unicode.
func legacyCharset(region string) string {
	switch region {
	case "IL":
		return "windows-1255"
	case "PL", "CZ", "SK", "HU", "RO", "SI", "HR":
		return "windows-1250"
	case "RU", "UA", "BY", "BG", "KZ":
		return "windows-1251"
	}
	return "windows-1252"
}

// asFault tells whoever gave the file what is wrong with its text.
func asFault(err error) error {
	if errors.Is(err, encoding.ErrInvalidUTF8) {
		return fault.New(fault.Invalid, "the text is not valid UTF-8; if it is in another character set, name it")
	}
	return err
}
