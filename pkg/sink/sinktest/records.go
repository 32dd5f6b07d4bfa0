package sinktest

import (
	"bytes"
	"fmt"
	"maps"
	"strings"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// data is the data of the events, in turn: text, binary, JSON that languages read differently, and
// none.
var data = [][]byte{
	[]byte(`{"tool":"crm_lookup","query":"acme corp"}`),
	nil,
	[]byte("{ \"z\" : 1.50, \"a\": 12345678901234567890,\n \"\u00fc\": \"\u65e5\u672c \\ud83d\\ude00\" }"),
	[]byte(`[1e400, -0, 1E-7, {"x": null}]`),
	[]byte(`null`),
	[]byte("\x00\xff binary \x1b"),
	[]byte(`"text, with a 'quote' and a \\ and a \u0000"`),
	{},
	[]byte(`{"deep":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`),
	[]byte("plain text\twith tab\nand lines\r\n"),
}

// Records returns the first n entries of a log, with their data. They depend only on n and salt.
// Every field that a leaf can have occurs in them.
func Records(n int, salt byte) []sink.Record {
	list := make([]sink.Record, n)
	var previous entry.Hash
	for i := range list {
		e, p := draftOf(i, salt).Seal(uint64(i), previous)
		list[i] = sink.Record{Entry: e, Payload: p}
		previous = e.EntryHash
	}
	return list
}

func draftOf(i int, salt byte) *draft.Draft {
	types := []string{
		"ai.agentmesh.tool.invoked",
		"ai.agentmesh.policy.violation",
		"com.example.own kind",
		"ai.agentmesh.rogue_detection",
	}
	ev := entry.Event{
		ID:      fmt.Sprintf("e-%d-\u00fc'%d", salt, i),
		Source:  fmt.Sprintf("did:web:agent-%d.example.com", i%5),
		Type:    types[i%len(types)],
		Subject: fmt.Sprintf("/crm/%d", i%3),
		HasData: data[i%len(data)] != nil,
		Data:    data[i%len(data)],
	}
	ev.EventType = ruleset.EventType(ev.Type)
	switch i % 4 {
	case 1:
		ev.Action, ev.Outcome, ev.PolicyDecision, ev.MatchedRule = "deny", "denied", "denied by \"rule\"", "r-1"
		ev.TraceID, ev.SessionID, ev.TargetDID = "trace-7f3a", "session-1", "did:web:other.example.com"
	case 2:
		seq := uint64(i)
		ev.AgentSeq, ev.AgentPrev = &seq, strings.Repeat("ab", 32)
		ev.Extensions = map[string]string{"empty": "", "text": "a\\b\"c<d>\u2028\U0001f600"}
	case 3:
		ev.Subject, ev.Time = "", "2026-05-22T01:02:03.456789Z"
	}
	src := draft.Source{
		Log:        "default",
		Origin:     "sink.example.com/default/00000000",
		Secret:     bytes.Repeat([]byte{salt}, 32),
		Epoch:      1,
		Seq:        uint64(i + 1),
		ReceivedAt: fmt.Sprintf("2026-05-22T%02d:%02d:%02d.%09dZ", i/3600%24, i/60%60, i%60, i),
	}
	if i%10 == 1 || i%10 == 8 { // one without data, and one with data
		src.Rules = ruleset.Blinding
		ev.Extensions = blinded(ev.Extensions)
	}
	d := draft.Event(src, ev)
	return &d
}

// blinded returns extensions with the attributes that have a place of their own under rules 4, in
// the leaf or in the payload.
func blinded(extensions map[string]string) map[string]string {
	all := map[string]string{
		"authid": "user:ann", "authtype": "user", "causationid": "e-1", "policyversion": "7",
		"agentkey": "z6Mk" + strings.Repeat("a", 44), "actiontype": "x.y", "actiondigest": strings.Repeat("cd", 32),
		"approvalgrant": strings.Repeat("ef", 32), "actionsalt": strings.Repeat("ab", 32), "dssematerial": "e30=",
	}
	maps.Copy(all, extensions)
	return all
}
