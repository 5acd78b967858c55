package routing

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
)

// NoticeMail says how notices go to staff by e-mail.
type NoticeMail struct {
	To     string // addresses, with commas between
	From   string // "": the first of To
	Server string // smtps://HOST:PORT, starttls://HOST:PORT or smtp://HOST:PORT
	User   string // "": no log-in
	// Password is sent over TLS only.
	Password string
}

// Check returns an error that says what is wrong.
func (m NoticeMail) Check() error {
	if _, err := mail.ParseAddressList(m.To); err != nil {
		return errors.New("the receivers of notices are not a list of e-mail addresses")
	}
	if m.From != "" {
		if _, err := mail.ParseAddress(m.From); err != nil {
			return errors.New("the sender of notices is not an e-mail address")
		}
	}
	if err := checkMailServer(m.Server); err != nil {
		return errors.New("the mail server " + err.Error())
	}
	if m.User != "" && strings.HasPrefix(m.Server, "smtp://") {
		return errors.New("a password is not sent over smtp://, which has no TLS: use smtps:// or starttls://")
	}
	return nil
}

// WithNoticeMail has notices to staff sent by e-mail: those of a minute in one
// message. The mail server is the operator's own, so it may be at any address.
func WithNoticeMail(m NoticeMail) Option { return func(s *Service) { s.noticeMail = &m } }

// mailSpan is the time whose notices go in one message: trouble rarely comes
// alone, and nobody reads a hundred messages. mostMailed bounds the message.
const (
	mailSpan   = time.Minute
	mostMailed = 100
)

// mailNotices sends what is due, in one message.
func (s *Service) mailNotices(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	list, err := s.takeMail(ctx)
	if err == nil && len(list) > 0 {
		ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
		defer cancel()
		var x exchange
		if x, err = s.mailOf(ctx, list); err == nil {
			err = s.mailTried(context.WithoutCancel(ctx), list, &x)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("notices by e-mail", "error", err)
	}
}

// mailOf makes the exchange that sends the notices.
func (s *Service) mailOf(ctx context.Context, list []Notice) (exchange, error) {
	m := *s.noticeMail
	if m.From == "" {
		m.From, _, _ = strings.Cut(m.To, ",")
	}
	subject := "Leadloop: " + list[0].Kind
	if len(list) > 1 {
		subject = "Leadloop: " + strconv.Itoa(len(list)) + " notices"
	}
	p := &sender{scheme: &scheme{}, own: true}
	if m.User != "" {
		p.scheme.Type, p.scheme.User, p.scheme.Password = authBasic, m.User, m.Password
		p.scheme.secrets = []string{m.Password}
	}
	r := &request{method: methodSMTP, url: m.Server}
	fields := []field[any]{{"From", m.From}, {"To", m.To}, {"Subject", subject}}
	// The same notices make the same Message-ID when they are sent again.
	id := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, list[0].ID, list[len(list)-1].ID, len(list)))
	if err := p.compose(r, fields, id); err != nil {
		return exchange{}, err
	}
	r.set("Auto-Submitted", "auto-generated")
	r.body = []byte(noticeText(list))
	return s.mail(ctx, p, r), nil
}

func noticeText(list []Notice) string {
	var b strings.Builder
	for _, n := range list {
		fmt.Fprintf(&b, "%s  %s\r\n%s\r\n", n.CreatedAt.UTC().Format("2006-01-02 15:04 MST"), n.Kind, n.Message)
		if n.Times > 1 {
			fmt.Fprintf(&b, "%d times so far.\r\n", n.Times)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

// takeMail gives the notices that are due, and keeps others from them for a while.
func (s *Service) takeMail(ctx context.Context) (list []Notice, err error) {
	var due int64
	err = s.db.Read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM notices WHERE mail_next_at <= ? LIMIT 1) AS due", s.now()).Scan(&due).Error
	if err != nil || due == 0 {
		return nil, err
	}
	lock := ""
	if s.db.Dialect() == store.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	err = s.db.Write(ctx, func(tx *gorm.DB) error {
		list = nil
		err := tx.Raw("SELECT * FROM notices WHERE mail_next_at <= ? ORDER BY id LIMIT ?"+lock, s.now(), mostMailed).Scan(&list).Error
		if err != nil || len(list) == 0 {
			return err
		}
		_, err = exec(tx, "UPDATE notices SET mail_next_at = $1, mail_tries = mail_tries + 1 WHERE "+s.among("$2"), s.now().Add(s.lease), s.list(noticeIDs(list)))
		return err
	})
	return list, err
}

// mailTried records what came of a message: it is tried again as routings are.
func (s *Service) mailTried(ctx context.Context, list []Notice, x *exchange) error {
	now := s.now()
	tries := 0
	for _, n := range list {
		tries = max(tries, n.MailTries+1)
	}
	var sent, next *time.Time
	var problem *string
	if byStatus(x.status) == Accepted && x.err == nil {
		sent = &now
	} else {
		problem = optional(x.trouble())
		if wait, ok := backoff(tries, s.jitter(), 0); ok {
			at := now.Add(wait).Truncate(time.Microsecond)
			next = &at
		}
	}
	return s.db.Write(ctx, func(tx *gorm.DB) error {
		_, err := exec(tx, "UPDATE notices SET mailed_at = $1, mail_error = $2, mail_next_at = $3 WHERE "+s.among("$4"), sent, problem, next, s.list(noticeIDs(list)))
		return err
	})
}

// among selects the notices of a list of ids, an argument.
func (s *Service) among(argument string) string {
	if s.db.Dialect() == store.Postgres {
		return "id = ANY (" + argument + "::bigint[])"
	}
	return "id IN (SELECT value FROM json_each(" + argument + "))"
}

func noticeIDs(list []Notice) []int64 {
	ids := make([]int64, len(list))
	for i, n := range list {
		ids[i] = n.ID
	}
	return ids
}
