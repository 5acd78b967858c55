package server

import (
	"context"
	"encoding/json"

	"leadloop/leads"
)

type personCommand struct {
	Export personExport `cmd:"" help:"Print all that is held about a person, as JSON."`
}

type personExport struct {
	database
	Phone string `help:"Their phone number." placeholder:"NUMBER"`
	Email string `help:"Their e-mail address." placeholder:"ADDRESS"`
}

// Run runs the command.
func (c *personExport) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		held, err := a.Privacy.Export(ctx, leads.Person{Phone: c.Phone, Email: c.Email})
		if err != nil {
			return err
		}
		out := json.NewEncoder(s.out)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(held)
	})
}
