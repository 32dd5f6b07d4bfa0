package streams

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams/subject"
)

// noSource returns a source that never has a message: no subject of ALERTS matches the filter. A
// server gives every stream without a source a deduplication window of at least 100 ms, in which it
// drops messages whose Nats-Msg-Id was seen. A stream with a source may have none. The window
// covers all publishers of a stream: whoever sends an id first would swallow another agent's event,
// and the server would acknowledge it.
func (c Config) noSource() []*jetstream.StreamSource {
	return []*jetstream.StreamSource{{Name: AlertsName(c.Log), FilterSubject: subject.NoAlert(c.Log)}}
}

// withWindow returns the form of EVENTS in older releases, and on servers that also give streams
// with sources a window.
func withWindow(s jetstream.StreamConfig) jetstream.StreamConfig {
	s.Duplicates, s.Sources = minDuplicates, nil
	return s
}

// hasWindow reports whether an EVENTS stream has that form.
func hasWindow(s jetstream.StreamConfig) bool {
	return s.Duplicates == minDuplicates && len(s.Sources) == 0
}

// CloseWindow removes the deduplication window from the EVENTS of an older release, and changes
// nothing else. It reports whether EVENTS had one. A server that requires a window leaves EVENTS as
// it was.
func CloseWindow(ctx context.Context, js jetstream.JetStream, cfg Config) (bool, error) {
	s, err := js.Stream(ctx, EventsName(cfg.Log))
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", EventsName(cfg.Log), err)
	}
	next := s.CachedInfo().Config
	if !hasWindow(next) {
		return false, nil
	}
	next.Duplicates, next.Sources = 0, cfg.noSource()
	if s, err = js.UpdateStream(ctx, next); err != nil {
		return false, fmt.Errorf("change stream %s: %w", next.Name, err)
	}
	return true, keepShort(ctx, js, s.CachedInfo().Config)
}

// keepShort sets the shortest window if a server has replaced no window by a long one.
func keepShort(ctx context.Context, js jetstream.JetStream, made jetstream.StreamConfig) error {
	if len(made.Sources) == 0 || made.Duplicates == 0 {
		return nil
	}
	if _, err := js.UpdateStream(ctx, withWindow(made)); err != nil {
		return fmt.Errorf("change stream %s: %w", made.Name, err)
	}
	return nil
}
