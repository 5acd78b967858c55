package server

import (
	"context"
	"fmt"

	"leadloop/store"
)

type auditCommand struct {
	Verify auditVerify `cmd:"" help:"Check that no event of the audit trail was changed, added or taken out, and print its head."`
}

type auditVerify struct {
	database
	Head string `help:"A head printed earlier and kept elsewhere: the trail must still go through it." placeholder:"ID:HASH"`
}

// Run runs the command.
func (c *auditVerify) Run(ctx context.Context, s streams) error {
	var past *store.Head
	if c.Head != "" {
		h, err := store.ParseHead(c.Head)
		if err != nil {
			return withHint(fmt.Errorf("--head: %w", err), "give it as audit verify printed it")
		}
		past = &h
	}
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		h, err := a.DB.VerifyAudit(ctx, past)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "the audit trail is whole: %d events\nhead: %s\n", h.ID, h)
		return nil
	})
}
