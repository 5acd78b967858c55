package plan

import (
	"encoding/base64"
	"encoding/json"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
)

// skipToken is what a next link carries: what the order's terms gave in the
// last row of the page, as literal text, and how much of $top is left.
type skipToken struct {
	Left  int       `json:"l,omitempty"` // 0: there was no $top
	After []*string `json:"a"`
}

// Token returns the $skiptoken that follows the row whose order terms gave the
// texts after (nil for null), the last of a page of r.Limit rows.
func (r *Read) Token(after []*string) string {
	t := skipToken{After: after}
	if r.Top != nil {
		t.Left = *r.Top - r.Limit
	}
	text, _ := json.Marshal(t) // strings and a number always marshal
	return base64.RawURLEncoding.EncodeToString(text)
}

// resume makes r continue where a $skiptoken says.
func (r *Read) resume(token string) error {
	bad := fault.New(fault.Invalid, "the $skiptoken is not one of this service's for this request; start from the first page").At("$skiptoken")
	text, err := base64.RawURLEncoding.DecodeString(token)
	var t skipToken
	if err != nil || json.Unmarshal(text, &t) != nil || len(t.After) != len(r.Order) || (t.Left > 0) != (r.Top != nil) {
		return bad
	}
	r.After = make([]any, len(t.After))
	for i, text := range t.After {
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
	if t.Left > 0 {
		r.Top = &t.Left
	}
	return nil
}
