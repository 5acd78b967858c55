package server

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"leadloop/server/staff"

	"github.com/google/uuid"

	"leadloop/keys"
	"leadloop/store"
)

type userCommand struct {
	Add    userAdd    `cmd:"" help:"Add a member of the staff."`
	List   userList   `cmd:"" help:"List the staff."`
	Passwd userPasswd `cmd:"" help:"Give a member of the staff a new password; ends their sessions."`
}

// password is how a command takes a password: from standard input, or a random
// one is made and printed.
type password struct {
	PasswordStdin bool `help:"Read the password from standard input, one line. Otherwise one is made and printed."`
}

func (p password) read(s streams) (text string, made bool, err error) {
	if !p.PasswordStdin {
		return rand.Text(), true, nil
	}
	line, err := bufio.NewReader(io.LimitReader(s.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	return strings.TrimRight(line, "\r\n"), false, nil
}

type userAdd struct {
	database
	password
	Email string `arg:"" help:"Their e-mail address, which they sign in with."`
	Role  string `help:"What they may do: ${enum}." enum:"admin,manager,viewer" default:"viewer"`
	Name  string `help:"Their name." default:""`
}

type userList struct{ database }

type userPasswd struct {
	database
	password
	Email string `arg:"" help:"Their e-mail address."`
}

// with runs f over the application, migrated, as the program itself. A database
// that is not there yet is most likely a mistyped name.
func (d database) with(ctx context.Context, s streams, f func(ctx context.Context, a *App) error) error {
	if err := d.exists(); err != nil {
		return err
	}
	return d.withNew(ctx, s, f)
}

// exists returns an error where the flags name a file that is not there.
func (d database) exists() error {
	if _, err := os.Stat(d.DB); errors.Is(err, fs.ErrNotExist) && !strings.Contains(d.DB, "://") {
		return withHint(fmt.Errorf("there is no database %s", d.DB), "name another with --db; serve, migrate and user add make a new one")
	}
	return nil
}

// operator is who is at the command line, by their account's name on this machine.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return store.CommandLine
}

// asOperator is ctx with them as the actor.
func asOperator(ctx context.Context) context.Context {
	return store.WithActor(ctx, store.Actor{Kind: store.System, Name: operator(), Through: store.CommandLine})
}

// withNew is with that makes the database where there is none.
func (d database) withNew(ctx context.Context, s streams, f func(ctx context.Context, a *App) error) error {
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := open(ctx, d, serving{}, log, true)
	if err != nil {
		return err
	}
	return errors.Join(f(asOperator(ctx), a), a.Close())
}

// Run runs the command.
func (c *userAdd) Run(ctx context.Context, s streams) error {
	text, made, err := c.read(s)
	if err != nil {
		return err
	}
	return c.withNew(ctx, s, func(ctx context.Context, a *App) error {
		u := &staff.User{Email: c.Email, Name: c.Name, Role: c.Role, Password: text, Active: true}
		if err := a.Staff.CreateUser(ctx, u); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "added %s, %s\n", u.Email, u.Role)
		if made {
			fmt.Fprintf(s.out, "password: %s\n", text)
		}
		return nil
	})
}

// Run runs the command.
func (c *userList) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		users, err := a.Staff.ListUsers(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "EMAIL\tROLE\tACTIVE\tNAME")
		for _, u := range users {
			fmt.Fprintf(w, "%s\t%s\t%t\t%s\n", u.Email, u.Role, u.Active, u.Name)
		}
		return w.Flush()
	})
}

// Run runs the command.
func (c *userPasswd) Run(ctx context.Context, s streams) error {
	text, made, err := c.read(s)
	if err != nil {
		return err
	}
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		u, err := a.Staff.UserByEmail(ctx, c.Email)
		if err != nil {
			return err
		}
		if err := a.Staff.SetPassword(ctx, u.ID, text); err != nil {
			return err
		}
		if made {
			fmt.Fprintf(s.out, "password: %s\n", text)
		}
		return nil
	})
}

type keyCommand struct {
	Issue  keyIssue  `cmd:"" help:"Issue a key to a connection and print it. It is shown this once."`
	Rotate keyRotate `cmd:"" help:"Replace a key by a new one and print that. The old one goes on for a while."`
	List   keyList   `cmd:"" help:"List a connection's keys."`
	Revoke keyRevoke `cmd:"" help:"Revoke a key."`
}

type keyIssue struct {
	database
	Connection uuid.UUID `arg:"" help:"ConnectionID."`
	ExpiresAt  time.Time `help:"When it ends, such as 2027-01-31T00:00:00Z; unless given, it does not." placeholder:"TIME"`
	Scopes     []string  `help:"What it may do, of what the connection may: all of it unless given." placeholder:"SCOPE"`
}

type keyRotate struct {
	database
	Key     string        `arg:"" help:"KeyID: the ten characters after ll_live_"`
	Overlap time.Duration `help:"How long the old key goes on; 0 ends it at once." default:"24h"`
}

type keyList struct {
	database
	Connection uuid.UUID `arg:"" help:"ConnectionID."`
}

type keyRevoke struct {
	database
	Key string `arg:"" help:"KeyID: the ten characters after ll_live_"`
}

// Run runs the command.
func (c *keyIssue) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		terms := keys.Terms{Scopes: c.Scopes}
		if !c.ExpiresAt.IsZero() {
			terms.ExpiresAt = &c.ExpiresAt
		}
		issued, err := a.Keys.Issue(ctx, c.Connection, terms)
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, issued.Key)
		return nil
	})
}

// Run runs the command.
func (c *keyRotate) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		issued, err := a.Keys.Rotate(ctx, c.Key, c.Overlap)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, issued.Key)
		return err
	})
}

// Run runs the command.
func (c *keyList) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		list, err := a.Keys.List(ctx, c.Connection)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "KEY ID\tCREATED\tSTATE")
		for _, k := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\n", k.ID, k.CreatedAt.Format("2006-01-02 15:04"), keyState(k))
		}
		return w.Flush()
	})
}

func keyState(k keys.Key) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && k.ExpiresAt.Before(store.Now()):
		return "expired"
	}
	return "live"
}

// Run runs the command.
func (c *keyRevoke) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		if err := a.Keys.Revoke(ctx, c.Key); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.out, "revoked", c.Key)
		return err
	})
}

type tokenCommand struct {
	RotateKey tokenRotateKey `cmd:"" help:"Sign access tokens under a new key from now on. This also happens by itself every 30 days."`
}

type tokenRotateKey struct {
	database
	AtOnce bool `help:"Refuse tokens signed before, rather than let them expire within 15 minutes. Sessions go on."`
}

// Run runs the command.
func (c *tokenRotateKey) Run(ctx context.Context, s streams) error {
	return c.with(ctx, s, func(ctx context.Context, a *App) error {
		if err := a.Staff.RotateSigningKey(ctx, c.AtOnce); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.out, "access tokens are signed under a new key")
		return err
	})
}
