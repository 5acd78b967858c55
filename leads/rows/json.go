package rows

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sort"

	"leadloop/odata/fault"
)

// MaxLine is how long a line of JSON lines may be.
const MaxLine = 1 << 20

// lineRows reads JSON lines: an object a line.
type lineRows struct {
	r    *bufio.Reader
	line int
}

func (l *lineRows) columns() []string { return nil }

func (l *lineRows) next() (Row, error) {
	for {
		text, long, err := l.read()
		if err != nil && (!errors.Is(err, io.EOF) || len(text) == 0) {
			return Row{}, asFault(err)
		}
		l.line++
		if long {
			return Row{Line: l.line, Err: fault.Newf(fault.Invalid, "the line is longer than %d bytes", MaxLine)}, nil
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return objectRow(l.line, text), nil
		}
		if err != nil {
			return Row{}, err
		}
	}
}

// read reads a line; of one that is too long only the beginning.
func (l *lineRows) read() (text []byte, long bool, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		if long = long || len(text)+len(part) > MaxLine; !long {
			text = append(text, part...)
		} else if len(text) == 0 {
			text = append(text, part[:1]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, long, err
		}
	}
}

// objectRow is the row that is an object.
func objectRow(line int, text []byte) Row {
	if text[0] != '{' {
		return Row{Line: line, Err: fault.New(fault.Invalid, "a row must be a JSON object")}
	}
	return Row{Line: line, Object: text}
}

// jsonRows reads a list of objects, or objects one after the other, without
// holding more than one.
type jsonRows struct {
	d     *json.Decoder
	lines *lineCounter
	list  bool
}

func openJSON(text io.Reader) (*jsonRows, error) {
	lines := &lineCounter{r: text}
	b := bufio.NewReader(lines)
	j := &jsonRows{lines: lines}
	for {
		c, err := b.ReadByte()
		if err != nil {
			return nil, err
		}
		if bytes.IndexByte([]byte(" \t\r\n"), c) < 0 {
			j.list = c == '['
			_ = b.UnreadByte() // follows a ReadByte
			break
		}
		lines.skipped++
	}
	j.d = json.NewDecoder(b)
	if j.list {
		_, err := j.d.Token()
		return j, err
	}
	return j, nil
}

func (j *jsonRows) columns() []string { return nil }

func (j *jsonRows) next() (Row, error) {
	if j.list && !j.d.More() {
		return Row{}, j.end()
	}
	var text json.RawMessage
	err := j.d.Decode(&text)
	if errors.Is(err, io.EOF) && !j.list {
		return Row{}, io.EOF
	}
	if err != nil {
		return Row{}, j.malformed(err)
	}
	return objectRow(j.lines.at(j.d.InputOffset()-int64(len(text))), text), nil
}

// end reads the end of the list, after which nothing may follow.
func (j *jsonRows) end() error {
	if _, err := j.d.Token(); err != nil {
		return j.malformed(err)
	}
	switch _, err := j.d.Token(); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return j.malformed(err)
	}
	return fault.Newf(fault.Invalid, "malformed JSON in line %d: something follows the end of the list", j.lines.at(j.d.InputOffset()))
}

func (j *jsonRows) malformed(err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fault.Newf(fault.Invalid, "malformed JSON after line %d: %v", j.lines.at(j.d.InputOffset()), err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.New(fault.Invalid, "malformed JSON: the file ends too early")
	}
	return asFault(err)
}

// lineCounter knows in which line each byte read through it stands.
type lineCounter struct {
	r        io.Reader
	n        int64
	skipped  int64   // bytes before those that offsets count
	newlines []int64 // where those are that are not counted yet
	counted  int
}

func (l *lineCounter) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.newlines = append(l.newlines, l.n+int64(i))
		}
	}
	l.n += int64(n)
	return n, err
}

// at gives the line of an offset, which is not before the one asked for last.
func (l *lineCounter) at(offset int64) int {
	i := sort.Search(len(l.newlines), func(i int) bool { return l.newlines[i] >= offset+l.skipped })
	l.counted += i
	l.newlines = append(l.newlines[:0], l.newlines[i:]...)
	return l.counted + 1
}
