package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Listen calls heard with each text that Notify sends on channel, from any server
// on the database, until ctx ends or the connection is lost, and returns why. It
// calls heard with "" once it listens: what was sent before is not heard. It has a
// connection of its own. On SQLite there is no other server: it waits for the end
// of ctx.
func (db *DB) Listen(ctx context.Context, channel string, heard func(text string)) error {
	if db.dialect != Postgres {
		<-ctx.Done()
		return ctx.Err()
	}
	conn, err := pgx.Connect(ctx, db.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	heard("")
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(n.Payload)
	}
}

// Notify sends text, at most 7,900 bytes, to those who listen on channel. On
// SQLite it does nothing.
func (db *DB) Notify(ctx context.Context, channel, text string) error {
	if db.dialect != Postgres {
		return nil
	}
	return db.Read(ctx).Exec("SELECT pg_notify(?, ?)", channel, text).Error
}
