package inbox

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Handover lets ingest and sealer of one process parse and redact each event once. Ingest offers
// what it has parsed of a group before it stores the group. The sealer reads the message from
// EVENTS as always, and takes the group if it is made of the very bytes that it has read. Nothing
// needs a handover: whoever finds no group parses the message.
//
// A nil Handover keeps nothing. The zero value is empty and ready.
type Handover struct {
	// Max limits the memory of the groups that are kept, in bytes. 0 means 16 MiB. What comes when it
	// is reached is not kept, and a sealer that is so far behind parses it itself.
	Max int64

	mu    sync.Mutex
	list  []*Group // in the order of their offers
	bytes atomic.Int64
	taken atomic.Uint64
}

const maxHandover = 16 << 20

// parsedBytes is about what one parsed event takes besides its text.
const parsedBytes = 1 << 10

// handoverReach is how many EVENTS sequences a message may come after a later one: the sealer
// prepares messages in parallel.
const handoverReach = 1024

// Parsed is an event as ParseRecords gives it for the stored text, by the newest sealing rules.
type Parsed struct {
	Event    entry.Event
	Set      *redact.Set // redaction rules in use; nil redacts nothing
	Redacted bool        // Event.Redact was called with Set
}

// Group is what ingest has parsed of one EVENTS message.
type Group struct {
	Subject string
	Body    []byte
	Rules   uint64      // sealing rules of the events
	Set     *redact.Set // redaction rules of the events; nil redacts nothing

	records []EventRecord
	places  []place
	found   bool // Event.Redact has found something in one of the events
	size    int64
	seq     uint64 // EVENTS sequence; 0 if it is not known yet
}

// place says where the parts of a record stand in the body.
type place struct {
	record, recordEnd int
	event, eventEnd   int
	data              int // -1 if the data has memory of its own
}

// Room reports whether another group would be kept.
func (h *Handover) Room() bool { return h != nil && h.bytes.Load() < cmp.Or(h.Max, maxHandover) }

// Taken returns how many groups were taken.
func (h *Handover) Taken() uint64 { return h.taken.Load() }

// NewGroup returns a group of n events, or nil if there is no room for it. All methods of a nil
// group do nothing.
func (h *Handover) NewGroup(n int) *Group {
	if !h.Room() {
		return nil
	}
	return &Group{
		Rules: ruleset.Newest, records: make([]EventRecord, 0, n), places: make([]place, 0, n),
	}
}

// Add adds the record that AppendRecord has written from start on, up to end. p is what was parsed
// of r.Event. If p is nil, or its redaction rules are not those of the events before, the group
// will not be offered.
func (g *Group) Add(start, end int, r Record, p *Parsed) {
	switch {
	case g == nil || g.records == nil:
		return
	case p == nil || len(g.records) > 0 && p.Set != g.Set:
		g.records = nil
		return
	}
	text := canonical.TrimSpace(r.Event)
	at := place{record: start, recordEnd: end, event: start + len(eventMember), data: -1}
	at.event += offsetIn(r.Event, text)
	at.eventEnd = at.event + len(text)
	ev := p.Event
	if i := offsetIn(text, ev.Data); i >= 0 {
		at.data = at.event + i
	} else { // the text that it was parsed from may be overwritten
		ev.Data = bytes.Clone(ev.Data)
		g.size += int64(len(ev.Data))
	}
	g.Set, g.size = p.Set, g.size+int64(len(text)-len(p.Event.Data)) // attributes are copies
	g.found = g.found || len(p.Event.Redactions) > 0
	g.records = append(g.records, EventRecord{Record: Record{Publisher: r.Publisher}, Event: ev, Redacted: p.Redacted})
	g.places = append(g.places, at)
}

// offsetIn returns where part stands in whole, or -1 if it is no part of its memory. It begins at
// the end, where the data of an event usually stands.
func offsetIn(whole, part []byte) int {
	if len(part) == 0 {
		return -1
	}
	for i := len(whole) - len(part); i >= 0; i-- {
		if &whole[i] == &part[0] {
			return i
		}
	}
	return -1
}

// Offer keeps a group of which body will be the message on a subject. The body is copied.
func (h *Handover) Offer(g *Group, subject string, body []byte) {
	if g == nil || g.records == nil {
		return
	}
	g.Subject, g.Body = subject, bytes.Clone(body)
	g.size += int64(len(body)) + int64(len(g.records))*parsedBytes
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, g)
	h.bytes.Add(g.size)
}

// Stored says at which EVENTS sequence a group is stored. 0 means that it is not, or perhaps not:
// the group is then dropped.
func (h *Handover) Stored(g *Group, seq uint64) {
	if g == nil || g.records == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if g.seq = seq; seq != 0 {
		return
	}
	for i, other := range h.list {
		if other == g {
			h.drop(i)
			return
		}
	}
}

// Take returns the records of a message, as ParseRecords does, if a group of its length was offered
// that fits accepts. fits must compare everything else that the result depends on, see Group.Fits.
// The group is then gone.
func (h *Handover) Take(m entry.Message, fits func(*Group) bool) ([]EventRecord, bool) {
	if h == nil || h.bytes.Load() == 0 {
		return nil, false
	}
	g := h.find(m, fits)
	if g == nil {
		return nil, false
	}
	h.taken.Add(1)
	for i, at := range g.places {
		r := &g.records[i]
		r.Raw = part(m.Data, at.record, at.recordEnd)
		r.Record.Event = part(m.Data, at.event, at.eventEnd)
		if at.data >= 0 {
			r.Event.Data = part(m.Data, at.data, at.data+len(r.Event.Data))
		}
	}
	return g.records, true
}

// find takes the group of a message out of the list, and drops those that nobody will ask for.
func (h *Handover) find(m entry.Message, fits func(*Group) bool) *Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.list) > 0 && h.list[0].seq != 0 && h.list[0].seq+handoverReach < m.Seq {
		h.drop(0)
	}
	for i, g := range h.list {
		if (g.seq == 0 || g.seq == m.Seq) && len(g.Body) == len(m.Data) && fits(g) {
			h.drop(i)
			return g
		}
	}
	return nil
}

func (h *Handover) drop(i int) {
	h.bytes.Add(-h.list[i].size)
	h.list = slices.Delete(h.list, i, i+1)
}

// Fits reports whether ParseRecords and Event.Redact would make the records of the group out of a
// message, by these sealing and redaction rules. The bytes themselves are compared: that is
// cheaper than a digest of them, and no less strict.
func (g *Group) Fits(m entry.Message, rules uint64, set *redact.Set) bool {
	// newer rules parse alike, but what they make of what was found differs
	same := g.Rules == rules || !g.found && min(g.Rules, rules) >= ruleset.Binding
	return same && g.Set.Equal(set) && g.Subject == m.Subject && len(m.Header) == 0 &&
		bytes.Equal(g.Body, m.Data)
}

func part(b []byte, start, end int) []byte { return b[start:end:end] }
