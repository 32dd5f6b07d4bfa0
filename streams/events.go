package streams

import (
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// minDuplicates is the shortest window that a server takes; 0 would mean two minutes.
const minDuplicates = 100 * time.Millisecond

// EventsName is the stream of what agents said.
func EventsName(log string) string { return "EVENTS_" + log }

// EventsSubject is where an agent publishes; token is its agent token, or "open" for any source, where the log accepts that.
func EventsSubject(log, token string) string { return "audit." + log + ".events." + token }

// SubmitSubject is where an agent sends events as a request to ingest, which answers with receipts. No stream stores it: ingest writes the events to
// EVENTS, many requests in one message.
func SubmitSubject(log, token string) string { return "audit." + log + ".submit." + token }

// BatchSubject is where an ingest publishes its groups.
func BatchSubject(log, ingest string) string { return "audit." + log + ".batch." + ingest }

// ControlSubject is where administrators publish what the log itself must know.
func ControlSubject(log string) string { return "audit." + log + ".control" }

// events: the sealer purges it behind the commit, in large steps; WorkQueue and Interest retention would cost an fsync a message. It has no
// MaxAge, which would drop evidence that is not sealed yet. AllowDirect is off because a direct get believes the headers that a publisher
// sent. A message may be larger than the log accepts: the sealer says so in the log, where a refusal by the broker would be lost.
func (c Config) events() jetstream.StreamConfig {
	s := c.durable(EventsName(c.Log), "what agents said, not sealed yet",
		EventsSubject(c.Log, "*"), BatchSubject(c.Log, "*"), ControlSubject(c.Log))
	s.MaxBytes = orDefault(c.EventsMaxBytes, 2<<30)
	s.MaxMsgSize = 1 << 20
	return s
}
