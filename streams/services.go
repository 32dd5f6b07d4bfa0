package streams

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams/subject"
)

// withoutServices returns the form of EVENTS in releases before rules 4, which had no subject for
// services.
func withoutServices(s jetstream.StreamConfig, log string) jetstream.StreamConfig {
	s.Subjects = slices.DeleteFunc(slices.Clone(s.Subjects), func(name string) bool {
		return name == subject.Service(log, "*")
	})
	return s
}

// hasServices reports whether an EVENTS stream accepts what services write.
func hasServices(s jetstream.StreamConfig, log string) bool {
	return slices.Contains(s.Subjects, subject.Service(log, "*"))
}

// AllowServices lets the EVENTS of an older release accept what services write, and changes nothing
// else. It reports whether EVENTS did not accept it before.
func AllowServices(ctx context.Context, js jetstream.JetStream, log string) (bool, error) {
	s, err := js.Stream(ctx, EventsName(log))
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", EventsName(log), err)
	}
	next := s.CachedInfo().Config
	if hasServices(next, log) {
		return false, nil
	}
	next.Subjects = append(slices.Clone(next.Subjects), subject.Service(log, "*"))
	if s, err = js.UpdateStream(ctx, next); err != nil {
		return false, fmt.Errorf("change stream %s: %w", next.Name, err)
	}
	return true, keepShort(ctx, js, s.CachedInfo().Config)
}
