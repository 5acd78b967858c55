package console

import (
	"html/template"
	"strconv"
	"strings"
	"time"
)

// pen writes HTML of which a page has very much, such as the rows of a table:
// html/template takes ten times as long for it. What is data goes through text.
type pen struct{ b []byte }

// raw adds HTML as it is.
func (p *pen) raw(parts ...string) {
	for _, part := range parts {
		p.b = append(p.b, part...)
	}
}

// text adds what is read as these words, between tags or inside a quoted attribute.
func (p *pen) text(s string) {
	from := 0
	for i := range len(s) {
		var escaped string
		switch s[i] {
		case '&':
			escaped = "&amp;"
		case '<':
			escaped = "&lt;"
		case '>':
			escaped = "&gt;"
		case '"':
			escaped = "&#34;"
		case '\'':
			escaped = "&#39;"
		case 0:
			escaped = "\uFFFD"
		default:
			continue
		}
		p.b = append(append(p.b, s[from:i]...), escaped...)
		from = i + 1
	}
	p.b = append(p.b, s[from:]...)
}

func (p *pen) html() template.HTML { return template.HTML(p.b) }

// rowsOf is a table with its rows, a Table or *Table.
func (l *locale) rowsOf(table any) template.HTML {
	t, ok := table.(*Table)
	if !ok {
		value := table.(Table)
		t = &value
	}
	p := &pen{make([]byte, 0, 512+len(t.Rows)*len(t.Columns)*160)}
	p.raw(`<table role="table"><caption class="unseen">`)
	p.text(t.Caption)
	p.raw(`</caption><thead role="rowgroup"><tr role="row">`)
	labels := make([]string, len(t.Columns)) // the beginnings of the cells of a column
	for i, c := range t.Columns {
		class := ""
		if c.Number {
			class = "number"
		}
		label := &pen{}
		label.raw(`<td role="cell" class="`, class, `" data-label="`)
		label.text(c.Title)
		label.raw(`"><div>`)
		labels[i] = string(label.b)
		if c.Wide {
			class += " wide"
		}
		p.raw(`<th scope="col" role="columnheader" class="`, class, `">`)
		p.text(c.Title)
		p.raw(`</th>`)
	}
	p.raw(`</tr></thead><tbody role="rowgroup">`)
	for i := range t.Rows {
		l.row(p, &t.Rows[i], labels)
	}
	p.raw(`</tbody></table>`)
	return p.html()
}

func (l *locale) row(p *pen, r *Row, labels []string) {
	p.raw(`<tr role="row"`)
	if r.ID != "" {
		p.raw(` id="`)
		p.text(r.ID)
		p.raw(`"`)
	}
	if r.URL != "" {
		p.raw(` class="linked"`)
	}
	p.raw(`>`)
	for i := range r.Cells {
		c := &r.Cells[i]
		p.raw(labels[i])
		if i == 0 && r.URL != "" {
			p.raw(`<a href="`)
			p.text(r.URL)
			p.raw(`" class="row-link"`)
			if r.Drawer {
				p.raw(` hx-get="`)
				p.text(r.URL)
				p.raw(`" hx-target="#drawer-body"`)
			}
			p.raw(`>`)
			l.cell(p, c)
			p.raw(`</a>`)
		} else {
			l.cell(p, c)
		}
		if c.Sub != "" {
			p.raw(`<span class="sub"><bdi>`)
			p.text(c.Sub)
			p.raw(`</bdi></span>`)
		}
		p.raw(`</div></td>`)
	}
	p.raw(`</tr>`)
}

func (l *locale) cell(p *pen, c *Cell) {
	if c.Badge != nil {
		p.raw(`<span class="badge `)
		p.text(c.Badge.Tone)
		p.raw(`">`)
		p.text(c.Badge.Text)
		p.raw(`</span>`)
	}
	if c.Text != "" {
		p.raw(`<bdi>`)
		p.text(c.Text)
		p.raw(`</bdi>`)
	}
	if c.Code != "" {
		p.raw(`<bdi dir="ltr" class="code">`)
		p.text(c.Code)
		p.raw(`</bdi>`)
	}
	if c.Copy {
		l.copyButton(p, c.Code)
	}
	if c.At != nil {
		l.instant(p, *c.At, c.Ago)
	}
	p.raw(string(c.HTML))
}

// copyButton is the part "copy".
func (l *locale) copyButton(p *pen, code string) {
	p.raw(`<button type="button" class="quiet icon-only small copy" data-copy="`)
	p.text(code)
	p.raw(`" aria-label="`)
	p.text(l.T("app.copy"))
	p.raw(`" title="`)
	p.text(l.T("app.copy"))
	p.raw(`">`, string(drawn["copy"]), `</button>`)
}

// instant is when something is, exact to the second when pointed at; a dash for
// the zero time.
func (l *locale) instant(p *pen, t time.Time, ago bool) {
	if t.IsZero() {
		p.raw("–")
		return
	}
	here := t.In(l.place)
	p.raw(`<time datetime="`)
	p.b = t.UTC().AppendFormat(p.b, time.RFC3339)
	p.raw(`" title="`)
	p.b = here.AppendFormat(p.b, l.dateLayout())
	p.b = here.AppendFormat(p.b, " 15:04:05 ")
	p.text(l.zone)
	p.raw(`">`)
	if ago {
		p.text(l.Ago(t))
	} else {
		p.b = here.AppendFormat(p.b, l.dateLayout())
		p.b = here.AppendFormat(p.b, " 15:04")
	}
	p.raw(`</time>`)
}

// optionsHTML are the options of a choice, of which one has the value chosen.
func optionsHTML(options []Option, chosen string) template.HTML {
	p := &pen{make([]byte, 0, 64*len(options))}
	for i := range options {
		o := &options[i]
		p.raw(`<option value="`)
		p.text(o.Value)
		p.raw(`"`)
		if o.Value == chosen {
			p.raw(` selected`)
		}
		p.raw(`>`)
		p.text(o.Label)
		p.raw(`</option>`)
	}
	return p.html()
}

// plain writes a whole number that all languages of the console write alike; false
// for one that they may group.
func plain(n int64) (string, bool) {
	if n < 0 || n > 999 {
		return "", false
	}
	return strconv.FormatInt(n, 10), true
}

// fill puts arguments into a message: {0} is the first.
func fill(said string, args []string) string {
	if !strings.Contains(said, "{") {
		return said
	}
	var b strings.Builder
	b.Grow(len(said) + 32)
	for {
		i := strings.IndexByte(said, '{')
		if i < 0 || i+2 >= len(said) {
			break
		}
		n := int(said[i+1]) - '0'
		if said[i+2] != '}' || n < 0 || n >= len(args) {
			b.WriteString(said[:i+1])
			said = said[i+1:]
			continue
		}
		b.WriteString(said[:i])
		b.WriteString(args[n])
		said = said[i+3:]
	}
	b.WriteString(said)
	return b.String()
}
