// Package client is the Go SDK of sealstream: an agent logs what it does with Log, and gets a receipt that the client has
// verified itself.
//
//	c, err := client.New(client.Config{Key: logPub, Agent: "did:web:agents.example.com:buyer"})
//	receipt, err := c.Log(ctx, client.Event{Type: "tool_invocation", Resource: "search_flights"}, client.WaitSealed)
//
// Where it stands in the flow:
//
//	agent ─Log─▶ group ─HTTP or NATS─▶ EVENTS ─▶ sealer ─▶ SEALED ─▶ query ─proof─▶ verify ─▶ Receipt
//
// Nothing that a server says is believed: with WaitSealed, the proof, the checkpoint's signature, its consistency with every
// checkpoint that this client saw before, and that the leaf is the very event that was sent, are checked here.
//
// Log tries again until its context is done, and what it sends is the same each time, id and salt included. The log
// recognises a repeat, so that trying again never makes a second entry.
//
// This is promised API: see the examples.
package client
