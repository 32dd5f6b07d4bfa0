package entry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestReplay: whatever was sealed, what is replayed of it says so, holds its data byte for byte, and is no event.
func TestReplay(t *testing.T) {
	src := draft.Source{
		Log: "default", Origin: "o.example.com/default/00000000", Epoch: 1, Seq: 7,
		ReceivedAt: "2026-01-02T03:04:05.000000006Z", Secret: make([]byte, 32),
	}
	event := func(raw string) draft.Draft {
		ev, err := entry.ParseEvent([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return draft.Event(src, ev)
	}
	for i, c := range []struct {
		draft      draft.Draft
		kind, data string // of the replay; the member data as it stands
	}{
		{event(`{"specversion":"1.0","id":"1","source":"a","type":"ai.agentmesh.tool.invoked","action":"allow","agentseq":5,"data":{"n": 1e400}}`),
			"sealstream.replay.ai.agentmesh.tool.invoked", `{"n": 1e400}`},
		{event(`{"specversion":"1.0","id":"1","source":"a","type":"x","sealindex":"9","sealdetail":"mine","sealreplay":"no","own":"kept"}`), "sealstream.replay.x", ""},
		{event(`{"specversion":"1.0","id":"1","source":"a","type":"x","datacontenttype":"text/plain","data":" a\nb "}`), "sealstream.replay.x", `" a\nb "`},
		{event(`{"specversion":"1.0","id":"1","source":"a","type":"x","data_base64":"/w=="}`), "sealstream.replay.x", ""},
		{event(`{"specversion":"1.0","id":"1","source":"a","type":"` + strings.Repeat("t", 4096) + `"}`), "sealstream.replay." + strings.Repeat("t", 4096), ""},
		{draft.Rejected(src, errors.New("bad"), []byte("{rubbish"), "audit.default.events.open"), "sealstream.replay.sealstream.rejected", ""},
		{draft.Own(src, entry.TypeGap, &entry.Gap{From: 1, To: 2}), "sealstream.replay.sealstream.gap", ""},
	} {
		e, p := c.draft.Seal(uint64(i), entry.Hash{})
		raw, err := e.Replay(p, "night")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := entry.ParseEvent(raw); err == nil {
			t.Fatalf("a replayed entry is taken for an event: %s", raw)
		} else if fe, ok := errors.AsType[*entry.FieldError](err); !ok || fe.Field != "type" {
			t.Errorf("%d: refused for %v", i, err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		text := func(name string) (s string) { json.Unmarshal(m[name], &s); return s }
		if text("type") != c.kind || text("id") != e.EntryID || text("source") != e.AgentDID ||
			text("sealreplay") != "night" || text("sealindex") != fmt.Sprint(i) ||
			text("sealhash") != e.EntryHash.String() || text("sealprevious") != e.PreviousHash.String() ||
			text("sealtime") != src.ReceivedAt || text("time") != e.Timestamp {
			t.Errorf("%d: %s", i, raw)
		}
		if c.data != "" && string(m["data"]) != c.data {
			t.Errorf("%d: data %s, want %s", i, m["data"], c.data)
		}
		if _, has := m["sealdetail"]; has != (e.Detail != nil) {
			t.Errorf("%d: sealdetail %s", i, m["sealdetail"])
		}
		// But for its type, it is a CloudEvent like any other, with the data that was sealed.
		ev, err := entry.ParseEvent(bytes.Replace(raw, []byte("sealstream.replay."), nil, 1))
		if err != nil && !e.IsOwn() {
			t.Errorf("%d: %v", i, err)
		}
		if !e.IsOwn() && (ev.HasData != (p != nil) || p != nil && !bytes.Equal(ev.Data, p.Data)) {
			t.Errorf("%d: data %q", i, ev.Data)
		}
	}
}
