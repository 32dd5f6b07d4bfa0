package streams

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// TestRoom: only what is lack of room, and nothing else, is called so.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		code jetstream.ErrorCode
		text string
		want bool
	}{
		{10047, "insufficient storage resources available", true},
		{10005, "no suitable peers for placement, insufficient storage", true},
		{10005, "no suitable peers for placement, peer offline, insufficient storage", false},
		{10005, "no suitable peers for placement, peer offline", false},
		{10008, "JetStream system temporarily unavailable", false},
	} {
		err := fmt.Errorf("x: %w", &jetstream.APIError{ErrorCode: c.code, Description: c.text})
		got := Config{Log: "default", Replicas: 3}.room(err)
		if errors.Is(got, ErrRoom) != c.want || !errors.Is(got, err) {
			t.Errorf("%s: %v", c.text, got)
		}
	}
	if err := (Config{}).room(nil); err != nil {
		t.Error(err)
	}
}
