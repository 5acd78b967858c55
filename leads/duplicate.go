package leads

import (
	"database/sql"
	"errors"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// What of two leads must be the same for them to be one person's.
const (
	ByPhone         = "phone"
	ByEmail         = "email"
	ByPhoneOrEmail  = "phone or email"
	ByPhoneAndEmail = "phone and email"
)

// maxWindowYears bounds a DuplicateWindow.
const maxWindowYears = 10

// window is a DuplicateWindow: calendar units and an exact time.
type window struct {
	years, months, days int
	exact               time.Duration
}

// windowShape is ISO 8601's form of a duration, years and weeks among it.
var windowShape = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})S)?)?$`)

// parseWindow reads a duration of ISO 8601 in whole numbers, such as P30D or
// PT12H. False if text is none, is nothing, or is longer than ten years.
func parseWindow(text string) (window, bool) {
	m := windowShape.FindStringSubmatch(text)
	if m == nil || strings.HasSuffix(text, "T") {
		return window{}, false
	}
	var n [8]int
	for i := range m[1:] {
		n[i], _ = strconv.Atoi(m[i+1]) // "" is none of these
	}
	w := window{n[0], n[1], 7*n[2] + n[3], time.Duration(n[4])*time.Hour + time.Duration(n[5])*time.Minute + time.Duration(n[6])*time.Second}
	base := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	long := base.Sub(w.before(base))
	return w, long > 0 && !w.before(base).Before(base.AddDate(-maxWindowYears, 0, 0))
}

// before is the instant that lies w before t.
func (w window) before(t time.Time) time.Time {
	return t.UTC().AddDate(-w.years, -w.months, -w.days).Add(-w.exact)
}

// prepareDuplicates checks what src says of duplicates. Without a DuplicateBy a
// window is one by phone or email.
func prepareDuplicates(src *Source) error {
	if src.DuplicateWindow == "" {
		return nil
	}
	if _, ok := parseWindow(src.DuplicateWindow); !ok {
		return fault.Newf(fault.Invalid, "%s is not a duration of at most %d years, such as P30D or PT12H", src.DuplicateWindow, maxWindowYears).At("DuplicateWindow")
	}
	if src.DuplicateBy == "" {
		src.DuplicateBy = ByPhoneOrEmail
	}
	return nil
}

// marks are what a lead is known by as a person's, where src looks for
// duplicates: none if it does not, or if the lead has nothing to know it by. Test
// leads are nobody's.
func (s *Source) marks(lead *Lead) (phone, email *string) {
	if s == nil || s.DuplicateWindow == "" || lead.State != StateNew {
		return nil, nil
	}
	switch phone, email = lead.Phone, lead.Email; s.DuplicateBy {
	case ByPhone:
		return phone, nil
	case ByEmail:
		return nil, email
	case ByPhoneAndEmail:
		if phone == nil || email == nil {
			return nil, nil
		}
	}
	return phone, email
}

// lockPersons makes the transaction the only one that may store leads of the
// persons of rows until it ends, of those that look for duplicates: of two
// deliveries of one person at one instant the second then sees the first. On
// SQLite every transaction is the only one.
func (s *Service) lockPersons(tx *gorm.DB, rows []*leadRow, src *Source) error {
	if s.DB.Dialect() != store.Postgres || src == nil || src.DuplicateWindow == "" {
		return nil
	}
	var keys []int32
	for _, row := range rows {
		phone, email := src.marks(&row.fresh)
		for _, mark := range []*string{phone, email} {
			if mark != nil {
				keys = append(keys, lockKey(*mark))
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys) // everybody in one order, so that nobody waits in a circle
	return lockAll(tx, slices.Compact(keys))
}

// The locks of lockPersons: one that all share, or that one has alone who would
// otherwise take too many of the database's; and one of each person.
const (
	personLocks    = 0x6c656164 // "lead", apart from other uses of such locks
	everyoneLock   = 0x6c656165
	maxPersonLocks = 64
)

func lockAll(tx *gorm.DB, keys []int32) error {
	if len(keys) > maxPersonLocks {
		_, err := exec(tx, "SELECT pg_advisory_xact_lock($1, 0)", everyoneLock)
		return failed("lock persons", err)
	}
	var sql strings.Builder
	sql.WriteString("SELECT pg_advisory_xact_lock_shared($1, 0)")
	args := []any{everyoneLock, personLocks}
	for _, key := range keys {
		args = append(args, key)
		sql.WriteString(", pg_advisory_xact_lock($2, $" + strconv.Itoa(len(args)) + ")")
	}
	_, err := exec(tx, sql.String(), args...)
	return failed("lock persons", err)
}

// lockKey is the lock of a person by phone or e-mail address. Two persons may
// have the same one: then they wait for each other in vain, and that is all.
func lockKey(mark string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(mark))
	return int32(h.Sum32())
}

// original finds the first lead of the same person that came within src's
// window before lead, itself no duplicate and no test; nil where there is none.
// It is one look-up in the index of phones and one in that of addresses. The
// persons are locked.
func (s *Service) original(tx *gorm.DB, lead *Lead, src *Source) (*uuid.UUID, error) {
	phone, email := src.marks(lead)
	if phone == nil && email == nil {
		return nil, nil
	}
	w, ok := parseWindow(src.DuplicateWindow)
	if !ok {
		return nil, nil // stored without a look at it
	}
	query, args := originalQuery(phone, email, src, w.before(lead.ReceivedAt))
	var id uuid.UUID
	err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, query, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, failed("look for the same person", tx.Session(&gorm.Session{}).AddError(err))
	}
	return &id, nil
}

// originalQuery is the statement of original. Its conditions are those of the
// indexes leads_phone and leads_email; the plus keeps the planners from the index
// of sources. The arguments stand in the order in which they are met first, as
// SQLite numbers them.
func originalQuery(phone, email *string, src *Source, since time.Time) (query string, args []any) {
	bind := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	rest := ""
	first := func(who string) string {
		if rest == "" {
			rest = " AND received_at > " + bind(since)
			if !src.DuplicateAcross {
				rest += " AND +source_id = " + bind(src.ID)
			}
		}
		return "SELECT id, received_at FROM (SELECT id, received_at FROM leads WHERE " + who + rest +
			" AND duplicate_of_id IS NULL AND NOT is_test ORDER BY received_at LIMIT 1) AS first"
	}
	var firsts []string
	switch {
	case src.DuplicateBy == ByPhoneAndEmail:
		firsts = append(firsts, first("phone = "+bind(*phone)+" AND email = "+bind(*email)))
	default:
		if phone != nil {
			firsts = append(firsts, first("phone = "+bind(*phone)))
		}
		if email != nil {
			firsts = append(firsts, first("email = "+bind(*email)))
		}
	}
	return "SELECT id FROM (" + strings.Join(firsts, " UNION ALL ") + ") AS firsts ORDER BY received_at, id LIMIT 1", args
}

// placesOf are where the columns that a duplicate changes stand in a leadRow's
// values.
var placesOf = sync.OnceValue(func() (at struct{ state, duplicateOf int }) {
	for i, f := range insertLead().fields {
		switch f.DBName {
		case "state":
			at.state = i
		case "duplicate_of_id":
			at.duplicateOf = i
		}
	}
	return at
})

// markDuplicate makes row a duplicate of the lead with that id, or none if it is
// nil. A duplicate is not routed unless src says so.
func (row *leadRow) markDuplicate(original *uuid.UUID, src *Source) {
	row.lead.DuplicateOfID = original
	if original != nil && !src.RouteDuplicates {
		row.lead.State = StateDuplicate
	}
	row.values[placesOf().duplicateOf] = original
	row.values[placesOf().state] = row.lead.State
}
