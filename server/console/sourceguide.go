package console

import (
	"strconv"
	"strings"

	"leadloop/leads"
)

// pasteGuide tells where in a sender's system the address goes.
type pasteGuide struct {
	Steps   []string
	Sketch  sketch
	Example string // to copy, where the sender is a page or a program
}

// guideSteps is how many steps the guide of each kind has.
var guideSteps = map[string]int{
	leads.KindJSON: 3, leads.KindForm: 3, leads.KindGoogleAds: 4, leads.KindMeta: 4, leads.KindLinkedIn: 4, leads.KindTypeform: 4,
	leads.KindElementor: 4, leads.KindSalesforce: 3, leads.KindLeadManager: 3,
}

// guideFields are what the place shows that the address is pasted into: the ends
// of messages, that of the address first.
var guideFields = map[string][]string{
	leads.KindGoogleAds: {"address", "secret", "button"},
	leads.KindMeta:      {"address", "secret", "button"},
	leads.KindLinkedIn:  {"address", "button"},
	leads.KindTypeform:  {"address", "secret", "button"},
	leads.KindElementor: {"address", "button"},
}

// guideExamples are what pages and programs send; @ stands for the address.
var guideExamples = map[string]string{
	leads.KindJSON: `curl "@" \
  -H "Content-Type: application/json" \
  -d '{"name":"Dana Levi","phone":"050-1234567"}'`,
	leads.KindForm: `<form method="post" action="@">
  <input name="name" required>
  <input name="phone" type="tel">
  <button>Send</button>
</form>`,
	leads.KindSalesforce: `<form method="POST" action="@">
  <input type="hidden" name="oid" value="…">
  <input type="hidden" name="retURL" value="…">`,
	leads.KindLeadManager: `<form method="post" action="@">
  <input type="hidden" name="lm_form" value="…">
  <input type="hidden" name="lm_key" value="…">`,
}

func (v *visit) pasteGuideOf(kind, address string) pasteGuide {
	g := pasteGuide{}
	for i := range guideSteps[kind] {
		g.Steps = append(g.Steps, v.T("sourceguide."+kind+"."+strconv.Itoa(i+1)))
	}
	if address == "" {
		address = "https://…/intake/…"
	}
	g.Example = strings.ReplaceAll(guideExamples[kind], "@", address)
	if g.Example != "" {
		g.Sketch = v.codeSketch(v.T("kind."+kind), strings.ReplaceAll(guideExamples[kind], "@", "\x00"))
		return g
	}
	s := newSketch(v.locale, v.T("kind."+kind), v.T("sourceguide."+kind+".path"))
	for _, name := range guideFields[kind] {
		label := v.T("sourceguide." + kind + "." + name)
		switch name {
		case "address":
			s.field(label, "https://…/intake/…", true)
		case "secret":
			s.field(label, "••••••••", false)
		case "button":
			s.button(label)
		}
	}
	s.finish()
	g.Sketch = *s
	return g
}

// sketch is a drawing of a window of another system, with the place marked that
// the address goes to. It is drawn from the side where the language begins.
type sketch struct {
	Label, Title, Path string
	Dir                string
	Height             int
	TextX              int // where text begins
	Dots               []int
	Boxes              []sketchBox
	Lines              []sketchLine
	rtl                bool
}

// sketchBox is a field or a button with its text.
type sketchBox struct {
	Label, Text        string
	X, Y, Width        int
	LabelY, TextX      int
	TextY              int
	Here, Button, Code bool
}

// sketchLine is a line of code, which runs from left to right; Here marks the
// address in it.
type sketchLine struct {
	Before, Here, After string
	Y                   int
}

const (
	sketchWidth = 440
	sketchEdge  = 20
)

func newSketch(l *locale, title, path string) *sketch {
	s := &sketch{Label: l.T("source.sketch", title), Title: title, Path: path, Dir: l.dir, rtl: l.dir == "rtl", Height: 84}
	s.TextX = s.at(sketchEdge)
	for i := range 3 {
		s.Dots = append(s.Dots, s.at(sketchWidth-sketchEdge-i*14))
	}
	return s
}

// at is where the point lies that is x from the beginning of a line.
func (s *sketch) at(x int) int {
	if s.rtl {
		return sketchWidth - x
	}
	return x
}

func (s *sketch) field(label, text string, here bool) {
	s.Boxes = append(s.Boxes, sketchBox{
		Label: label, Text: text, X: sketchEdge, Width: sketchWidth - 2*sketchEdge, Y: s.Height + 8, LabelY: s.Height,
		TextX: sketchEdge + 10, TextY: s.Height + 27, Here: here, Code: true,
	})
	s.Height += 60
}

func (s *sketch) button(label string) {
	const width = 150
	b := sketchBox{Text: label, Width: width, X: sketchEdge, Y: s.Height - 10, TextX: s.at(sketchEdge + width/2), TextY: s.Height + 9, Button: true}
	if s.rtl {
		b.X = sketchWidth - sketchEdge - width
	}
	s.Boxes = append(s.Boxes, b)
	s.Height += 40
}

func (s *sketch) finish() { s.Height += 4 }

// Inner is the height of the frame.
func (s sketch) Inner() int { return s.Height - 2 }

// codeSketch is a sketch of a few lines of code, in which a NUL stands for the
// address.
func (v *visit) codeSketch(title, code string) sketch {
	s := newSketch(v.locale, title, "")
	s.Height = 64
	for line := range strings.Lines(code) {
		l := sketchLine{Before: strings.TrimRight(line, "\n"), Y: s.Height}
		if before, after, here := strings.Cut(l.Before, "\x00"); here {
			l.Before, l.Here, l.After = before, "https://…/intake/…", after
		}
		if text := []rune(l.Before); len(text) > 52 {
			l.Before = string(text[:51]) + "…"
		}
		s.Lines = append(s.Lines, l)
		s.Height += 22
	}
	s.finish()
	return *s
}
