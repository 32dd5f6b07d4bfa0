package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrBelow reports that a stream holds more than its new limit. Nothing was changed.
var ErrBelow = errors.New("limit below what is stored")

// stated returns the streams whose limits cfg states. A limit of 0 is not stated.
func (c Config) stated() (list []jetstream.StreamConfig) {
	for _, s := range []struct {
		limit  int64
		stream jetstream.StreamConfig
	}{
		{c.EventsMaxBytes, c.events()}, {c.SealedMaxBytes, c.sealed()}, {c.PayloadsMaxBytes, c.payloads()},
		{c.AlertsMaxBytes, c.alerts()},
	} {
		if s.limit != 0 {
			list = append(list, s.stream)
		}
	}
	return list
}

// states reports whether cfg states the limit of a stream.
func (c Config) states(name string) bool {
	return slices.ContainsFunc(c.stated(), func(s jetstream.StreamConfig) bool { return s.Name == name })
}

// Resize gives the log's streams the limits that cfg states, and returns a line for each change. A
// limit of 0 leaves a stream as it is. Resize refuses a limit below what a stream holds with
// ErrBelow, before it changes any stream. With dry it only returns the lines.
func Resize(ctx context.Context, js jetstream.JetStream, cfg Config, dry bool) (changes []string, err error) {
	cfg.Replicas, cfg.Placement = 0, nil // change leaves both alone
	if !dry {
		if _, err := Resize(ctx, js, cfg, true); err != nil {
			return nil, err
		}
	}
	for _, want := range cfg.stated() {
		s, err := js.Stream(ctx, want.Name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", want.Name, err)
		}
		lines, err := change(ctx, js, cfg, s.CachedInfo(), want, []string{"MaxBytes"}, dry)
		if err != nil {
			return nil, err
		}
		changes = append(changes, lines...)
	}
	return changes, nil
}
