package entry_test

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// An event comes in, is sealed into its place in the log, and anyone can check the hash of the entry from its bytes.
func Example() {
	event, err := entry.ParseEvent([]byte(`{
		"specversion": "1.0", "id": "e-1", "source": "did:mesh:alice", "type": "ai.agentmesh.tool.invoked",
		"subject": "file:///etc/hosts", "action": "allow", "outcome": "success",
		"data": {"tool": "read", "bytes": 9223372036854775808}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	draft := entry.EventDraft(entry.Source{
		Log: "default", Origin: "audit.example/default/00000000", Secret: make([]byte, 32),
		Epoch: 1, Seq: 2, ReceivedAt: "2026-11-24T08:30:00.000000000Z",
	}, event)
	sealed, payload := draft.Seal(1, entry.ZeroHash)

	read, err := entry.ParseEntry(sealed.Leaf)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Index, read.EventType, read.AgentDID, read.Action, read.Outcome, read.Resource)
	fmt.Println(entry.FormatHash(entry.LeafHash(sealed.Leaf)) == read.EntryHash, entry.VerifyHash(read))
	fmt.Println(payload.Opens(read), string(payload.Data))
	// Output:
	// 1 tool_invocation did:mesh:alice allow success file:///etc/hosts
	// true true
	// true {"tool": "read", "bytes": 9223372036854775808}
}

// What is refused is refused with the attribute at fault.
func ExampleParseEvent() {
	_, err := entry.ParseEvent([]byte(`{"specversion":"1.0","id":"1","source":"did:mesh:alice","type":"x.y","action":"permit"}`))
	fmt.Println(err)
	_, err = entry.ParseEvent([]byte(`{"specversion":"1.0","id":"1","id":"2","source":"did:mesh:alice","type":"x.y"}`))
	fmt.Println(err)
	// Output:
	// action: "permit" is none of allow, deny, audit, quarantine, warning
	// id: duplicate member name in JSON
}

func ExampleVerifyHash() {
	const leaf = `{"agent_did":"did:mesh:alice","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y","index":0,"input_epoch":1,"input_seq":1,"log":"default","outcome":"denied","position":0,` +
		`"previous_hash":"0000000000000000000000000000000000000000000000000000000000000000","received_at":"2026-11-24T08:30:00.000000000Z","timestamp":"2026-11-24T08:30:00.000000000Z","v":1}`
	e, err := entry.ParseEntry([]byte(leaf))
	fmt.Println(err, entry.VerifyHash(e))
	e.Outcome = "success"
	fmt.Println(entry.VerifyHash(e))
	// Output:
	// <nil> true
	// false
}

func ExampleCanonicalTime() {
	t, err := entry.CanonicalTime("2026-11-24T09:30:00.50+01:00")
	fmt.Println(t, err)
	// Output: 2026-11-24T08:30:00.50Z <nil>
}
