package sealedlog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Errors about a SEALED message as a whole (SPEC 6).
var (
	// ErrVoid is wrapped if the message does not continue the log. Skip it and report it.
	ErrVoid = errors.New("void SEALED message")
	// ErrVersion is wrapped if the version of the message's format is unknown. Stop reading: a newer
	// release may be able to.
	ErrVersion = errors.New("SEALED message of an unknown format version")
)

// PlaceEnd is the Place of a Position at which all entries of the message are sealed.
const PlaceEnd = -1

// Position says how far EVENTS is sealed.
type Position struct {
	Epoch  uint64     // epoch of the stream EVENTS
	Seq    uint64     // sequence of the message
	Place  int        // number of the message's entries that are sealed, or PlaceEnd
	Digest entry.Hash // digest of the message
	Time   time.Time  // when the broker stored the message
}

// After reports whether p is further than q.
func (p Position) After(q Position) bool {
	switch {
	case p.Epoch != q.Epoch:
		return p.Epoch == q.Epoch+1
	case p.Seq != q.Seq:
		return p.Seq > q.Seq
	}
	return q.Place != PlaceEnd && (p.Place == PlaceEnd || p.Place > q.Place)
}

// Batch is the content of one SEALED message (SPEC 6).
type Batch struct {
	First      uint64       // index of the first leaf
	Leaves     [][]byte     // the leaves, 1 to 256
	Input      Position     // how far EVENTS is sealed after the batch
	Size       uint64       // size of the tree after the batch
	Root       entry.Hash   // root of that tree
	Frontier   []entry.Hash // roots of its perfect subtrees, largest first
	Checkpoint []byte       // the signed note
	Payloads   uint64       // sequence of the newest PAYLOADS message
	Config     uint64       // index of the newest config entry
	Key        uint64       // index of the newest key entry
}

const headerPrefix = "Sealstream-"

// Format returns headers and body of the SEALED message.
func (b Batch) Format() (entry.Header, []byte) {
	frontier := make([]string, len(b.Frontier))
	for i, h := range b.Frontier {
		frontier[i] = h.String()
	}
	place := "end"
	if b.Input.Place != PlaceEnd {
		place = strconv.Itoa(b.Input.Place)
	}
	n := func(x uint64) string { return strconv.FormatUint(x, 10) }
	h := entry.Header{}
	for name, value := range map[string]string{
		"Version": "1", "First": n(b.First), "Count": strconv.Itoa(len(b.Leaves)),
		"Input":        n(b.Input.Epoch) + " " + n(b.Input.Seq) + " " + place,
		"Input-Digest": b.Input.Digest.String(),
		"Input-Time":   canonical.FormatReceived(b.Input.Time), "Size": n(b.Size), "Root": b.Root.String(),
		"Frontier": strings.Join(frontier, ","), "Checkpoint": base64.StdEncoding.EncodeToString(b.Checkpoint),
		"Payloads": n(b.Payloads), "Config": n(b.Config), "Key": n(b.Key),
	} {
		h[headerPrefix+name] = []string{value}
	}
	size := 0
	for _, leaf := range b.Leaves {
		size += len(leaf) + 1
	}
	body := make([]byte, 0, size)
	for _, leaf := range b.Leaves {
		body = append(append(body, leaf...), '\n')
	}
	return h, body
}

