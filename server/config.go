package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"leadloop/routing"
)

// commands is the command line. Every flag has an environment variable, named
// after it: LEADLOOP_DB for --db.
type commands struct {
	ShowVersion kong.VersionFlag `name:"version" env:"-" help:"Print the version."`

	Serve    serveCommand    `cmd:"" help:"Run the server."`
	Demo     demoCommand     `cmd:"" help:"Run with sample data and a stand-in CRM, so that the loop is seen turning."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database up to this version's schema and stop."`
	User     userCommand     `cmd:"" help:"Manage the staff's accounts."`
	Key      keyCommand      `cmd:"" help:"Manage the API keys of customers' connections."`
	Token    tokenCommand    `cmd:"" help:"Manage what the staff's access tokens are signed under."`
	Lead     leadCommand     `cmd:"" help:"Take leads in from files."`
	Feedback feedbackCommand `cmd:"" help:"Take feedback in from files."`
	Person   personCommand   `cmd:"" help:"Tell what is held about a person."`
	Audit    auditCommand    `cmd:"" help:"Prove the audit trail."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// database are the flags that say where the data is.
type database struct {
	DB            string `help:"SQLite file, or a postgres:// address; ${default} unless given." default:"leadloop.db" placeholder:"FILE|URL"`
	SecretKey     string `help:"Master key: base64 of 32 bytes, or a text of at least 32 characters. Unless given, it is in the key file." placeholder:"KEY"`
	SecretKeyFile string `help:"Where the master key is kept, and made if missing. By default beside the database: leadloop.key." placeholder:"FILE" type:"path"`
}

// logging are the flags of the log, which goes to stderr.
type logging struct {
	LogLevel  string `help:"Least level logged: ${enum}." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `help:"Form of the log: ${enum}." enum:"text,json" default:"text"`
}

// serving are the flags of a running server.
type serving struct {
	Addr          string         `help:"Address to listen on; ${default} unless given." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	AdminAddr     string         `help:"Address to serve /metrics on, for Prometheus, or off; ${default} unless given." default:"127.0.0.1:9464" placeholder:"HOST:PORT"`
	AllowNetworks []netip.Prefix `help:"Networks that transmissions may reach although they are private, such as 127.0.0.0/8." placeholder:"NETWORK"`
	// A trusted proxy is believed what it says of the client and of the address asked for.
	TrustedProxies []netip.Prefix `help:"Networks of the proxies before the server, whose Forwarded and X-Forwarded headers are believed." placeholder:"NETWORK"`
	PublicURL      string         `name:"public-url" help:"Where customers' systems reach the server, such as https://leads.example.com, for mappings that send the feedback address." placeholder:"URL"`
	Workers        int            `help:"Transmissions at once." default:"16"`
	SendTimeout    time.Duration  `help:"Time for one transmission." default:"10s"`
	NoticeURL      string         `help:"Webhook that notices to staff are posted to, as JSON." placeholder:"URL"`
	NoticeEmail    string         `help:"Addresses that notices to staff are sent to, with commas between, by the mail server --smtp-server." placeholder:"ADDRESS"`
	SMTPServer     string         `name:"smtp-server" help:"Mail server: smtps://HOST:PORT, starttls://HOST:PORT, or smtp://HOST:PORT without TLS and password." placeholder:"URL"`
	SMTPUser       string         `name:"smtp-user" help:"Name to log in to the mail server; unless given, there is no log-in." placeholder:"NAME"`
	SMTPPassword   string         `name:"smtp-password" help:"Password to log in to the mail server; better given in the environment." placeholder:"PASSWORD"`
	SMTPFrom       string         `name:"smtp-from" help:"Sender of the messages; the first receiver unless given." placeholder:"ADDRESS"`
}

// Validate is called by kong. A server that never sends would look like one that
// runs well.
func (s serving) Validate() error {
	switch {
	case s.Workers < 1:
		return errors.New("--workers must be at least 1")
	case s.SendTimeout <= 0:
		return errors.New("--send-timeout must be longer than nothing")
	case s.NoticeURL != "" && !strings.HasPrefix(s.NoticeURL, "https://") && !strings.HasPrefix(s.NoticeURL, "http://"):
		return errors.New("--notice-url must begin with http:// or https://")
	case s.NoticeEmail == "":
		return nil
	}
	if err := s.noticeMail().Check(); err != nil {
		return fmt.Errorf("--notice-email: %w; see --smtp-server, --smtp-user and --smtp-from", err)
	}
	return nil
}

// noticeMail is how notices go by e-mail.
func (s serving) noticeMail() routing.NoticeMail {
	return routing.NoticeMail{To: s.NoticeEmail, From: s.SMTPFrom, Server: s.SMTPServer, User: s.SMTPUser, Password: s.SMTPPassword}
}

type serveCommand struct {
	database
	logging
	serving
	NoMigrate bool `help:"Refuse to start, rather than migrate, when the database is of an older version."`
}

type migrateCommand struct{ database }
