package filesink

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// line is one line of a file: a record of the toolkit, and the members of the entry that the record
// does not have.
type line struct {
	toolkit agt.Record
	content string // content hash of toolkit
	// data is the text of the member data: the agent's bytes if a line can contain them, or else the
	// toolkit's form.
	data []byte

	entry   *entry.Entry   // nil for a closing record
	payload *entry.Payload // nil if there is no data
	apart   bool           // data differs from the payload, which then has a member of its own
}

// newLine returns the line of an entry after a line with the content hash previous.
func newLine(r sink.Record, previous string) (line, error) {
	e := &r.Entry
	at, err := canonical.ParseTime(e.Timestamp)
	if err != nil {
		return line{}, fmt.Errorf("index %d: %w", e.Index, err)
	}
	l := line{entry: e, payload: r.Payload, data: []byte("{}")}
	l.toolkit = agt.Record{
		EntryID:        e.EntryID,
		Timestamp:      agt.ISOTime(at),
		EventType:      e.EventType,
		AgentDID:       e.AgentDID,
		Action:         e.Action,
		Resource:       agt.Optional(e.Resource),
		TargetDID:      agt.Optional(e.TargetDID),
		Outcome:        e.Outcome,
		PolicyDecision: agt.Optional(e.PolicyDecision),
		MatchedRule:    agt.Optional(e.MatchedRule),
		TraceID:        agt.Optional(e.TraceID),
		SessionID:      agt.Optional(e.SessionID),
		PreviousHash:   previous,
	}
	if r.Payload != nil && r.Payload.HasData() {
		l.data, l.apart = dataText(r.Payload.Data)
	}
	l.toolkit.Data = l.data
	if l.content, err = agt.ContentHash(l.toolkit); err != nil && r.Payload != nil {
		// The data has an integer with more digits than Python reads.
		l.data, l.apart = object("text", agt.Value{Kind: agt.String, Text: string(r.Payload.Data)}), true
		l.toolkit.Data = l.data
		l.content, err = agt.ContentHash(l.toolkit)
	}
	if err != nil {
		return line{}, fmt.Errorf("index %d: %w", e.Index, err)
	}
	return l, nil
}

// dataText returns the text of the member data. The toolkit accepts only objects there, so any
// other data is put into one. apart is true if the text differs from the data.
func dataText(data []byte) (text []byte, apart bool) {
	if canonical.CheckJSON(data, agt.MaxDepth-1) != nil {
		name, s := "text", string(data)
		if !canonical.IsText(data) {
			name, s = "base64", base64.StdEncoding.EncodeToString(data)
		}
		return object(name, agt.Value{Kind: agt.String, Text: s}), true
	}
	if data[0] == '{' && data[len(data)-1] == '}' && printable(data) {
		return data, false
	}
	v, err := agt.Parse(data)
	switch {
	case err != nil:
		return object("text", agt.Value{Kind: agt.String, Text: string(data)}), true
	case v.Kind != agt.Object:
		return object("value", v), true
	}
	return v.Append(nil), true
}

func object(name string, v agt.Value) []byte {
	return agt.Value{Kind: agt.Object, Members: []agt.Member{{Name: name, Value: v}}}.Append(nil)
}

