package server

import (
	"context"
	"fmt"

	"leadloop/feedback"
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
	return c.take(ctx, s, c.database, func(ctx context.Context, a *App, in taking) (imported, error) {
		done, err := a.Feedback.Import(ctx, in.file, feedback.Import{
			Options: in.options, Map: c.Map, DryRun: c.DryRun, Refused: in.refused, Progress: in.progress,
		})
		of := ""
		if done.Waiting > 0 {
			of = fmt.Sprintf("%d with a status that is not mapped yet", done.Waiting)
		}
		return imported{done.Added, of, done.Known, done.Refused, done.Line, done.Charset}, err
	})
}
