package plan

import (
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"io"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// A $skiptoken is mark.left.values: a mark of the query it belongs to; how much of
// $top is left, 0 where there was none; and, in hexadecimal, a JSON array of what
// the order's terms gave in the last row of the page, as literal text. A database
// can write it.

// mark is the mark of a query about entities of a type, which may be narrowed by
// conditions in the path: two queries that give other entities, or another order,
// have different marks.
func mark(about string, q *uri.Query) string {
	h := fnv.New32a()
	// The next page of an expanded collection names the entity that was $it. A hash
	// takes everything.
	_, _ = io.WriteString(h, about+"?"+uri.WithoutEntities(q.String()))
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// SkipToken is a $skiptoken taken apart.
type SkipToken struct {
	mark  string
	left  int
	after []*string
}

// ParseSkipToken takes a $skiptoken apart; false where it is none.
func ParseSkipToken(text string) (*SkipToken, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, false
	}
	t := &SkipToken{mark: parts[0]}
	var err error
	if t.left, err = strconv.Atoi(parts[1]); err != nil || t.left < 0 {
		return nil, false
	}
	after, err := hex.DecodeString(parts[2])
	return t, err == nil && json.Unmarshal(after, &t.after) == nil
}

// Follows reports whether t leads to r, a Page that was made for such a token, in a
// request with the options q.
func (r *Read) Follows(t *SkipToken, q *uri.Query) bool {
	return t.left == 0 && len(t.after) == len(r.Order) && t.mark == mark(r.about, q)
}

// TokenHead is the $skiptoken of the page after this one of r.Limit rows, up to
// its values.
func (r *Read) TokenHead() string {
	left := 0
	if r.Top != nil {
		left = *r.Top - r.Limit
	}
	return r.mark + "." + strconv.Itoa(left) + "."
}

// Token returns the $skiptoken that follows the row whose order terms gave the
// texts after (nil for null), the last of a page of r.Limit rows.
func (r *Read) Token(after []*string) string {
	text, _ := json.Marshal(after) // strings always marshal
	return r.TokenHead() + hex.EncodeToString(text)
}

// resume makes r continue where a $skiptoken says. A plan made so serves other tokens
// of its kind, where l keeps account.
func (r *Read) resume(token string, l *Lifts) error {
	bad := fault.New(fault.Invalid, "the $skiptoken is not one of this service's for this request; start from the first page").At("$skiptoken")
	t, ok := ParseSkipToken(token)
	if !ok || t.mark != r.mark || (t.left > 0) != (r.Top != nil) || len(t.after) != len(r.Order) {
		return bad
	}
	if t.left > 0 {
		r.Top = &t.left
		l.refuse()
	}
	r.After = make([]Place, len(t.after))
	for i, text := range t.after {
		p, ok := r.Order[i].X.Type().(edm.Primitive)
		switch {
		case text == nil:
			l.refuse() // what is compared with null is another statement
			continue
		case !ok:
			return bad
		case p == edm.Decimal: // how it is compared depends on its value
			l.refuse()
		}
		at := &r.After[i]
		if at.Value, ok = Parse(p, *text); !ok {
			return bad
		}
		if l != nil {
			at.From = Source{from: fromToken, n: i, as: p, reads: true}
		}
	}
	r.Offset = 0
	return nil
}