// printable reports whether a text is printable ASCII, which a line can contain unchanged. Python
// ends a line at more characters than line feeds.
func printable(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// append appends the line with its line feed. The members are in the order of their names, except
// mac, which is last because it covers all others.
func (l *line) append(dst []byte, s *signer) []byte {
	w := writer{dst: dst, from: len(dst)}
	t := &l.toolkit
	w.text("action", t.Action)
	if l.payload != nil && l.payload.ActionSalt != "" {
		w.text("action_salt", l.payload.ActionSalt)
	}
	w.text("agent_did", t.AgentDID)
	w.optional("compute_driver", t.ComputeDriver)
	w.plain("content_hash", l.content)
	w.raw("data", l.data)
	if l.apart {
		if canonical.IsText(l.payload.Data) {
			w.text("data_raw", string(l.payload.Data))
		} else {
			w.plain("data_base64", base64.StdEncoding.EncodeToString(l.payload.Data))
		}
	}
	if l.payload != nil && l.payload.Material != "" {
		w.text("dssematerial", l.payload.Material)
	}
	if l.entry != nil {
		w.plain("entry_hash", l.entry.EntryHash.String())
	}
	w.text("entry_id", t.EntryID)
	w.optional("environment", t.Environment)
	w.text("event_type", t.EventType)
	if l.entry != nil {
		w.raw("index", strconv.AppendUint(nil, l.entry.Index, 10))
	}
	w.plain("key_id", s.id)
	if l.entry != nil {
		w.text("leaf", string(l.entry.Leaf))
	}
	w.optional("matched_rule", t.MatchedRule)
	w.text("outcome", t.Outcome)
	w.optional("policy_decision", t.PolicyDecision)
	w.plain("previous_hash", t.PreviousHash)
	w.optional("resource", t.Resource)
	if l.payload != nil {
		w.plain("salt", entry.Hash(l.payload.Salt).String())
	}
	w.optional("sandbox_id", t.SandboxID)
	w.optional("session_id", t.SessionID)
	w.name("signature")
	w.dst = append(w.dst, '"')
	w.dst = append(s.append(w.dst, "", []byte(l.content)), '"')
	w.optional("target_did", t.TargetDID)
	w.text("timestamp", t.Timestamp)
	w.optional("trace_id", t.TraceID)
	upTo := len(w.dst)
	w.name("mac")
	w.dst = append(w.dst, '"')
	w.dst = s.append(w.dst, macPrefix+"line\n", w.dst[w.from:upTo])
	return append(w.dst, "\"}\n"...)
}

// writer writes the members of an object in the form of Python.
type writer struct {
	dst  []byte
	from int
}

func (w *writer) name(name string) {
	if len(w.dst) == w.from {
		w.dst = append(w.dst, `{"`...)
	} else {
		w.dst = append(w.dst, `, "`...)
	}
	w.dst = append(append(w.dst, name...), `": `...)
}

func (w *writer) raw(name string, text []byte) {
	w.name(name)
	w.dst = append(w.dst, text...)
}

// plain writes a text that needs no escapes.
func (w *writer) plain(name, s string) {
	w.name(name)
	w.dst = append(append(append(w.dst, '"'), s...), '"')
}

func (w *writer) text(name, s string) {
	w.name(name)
	w.dst = agt.Value{Kind: agt.String, Text: s}.Append(w.dst)
}

func (w *writer) optional(name string, s *string) {
	if s != nil {
		w.text(name, *s)
		return
	}
	w.raw(name, []byte("null"))
}

// isOurs reports whether this sink wrote a line, and not the toolkit.
func isOurs(v agt.Value) bool { return v.Get("mac") != nil }

// record returns the record of a line, or nil for a closing record.
func record(v agt.Value) (*sink.Record, error) {
	leaf := v.Get("leaf")
	if leaf == nil {
		return nil, nil
	}
	e, err := entry.ParseEntry([]byte(leaf.Text))
	if err != nil {
		return nil, fmt.Errorf("leaf: %w", err)
	}
	r := &sink.Record{Entry: e}
	salt := v.Get("salt")
	if salt == nil {
		return r, nil
	}
	p := &entry.Payload{Index: e.Index, ActionSalt: text(v, "action_salt"), Material: text(v, "dssematerial")}
	if p.Salt, err = entry.ParseHash(salt.Text); err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	raw, coded, data := v.Get("data_raw"), v.Get("data_base64"), v.Get("data")
	switch {
	case e.DataHash == nil: // the member data is there for the toolkit
	case raw != nil:
		p.Data = []byte(raw.Text)
	case coded != nil:
		if p.Data, err = base64.StdEncoding.Strict().DecodeString(coded.Text); err != nil {
			return nil, fmt.Errorf("data_base64: %w", err)
		}
	case data != nil:
		p.Data = []byte(strings.Clone(data.Raw()))
	}
	r.Payload = p
	return r, nil
}

// text returns a string member, or "".
func text(v agt.Value, name string) string {
	if m := v.Get(name); m != nil && m.Kind == agt.String {
		return m.Text
	}
	return ""
}
