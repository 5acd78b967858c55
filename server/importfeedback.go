package server

import (
	"context"
	"fmt"
	"os"

	"leadloop/feedback"
	"leadloop/leads/rows"
)

type feedbackCommand struct {
	Import feedbackImport `cmd:"" help:"Take in the reports of a file: CSV, JSON lines, JSON or XLSX. The same file again adds nothing."`
}

type feedbackImport struct {
	database
	importFile
	Map map[string]string `help:"What a column becomes: a property of Feedback; nothing drops it. May be given several times." placeholder:"COLUMN=PROPERTY" mapsep:"none"`
}

// Run runs the command.
func (c *feedbackImport) Run(ctx context.Context, s streams) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		var done feedback.Imported
		err := c.take(s, file, func(refused func(rows.Refusal) error, progress func(int64)) (err error) {
			done, err = a.Feedback.Import(ctx, file, feedback.Import{Options: o, Map: c.Map, DryRun: c.DryRun, Refused: refused, Progress: progress})
			return err
		})
		return c.tell(s, imported{c.summary(done), done.Line, done.Refused}, err)
	})
}

func (c *feedbackImport) summary(done feedback.Imported) string {
	text := fmt.Sprintf("added %d", done.Added)
	if c.DryRun {
		text = fmt.Sprintf("would add %d", done.Added)
	}
	if done.Waiting > 0 {
		text += fmt.Sprintf(" (%d with a status that is not mapped yet)", done.Waiting)
	}
	text += fmt.Sprintf(", there already %d, refused %d", done.Known, done.Refused)
	if done.Charset != "" && done.Charset != "utf-8" {
		text += "; read as " + done.Charset
	}
	return text
}
