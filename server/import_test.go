package server

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadloop/store"
)

// TestLeadImport takes a file in while the server runs, which then sends the
// leads on.
func TestLeadImport(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		s.rule(t, s.join(t, "Acme").id, crm.url, map[string]any{"Condition": "City eq 'חיפה'"})
		crm.next(t, time.Second) // the rule's test
		s.source(t, "json", map[string]any{"Checks": []map[string]any{{"Property": "Phone", "Required": true}}})
		write(t, dir, "leads.csv", "שם;טלפון;עיר;Notes\nנועה לוי;050-1234567;חיפה;\"=1+1\"\nDana;12;עכו;\"=cmd|' /C calc'!A0\"\nאורי;052-1234567;עכו;x\n")
		write(t, dir, "more.jsonl", `{"Name":"Dan","Tel":"0541234567"}`+"\n"+`{"Name":"\u001b[31mDan","@x":1}`+"\n")
		sh := shell{t, dir, []string{"LEADLOOP_DB=" + dsn}}
		const refused = "leadloop: error: 1 row was refused"
		count := func(want string) {
			t.Helper()
			if n := s.admin.get("/odata/Leads/$count").want(200); string(n.body) != want {
				t.Errorf("%s leads, want %s", n.body, want)
			}
		}
		sh.run([]line{
			{
				args: "lead import leads.csv --source 1 --dry-run", status: 1, out: "would add 2, there already 0, refused 1",
				err: "line 3: Phone: Phone is not a phone number\n" + refused + "\nleadloop: hint: --report FILE writes them to a file",
			},
		})
		count("0")
		sh.run([]line{
			{
				args: "lead import leads.csv --source 1 --report refused.csv --map Notes=Message", status: 1, out: "added 2, there already 0, refused 1",
				err: refused + "; .*refused.csv says why",
			},
			{args: "lead import leads.csv --source 1", status: 1, out: "added 0, there already 2, refused 1", err: ".*" + refused + ".*"},
			{args: "lead import more.jsonl --source 1 --map Tel=Phone", status: 1, out: "added 1, there already 0, refused 1", err: `line 2: Phone: Phone is required\n.*`},
			{args: "lead import leads.csv --source 9", status: 1, err: "leadloop: error: there is no source 9"},
			{args: "lead import leads.csv", status: 2, err: `leadloop: error: missing flags: --source=ID\nleadloop: hint: run leadloop lead import --help`},
			{args: "lead import leads.csv --source 1 --delimiter ab", status: 1, err: "leadloop: error: --delimiter must be one character, or tab"},
			{args: "lead import leads.csv --source 1 --map Nots=Message", status: 1, err: `leadloop: error: the file has no column "Nots"; it has: שם, טלפון, עיר, Notes`},
			{args: "lead import none.csv --source 1", status: 1, err: "leadloop: error: open none.csv: no such file or directory"},
			{args: "lead import leads.csv --source 1 --format xlsx", status: 1, err: "leadloop: error: the workbook cannot be read: zip: not a valid zip file"},
		})
		count("3")
		crm.next(t, 10*time.Second)
		got := s.admin.get("/odata/Leads?$filter=City eq 'חיפה'&$expand=Routings").want(200)
		if got.text("value", 0, "Message") != "=1+1" || got.text("value", 0, "Phone") != "+972501234567" || len(got.at("value", 0, "Routings").([]any)) != 1 {
			t.Errorf("the imported lead: %s", got.body)
		}

		text, err := os.ReadFile(filepath.Join(dir, "refused.csv"))
		want := "\ufeffLine,Field,Reason,Row\n3,Phone,Phone is not a phone number,\"{\"\"שם\"\":\"\"Dana\"\",\"\"טלפון\"\":\"\"12\"\",\"\"עיר\"\":\"\"עכו\"\",\"\"Notes\"\":\"\"=cmd|' /C calc'!A0\"\"}\"\n"
		if diff := cmp.Diff(want, string(text)); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "refused.csv")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read the report: %v, %v", info, err)
		}
	})
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestInterruptedImport stops an import as Ctrl-C does, and kills another; the
// same command again finishes, and nothing is in twice.
func TestInterruptedImport(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		s.source(t, "json", nil)
		const rows = 6_000
		var b strings.Builder
		b.WriteString("Name,Phone\n")
		for i := range rows {
			fmt.Fprintf(&b, "Dana %d,05%08d\n", i, i)
		}
		write(t, dir, "many.csv", b.String())
		db, err := store.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		count := func() (n int64) {
			if err := db.Read(t.Context()).Table("leads").Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		interrupt := func(sig syscall.Signal) *instance {
			t.Helper()
			before := count()
			cmd := exec.Command(program(t), "lead", "import", "many.csv", "--source", "1")
			cmd.Dir, cmd.Env = dir, environment("LEADLOOP_DB="+dsn)
			i := launch(t, cmd)
			eventually(t, 30*time.Second, "some are in", func() bool { return count() > before })
			i.signal(sig)
			i.wait(30 * time.Second)
			return i
		}
		i := interrupt(syscall.SIGINT)
		some := count()
		want := fmt.Sprintf("leadloop: error: stopped after line %d: added %d, there already 0, refused 0\nleadloop: hint: the same command again goes on from there\n", some+1, some)
		if got := i.log.String(); got != want || i.cmd.ProcessState.ExitCode() != 1 || some == 0 || some == rows {
			t.Errorf("status %d, %d in\n%s, want\n%s", i.cmd.ProcessState.ExitCode(), some, got, want)
		}
		interrupt(syscall.SIGKILL)
		some = count()
		shell{t, dir, []string{"LEADLOOP_DB=" + dsn}}.run([]line{
			{args: "lead import many.csv --source 1", out: fmt.Sprintf("added %d, there already %d, refused 0", rows-some, some)},
		})
		if n := count(); n != rows {
			t.Errorf("%d leads, want %d", n, rows)
		}
	})
}
