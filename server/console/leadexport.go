package console

import (
	"archive/zip"
	"bufio"
	"encoding/csv"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/odata/fault"
	"leadloop/server/privacy"
)

// exportPage is how many leads are read at once, and exportPatience how long the
// reader may take for them.
const (
	exportPage     = 1000
	exportPatience = 2 * time.Minute
)

// rowWriter writes a file row by row.
type rowWriter interface {
	Row(values []string) error
	Close() error
}

// exportLeads answers with the leads of a query as a file, written as they are
// read. That it was taken is noted before.
func (v *visit) exportLeads() error {
	values, err := url.ParseQuery(v.value("query"))
	if err != nil {
		return fault.New(fault.Invalid, "the query is none").At("query")
	}
	format := v.value("format")
	if format != "csv" && format != "xlsx" {
		return fault.New(fault.Invalid, "the format is csv or xlsx").At("format")
	}
	v.R.Form = values
	q, err := v.leadQuery()
	if err != nil {
		return err
	}
	reasons, err := v.reasonNames()
	if err != nil {
		return err
	}
	total, err := v.countLeads(&q)
	if err != nil {
		return err
	}
	rows, err := v.readLeads(&q, exportPage, "")
	if err != nil {
		return err
	}
	filter, err := q.filter(v.locale)
	if err != nil {
		return err
	}
	if err := v.Privacy.ExportLeads(v.ctx(), privacy.Taken{Filter: filter, Search: q.Search, Format: format, Columns: q.columns()}); err != nil {
		return err
	}
	h := v.W.Header()
	h.Set("Content-Type", map[string]string{"csv": "text/csv; charset=utf-8", "xlsx": xlsxType}[format])
	h.Set("Content-Disposition", `attachment; filename="leads-`+v.now().In(v.place).Format("2006-01-02-1504")+"."+format+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Leads", strconv.Itoa(total))
	if err := v.writeLeads(&q, format, rows, reasons); err != nil {
		v.Log.WarnContext(v.ctx(), "an export was not finished", "error", err)
		panic(http.ErrAbortHandler) // so that the reader does not take half a file for the whole
	}
	return nil
}

func (v *visit) countLeads(q *leadQuery) (int, error) {
	filter, err := q.filter(v.locale)
	if err != nil {
		return 0, err
	}
	rows, err := read[list[struct{}]](v, "Leads", query{"$filter": filter, "$search": searchExpression(q.Search), "$count": "true", "$top": "0"})
	return rows.Count, err
}

// writeLeads writes rows and all that follow them.
func (v *visit) writeLeads(q *leadQuery, format string, rows list[leadRow], reasons map[int32]string) error {
	out := bufio.NewWriterSize(v.W, 64<<10)
	var file rowWriter = newCSV(out)
	if format == "xlsx" {
		var err error
		if file, err = newXLSX(out, v.dir == "rtl"); err != nil {
			return err
		}
	}
	var titles []string
	for _, c := range q.columns() {
		titles = append(titles, v.columnTitle(c))
	}
	if err := file.Row(titles); err != nil {
		return err
	}
	control := http.NewResponseController(v.W)
	for {
		if err := control.SetWriteDeadline(time.Now().Add(exportPatience)); err != nil {
			return err
		}
		for i := range rows.Rows {
			if err := file.Row(v.exported(&rows.Rows[i], q.columns(), reasons)); err != nil {
				return err
			}
		}
		if rows.After == "" {
			break
		}
		var err error
		if rows, err = v.readLeads(q, exportPage, rows.After); err != nil {
			return err
		}
	}
	if err := file.Close(); err != nil {
		return err
	}
	return out.Flush()
}

// exported are the values of a lead in these columns.
func (v *visit) exported(r *leadRow, columns []string, reasons map[int32]string) []string {
	values := make([]string, len(columns))
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(v.place).Format("2006-01-02 15:04:05")
	}
	for i, c := range columns {
		switch c {
		case "Name":
			values[i] = r.name()
		case "Phone":
			if values[i] = r.text("Phone"); values[i] == "" {
				values[i] = r.text("PhoneRaw")
			}
		case "Source":
			if r.Source != nil {
				values[i] = r.Source.Name
			}
		case "State":
			values[i] = v.T("state." + r.State)
		case "Customers":
			var names []string
			for _, g := range r.Routings {
				names = append(names, g.Customer.Name)
			}
			values[i] = strings.Join(names, ", ")
		case "Reason":
			if r.ReasonID != nil {
				values[i] = reasons[*r.ReasonID]
			}
		case "ReceivedAt":
			values[i] = at(&r.ReceivedAt)
		case "FeedbackAt":
			values[i] = at(r.FeedbackAt)
		default:
			values[i] = r.text(c)
		}
	}
	return values
}

