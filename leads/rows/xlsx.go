package rows

import (
	"errors"
	"io"
	"regexp"
	"strings"

	"github.com/xuri/excelize/v2"

	"leadloop/odata/fault"
)

// maxSheet is how many bytes a workbook may have when it is unpacked.
const maxSheet = 1 << 30

// sheetRows reads a sheet of a workbook, whose first row that is not empty is
// the header.
type sheetRows struct {
	table
	shown, raw *excelize.Rows
	line       int
}

// openSheet opens a workbook at the sheet that o names, or its first one.
func openSheet(file io.Reader, o Options) (rows *sheetRows, closeIt func(), err error) {
	book, err := excelize.OpenReader(file, excelize.Options{UnzipSizeLimit: maxSheet, ShortDatePattern: "yyyy-mm-dd"})
	if err != nil {
		return nil, nil, fault.Newf(fault.Invalid, "the workbook cannot be read: %v", err)
	}
	closeBook := func() { _ = book.Close() } // removes its temporary files; nothing is lost
	defer func() {
		if err != nil {
			closeBook()
		}
	}()
	sheets, name := book.GetSheetList(), o.Sheet
	if name == "" && len(sheets) > 0 {
		name = sheets[0]
	}
	s := &sheetRows{}
	if s.shown, err = book.Rows(name); err == nil {
		s.raw, err = book.Rows(name)
	}
	if missing := (excelize.ErrSheetNotExist{}); errors.As(err, &missing) {
		return nil, nil, fault.Newf(fault.Invalid, "the workbook has no sheet %q; it has: %s", name, strings.Join(sheets, ", "))
	}
	if err != nil {
		return nil, nil, fault.Newf(fault.Invalid, "the sheet cannot be read: %v", err)
	}
	header, err := s.cells()
	if errors.Is(err, io.EOF) {
		err = fault.New(fault.Invalid, "the sheet is empty")
	}
	if err != nil {
		return nil, nil, err
	}
	s.table, err = newTable(header, o.Header)
	return s, closeBook, err
}

func (s *sheetRows) next() (Row, error) {
	for {
		cells, err := s.cells()
		if err != nil {
			return Row{}, err
		}
		if r := s.row(s.line, cells); r != nil {
			return *r, nil
		}
	}
}

// scientific is how a sheet shows a number that is too long for its cell.
var scientific = regexp.MustCompile(`^-?\d(\.\d+)?E\+\d+$`)

// cells gives the next row that has any: what the sheet shows, but never a
// shortened number.
func (s *sheetRows) cells() ([]string, error) {
	for s.shown.Next() && s.raw.Next() {
		s.line++
		cells, err := s.shown.Columns()
		raw, rawErr := s.raw.Columns(excelize.Options{RawCellValue: true})
		if err = errors.Join(err, rawErr); err != nil {
			return nil, fault.Newf(fault.Invalid, "row %d of the sheet cannot be read: %v", s.line, err)
		}
		for i := range cells {
			if i < len(raw) && scientific.MatchString(cells[i]) {
				cells[i] = raw[i]
			}
		}
		if len(cells) > 0 {
			return cells, nil
		}
	}
	if err := errors.Join(s.shown.Error(), s.raw.Error()); err != nil {
		return nil, fault.Newf(fault.Invalid, "the sheet cannot be read after row %d: %v", s.line, err)
	}
	return nil, io.EOF
}
