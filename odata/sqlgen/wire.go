package sqlgen

import (
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadloop/odata/plan"
)

// Types of PostgreSQL as its records name them (pg_type.dat).
const (
	oidBool        = 16
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidJSON        = 114
	oidUnknown     = 705 // of a literal without a type, which is text
	oidBpchar      = 1042
	oidVarchar     = 1043
	oidTimestamptz = 1184
	oidNumeric     = 1700
	oidUUID        = 2950
	oidJSONB       = 3802
)

// AppendJSON appends to b the JSON of an entity, which came as the statement's first
// column.
func (st *Statement) AppendJSON(b, column []byte) ([]byte, error) {
	if st.layout != nil {
		w := wire{in: column, out: b}
		if st.omits {
			w.out = nil
		}
		w.object(st.layout, st.terms)
		if !st.omits || w.err != nil {
			return w.out, w.err
		}
		column = w.out
	}
	if st.omits {
		return plan.AppendWithoutNulls(b, column, st.keep), nil
	}
	return append(b, column...), nil
}

// HoldsTerms reports whether the first column holds the order terms.
func (st *Statement) HoldsTerms() bool { return st.terms > 0 }

// Terms returns the order terms as text that the first column holds.
func (st *Statement) Terms(column []byte) ([]sql.NullString, error) {
	w := wire{in: column}
	w.int() // of fields
	for range st.layout {
		w.field()
	}
	terms := make([]sql.NullString, st.terms)
	for i := range terms {
		oid, value := w.field()
		if value == nil {
			continue
		}
		text := string(value)
		if oid != oidText {
			w.out = w.out[:0]
			w.scalar(oid, value)
			text = strings.Trim(string(w.out), `"`)
		}
		terms[i] = sql.NullString{String: text, Valid: true}
	}
	return terms, w.err
}

// wire reads PostgreSQL's binary form of values and writes their JSON. Its first
// error stays.
type wire struct {
	in, out []byte
	err     error
}

// take takes the next n bytes.
func (w *wire) take(n int) []byte {
	if n < 0 || n > len(w.in) {
		if w.err == nil {
			w.err = fmt.Errorf("sqlgen: a record of PostgreSQL's ends early")
		}
		w.in = nil
		return make([]byte, max(0, min(n, 16)))
	}
	taken := w.in[:n]
	w.in = w.in[n:]
	return taken
}

func (w *wire) int() int { return int(int32(binary.BigEndian.Uint32(w.take(4)))) }

// value takes a value with its length before it, nil for null.
func (w *wire) value() []byte {
	n := w.int()
	if n < 0 {
		return nil
	}
	return w.take(n)
}

// field takes a field of a record: its type and value.
func (w *wire) field() (oid int, value []byte) {
	oid = w.int()
	return oid, w.value()
}

// inside has f read value and nothing else.
func (w *wire) inside(value []byte, f func()) {
	rest := w.in
	w.in = value
	f()
	w.in = rest
}

// object writes the record at hand, which has further fields.
func (w *wire) object(l layout, further int) {
	if n := w.int(); n != len(l)+further && w.err == nil {
		w.err = fmt.Errorf("sqlgen: a record of %d fields, expected %d", n, len(l)+further)
	}
	start := len(w.out)
	w.out = append(w.out, '{')
	for i := range l {
		if w.err != nil {
			return
		}
		f := &l[i]
		oid, value := w.field()
		if f.as == theOthers {
			w.others(value, oid, len(w.out) == start+1)
			continue
		}
		if len(w.out) > start+1 {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, f.label...)
		w.member(f, oid, value)
	}
	w.out = append(w.out, '}')
}

// member writes the value of a member.
func (w *wire) member(f *field, oid int, value []byte) {
	switch {
	case f.as == entities:
		w.array(f.of, value)
	case value == nil:
		w.out = append(w.out, "null"...)
	case f.as == anEntity:
		w.inside(value, func() { w.object(f.of, 0) })
	case f.as == aPage:
		w.inside(value, func() { w.page(f) })
	case f.as == anETag:
		w.out = append(w.out, `"W/\"`...)
		w.scalar(oid, value)
		w.out = append(w.out, `\""`...)
	default:
		w.scalar(oid, value)
	}
}

// page writes an array of entities, and where the next are.
func (w *wire) page(f *field) {
	w.int() // of fields, which are two
	_, list := w.field()
	w.array(f.of, list)
	if _, url := w.field(); url != nil {
		w.out = append(append(w.out, ','), f.next...)
		w.text(url)
	}
}

// array writes entities.
func (w *wire) array(l layout, value []byte) {
	w.out = append(w.out, '[')
	if value != nil {
		w.inside(value, func() {
			if w.int() == 0 { // dimensions
				return
			}
			w.take(8) // whether it has nulls, and the type of the elements
			n := w.int()
			w.take(4) // the first index
			for i := range n {
				if w.err != nil {
					return
				}
				if i > 0 {
					w.out = append(w.out, ',')
				}
				w.inside(w.value(), func() { w.object(l, 0) })
			}
		})
	}
	w.out = append(w.out, ']')
}