// ParseBatch reads a SEALED message. The error of a message that is not of the form wraps ErrVoid,
// or ErrVersion if its version is unknown. Leaves and hashes are not checked. The leaves are slices
// of m.Data.
func ParseBatch(m entry.Message) (Batch, error) {
	h := headers{m.Header, nil}
	if v := m.Header[headerPrefix+"Version"]; len(v) == 1 && v[0] != "1" && v[0] != "" {
		return Batch{}, fmt.Errorf("%w: %.20q", ErrVersion, v[0])
	}
	if h.one("Version") == "" {
		h.fail("Version", errors.New("empty"))
	}
	b := Batch{
		First:    h.number("First"),
		Size:     h.number("Size"),
		Payloads: h.number("Payloads"),
		Config:   h.number("Config"),
		Key:      h.number("Key"),
	}
	b.Root, b.Input.Digest = h.hash("Root"), h.hash("Input-Digest")
	b.Frontier = h.hashes("Frontier")
	h.position(&b.Input)
	b.Checkpoint = h.base64("Checkpoint")
	count := h.number("Count")
	if h.err == nil {
		b.Leaves, h.err = splitLines(m.Data, count)
	}
	if h.err == nil && b.First+count != b.Size {
		h.err = errors.New("first, count and size do not agree")
	}
	if h.err != nil {
		return Batch{}, fmt.Errorf("%w: %w", ErrVoid, h.err)
	}
	return b, nil
}

func splitLines(body []byte, count uint64) ([][]byte, error) {
	if count < 1 || count > ruleset.MaxMessageEvents || len(body) == 0 || body[len(body)-1] != '\n' {
		return nil, errors.New("the body is not 1 to 256 lines")
	}
	lines := bytes.Split(body[:len(body)-1], []byte{'\n'})
	if uint64(len(lines)) != count {
		return nil, fmt.Errorf("%d lines, but the count is %d", len(lines), count)
	}
	for i := range lines {
		lines[i] = lines[i][:len(lines[i]):len(lines[i])]
	}
	return lines, nil
}

// headers reads headers and keeps the first error.
type headers struct {
	h   entry.Header
	err error
}

func (h *headers) fail(name string, err error) {
	if h.err == nil {
		h.err = fmt.Errorf("header %s%s: %w", headerPrefix, name, err)
	}
}

func (h *headers) one(name string) string {
	v := h.h[headerPrefix+name]
	if len(v) != 1 {
		h.fail(name, fmt.Errorf("given %d times", len(v)))
		return ""
	}
	return v[0]
}

func (h *headers) number(name string) uint64 { return h.decimal(name, h.one(name)) }

func (h *headers) decimal(name, s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > merkle.MaxSize || strconv.FormatUint(n, 10) != s {
		h.fail(name, fmt.Errorf("%.40q is no decimal number", s))
	}
	return n
}

func (h *headers) hash(name string) entry.Hash {
	v, err := entry.ParseHash(h.one(name))
	if err != nil {
		h.fail(name, err)
	}
	return v
}

func (h *headers) hashes(name string) []entry.Hash {
	parts := strings.Split(h.one(name), ",")
	if len(parts) > 53 {
		h.fail(name, errors.New("too many hashes"))
		return nil
	}
	list := make([]entry.Hash, len(parts))
	for i, p := range parts {
		var err error
		if list[i], err = entry.ParseHash(p); err != nil {
			h.fail(name, err)
		}
	}
	return list
}

func (h *headers) base64(name string) []byte {
	s := h.one(name)
	v, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || s == "" || base64.StdEncoding.EncodeToString(v) != s {
		h.fail(name, errors.New("empty, or not base64"))
	}
	return v
}

func (h *headers) position(p *Position) {
	parts := strings.Split(h.one("Input"), " ")
	if len(parts) != 3 {
		h.fail("Input", errors.New("not epoch, sequence and place"))
		return
	}
	p.Epoch, p.Seq = h.decimal("Input", parts[0]), h.decimal("Input", parts[1])
	if p.Place = PlaceEnd; parts[2] != "end" {
		n := h.decimal("Input", parts[2])
		if p.Place = int(n); n < 1 || n > 1024 {
			h.fail("Input", errors.New("place out of range"))
		}
	}
	s := h.one("Input-Time")
	t, err := canonical.ParseTime(s)
	if err != nil || canonical.FormatReceived(t) != s {
		h.fail("Input-Time", errors.New("not a time of nine digits"))
	}
	p.Time = t
}
