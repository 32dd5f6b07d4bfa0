package archive

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
)

// noTime replaces the time of a message whose time is not kept.
const noTime = "-"

// AppendMessage appends a message in the format of a segment (SPEC 12.1): a line with all lengths,
// the headers by name, and the body. It does not write the subject, which is the same for a whole
// segment. A zero Time means that the time is not kept.
func AppendMessage(dst []byte, m entry.Message) []byte {
	when, count := noTime, 0
	if !m.Time.IsZero() {
		when = canonical.FormatReceived(m.Time)
	}
	for _, values := range m.Header {
		count += len(values)
	}
	dst = fmt.Appendf(dst, "%d %s %d %d\n", m.Seq, when, count, len(m.Data))
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			dst = fmt.Appendf(dst, "%d %d\n%s%s\n", len(name), len(value), name, value)
		}
	}
	return append(append(dst, m.Data...), '\n')
}

// ParseMessage reads the message at the start of b. It accepts only what AppendMessage writes.
// Header values and data are slices of b. rest is what follows.
func ParseMessage(b []byte) (m entry.Message, rest []byte, err error) {
	r := reading{rest: b}
	fields := r.line(4)
	if r.err != nil {
		return entry.Message{}, nil, r.err
	}
	m.Seq = r.number(fields[0])
	if fields[1] != noTime {
		if m.Time, err = time.Parse(time.RFC3339Nano, fields[1]); err != nil ||
			canonical.FormatReceived(m.Time) != fields[1] {
			r.fail("time %.40q", fields[1])
		}
		m.Time = m.Time.UTC()
	}
	m.Header = r.headers(r.number(fields[2]))
	m.Data = r.bytes(r.number(fields[3]))
	r.end()
	if r.err != nil {
		return entry.Message{}, nil, r.err
	}
	return m, r.rest, nil
}

// reading reads parts of a message and keeps the first error.
type reading struct {
	rest []byte
	err  error
}

func (r *reading) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("message in a segment: "+format, args...)
	}
}

// line reads the n fields of a line. After an error it returns n empty ones.
func (r *reading) line(n int) []string {
	head := r.rest[:min(len(r.rest), maxLine)]
	end := bytes.IndexByte(head, '\n')
	if end < 0 {
		r.fail("%.60q does not start with a line", head)
		return make([]string, n)
	}
	r.rest = r.rest[end+1:]
	fields := strings.Split(string(head[:end]), " ")
	if len(fields) != n {
		r.fail("%.60q is not a line of %d fields", head[:end], n)
		return make([]string, n)
	}
	return fields
}

// maxLine exceeds the length of three numbers and a time.
const maxLine = 128

func (r *reading) number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil || strconv.FormatUint(n, 10) != s {
		r.fail("%.30q is not a number", s)
		return 0
	}
	return n
}

func (r *reading) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.rest)) {
		r.fail("truncated")
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// end reads the line feed after a part.
func (r *reading) end() {
	if b := r.bytes(1); r.err == nil && b[0] != '\n' {
		r.fail("longer than its stated length")
	}
}

func (r *reading) headers(count uint64) entry.Header {
	if count == 0 || r.err != nil {
		return nil
	}
	h, last := entry.Header{}, ""
	for i := range count {
		f := r.line(2)
		n, v := r.number(f[0]), r.number(f[1])
		name, value := string(r.bytes(n)), string(r.bytes(v))
		if r.end(); r.err != nil {
			return nil
		}
		if i > 0 && name < last {
			r.err = errors.New("message in a segment: headers are not in order")
			return nil
		}
		h[name], last = append(h[name], value), name
	}
	return h
}
