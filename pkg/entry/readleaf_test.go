package entry

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
)

// FuzzCanonReader holds the fast reader of leaves against the general one: what it takes, the
// general parser takes too, and reads the same; and every leaf without detail and redactions that
// the general parser takes, it takes.
func FuzzCanonReader(f *testing.F) {
	for _, seed := range canonSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, leaf string) {
		var fast, general Entry
		took := fast.readCanonical(leaf, true)
		err := general.readGeneral([]byte(leaf))
		if bare := new(Entry); bare.readCanonical(leaf, false) != took || bare.Extensions != nil {
			t.Fatalf("whether it is taken depends on what is kept\n%s", leaf)
		}
		var c Entry
		if err == nil && (!c.ReadCommitments([]byte(leaf)) || c.Index != general.Index ||
			!reflect.DeepEqual(c.DataHash, general.DataHash) || !reflect.DeepEqual(c.RecordHash, general.RecordHash)) {
			t.Fatalf("commitments of index %d, %v and %v\n%s", c.Index, c.DataHash, c.RecordHash, leaf)
		}
		switch {
		case took && err != nil && !errors.Is(err, ErrLeafVersion):
			t.Fatalf("the fast reader takes what the general one refuses: %v\n%s", err, leaf)
		case took && err == nil && !reflect.DeepEqual(fast, general):
			t.Fatalf("read differently:\n%+v\n%+v", fast, general)
		case !took && err == nil && general.Detail == nil && general.Redactions == nil:
			t.Fatalf("the fast reader gives up on a leaf\n%s", leaf)
		}
	})
}

func canonSeeds() []string {
	n := uint64(7)
	e := Entry{V: 1, Log: "default", Index: 3, EntryID: "id", Timestamp: "2026-01-02T03:04:05Z",
		ReceivedAt: "2026-01-02T03:04:05.000000006Z",
		EventType:  "tool_invocation", CloudEventType: "ai.agentmesh.tool.invoked",
		AgentDID: "did:web:a\"\\\u0001\b\t\n\f\r\u001f\u2028😀", Action: "allow",
		InputEpoch: 1, InputSeq: canonical.MaxInteger, AgentSeq: &n,
		Extensions: map[string]string{"a": "", "b": "x\"y"}}
	whole := string(e.appendLeaf(nil, false))
	seeds := []string{whole, "", "{", "{}", whole + " ", whole[:len(whole)-1], `{"v":1}`}
	for _, r := range [][2]string{{`"v":1`, `"v":01`}, {`"v":1`, `"v":1.0`}, {`"v":1`, `"v":9007199254740992`}, {
		`\u0001`, `\u0009`,
	}, {`\u001f`, `\u001F`},
		{`\b`, `\/`}, {`"a":""`, `"b":""`}, {`"action"`, `"Action"`}, {`"allow"`, `""`}, {"\u2028", "\xe2\x80"}, {`,"b":`, `,"a":`}, {`{"a":"","b":"x\"y"}`, `{}`}} {
		seeds = append(seeds, strings.Replace(whole, r[0], r[1], 1))
	}
	return seeds
}

// FuzzPayloadReader does the same for payload records.
func FuzzPayloadReader(f *testing.F) {
	for _, data := range []string{"", "x", "{\"a\":\"b\\n\"}", "\u2028\t\r\n", "\x7f"} {
		p := Payload{Index: 9, Data: []byte(data)}
		f.Add(string(p.AppendRecord(nil)))
	}
	f.Add(`{"data_raw":"\u0000","index":1,"salt":"` + zeroHash + `"}`)
	f.Fuzz(func(t *testing.T, line string) {
		var fast Payload
		ok := fast.read([]byte(line))
		if ok && string(fast.AppendRecord(nil)) != line {
			t.Fatalf("not canonical, but taken: %q", line)
		}
		if p, err := ParsePayload([]byte(line)); err == nil && !ok && strings.HasPrefix(line, `{"data_raw"`) {
			t.Fatalf("the fast reader gives up on %+v", p)
		}
	})
}