// csvFile writes CSV as spreadsheets open it: UTF-8 that says so.
type csvFile struct{ *csv.Writer }

func newCSV(w io.Writer) csvFile {
	_, _ = io.WriteString(w, "\ufeff") // the next write tells of an error
	return csvFile{csv.NewWriter(w)}
}

// Row implements rowWriter. What a spreadsheet would take for a formula is kept
// from being one: leads are written by strangers.
func (f csvFile) Row(values []string) error {
	safe := make([]string, len(values))
	for i, value := range values {
		safe[i] = harmless(value)
	}
	return f.Write(safe)
}

// harmless gives text for a cell that no spreadsheet takes for a formula. Some skip
// spaces before they look, and know the signs in full width.
func harmless(text string) string {
	begin := []rune(strings.TrimLeft(text, " \u00a0"))
	if len(begin) > 0 && strings.ContainsRune("=+-@\t\r\n＝＋－＠", begin[0]) && !isNumber(text) {
		return "'" + text
	}
	return text
}

// isNumber reports whether text is nothing but digits with a sign, as a phone
// number is.
func isNumber(text string) bool {
	digits := strings.TrimLeft(text[:1], "+-") + text[1:]
	return digits != "" && !slices.ContainsFunc([]rune(digits), func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
}

// Close implements rowWriter.
func (f csvFile) Close() error {
	f.Flush()
	return f.Error()
}

const xlsxType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// xlsxFile writes a workbook of one sheet (ECMA-376, parts 1 and 2), row by row.
// All cells are text, which no spreadsheet takes for a formula.
type xlsxFile struct {
	zip   *zip.Writer
	sheet *bufio.Writer
	rows  int
}

// xlsxParts are what a workbook is beside its sheet.
var xlsxParts = []struct{ name, content string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="` + xlsxType + `.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Leads" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`},
}

// maxSheetRows is how many rows a sheet may have.
const maxSheetRows = 1 << 20

func newXLSX(w io.Writer, rtl bool) (*xlsxFile, error) {
	f := &xlsxFile{zip: zip.NewWriter(w)}
	for _, p := range xlsxParts {
		part, err := f.zip.Create(p.name)
		if err == nil {
			_, err = io.WriteString(part, xml.Header+p.content)
		}
		if err != nil {
			return nil, err
		}
	}
	part, err := f.zip.Create("xl/worksheets/sheet1.xml")
	if err != nil {
		return nil, err
	}
	f.sheet = bufio.NewWriter(part)
	_, err = fmt.Fprintf(f.sheet, `%s<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView rightToLeft="%t" workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`, xml.Header, rtl)
	return f, err
}

// Row implements rowWriter.
func (f *xlsxFile) Row(values []string) error {
	if f.rows++; f.rows > maxSheetRows {
		return fault.Newf(fault.TooLarge, "a sheet has no more than %d rows", maxSheetRows)
	}
	_, _ = f.sheet.WriteString("<row>")
	for _, value := range values {
		_, _ = f.sheet.WriteString(`<c t="inlineStr"><is><t xml:space="preserve">`)
		if err := xml.EscapeText(f.sheet, []byte(clipped(value, 32_000))); err != nil {
			return err
		}
		_, _ = f.sheet.WriteString("</t></is></c>")
	}
	_, err := f.sheet.WriteString("</row>")
	return err
}

// Close implements rowWriter.
func (f *xlsxFile) Close() error {
	_, _ = f.sheet.WriteString("</sheetData></worksheet>")
	if err := f.sheet.Flush(); err != nil {
		return err
	}
	return f.zip.Close()
}
