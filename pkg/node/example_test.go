package node_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/node"
)

// The whole pipeline in a Go program, in memory; with a directory instead of "" it would be durable. The receipt is one that the
// client has verified: the event stands at its index in the log of this key, and is the one that was sent.
func ExampleEmbedded() {
	ctx := context.Background()
	l, err := node.Embedded(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	receipt, err := l.Client().Log(ctx, client.Event{
		Agent: "did:web:agent.example.com", Type: "tool_invocation", Action: "allow", Outcome: "success", Resource: "/crm/contacts",
		Data: map[string]string{"query": "acme"},
	}, client.WaitSealed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Status, receipt.Index, len(receipt.EntryHash), receipt.KeyPinned)
	// Output: sealed 1 64 true
}
