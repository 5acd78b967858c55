package server

import (
	"net/netip"
	"time"
)

// commands is the command line. Every flag has an environment variable, named
// after it: LEADLOOP_DB for --db.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Demo    demoCommand    `cmd:"" help:"Run with sample data and a stand-in CRM, so that the loop is seen turning."`
	Migrate migrateCommand `cmd:"" help:"Bring the database up to this version's schema and stop."`
	User    userCommand    `cmd:"" help:"Manage the staff's accounts."`
	Key     keyCommand     `cmd:"" help:"Manage the API keys of customers' connections."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// database are the flags that say where the data is.
type database struct {
	DB            string `help:"SQLite file, or a postgres:// address." default:"leadloop.db" env:"LEADLOOP_DB" placeholder:"FILE|URL"`
	SecretKey     string `help:"Master key: base64 of 32 bytes, or a text of at least 32 characters. Unless given, it is in the key file." env:"LEADLOOP_SECRET_KEY" placeholder:"KEY"`
	SecretKeyFile string `help:"Where the master key is kept, and made if missing. By default beside the database: leadloop.key." env:"LEADLOOP_SECRET_KEY_FILE" placeholder:"FILE" type:"path"`
}

// logging are the flags of the log, which goes to stderr.
type logging struct {
	LogLevel  string `help:"Least level logged: ${enum}." enum:"debug,info,warn,error" default:"info" env:"LEADLOOP_LOG_LEVEL"`
	LogFormat string `help:"Form of the log: ${enum}." enum:"text,json" default:"text" env:"LEADLOOP_LOG_FORMAT"`
}

// serving are the flags of a running server.
type serving struct {
	Addr          string         `help:"Address to listen on." default:"127.0.0.1:8080" env:"LEADLOOP_ADDR" placeholder:"HOST:PORT"`
	AllowNetworks []netip.Prefix `help:"Networks that transmissions may reach although they are private, such as 127.0.0.0/8." env:"LEADLOOP_ALLOW_NETWORKS" placeholder:"CIDR"`
	Workers       int            `help:"Transmissions at once." default:"16" env:"LEADLOOP_WORKERS"`
	SendTimeout   time.Duration  `help:"Time for one transmission." default:"10s" env:"LEADLOOP_SEND_TIMEOUT"`
}

type serveCommand struct {
	database
	logging
	serving
	NoMigrate bool `help:"Refuse to start, rather than migrate, when the database is of an older version." env:"LEADLOOP_NO_MIGRATE"`
}

type migrateCommand struct {
	database
	logging
}
