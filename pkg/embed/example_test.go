package embed_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/embed"
)

// A whole log in a Go program. With Options.Dir it would be durable. The client has verified the
// receipt: the event is at its index in the log of this key, and is the one that was sent.
func ExampleOpen() {
	ctx := context.Background()
	l, err := embed.Open(ctx, embed.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	receipt, err := l.Client().Log(ctx, client.Event{
		Agent: "did:web:agent.example.com", Type: "tool_invocation", Action: "allow", Outcome: "success",
		Resource: "/crm/contacts", Data: map[string]string{"query": "acme"},
	}, client.WaitSealed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Status, receipt.Index, len(receipt.EntryHash), receipt.KeyPinned)
	// Output: sealed 1 64 true
}

// The client reads the log without a network, and has proven each entry that it yields.
func ExampleLog_Client() {
	ctx := context.Background()
	l, err := embed.Open(ctx, embed.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, agent := l.Client(), "did:web:agent.example.com"
	for _, tool := range []string{"search", "book"} {
		event := client.Event{Agent: agent, Type: "tool_invocation", Resource: tool}
		if _, err := c.Log(ctx, event, client.WaitSealed); err != nil {
			log.Fatal(err)
		}
	}
	for entry, err := range c.ForAgent(ctx, agent) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Index, entry.EventType, entry.Resource)
	}
	// Output:
	// 1 tool_invocation search
	// 2 tool_invocation book
}
