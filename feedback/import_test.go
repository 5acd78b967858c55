package feedback

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

	"leadloop/leads/rows"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// importText imports a file and gives what was refused as "line target: reason".
func (w *world) importText(file string, o Import) (Imported, []string, error) {
	var refused []string
	o.Refused = func(r rows.Refusal) error {
		refused = append(refused, fmt.Sprintf("%d %s: %s", r.Line, r.Target, r.Reason))
		return nil
	}
	done, err := w.Import(asManager, strings.NewReader(file), o)
	return done, refused, err
}

// Each format gives the same reports, and none of them again.
func TestImport(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, format := range []string{rows.CSV, rows.JSONL, rows.JSON, rows.XLSX} {
			t.Run(format, func(t *testing.T) {
				w := newWorld(t, db)
				before := w.count(t)
				a, b := w.newRouting(t, w.acme)[0].String(), w.newRouting(t, w.zenith)[0].String()
				table := [][]any{
					{"lead ref", "reason_id", "Status", "occurred at", "Note", "Comment"},
					{a, "2", "", "2026-02-01T10:00:00Z", "התקשרנו", "x"},
					{b, "", "נמכר", "", "", ""},
					{b, "", " נמכר ", "", "", ""}, // the same
					{"7", "2", "", "", "", ""},
					{a, "2", "", "2026-02-01 10:00", "", ""}, // the same as the first
				}
				file := fileOf(t, format, table)
				o := Import{Map: map[string]string{"lead ref": "RoutingID", "Note": "Comment"}}
				dry := o
				dry.DryRun = true
				want := Imported{Added: 2, Waiting: 1, Known: 2, Refused: 1, Format: format, Line: 6}
				if format == rows.CSV {
					want.Charset = "utf-8"
				}
				if format == rows.JSON || format == rows.JSONL {
					want.Line = 5
				}
				refusal := []string{fmt.Sprintf("%d RoutingID: RoutingID is not a UUID", want.Line-1)}
				for _, x := range []struct {
					o     Import
					added int
				}{{dry, 2}, {o, 2}, {o, 0}, {dry, 0}} {
					got, refused, err := w.importText(file, x.o)
					want := want
					if x.added == 0 {
						want.Added, want.Waiting, want.Known = 0, 0, 4
					}
					got.Charset = want.Charset
					if diff := cmp.Diff(want, got); diff != "" || err != nil {
						t.Errorf("%+v: %v (-want +got):\n%s", x, err, diff)
					}
					if diff := cmp.Diff(refusal, refused); diff != "" {
						t.Errorf("refused (-want +got):\n%s", diff)
					}
				}
				if n := w.count(t) - before; n != 2 {
					t.Errorf("%d reports stored, want 2", n)
				}
				var f Feedback
				if err := db.Read(background).Take(&f, "routing_id = ?", a).Error; err != nil || *f.Comment != "התקשרנו" || f.ConnectionID != nil {
					t.Errorf("%+v, %v", f, err)
				}
			})
		}
	})
}

// fileOf writes a table in a format.
func fileOf(t *testing.T, format string, table [][]any) string {
	t.Helper()
	var b strings.Builder
	switch format {
	case rows.CSV:
		for _, row := range table {
			for i, cell := range row {
				if i > 0 {
					b.WriteByte(';')
				}
				fmt.Fprintf(&b, `"%s"`, cell)
			}
			b.WriteByte('\n')
		}
	case rows.XLSX:
		book := excelize.NewFile()
		defer book.Close()
		for i, row := range table {
			if err := book.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		if err := book.Write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	default:
		for n, row := range table[1:] {
			if format == rows.JSON {
				b.WriteString([]string{"[", ","}[min(n, 1)])
			}
			for i, cell := range row {
				fmt.Fprintf(&b, "%s%q:%q", []string{"{", ","}[min(i, 1)], table[0][i], cell)
			}
			b.WriteString("}\n")
		}
		if format == rows.JSON {
			b.WriteString("]")
		}
	}
	return b.String()
}

func TestImportRefusesFiles(t *testing.T) {
	w := newWorld(t, storetest.Open(t, store.SQLite))
	for file, o := range map[string]Import{
		"":                     {},
		"RoutingID,Note\n1,2":  {},
		"Status,Note\n1,2":     {},
		"RoutingID,Status\n1,": {Map: map[string]string{"Note": "Comment"}},
		"RoutingID,ReasonID\n": {Map: map[string]string{"ReasonID": "ID"}},
		"RoutingID,Status,a\n": {Map: map[string]string{"Status": "Comment", "a": "Comment"}},
		"RoutingID,Status,b\n": {Map: map[string]string{"Status": ""}},
	} {
		if _, _, err := w.importText(file, o); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: %v", file, err)
		}
	}
	if _, err := w.Import(w.acme.asClient, strings.NewReader("RoutingID,Status\n"), Import{}); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("a customer: %v", err)
	}
}

// An import that is stopped goes on where it was.
func TestImportGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		const many = 2*importBatch + 7
		var file strings.Builder
		file.WriteString("RoutingID,ReasonID,OccurredAt,Comment\n")
		for i := range many {
			at := ""
			if i%2 == 0 {
				at = w.Now().Add(-time.Duration(i) * time.Second).Format(time.RFC3339)
			}
			fmt.Fprintf(&file, "%s,%d,%s,row %d\n", id, i%11+1, at, i)
		}
		ctx, cancel := context.WithCancel(asManager)
		o := Import{Progress: func(int64) { cancel() }}
		first, err := w.Import(ctx, strings.NewReader(file.String()), o)
		if !errors.Is(err, context.Canceled) || first.Added != importBatch || first.Line != importBatch+1 {
			t.Fatalf("%+v, %v", first, err)
		}
		rest, _, err := w.importText(file.String(), Import{})
		if err != nil || rest.Added != many-importBatch || rest.Known != importBatch || w.count(t) != many {
			t.Errorf("%+v, %v", rest, err)
		}
	})
}
