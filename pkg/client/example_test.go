package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/embed"
)

// An agent logs a tool call, and holds a proof of it that it has verified itself.
func ExampleClient_Log() {
	ctx := context.Background()
	// in memory; of a log that runs elsewhere: client.New(client.Config{Server: …, Key: …})
	logbook, err := embed.Open(ctx, embed.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer logbook.Close()
	c := logbook.Client()

	receipt, err := c.Log(ctx, client.Event{
		Type: "tool_invocation", Agent: "did:web:agents.example.com:buyer", Action: "allow", Resource: "search_flights",
		Outcome: "success",
		Data:    map[string]string{"from": "JFK", "to": "SEA"},
	}, client.WaitSealed, client.Session("trip-17"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Status, "as index", receipt.Index)

	// Anybody with the log's key can check the proof again, without the client and without the log.
	e, checkpoint, err := receipt.Proof.Check(logbook.Key())
	fmt.Println(e.EventType, e.Resource, "in a log of", checkpoint.Size, "entries:", err)
	// Output:
	// sealed as index 1
	// tool_invocation search_flights in a log of 2 entries: <nil>
}

// Events with an ID of their own can be logged again, from anywhere: the log keeps one of them.
func ExampleClient_LogBatch() {
	ctx := context.Background()
	logbook, err := embed.Open(ctx, embed.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer logbook.Close()
	c := logbook.Client()

	events := []client.Event{
		{ID: "order-1", Agent: "did:web:shop.example", Type: "order_placed", Data: 1},
		{ID: "order-2", Agent: "did:web:shop.example", Type: "order_placed", Outcome: "perhaps"},
		{ID: "order-3", Agent: "did:web:shop.example", Type: "order_placed", Data: 3},
	}
	for range 2 {
		receipts, err := c.LogBatch(ctx, events, client.WaitSealed)
		if rejected, ok := errors.AsType[*client.RejectedError](err); ok {
			fmt.Println(rejected.EntryID, "refused for its", rejected.Field)
		}
		for _, r := range receipts {
			fmt.Println(r.EntryID, r.Status, r.Index)
		}
	}
	// Output:
	// order-2 refused for its outcome
	// order-1 sealed 1
	// order-2 rejected 0
	// order-3 sealed 2
	// order-2 refused for its outcome
	// order-1 duplicate 1
	// order-2 rejected 0
	// order-3 duplicate 2
}
