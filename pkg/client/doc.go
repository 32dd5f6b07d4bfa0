// Package client is the Go SDK of sealstream. An agent records what it does with Log. Programs that
// read the log use Entries, Follow, Prove and Verify.
//
//	c, err := client.New(client.Config{Key: logPub, Agent: "did:web:agents.example.com:buyer"})
//	receipt, err := c.Log(ctx, client.Event{Type: "tool_invocation", Resource: "search_flights"}, client.WaitSealed)
//
// An event takes this way through the log:
//
//	agent ─Log─▶ group ─HTTP or NATS─▶ EVENTS ─▶ sealer ─▶ SEALED ─▶ query ─proof─▶ verify ─▶ Receipt
//
// The client does not trust the server. With WaitSealed it verifies that the leaf is the event that
// was sent, the proof of the leaf, the signature of the checkpoint, and that the checkpoint
// continues every checkpoint that the client saw before. Methods that read verify each entry in the
// same way. Doc comments name the few results that the client cannot verify.
//
// Log retries until its context is done. It always sends the same bytes, including id and salt, so
// that the log recognizes a repeat and never makes a second entry.
//
// The API is kept stable. The examples show how to use it.
package client
