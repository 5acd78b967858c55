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
	_, _ = io.WriteString(h, about+"?"+q.String()) // a hash takes everything
	return strconv.FormatUint(uint64(h.Sum32()), 36)
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

// resume makes r continue where a $skiptoken says.
func (r *Read) resume(token string) error {
	bad := fault.New(fault.Invalid, "the $skiptoken is not one of this service's for this request; start from the first page").At("$skiptoken")
	parts := strings.Split(token, ".")
	if len(parts) != 3 || parts[0] != r.mark {
		return bad
	}
	left, err := strconv.Atoi(parts[1])
	if err != nil || left < 0 || (left > 0) != (r.Top != nil) {
		return bad
	}
	text, err := hex.DecodeString(parts[2])
	var after []*string
	if err != nil || json.Unmarshal(text, &after) != nil || len(after) != len(r.Order) {
		return bad
	}
	r.After = make([]any, len(after))
	for i, text := range after {
		if text == nil {
			continue
		}
		p, ok := r.Order[i].X.Type().(edm.Primitive)
		if !ok {
			return bad
		}
		if r.After[i], ok = Parse(p, *text); !ok {
			return bad
		}
	}
	r.Offset = 0
	if left > 0 {
		r.Top = &left
	}
	return nil
}
