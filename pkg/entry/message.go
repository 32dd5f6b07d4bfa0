package entry

import (
	"crypto/sha256"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
)

// Header holds the headers of a message under their exact names.
type Header map[string][]string

// Get returns the first value of a header, or "" if there is none. It compares names exactly.
func (h Header) Get(name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Message is a message of EVENTS, SEALED or PAYLOADS, as the broker stored it.
type Message struct {
	Subject string    // subject that it was published on
	Header  Header    // its headers; nil if it has none
	Data    []byte    // its body
	Seq     uint64    // sequence that the broker gave it, from 1
	Time    time.Time // when the broker stored it
}

// Digest returns the digest of an EVENTS message (SPEC 4), which covers all but its sequence and
// time. It tells whether the message at a sequence is still the one that was sealed.
func (m Message) Digest() Hash {
	h := sha256.New()
	canonical.WriteLP(h, []byte(m.Subject))
	canonical.WriteLP(h, m.Data)
	names := make([]string, 0, len(m.Header))
	for name := range m.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range m.Header[name] {
			canonical.WriteLP(h, []byte(name))
			canonical.WriteLP(h, []byte(value))
		}
	}
	return sum(h)
}
