package streams

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams/subject"
)

// minDuplicates is the shortest deduplication window that a server accepts; 0 would mean two
// minutes.
const minDuplicates = 100 * time.Millisecond

// EventsName returns the name of the stream of events that agents publish.
func EventsName(log string) string { return "EVENTS_" + log }

// events declares EVENTS. The sealer purges it after commits, in large steps; WorkQueue and
// Interest retention would cost an fsync a message. It has no MaxAge, which would drop evidence
// that is not sealed yet. AllowDirect is off because a direct get trusts the headers that a
// publisher sent. A message may be larger than the log accepts: the sealer then records the
// rejection in the log, where a refusal by the broker would be lost. It drops no message for its
// Nats-Msg-Id: see noSource.
func (c Config) events() jetstream.StreamConfig {
	s := c.durable(EventsName(c.Log), "what agents said, not sealed yet",
		subject.Events(c.Log, "*"), subject.Batch(c.Log, "*"), subject.Control(c.Log),
		subject.Service(c.Log, "*"))
	s.MaxBytes = orDefault(c.EventsMaxBytes, 2<<30)
	s.MaxMsgSize = 1 << 20
	s.Duplicates, s.Sources = 0, c.noSource()
	return s
}
