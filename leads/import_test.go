package leads

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"gorm.io/gorm"

	"leadloop/leads/rows"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// importText imports a file and gives what was refused as "line target: reason".
func importText(s *Service, src *Source, file string, o Import) (Imported, []string, error) {
	var refused []string
	o.SourceID = src.ID
	o.Refused = func(r rows.Refusal) error {
		refused = append(refused, fmt.Sprintf("%d %s: %s", r.Line, r.Target, r.Reason))
		return nil
	}
	done, err := s.Import(manager(), strings.NewReader(file), o)
	return done, refused, err
}

// all gives the text of every lead, in the order of City.
func all(t *testing.T, s *Service, src *Source) []map[string]any {
	t.Helper()
	var list []Lead
	if err := s.DB.Read(context.Background()).Where("source_id = ?", src.ID).Order("city").Find(&list).Error; err != nil {
		t.Fatal(err)
	}
	var texts []map[string]any
	for i := range list {
		m := text(&list[i])
		if id, _ := m["ExternalID"].(string); strings.HasPrefix(id, "import:") {
			delete(m, "ExternalID")
		}
		texts = append(texts, m)
	}
	return texts
}

// book is a workbook with these rows, in a sheet called Leads after an empty one.
func book(t *testing.T, rows ...[]any) string {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	if _, err := f.NewSheet("Leads"); err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if err := f.SetSheetRow("Leads", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Each format gives the same leads, and none of them again.
func TestImportFormats(t *testing.T) {
	want := []map[string]any{
		{"FirstName": "נועה", "LastName": "לוי", "Phone": "+972501234567", "PhoneRaw": "050-1234567", "City": "חיפה", "חברה": `לוי בע"מ`},
		{"FirstName": "Dana", "Phone": "+972521234567", "PhoneRaw": "052-1234567", "City": "עכו", "חברה": ""},
	}
	const plain = "שם פרטי,שם משפחה,טלפון,עיר,חברה\nנועה,לוי,050-1234567,חיפה,לוי בע\"מ\n\nDana,,052-1234567,עכו,\n"
	hebrew, err := charmap.Windows1255.NewEncoder().String(plain)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(plain, ",", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	const one = `{"שם פרטי":"נועה","שם משפחה":"לוי","טלפון":"050-1234567","עיר":"חיפה","חברה":"לוי בע\"מ"}`
	const two = `{"שם פרטי":"Dana","שם משפחה":"","טלפון":"052-1234567","עיר":"עכו","חברה":""}`
	files := []struct {
		name, text, format, charset string
		o                           Import
	}{
		{"commas", plain, rows.CSV, "utf-8", Import{}},
		{"semicolons and a byte order mark", "\ufeff" + strings.ReplaceAll(plain, ",", ";"), rows.CSV, "utf-8", Import{}},
		{"quoted, CRLF", strings.ReplaceAll(strings.ReplaceAll(plain, "חיפה", `"חיפה"`), "\n", "\r\n"), rows.CSV, "utf-8", Import{}},
		{"a delimiter named in the file", "sep=^\n" + strings.ReplaceAll(plain, ",", "^"), rows.CSV, "utf-8", Import{}},
		{"a delimiter named", strings.ReplaceAll(plain, ",", "~"), rows.CSV, "utf-8", Import{Delimiter: '~'}},
		{"windows-1255", hebrew, rows.CSV, "windows-1255", Import{}},
		{"windows-1255, named", hebrew, rows.CSV, "cp1255", Import{Charset: "cp1255"}},
		{"UTF-16 with tabs", wide, rows.CSV, "utf-8", Import{}},
		{"JSON lines", one + "\n\n" + two, rows.JSONL, "utf-8", Import{}},
		{"a JSON list", " [\n" + one + ",\n" + two + "\n]\n", rows.JSON, "utf-8", Import{}},
		{"JSON objects", strings.ReplaceAll(one+two, ",", ",\n"), rows.JSON, "utf-8", Import{Name: "leads.json"}},
		{"XLSX", book(t, []any{"שם פרטי", "שם משפחה", "טלפון", "עיר", "חברה"}, []any{"נועה", "לוי", "050-1234567", "חיפה", `לוי בע"מ`}, nil, []any{"Dana", "", "052-1234567", "עכו", ""}), rows.XLSX, "", Import{Sheet: "Leads"}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		whole := addSource(t, s, Source{Kind: KindJSON})
		for i, file := range files {
			t.Run(file.name, func(t *testing.T) {
				src := addSource(t, s, Source{Kind: KindForm})
				dry := file.o
				dry.DryRun = true
				done, _, err := importText(s, src, file.text, dry)
				if err != nil || done.Added != 2 || done.Known != 0 || len(all(t, s, src)) > 0 {
					t.Fatalf("dry run: %+v, %v", done, err)
				}
				done, refused, err := importText(s, src, file.text, file.o)
				if err != nil || done.Added != 2 || done.Known != 0 || done.Refused != 0 || done.Format != file.format || done.Charset != file.charset {
					t.Fatalf("%+v, %v, %v", done, refused, err)
				}
				got := all(t, s, src)
				if _, kept := got[1]["חברה"]; !kept { // a sheet's row ends with its last cell that is not empty
					got[1]["חברה"] = ""
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				for _, o := range []Import{file.o, dry} {
					done, _, err = importText(s, src, file.text, o)
					if err != nil || done.Added != 0 || done.Known != 2 || len(all(t, s, src)) != 2 {
						t.Errorf("again: %+v, %v", done, err)
					}
				}
				// The same rows in any other format are the same leads.
				done, _, err = importText(s, whole, file.text, file.o)
				if err != nil || i > 0 && done.Known != 2 {
					t.Errorf("after another format: %+v, %v", done, err)
				}
			})
		}
	})
}

func TestImportRefusals(t *testing.T) {
	src := Source{Checks: []Check{{Property: "Phone", Required: true}}}
	long := strings.Repeat("x", rows.MaxLine)
	tests := []struct {
		name, text string
		o          Import
		added      int
		refused    []string
	}{
		{
			"CSV", "Phone,City\n0501234567,a\n12,b\n,c\n0501234568,d,e\n0501234569,f,\n\"0501234560\n0501234561,x\n",
			Import{},
			2,
			[]string{
				"3 Phone: Phone is not a phone number", "4 Phone: Phone is required", "5 : the row has a cell 3, but the file only 2 columns",
				"7 : the row has 1 cells for 2 columns and runs over several lines: is a quote left open?",
			},
		},
		{
			"JSON lines", `{"Phone":"0501234567"}` + "\n[1]\n{\"Phone\":\n" + `{"Phone":"1","Phone":"2"}` + "\n" + long + "\n" + long + long + "\n" + `{"Phone":"0501234568"}`,
			Import{},
			2,
			[]string{
				"2 : a row must be a JSON object", "3 : malformed JSON: it ends too early", "4 Phone: the field Phone comes twice",
				fmt.Sprintf("5 : the line is longer than %d bytes", rows.MaxLine), fmt.Sprintf("6 : the line is longer than %d bytes", rows.MaxLine),
			},
		},
		{"a JSON list", "[\n{\"Phone\":\n\"0501234567\"},\n\n{\"Phone\":\"1\"}, 7]", Import{}, 1, []string{"5 Phone: Phone is not a phone number", "5 : a row must be a JSON object"}},
		{"XLSX", book(t, []any{"Phone", "City"}, []any{972501234567, 1.5}, []any{12, "b"}), Import{Sheet: "Leads"}, 1, []string{"3 Phone: Phone is not a phone number"}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				src.Kind = KindJSON
				done, refused, err := importText(s, addSource(t, s, src), test.text, test.o)
				if err != nil || done.Added != test.added || done.Refused != len(test.refused) {
					t.Errorf("%+v, %v", done, err)
				}
				if diff := cmp.Diff(test.refused, refused); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// What was read before the trouble is in; what cannot be read at all says why.
func TestImportEnds(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindJSON})
	tests := []struct {
		name, text, message string
		o                   Import
		added               int
	}{
		{"empty", "", "the file is empty", Import{}, 0},
		{"no source", "a,b\n1,2", "there is no source 99", Import{SourceID: 99}, 0},
		{"no format", "a,b\n1,2", "there is no format xml", Import{Format: "xml"}, 0},
		{"no charset", "a,b\n1,2", "the character set klingon is not known", Import{Charset: "klingon"}, 0},
		{"a bad delimiter", "a,b\n1,2", `'"' cannot be a delimiter`, Import{Delimiter: '"'}, 0},
		{"an unknown column", "a,b\n1,2", `the file has no column "c"; it has: a, b`, Import{Map: map[string]string{"c": "City"}}, 0},
		{"a property that is not to be filled", "a,b\n1,2", `"a" cannot become State: that is not a property that a file could fill`, Import{Map: map[string]string{"a": "State"}}, 0},
		{"two columns for one property", "a,b\n1,2", `"a" and "b" cannot both become City`, Import{Map: map[string]string{"a": "City", "b": "City"}}, 0},
		{"not UTF-8 although it is said", "City\na\n\xff\n", "the text is not valid UTF-8; if it is in another character set, name it", Import{Charset: "utf-8"}, 1},
		{"JSON that breaks off", `[{"City":"1"},{"City":`, "malformed JSON: the file ends too early", Import{}, 1},
		{"JSON that is wrong", "[{\"City\":\"2\"},\n{]", "malformed JSON after line 1: invalid character ']' looking for beginning of object key string", Import{}, 1},
		{"something after JSON", `[{"City":"3"}] {}`, "malformed JSON in line 1: something follows the end of the list", Import{}, 1},
		{"a broken workbook", "PK\x03\x04 and so on", "the workbook cannot be read: zip: not a valid zip file", Import{}, 0},
		{"no such sheet", book(t), `the workbook has no sheet "Leds"; it has: Sheet1, Leads`, Import{Sheet: "Leds"}, 0},
		{"an empty sheet", book(t), "the sheet is empty", Import{}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.o.SourceID == 0 {
				test.o.SourceID = src.ID
			}
			done, err := s.Import(manager(), strings.NewReader(test.text), test.o)
			var e *fault.Error
			if !errors.As(err, &e) || e.Message != test.message || done.Added != test.added {
				t.Errorf("%+v, %v, want %s", done, err, test.message)
			}
		})
	}
	if _, err := s.Import(context.Background(), strings.NewReader("a\n1"), Import{SourceID: src.ID}); fault.CodeOf(err) != fault.Unauthorized {
		t.Errorf("nobody may import, got %v", err)
	}
}

func TestImportMap(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindJSON})
	done, _, err := importText(s, src, "Ref,Phone,Phone,Cell,Secret,Rooms,\n7,no,04-8123456,0501234567,x,4,y\n",
		Import{Map: map[string]string{"Ref": "ExternalID", "Cell": "Phone", "Secret": "", "Rooms": "חדרים"}})
	if err != nil || done.Added != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	want := []map[string]any{{
		"ExternalID": "7", "Phone": "+972501234567", "PhoneRaw": "0501234567", "_Phone": "no", "Phone 2": "04-8123456", "חדרים": "4", "Column 7": "y",
	}}
	if diff := cmp.Diff(want, all(t, s, src)); diff != "" {
		t.Error(diff)
	}
}

// An interrupted import goes on where it stopped; routing and duplicates are as
// for other leads.
func TestImportGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		routed := map[string]int{}
		s.Route = func(tx *gorm.DB, l *Lead, _ *Source) error {
			routed[*l.ExternalID]++
			return SetState(tx, l, StateRouted)
		}
		src := addSource(t, s, Source{Kind: KindJSON, DuplicateWindow: "P1D"})
		var file strings.Builder
		file.WriteString("Phone,Note\n")
		const many = 5*importBatch + 7
		for i := range many {
			fmt.Fprintf(&file, "05012%05d,%d\n", i%(many-3), i) // the last three are persons again
		}
		ctx, cancel := context.WithCancel(manager())
		var read []int64
		o := Import{SourceID: src.ID, Progress: func(n int64) {
			if read = append(read, n); len(read) == 2 {
				cancel()
			}
		}}
		first, err := s.Import(ctx, strings.NewReader(file.String()), o)
		if !errors.Is(err, context.Canceled) || first.Added != 2*importBatch || first.Line != 2*importBatch+1 {
			t.Fatalf("%+v, %v", first, err)
		}
		rest, err := s.Import(manager(), strings.NewReader(file.String()), Import{SourceID: src.ID})
		want := Imported{Added: many - 2*importBatch, Known: 2 * importBatch, Duplicates: 3, Line: many + 1, Format: rows.CSV, Charset: "utf-8"}
		if err != nil || rest != want {
			t.Fatalf("%+v, %v", rest, err)
		}
		if len(routed) != many-3 || count(t, s, "leads") != many || count(t, s, "payloads") != many {
			t.Errorf("%d routed, %d stored", len(routed), count(t, s, "leads"))
		}
		for id, n := range routed {
			if n != 1 {
				t.Errorf("%s was routed %d times", id, n)
			}
		}
		var payload Payload
		if err := db.Read(context.Background()).Order("lead_id").Take(&payload).Error; err != nil || string(payload.Body) != `{"Phone":"0501200000","Note":"0"}` {
			t.Errorf("payload %s, %v", payload.Body, err)
		}
	})
}

func TestSheetValues(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault())
	src := addSource(t, s, Source{Kind: KindJSON})
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	file := book(t, []any{"a", "b", "c", "d", "e"}, []any{1234567890123456, 0.1, true, "=1+1", at})
	if _, _, err := importText(s, src, file, Import{Sheet: "Leads"}); err != nil {
		t.Fatal(err)
	}
	got := all(t, s, src)[0]
	if got["a"] != "1234567890123456" || got["b"] != "0.1" || got["c"] != "TRUE" || got["d"] != "=1+1" || !strings.Contains(fmt.Sprint(got["e"]), "22") {
		t.Errorf("%v", got)
	}
}
