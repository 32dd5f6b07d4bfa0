package entry

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// Header holds a message's headers under their exact names.
type Header map[string][]string

// Get returns the first value of a header, or "". Names are compared exactly.
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Message is one message of EVENTS, SEALED or PAYLOADS, as the broker stored it: Seq and Time are the broker's.
type Message struct {
	Subject string
	Header  Header
	Data    []byte
	Seq     uint64
	Time    time.Time
}

// Digest is the digest of an EVENTS message (SPEC 4). It tells whether the message at a sequence is still the one that was
// sealed; sequence and time do not enter it.
func (m Message) Digest() Hash {
	h := sha256.New()
	writeLP(h, []byte(m.Subject))
	writeLP(h, m.Data)
	names := make([]string, 0, len(m.Header))
	for name := range m.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range m.Header[name] {
			writeLP(h, []byte(name))
			writeLP(h, []byte(value))
		}
	}
	return sum(h)
}

// Mode is how an EVENTS message carries events (SPEC 4).
type Mode int

const (
	Structured Mode = iota
	Batched
	Binary
)

// Mode tells the mode of a message that an agent published.
func (m Message) Mode() Mode {
	for name := range m.Header {
		if strings.EqualFold(name, "ce-specversion") {
			return Binary
		}
	}
	if body := trimSpace(m.Data); len(body) > 0 && body[0] == '[' {
		return Batched
	}
	return Structured
}

// attributes yields the ce- headers as ParseBinary takes them. A header with several values yields its name as often.
func (m Message) attributes(yield func(name, value string) bool) {
	for name, values := range m.Header {
		rest, ok := strings.CutPrefix(strings.ToLower(name), "ce-")
		for _, v := range values {
			if ok && !yield(rest, v) {
				return
			}
		}
	}
}

// ParseMessageBinary reads the one event of a message in binary mode.
func ParseMessageBinary(m Message) (Event, error) {
	contentType, seen := "", false
	for name, values := range m.Header {
		if strings.EqualFold(name, "content-type") {
			if seen || len(values) != 1 {
				return Event{}, fault("datacontenttype", "given more than once")
			}
			contentType, seen = values[0], true
		}
	}
	return ParseBinary(m.attributes, contentType, m.Data)
}

// whole is what a rejected message is remembered by (SPEC 5.2): its body, and in front of it the headers that carried a
// binary event. Equal names in different case come in the order of their exact names.
func (m Message) whole() []byte {
	type line struct{ lower, name, value string }
	var lines []line
	event := false
	for name, values := range m.Header {
		lower := strings.ToLower(name)
		if ce := strings.HasPrefix(lower, "ce-"); ce || lower == "content-type" {
			event = event || ce
			for _, v := range values {
				lines = append(lines, line{lower, name, v})
			}
		}
	}
	if !event {
		return m.Data
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		if c := strings.Compare(a.lower, b.lower); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	var b []byte
	for _, l := range lines {
		b = append(b, l.lower+": "+l.value+"\n"...)
	}
	return append(append(b, '\n'), m.Data...)
}
