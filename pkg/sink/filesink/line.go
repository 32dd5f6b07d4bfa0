package filesink

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// line is what one line of a file says: a record of the toolkit's, and of an entry what is not in that.
type line struct {
	toolkit agt.Record
	content string // content hash of it
	data    []byte // text of the member data: the bytes as the agent sent them where they can stand in a line, else the toolkit's form

	entry   *entry.Entry   // nil: a closing record
	payload *entry.Payload // nil: there is none
	apart   bool           // the payload's bytes are not the text of data, and stand in a member of their own
}

// newLine is the line of an entry behind one of a content hash.
func newLine(r sink.Record, previous string) (line, error) {
	e := &r.Entry
	at, err := entry.ParseTime(e.Timestamp)
	if err != nil {
		return line{}, fmt.Errorf("index %d: %w", e.Index, err)
	}
	l := line{entry: e, payload: r.Payload, data: []byte("{}")}
	l.toolkit = agt.Record{
		EntryID: e.EntryID, Timestamp: agt.ISOTime(at), EventType: e.EventType, AgentDID: e.AgentDID, Action: e.Action, Resource: agt.Optional(e.Resource),
		TargetDID: agt.Optional(e.TargetDID), Outcome: e.Outcome, PolicyDecision: agt.Optional(e.PolicyDecision), MatchedRule: agt.Optional(e.MatchedRule),
		TraceID: agt.Optional(e.TraceID), SessionID: agt.Optional(e.SessionID), PreviousHash: previous,
	}
	if r.Payload != nil {
		l.data, l.apart = dataText(r.Payload.Data)
	}
	l.toolkit.Data = l.data
	if l.content, err = agt.ContentHash(l.toolkit); err != nil && r.Payload != nil { // an integer of more digits than Python reads
		l.data, l.apart = object("text", agt.Value{Kind: agt.String, Text: string(r.Payload.Data)}), true
		l.toolkit.Data = l.data
		l.content, err = agt.ContentHash(l.toolkit)
	}
	if err != nil {
		return line{}, fmt.Errorf("index %d: %w", e.Index, err)
	}
	return l, nil
}

// dataText is what the member data says of some data. The toolkit knows objects alone there: what is none is put into one.
func dataText(data []byte) (text []byte, apart bool) {
	if entry.CheckJSON(data, agt.MaxDepth-1) != nil {
		name, s := "text", string(data)
		if !entry.IsText(data) {
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

// printable: only such text can stand in a line as it is. Python takes more than line feeds for the end of a line.
func printable(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// append writes the line, with its line feed. The members stand in the order of their names, but for mac, which is over all before it.
func (l *line) append(dst []byte, s *signer) []byte {
	w := writer{dst: dst, from: len(dst)}
	t := &l.toolkit
	w.text("action", t.Action)
	w.text("agent_did", t.AgentDID)
	w.optional("compute_driver", t.ComputeDriver)
	w.plain("content_hash", l.content)
	w.raw("data", l.data)
	if l.apart {
		if entry.IsText(l.payload.Data) {
			w.text("data_raw", string(l.payload.Data))
		} else {
			w.plain("data_base64", base64.StdEncoding.EncodeToString(l.payload.Data))
		}
	}
	if l.entry != nil {
		w.plain("entry_hash", l.entry.EntryHash)
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
		w.plain("salt", entry.FormatHash(l.payload.Salt))
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

// writer writes the members of an object as Python would.
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

// plain is for what needs no escape.
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

// isOurs says whether a line is of this sink, and not the toolkit's.
func isOurs(v agt.Value) bool { return v.Get("mac") != nil }

// record reads the entry back from a line; nil: it is a closing record.
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
	p := &entry.Payload{Index: e.Index}
	if p.Salt, err = entry.ParseHash(salt.Text); err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	raw, coded, data := v.Get("data_raw"), v.Get("data_base64"), v.Get("data")
	switch {
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

// text is a string member, or "".
func text(v agt.Value, name string) string {
	if m := v.Get(name); m != nil && m.Kind == agt.String {
		return m.Text
	}
	return ""
}
