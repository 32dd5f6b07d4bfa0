package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestNotWitnessed: where witnesses do not come, the receipt is that of a sealed event, and the
// error says why it is no more.
func TestNotWitnessed(t *testing.T) {
	w := memory(t)
	_, witness, err := cosign.GenerateKey("w")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := proof.ParsePolicy([]byte(fmt.Sprintf("log %s\nwitness w %s http://127.0.0.1:1\nquorum w\n", w.key,
		witness)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Server: w.server.URL, Key: w.key, Agent: "did:web:a", Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	client.SetWitnessTimeout(c, 20*time.Millisecond)
	r, err := c.Log(t.Context(), client.Event{Type: "tool_invocation"}, client.WaitWitnessed)
	if !errors.Is(err, client.ErrNotWitnessed) || r.Status != client.Sealed || r.Proof == nil {
		t.Fatalf("%+v %v", r, err)
	}
	list, err := c.LogBatch(t.Context(), []client.Event{{Type: "tool_invocation"}}, client.WaitWitnessed)
	if !errors.Is(err, client.ErrNotWitnessed) || list[0].Status != client.Sealed {
		t.Fatalf("%+v %v", list, err)
	}
	blind, err := client.New(client.Config{Server: w.server.URL, Agent: "did:web:a"})
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close(t.Context())
	if _, err := blind.Log(t.Context(), client.Event{Type: "tool_invocation"}, client.WaitWitnessed); err == nil {
		t.Fatal("witnessed without a policy")
	}
}
