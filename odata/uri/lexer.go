package uri

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenName
	tokenLiteral
	tokenObject
	tokenPunct // one of ( ) , / : @ = ; $ * - [ ]
	tokenBad
)

// token is a piece of the text. For a literal, text is its value, for a
// tokenBad what is wrong. It is small enough to be kept in registers.
type token struct {
	kind tokenKind
	of   uint8 // the LiteralKind of a literal; the binary operator that a name is, or 0
	end  int   // byte offset
	text string
}

// literal makes the token of a literal.
func literal(kind LiteralKind, end int, text string) token {
	return token{kind: tokenLiteral, of: uint8(kind), end: end, text: text}
}

// isLiteral reports whether t is a literal of that kind.
func (t token) isLiteral(kind LiteralKind) bool {
	return t.kind == tokenLiteral && t.of == uint8(kind)
}

// is reports whether t is the punctuation c.
func (t token) is(c string) bool { return t.kind == tokenPunct && t.text == c }

// skipSpace returns the offset of the first character at or after at that is no
// white space.
func skipSpace(text string, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

// scan reads the token that starts at byte offset at, where no white space is.
func scan(text string, at int) token {
	if at >= len(text) {
		return token{kind: tokenEnd, end: at}
	}
	c := text[at]
	switch {
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return scanName(text, at)
	case c == '\'':
		return scanQuoted(text, at, StringLiteral)
	case c >= '0' && c <= '9':
		return scanNumber(text, at)
	case c == '-' && at+1 < len(text) && isDigit(text[at+1]):
		return scanNumber(text, at)
	case c == '"':
		return scanJSONString(text, at)
	case c == '{':
		return scanObject(text, at)
	case c == '-':
		if strings.HasPrefix(text[at:], "-INF") && scanName(text, at+1).end == at+len("-INF") {
			return literal(DoubleLiteral, at+len("-INF"), "-INF")
		}
		return token{kind: tokenPunct, end: at + 1, text: "-"}
	case strings.IndexByte("(),/:@=;$*[]", c) >= 0:
		return token{kind: tokenPunct, end: at + 1, text: text[at : at+1]}
	}
	return scanName(text, at)
}

// scanQuoted reads a quoted value whose first quote is at quote. A doubled quote stands for one.
func scanQuoted(text string, quote int, kind LiteralKind) token {
	end := quote + 1
	for {
		i := strings.IndexByte(text[end:], '\'')
		if i < 0 {
			return token{kind: tokenBad, end: len(text), text: "the quote opened here is not closed"}
		}
		end += i + 1
		if end >= len(text) || text[end] != '\'' {
			break
		}
		end++
	}
	value := text[quote+1 : end-1]
	if strings.Contains(value, "''") {
		value = strings.ReplaceAll(value, "''", "'")
	}
	return literal(kind, end, value)
}

// scanJSONString reads a string in double quotes, as JSON has it.
func scanJSONString(text string, at int) token {
	for end := at + 1; end < len(text); end++ {
		switch text[end] {
		case '\\':
			end++
		case '"':
			var value string
			if json.Unmarshal([]byte(text[at:end+1]), &value) != nil {
				return token{kind: tokenBad, end: end + 1, text: "malformed JSON string"}
			}
			return literal(StringLiteral, end+1, value)
		}
	}
	return token{kind: tokenBad, end: len(text), text: "the quote opened here is not closed"}
}

// scanObject reads a JSON object.
func scanObject(text string, at int) token {
	d := json.NewDecoder(strings.NewReader(text[at:]))
	var object json.RawMessage
	if d.Decode(&object) != nil {
		return token{kind: tokenBad, end: len(text), text: "malformed JSON object"}
	}
	return token{kind: tokenObject, end: at + len(object), text: string(object)}
}

// scanName reads an identifier, with dots where it is qualified, or one of the
// literals that look like one: null, true, a guid, duration'…'.
func scanName(text string, at int) token {
	end := at
	for end < len(text) {
		if c := text[end]; c < utf8.RuneSelf {
			if c|0x20 < 'a' || c|0x20 > 'z' {
				if c != '_' && (end == at || c != '.' && !isDigit(c)) {
					break
				}
			}
			end++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[end:])
		if !(unicode.IsLetter(r) || unicode.IsDigit(r) && end > at || unicode.Is(unicode.M, r) && end > at) {
			break
		}
		end += size
	}
	if end == at {
		r, size := utf8.DecodeRuneInString(text[at:])
		return token{kind: tokenBad, end: at + size, text: "unexpected character " + quoteRune(r)}
	}
	name := text[at:end]
	if end < len(text) && text[end] == '-' && end-at == 8 {
		if g := scanGuid(text, at); g > 0 {
			return literal(GuidLiteral, g, strings.ToLower(text[at:g]))
		}
	}
	if end < len(text) && text[end] == '\'' {
		return scanPrefixed(text, at, end, name)
	}
	if name == "INF" || name == "NaN" {
		return literal(DoubleLiteral, end, name)
	}
	return word(name, end)
}

// word makes the token of a name, which may be a literal or an operator: in any
// case (Protocol 4.01, section 13.2.1 item 7).
func word(name string, end int) token {
	operator := func(op Op) token { return token{kind: tokenName, of: uint8(op), end: end, text: name} }
	var lower [len("divby")]byte
	if len(name) > len(lower) {
		return operator(0)
	}
	for i := range len(name) {
		lower[i] = name[i] | 0x20 // which leaves digits as they are
	}
	switch string(lower[:len(name)]) {
	case "null":
		return literal(NullLiteral, end, "null")
	case "true":
		return literal(BooleanLiteral, end, "true")
	case "false":
		return literal(BooleanLiteral, end, "false")
	case "or":
		return operator(Or)
	case "and":
		return operator(And)
	case "eq":
		return operator(Eq)
	case "ne":
		return operator(Ne)
	case "gt":
		return operator(Gt)
	case "ge":
		return operator(Ge)
	case "lt":
		return operator(Lt)
	case "le":
		return operator(Le)
	case "add":
		return operator(Add)
	case "sub":
		return operator(Sub)
	case "mul":
		return operator(Mul)
	case "div":
		return operator(Div)
	case "divby":
		return operator(DivBy)
	case "mod":
		return operator(Mod)
	case "has":
		return operator(Has)
	case "in":
		return operator(In)
	}
	return operator(0)
}

func quoteRune(r rune) string {
	if r == utf8.RuneError {
		return "that is not UTF-8"
	}
	return "'" + string(r) + "'"
}

// scanPrefixed reads prefix'value'.
func scanPrefixed(text string, at, quote int, prefix string) token {
	switch strings.ToLower(prefix) {
	case "duration":
		return scanQuoted(text, quote, DurationLiteral)
	case "binary":
		return scanQuoted(text, quote, BinaryLiteral)
	case "geography", "geometry":
		t := scanQuoted(text, quote, GeoLiteral)
		t.text = text[at:t.end]
		return t
	}
	if strings.Contains(prefix, ".") && !strings.HasSuffix(prefix, ".") {
		t := scanQuoted(text, quote, EnumLiteral)
		if t.kind == tokenLiteral {
			t.text = text[at:t.end]
		}
		return t
	}
	return token{kind: tokenBad, end: quote, text: "unknown literal prefix " + prefix}
}

// scanNumber reads what starts with a digit or a sign: a number, a date, a time
// of day, an instant or a guid.
func scanNumber(text string, at int) token {
	if g := scanGuid(text, at); g > 0 {
		return literal(GuidLiteral, g, strings.ToLower(text[at:g]))
	}
	if end := scanDate(text, at); end > 0 {
		if end < len(text) && (text[end] == 'T' || text[end] == 't') {
			end = wordEnd(text, end)
			return literal(DateTimeOffsetLiteral, end, text[at:end])
		}
		return literal(DateLiteral, end, text[at:end])
	}
	// A number may stand before the colon of a case, too: case(X gt 10:1).
	if at+4 < len(text) && isDigit(text[at]) && isDigit(text[at+1]) && text[at+2] == ':' && isDigit(text[at+3]) && isDigit(text[at+4]) {
		end := wordEnd(text, at)
		return literal(TimeOfDayLiteral, end, text[at:end])
	}
	end := at
	if text[end] == '-' {
		end++
	}
	kind := IntegerLiteral
	end = digits(text, end)
	if end+1 < len(text) && text[end] == '.' && isDigit(text[end+1]) {
		kind = DecimalLiteral
		end = digits(text, end+1)
	}
	if end < len(text) && (text[end] == 'e' || text[end] == 'E') {
		exp := end + 1
		if exp < len(text) && (text[exp] == '-' || text[exp] == '+') {
			exp++
		}
		if exp < len(text) && isDigit(text[exp]) {
			kind = DoubleLiteral
			end = digits(text, exp)
		}
	}
	if r, _ := utf8.DecodeRuneInString(text[end:]); end < len(text) && (r == '_' || r == '.' || unicode.IsLetter(r)) {
		return token{kind: tokenBad, end: wordEnd(text, end), text: "malformed number " + text[at:wordEnd(text, end)]}
	}
	return literal(kind, end, text[at:end])
}

// wordEnd is the end of a run of what instants and times are made of. A plus
// belongs to it where it begins an offset.
func wordEnd(text string, at int) int {
	for at < len(text) && strings.IndexByte(" \t(),/;'&=", text[at]) < 0 {
		if text[at] == '+' && (len(text) < at+4 || !isDigit(text[at+1]) || !isDigit(text[at+2]) || text[at+3] != ':') {
			break
		}
		at++
	}
	return at
}

// isSpace reports whether c separates tokens. A plus does too: it is no operator
// of the language, and many clients write spaces so.
func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '+' }

// scanDate returns the end of a date (year-month-day) at at, or 0. A year may
// have a sign and more than four digits.
func scanDate(text string, at int) int {
	end := at
	if text[end] == '-' {
		end++
	}
	year := digits(text, end)
	if year-end < 4 || len(text) < year+6 || text[year] != '-' || text[year+3] != '-' {
		return 0
	}
	for _, i := range [...]int{1, 2, 4, 5} {
		if !isDigit(text[year+i]) {
			return 0
		}
	}
	return year + 6
}

// scanGuid returns the end of a guid at at, or 0.
func scanGuid(text string, at int) int {
	if len(text) < at+36 {
		return 0
	}
	for i := range 36 {
		c := text[at+i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return 0
			}
		} else if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0
		}
	}
	if len(text) > at+36 && (isDigit(text[at+36]) || text[at+36] == '-') {
		return 0
	}
	return at + 36
}

func digits(text string, at int) int {
	for at < len(text) && isDigit(text[at]) {
		at++
	}
	return at
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// nesting is how deep a JSON text nests.
func nesting(text string) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}
