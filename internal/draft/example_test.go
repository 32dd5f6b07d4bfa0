package draft_test

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/draft"
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
	d := draft.Event(draft.Source{
		Log: "default", Origin: "audit.example/default/00000000", Secret: make([]byte, 32),
		Epoch: 1, Seq: 2, ReceivedAt: "2026-11-24T08:30:00.000000000Z",
	}, event)
	sealed, payload := d.Seal(1, entry.Hash{})

	read, err := entry.ParseEntry(sealed.Leaf)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(read.Index, read.EventType, read.AgentDID, read.Action, read.Outcome, read.Resource)
	fmt.Println(entry.LeafHash(sealed.Leaf) == read.EntryHash, read.Verify())
	fmt.Println(payload.Opens(read), string(payload.Data))
	// Output:
	// 1 tool_invocation did:mesh:alice allow success file:///etc/hosts
	// true true
	// true {"tool": "read", "bytes": 9223372036854775808}
}
