package leads

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

const (
	maxRejections   = 1_000   // kept of each source, the newest
	maxRejectedBody = 4 << 10 // bytes kept of each
	maxQuoted       = 500     // characters kept of a header, a reason, a target
	rejectTimeout   = 5 * time.Second
)

// Rejection is a delivery of a known source that was refused, so that staff can
// see what its sender does wrong. The newest of each source are kept.
type Rejection struct {
	ID       int64 `gorm:"primaryKey" odata:"computed"`
	SourceID int64 `odata:"computed"`
	// Number counts the refused deliveries of the source: the newest one's is how
	// many there have been, those that are no longer kept among them.
	Number     int64     `odata:"computed"`
	ReceivedAt time.Time `odata:"computed"`
	// Code is that of the fault, or CodeSpam.
	Code   string `odata:"computed"`
	Reason string `odata:"computed"` // for the reader, as the sender got it
	Target string `odata:"computed"` // the field that is wrong, or ""
	// Body is the beginning of what came, with phone numbers, e-mail addresses and
	// secrets masked.
	Body string `odata:"computed"`

	Source *Source `odata:"partner=Rejections"`
}

// Rejections returns the newest refused deliveries of a source, the newest
// first, at most limit. Needs a viewer.
func (s *Service) Rejections(ctx context.Context, sourceID int64, limit int) ([]Rejection, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	var list []Rejection
	err := s.DB.Read(ctx).Where("source_id = ?", sourceID).Order("id DESC").Limit(min(limit, maxRejections)).Find(&list).Error
	return list, failed("read rejections", err)
}

// refused reports whether err is the sender's doing.
func refused(err error) bool {
	if err == nil {
		return false
	}
	code := fault.CodeOf(err)
	return code != fault.Internal && code != fault.Unavailable
}

// reject stores why a delivery was refused. The sender has its answer whatever
// becomes of that, so trouble is only logged, and a sender that hangs up stops
// nothing.
func (s *Service) reject(ctx context.Context, src *Source, d Delivery, cause error) {
	var e *fault.Error
	if !errors.As(cause, &e) {
		return
	}
	r := Rejection{SourceID: src.ID, ReceivedAt: s.Now(), Code: string(e.Code), Reason: maskText(quoted(e.Message)), Target: maskText(quoted(e.Target)), Body: mask(d)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rejectTimeout)
	defer cancel()
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		row := r
		if err := tx.Raw("UPDATE sources SET rejected_count = rejected_count + 1 WHERE id = ? RETURNING rejected_count", src.ID).
			Scan(&row.Number).Error; err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return tx.Exec(`DELETE FROM rejections WHERE source_id = ? AND id <= (
			SELECT id FROM rejections WHERE source_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, src.ID, src.ID, maxRejections).Error
	})
	if err != nil {
		s.Log.WarnContext(ctx, "a refused delivery was not kept", "source", src.ID, "reason", e.Code, "error", err)
	}
}

// quoted is short text of the sender's, which may hold any bytes, fit to be
// stored.
func quoted(text string) string {
	text = oneLine(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\ufffd"))
	if runes := []rune(text); len(runes) > maxQuoted {
		return string(runes[:maxQuoted-1]) + "…"
	}
	return text
}

// mask gives the beginning of a delivery's body, or of its query if it has none,
// as text without phone numbers, e-mail addresses and secrets.
func mask(d Delivery) string {
	body := d.Body
	if len(body) == 0 {
		body = []byte(d.Query.Encode())
	}
	cut := len(body) > maxRejectedBody
	if cut {
		body = body[:maxRejectedBody]
		if i := bytes.LastIndexAny(body, "\"&,;\n<>{}[]=:"); i >= 0 {
			body = body[:i] // a number or address cut in two would not be known as one
		}
	}
	text := strings.ReplaceAll(strings.ToValidUTF8(readable(string(body)), "\ufffd"), "\x00", "")
	masked := maskText(text)
	for len(masked) > maxRejectedBody {
		masked = strings.ToValidUTF8(masked[:maxRejectedBody], "")
	}
	return masked
}

var (
	escaped = regexp.MustCompile(`(%[0-9A-Fa-f]{2})+|\\u00[2-7][0-9A-Fa-f]`)
	secrets = regexp.MustCompile(`((?i:google_key|lm_key|secret|password|token)"?(?:\s*[:=]\s*"?|\r?\n\r?\n))[^"&\s]+`)
	emails  = regexp.MustCompile(`[^\s"'<>&=:,;@]+@[^\s"'<>&=:,;@]+`)
	phones  = regexp.MustCompile(`\+?\d[\d\s+().\-]{5,}\d`)
)

// readable undoes the escapes of forms and of JSON that would hide an address or
// a number.
func readable(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(e string) string {
		if e[0] == '%' {
			if plain, err := url.PathUnescape(e); err == nil {
				return plain
			}
			return e
		}
		var plain [1]byte
		for _, c := range []byte(strings.ToLower(e[4:])) {
			plain[0] = plain[0]<<4 | c - '0'
			if c >= 'a' {
				plain[0] -= 'a' - '0' - 10
			}
		}
		return string(plain[:])
	})
}

// maskText hides secrets whole, e-mail addresses but for their first character,
// and of numbers as long as a phone number's all but the last two digits.
func maskText(text string) string {
	text = secrets.ReplaceAllString(text, "${1}***")
	text = emails.ReplaceAllStringFunc(text, func(e string) string {
		return string([]rune(e)[:1]) + "***@***"
	})
	return phones.ReplaceAllStringFunc(text, func(p string) string {
		return "***" + p[len(p)-2:]
	})
}
