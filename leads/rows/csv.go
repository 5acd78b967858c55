package rows

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"leadloop/odata/fault"
)

// table is the columns of a CSV file or a sheet. A column without a name is
// called by its number; of two with one name the second has a number behind it.
type table struct{ names []string }

func newTable(header []string, clean func(string) string) (table, error) {
	if len(header) > MaxColumns {
		return table{}, fault.Newf(fault.Invalid, "the file has more than %d columns", MaxColumns)
	}
	var t table
	for i, name := range header {
		if name = clean(name); name == "" {
			name = fmt.Sprintf("Column %d", i+1)
		}
		own := name
		for n := 2; slices.Contains(t.names, own); n++ {
			own = fmt.Sprintf("%s %d", name, n)
		}
		t.names = append(t.names, own)
	}
	return t, nil
}

func (t table) columns() []string { return t.names }

// row gives the cells of a row by their names; nil if all are blank.
func (t table) row(line int, cells []string) *Row {
	r := &Row{Line: line}
	blank := true
	for i, cell := range cells {
		filled := strings.TrimSpace(cell) != ""
		blank = blank && !filled
		switch {
		case i < len(t.names):
			r.Cells = append(r.Cells, Cell{t.names[i], cell})
		case filled && r.Err == nil:
			r.Err = fault.Newf(fault.Invalid, "the row has a cell %d, but the file only %d columns", i+1, len(t.names))
		}
	}
	if blank {
		return nil
	}
	return r
}

// csvRows reads CSV with a header.
type csvRows struct {
	table
	r     *csv.Reader
	lines int // before those that r counts
}

// delimiters are those that are looked for, the likeliest first.
const delimiters = ",;\t|"

// openCSV reads the header. Without a delimiter the one that is most in it is
// taken, or the one that a line such as sep=; before it names.
func openCSV(text io.Reader, o Options) (*csvRows, error) {
	delimiter := o.Delimiter
	b := bufio.NewReaderSize(text, 64<<10)
	c := &csvRows{}
	if head, _ := b.Peek(4); strings.EqualFold(string(head), "sep=") {
		line, err := b.ReadString('\n')
		if err != nil {
			return nil, fault.New(fault.Invalid, "the file has no header")
		}
		if named := []rune(strings.TrimRight(line[4:], "\r\n")); delimiter == 0 && len(named) == 1 {
			delimiter = named[0]
		}
		c.lines = 1
	}
	if delimiter == 0 {
		delimiter = likeliest(b)
	}
	c.r = csv.NewReader(b)
	c.r.Comma, c.r.FieldsPerRecord, c.r.LazyQuotes, c.r.ReuseRecord = delimiter, -1, true, true // בע"מ stands unquoted in many files
	header, err := c.r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fault.New(fault.Invalid, "the file is empty")
	case err != nil && err.Error() == "csv: invalid field or comment delimiter":
		return nil, fault.Newf(fault.Invalid, "%q cannot be a delimiter", delimiter)
	case err != nil:
		return nil, err
	}
	c.table, err = newTable(header, o.Header)
	return c, err
}

// likeliest is the delimiter that the header has most, outside of quotes.
func likeliest(b *bufio.Reader) rune {
	head, _ := b.Peek(b.Size())
	counts := map[rune]int{}
	quoted := false
	for _, r := range string(head) {
		if r == '"' {
			quoted = !quoted
		}
		if r == '\n' && !quoted && len(counts) > 0 {
			break
		}
		if !quoted && strings.ContainsRune(delimiters, r) {
			counts[r]++
		}
	}
	best := ','
	for _, r := range delimiters {
		if counts[r] > counts[best] {
			best = r
		}
	}
	return best
}

func (c *csvRows) next() (Row, error) {
	for {
		cells, err := c.r.Read()
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			return Row{Line: syntax.StartLine + c.lines, Err: fault.New(fault.Invalid, "the row is not well-formed: "+syntax.Err.Error())}, nil
		case err != nil:
			return Row{}, asFault(err)
		}
		line, _ := c.r.FieldPos(0)
		r := c.row(line+c.lines, cells)
		if r == nil {
			continue
		}
		if len(cells) < len(c.names) && slices.ContainsFunc(cells, func(cell string) bool { return strings.Contains(cell, "\n") }) {
			r.Err = fault.Newf(fault.Invalid, "the row has %d cells for %d columns and runs over several lines: is a quote left open?", len(cells), len(c.names))
		}
		return *r, nil
	}
}
