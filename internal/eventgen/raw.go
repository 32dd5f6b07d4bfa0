package eventgen

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Raw returns the next event in the JSON format. One in eight is invalid, and why is then the
// reason.
func (g *Gen) Raw() (raw []byte, valid bool, why string) {
	ev := g.Event()
	raw = ev.AppendJSON(nil)
	if g.r.IntN(8) > 0 {
		return raw, true, ""
	}
	spoil := pick(g.r, spoilers...)
	return spoil.do(raw), false, spoil.why
}

// spoilers are the changes that make a valid event invalid.
var spoilers = []struct {
	why string
	do  func([]byte) []byte
}{
	{"cut off", func(b []byte) []byte { return b[:len(b)/2] }},
	{"bad UTF-8", func(b []byte) []byte { return bytes.Replace(b, []byte(`"id":"`), []byte("\"id\":\"\xff"), 1) }},
	{"duplicate name", func(b []byte) []byte { return append([]byte(`{"id":"other",`), b[1:]...) }},
	{"no id", func(b []byte) []byte { return bytes.Replace(b, []byte(`"id":`), []byte(`"noid":`), 1) }},
	{"no source", func(b []byte) []byte { return bytes.Replace(b, []byte(`"source":`), []byte(`"nosource":`), 1) }},
	{"no type", func(b []byte) []byte { return bytes.Replace(b, []byte(`"type":`), []byte(`"notype":`), 1) }},
	{"unknown specversion", func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"specversion":"1.0"`), []byte(`"specversion":"0.3"`), 1)
	}},
	{"reserved type", func(b []byte) []byte { return with(b, "type", "sealstream.config") }},
	{"reserved type behind the prefix", func(b []byte) []byte { return with(b, "type", "ai.agentmesh.sealstream.gap") }},
	{"invalid time", func(b []byte) []byte { return with(b, "time", "2026-02-30T00:00:00Z") }},
	{"unknown action", func(b []byte) []byte { return with(b, "action", "maybe") }},
	{"unknown outcome", func(b []byte) []byte { return with(b, "outcome", "fine") }},
	{"lone surrogate", func(b []byte) []byte { return with(b, "lone", `\ud800`) }},
	{
		"attribute too long",
		func(b []byte) []byte { return with(b, "long", strings.Repeat("y", ruleset.MaxAttributeBytes+1)) },
	},
	{"bad attribute name", func(b []byte) []byte { return with(b, "Bad-Name", "x") }},
	{"control character", func(b []byte) []byte { return with(b, "bell", `\u0007`) }},
	{"both kinds of data", func(b []byte) []byte {
		b = without(without(b, "data"), "data_base64")
		return append(b[:len(b)-1], `,"data":1,"data_base64":"AA=="}`...)
	}},
	{"data too deep", func(b []byte) []byte {
		b = without(without(without(b, "data"), "data_base64"), "datacontenttype")
		deep := strings.Repeat("[", ruleset.MaxDepth+1) + strings.Repeat("]", ruleset.MaxDepth+1)
		return append(b[:len(b)-1], `,"data":`+deep+`}`...)
	}},
	{"not an object", func(b []byte) []byte { return []byte(`"event"`) }},
	{"something behind it", func(b []byte) []byte { return append(b, " {}"...) }},
}

// with gives an event another value of a string attribute, written as raw JSON text between quotes.
func with(b []byte, name, value string) []byte {
	b = without(b, name)
	return append(b[:len(b)-1], fmt.Sprintf(`,%q:"%s"}`, name, value)...)
}

// without takes a member with a string, or the last member, out of an event that AppendJSON has
// written.
func without(b []byte, name string) []byte {
	key := []byte(`,"` + name + `":`)
	i := bytes.Index(b, key)
	if i < 0 {
		return bytes.Clone(b)
	}
	end := i + len(key)
	if b[end] != '"' { // data, which comes last
		return append(bytes.Clone(b[:i]), '}')
	}
	for end++; b[end] != '"'; end++ {
		if b[end] == '\\' {
			end++
		}
	}
	return append(bytes.Clone(b[:i]), b[end+1:]...)
}

// Message returns the next message of EVENTS, and its number of events, which are all valid. It is
// one event in structured or binary mode, a batch of an agent, or a group of ingest.
func (g *Gen) Message(log string) (entry.Message, int) {
	ev := g.Event()
	own := subject.Events(log, subject.AgentToken(ev.Source))
	switch g.r.IntN(4) {
	case 0:
		return entry.Message{Subject: own, Data: ev.AppendJSON(nil)}, 1
	case 1:
		return g.binary(own, ev), 1
	case 2:
		n := 1
		body := ev.AppendJSON([]byte("["))
		for range g.r.IntN(6) {
			next := g.Event()
			if next.Source == ev.Source {
				body = next.AppendJSON(append(body, ','))
				n++
			}
		}
		return entry.Message{Subject: own, Data: append(body, ']')}, n
	}
	n := 1 + g.r.IntN(8)
	body := []byte("[")
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = inbox.AppendRecord(
			body,
			inbox.Record{Event: ev.AppendJSON(nil), Publisher: pick(g.r, "", "spiffe://example.com/agent")},
		)
		ev = g.Event()
	}
	return entry.Message{Subject: subject.Batch(log, "gen"), Data: append(body, ']')}, n
}

// binary writes an event in binary mode.
func (g *Gen) binary(to string, ev entry.Event) entry.Message {
	h := entry.Header{"ce-specversion": {"1.0"}}
	for name, value := range ev.Attributes() {
		if name == "datacontenttype" {
			h["content-type"] = []string{value}
		} else {
			h["ce-"+name] = []string{canonical.PercentEncode(value)}
		}
	}
	if ev.Salt != nil && ev.HasData {
		h["ce-datasalt"] = []string{entry.Hash(*ev.Salt).String()}
	}
	return entry.Message{Subject: to, Header: h, Data: ev.Data}
}
