package routing

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
)

// methodSMTP is the method of connectors whose format is email.
const methodSMTP = "SMTP"

// letter is a message to be sent.
type letter struct {
	from *mail.Address
	to   []*mail.Address // with those who get a copy
}

// mailHeaders are the targets that are headers of the message; others are lines
// of its text.
var mailHeaders = map[string]string{"from": "From", "to": "To", "cc": "Cc", "reply-to": "Reply-To", "subject": "Subject"}

// compose makes the message of the fields: From, To, Cc, Reply-To and Subject are
// its headers, the others the lines of its text, "name: value".
func (p *sender) compose(r *request, fields []field[any], routingID uuid.UUID) error {
	l := &letter{}
	var text strings.Builder
	for _, f := range fields {
		value := formText(f.value)
		name := mailHeaders[strings.ToLower(f.name)]
		switch name {
		case "":
			fmt.Fprintf(&text, "%s: %s\r\n", f.name, strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", "\n"), "\n", "\r\n"))
		case "Subject":
			r.set(name, mime.QEncoding.Encode("utf-8", strings.Join(strings.Fields(value), " ")))
		default:
			list, err := mail.ParseAddressList(value)
			if err != nil {
				return fault.Newf(fault.Invalid, "the field %s is not a list of e-mail addresses", f.name)
			}
			r.set(name, addressLine(list))
			switch name {
			case "From":
				l.from = list[0]
			case "To", "Cc":
				l.to = append(l.to, list...)
			}
		}
	}
	if l.from == nil || len(l.to) == 0 {
		return fault.New(fault.Invalid, "the message needs From and To")
	}
	_, domain, _ := strings.Cut(l.from.Address, "@")
	r.set("Message-ID", "<"+routingID.String()+"@"+domain+">")
	r.set("MIME-Version", "1.0")
	r.set("Content-Type", "text/plain; charset=utf-8")
	r.body, r.letter = []byte(text.String()), l
	return nil
}

func addressLine(list []*mail.Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

// message writes r as it goes over the wire.
func (r *request) message(now time.Time) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Date: %s\r\n", now.Format(time.RFC1123Z))
	for _, h := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	b.WriteString("Content-Transfer-Encoding: base64\r\n\r\n")
	coded := base64.StdEncoding.EncodeToString(r.body)
	for len(coded) > 76 {
		b.WriteString(coded[:76] + "\r\n")
		coded = coded[76:]
	}
	b.WriteString(coded + "\r\n")
	return b.Bytes()
}

// mail sends the message r to the mail server of p. The reply that decides is the
// exchange's status and body.
func (s *Service) mail(ctx context.Context, p *sender, r *request) (x exchange) {
	r.secrets = append(r.secrets, p.scheme.secrets...)
	x = exchange{request: r.text(), secrets: r.secrets, mail: true}
	begun := time.Now()
	reply, err := s.submit(ctx, p, r)
	x.duration = time.Since(begun)
	var refused *textproto.Error
	switch {
	case errors.As(err, &refused):
		x.status, x.body = refused.Code, []byte(refused.Msg)
	case err != nil:
		x.err = s.client.explain(ctx, err)
		return x
	default:
		x.status, x.body = 250, []byte(reply)
	}
	x.response = captured(fmt.Sprintf("%d %s", x.status, x.body), r.secrets)
	return x
}

// submit goes through the dialogue and gives the server's last reply.
func (s *Service) submit(ctx context.Context, p *sender, r *request) (reply string, err error) {
	u, err := url.Parse(r.url)
	if err != nil {
		return "", err
	}
	dial := s.client.dialMail
	if p.own {
		dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	conn, err := dial(ctx, u.Host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until) // a connection that takes none ends with its first read
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	secure := &tls.Config{ServerName: u.Hostname(), RootCAs: s.roots, MinVersion: tls.VersionTLS12}
	conn = &shortConn{Conn: conn, left: captureLimit}
	if u.Scheme == "smtps" {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, u.Hostname())
	if err != nil {
		return "", err
	}
	if u.Scheme == "starttls" {
		if err := c.StartTLS(secure); err != nil {
			return "", err
		}
	}
	if p.scheme.Type == authBasic {
		if u.Scheme == "smtp" {
			return "", errors.New("a password is not sent over a connection without TLS")
		}
		if err := c.Auth(smtp.PlainAuth("", p.scheme.User, p.scheme.Password, u.Hostname())); err != nil {
			return "", err
		}
	}
	return r.letter.post(c, r.message(s.now()))
}

// post hands the message over.
func (l *letter) post(c *smtp.Client, message []byte) (reply string, err error) {
	if err := c.Mail(l.from.Address); err != nil {
		return "", err
	}
	for _, to := range l.to {
		if err := c.Rcpt(to.Address); err != nil {
			return "", err
		}
	}
	// Not by c.Data, which keeps the last reply to itself.
	id, err := c.Text.Cmd("DATA")
	if err != nil {
		return "", err
	}
	c.Text.StartResponse(id)
	_, _, err = c.Text.ReadResponse(354)
	c.Text.EndResponse(id)
	if err != nil {
		return "", err
	}
	w := c.Text.DotWriter()
	if _, err := w.Write(message); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	if _, reply, err = c.Text.ReadResponse(250); err == nil {
		_, _ = c.Text.Cmd("QUIT") // the message is taken, however the server says good-bye
	}
	return reply, err
}

// shortConn is a connection that ends after so many bytes read.
type shortConn struct {
	net.Conn
	left int
}

func (c *shortConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