// others writes the members of a JSON object.
func (w *wire) others(value []byte, oid int, first bool) {
	if oid == oidJSONB && len(value) > 0 {
		value = value[1:]
	}
	if len(value) <= len("{}") || value[0] != '{' {
		return
	}
	if !first {
		w.out = append(w.out, ',')
	}
	w.out = append(w.out, value[1:len(value)-1]...)
}

// scalar writes a value that is no entity.
func (w *wire) scalar(oid int, value []byte) {
	switch {
	case oid == oidText || oid == oidVarchar || oid == oidBpchar || oid == oidUnknown:
		w.text(value)
	case oid == oidJSON:
		w.out = append(w.out, value...)
	case oid == oidJSONB && len(value) > 0:
		w.out = append(w.out, value[1:]...) // its version stands before it
	case oid == oidUUID && len(value) == 16:
		w.guid(value)
	case oid == oidInt8 && len(value) == 8:
		w.out = strconv.AppendInt(w.out, int64(binary.BigEndian.Uint64(value)), 10)
	case oid == oidInt4 && len(value) == 4:
		w.out = strconv.AppendInt(w.out, int64(int32(binary.BigEndian.Uint32(value))), 10)
	case oid == oidInt2 && len(value) == 2:
		w.out = strconv.AppendInt(w.out, int64(int16(binary.BigEndian.Uint16(value))), 10)
	case oid == oidBool && len(value) == 1:
		w.out = strconv.AppendBool(w.out, value[0] != 0)
	case oid == oidTimestamptz && len(value) == 8:
		w.instant(int64(binary.BigEndian.Uint64(value)))
	case oid == oidNumeric && len(value) >= 8:
		w.inside(value, w.numeric)
	case w.err == nil:
		w.err = fmt.Errorf("sqlgen: %d bytes of PostgreSQL's type %d are no value", len(value), oid)
	}
}

// text writes a JSON string.
func (w *wire) text(value []byte) {
	w.out = append(w.out, '"')
	done := 0
	for i, c := range value {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		w.out = append(w.out, value[done:i]...)
		done = i + 1
		if short := strings.IndexByte("\"\\\b\f\n\r\t", c); short >= 0 {
			w.out = append(w.out, '\\', `"\bfnrt`[short])
		} else {
			w.out = append(w.out, `\u00`...)
			w.out = hex.AppendEncode(w.out, []byte{c})
		}
	}
	w.out = append(append(w.out, value[done:]...), '"')
}

func (w *wire) guid(value []byte) {
	w.out = append(w.out, '"')
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			w.out = append(w.out, '-')
		}
		w.out = hex.AppendEncode(w.out, value[:n])
		value = value[n:]
	}
	w.out = append(w.out, '"')
}

// instant writes microseconds since the year 2000 in InstantForm.
func (w *wire) instant(micros int64) {
	t := time.UnixMicro(micros + 946_684_800_000_000).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	w.out = append(w.out, '"')
	w.digits(year, 4, '-')
	w.digits(int(month), 2, '-')
	w.digits(day, 2, 'T')
	w.digits(hour, 2, ':')
	w.digits(minute, 2, ':')
	w.digits(second, 2, '.')
	w.digits(t.Nanosecond()/1000, 6, 'Z')
	w.out = append(w.out, '"')
}

// digits writes n with at least so many digits, and end.
func (w *wire) digits(n, width int, end byte) {
	for most := 10; width > 1; most, width = most*10, width-1 {
		if n < most {
			w.out = append(w.out, "00000"[:width-1]...)
			break
		}
	}
	w.out = append(strconv.AppendInt(w.out, int64(n), 10), end)
}

// numeric writes a decimal number: its digits to the base 10000, the power that the
// first of them has, its sign, and how many decimals are shown.
func (w *wire) numeric() {
	int16At := func() int { return int(int16(binary.BigEndian.Uint16(w.take(2)))) }
	n, power, sign, scale := int16At(), int16At(), int16At(), int16At()
	switch uint16(sign) {
	case 0:
	case 0x4000:
		w.out = append(w.out, '-')
	case 0xC000:
		w.out = append(w.out, `"NaN"`...)
		return
	default:
		w.out = append(w.out, map[uint16]string{0xD000: `"Infinity"`, 0xF000: `"-Infinity"`}[uint16(sign)]...)
		return
	}
	groups := make([]int, n)
	for i := range groups {
		groups[i] = int16At()
	}
	group := func(at int) int { // the one of 10000 to the power of -at
		if i := at + power; i >= 0 && i < n {
			return groups[i]
		}
		return 0
	}
	w.out = strconv.AppendInt(w.out, int64(group(-max(power, 0))), 10)
	for at := -max(power, 0) + 1; at <= 0; at++ {
		w.fourDigits(group(at), 4)
	}
	if scale > 0 {
		w.out = append(w.out, '.')
		for at := 1; scale > 0; at, scale = at+1, scale-4 {
			w.fourDigits(group(at), min(scale, 4))
		}
	}
}

// fourDigits writes the first width of the four digits of n.
func (w *wire) fourDigits(n, width int) {
	four := [4]byte{byte('0' + n/1000), byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)}
	w.out = append(w.out, four[:width]...)
}
