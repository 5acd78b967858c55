package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leadloop/store"
)

type auditCommand struct {
	Verify auditVerify `cmd:"" help:"Check that no event of the audit trail was changed, added or taken out, and print its head."`
	Seal   auditSeal   `cmd:"" help:"Let a damaged audit trail go on, with a note of what is known of the damage."`
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
	return c.trail(ctx, func(ctx context.Context, db *store.DB) error {
		proof, err := db.ProveAudit(ctx, past, nil)
		if err != nil {
			return err
		}
		for _, seal := range proof.Seals {
			fmt.Fprintf(s.out, "known: it was broken at event %d: %s\n  sealed by %s on %s as event %d: %s\n",
				seal.BrokenAt, seal.Why, seal.By, seal.At.Format(time.DateOnly), seal.ID, seal.Note)
		}
		switch {
		case !proof.Whole:
			return withHint(&store.Broken{ID: *proof.BrokenAt, Why: *proof.Why}, "find out how it came to that; then audit seal lets the trail go on")
		case len(proof.Seals) > 0:
			fmt.Fprintf(s.out, "the audit trail is whole but for this: %d events\n", proof.Events)
		default:
			fmt.Fprintf(s.out, "the audit trail is whole: %d events\n", proof.Events)
		}
		fmt.Fprintf(s.out, "head: %s\n", proof.Head)
		return nil
	})
}

type auditSeal struct {
	database
	Note string `help:"What is known of the damage: it becomes part of the trail." required:"" placeholder:"TEXT"`
}

// Run runs the command.
func (c *auditSeal) Run(ctx context.Context, s streams) error {
	return c.trail(ctx, func(ctx context.Context, db *store.DB) error {
		seal, err := db.SealAudit(ctx, c.Note)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "the audit trail was broken at event %d: %s\nit goes on behind event %d, which tells so\n", seal.BrokenAt, seal.Why, seal.ID)
		return nil
	})
}

// trail is with for what needs the audit trail alone: where that is damaged, the
// application may not come to run.
func (d database) trail(ctx context.Context, f func(ctx context.Context, db *store.DB) error) error {
	if err := d.exists(); err != nil {
		return err
	}
	vault, err := d.vault()
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, d.DB, store.WithVault(vault))
	if err != nil {
		return err
	}
	if err = db.Migrate(ctx); err == nil {
		err = checkVault(ctx, db, vault)
	}
	if err == nil {
		err = f(asOperator(ctx), db)
	}
	return errors.Join(err, db.Close())
}
