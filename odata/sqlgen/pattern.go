package sqlgen

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
)

// postgresPattern writes a regular expression, given as Go reads it, in the
// notation of PostgreSQL's advanced regular expressions, so that both match the
// same texts.
func postgresPattern(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "$." // the binder lets no such pattern through; this matches nothing
	}
	var b strings.Builder
	writePattern(&b, re)
	return b.String()
}

func writePattern(b *strings.Builder, re *syntax.Regexp) {
	group := func(sub *syntax.Regexp) {
		b.WriteString("(?:")
		writePattern(b, sub)
		b.WriteString(")")
	}
	switch re.Op {
	case syntax.OpNoMatch:
		b.WriteString("$.")
	case syntax.OpEmptyMatch:
		b.WriteString("(?:)")
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			writeRune(b, r, re.Flags&syntax.FoldCase != 0)
		}
	case syntax.OpCharClass:
		writeClass(b, re.Rune)
	case syntax.OpAnyCharNotNL:
		b.WriteString(`[^\n]`)
	case syntax.OpAnyChar:
		b.WriteString(`(?:.|\n)`)
	case syntax.OpBeginLine:
		b.WriteString(`(?:^|(?<=\n))`)
	case syntax.OpEndLine:
		b.WriteString(`(?=\n|$)`)
	case syntax.OpBeginText:
		b.WriteString("^")
	case syntax.OpEndText:
		b.WriteString("$")
	case syntax.OpWordBoundary:
		b.WriteString(`\y`)
	case syntax.OpNoWordBoundary:
		b.WriteString(`\Y`)
	case syntax.OpCapture:
		group(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		group(re.Sub[0])
		b.WriteString(repetition(re))
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if sub.Op == syntax.OpAlternate {
				group(sub)
			} else {
				writePattern(b, sub)
			}
		}
	case syntax.OpAlternate:
		for i, sub := range re.Sub {
			if i > 0 {
				b.WriteString("|")
			}
			writePattern(b, sub)
		}
	}
}

// repetition is the quantifier; whether it is greedy does not matter for whether
// a text matches.
func repetition(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpStar:
		return "*"
	case syntax.OpPlus:
		return "+"
	case syntax.OpQuest:
		return "?"
	}
	switch re.Max {
	case re.Min:
		return fmt.Sprintf("{%d}", re.Min)
	case -1:
		return fmt.Sprintf("{%d,}", re.Min)
	}
	return fmt.Sprintf("{%d,%d}", re.Min, re.Max)
}

func writeRune(b *strings.Builder, r rune, fold bool) {
	if other := unicode.SimpleFold(r); fold && other != r {
		var class []rune
		for c := r; ; {
			class = append(class, c, c)
			if c = unicode.SimpleFold(c); c == r {
				break
			}
		}
		writeClass(b, class)
		return
	}
	b.WriteString(escape(r))
}

// writeClass writes the ranges of a character class; an empty one matches
// nothing.
func writeClass(b *strings.Builder, ranges []rune) {
	if len(ranges) == 0 {
		b.WriteString("$.")
		return
	}
	b.WriteString("[")
	for i := 0; i+1 < len(ranges); i += 2 {
		low, high := max(ranges[i], 1), ranges[i+1] // text holds no U+0000
		if high < low {
			continue
		}
		b.WriteString(escape(low))
		if high > low {
			b.WriteString("-" + escape(high))
		}
	}
	b.WriteString("]")
}

func escape(r rune) string {
	if r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return string(r)
	}
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
