package streams

import (
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams/subject"
)

// PayloadsName returns the name of the stream of the data that leaves commit to.
func PayloadsName(log string) string { return "PAYLOADS_" + log }

// payloads declares PAYLOADS. It has no limit per subject, which would remove the predecessor of a
// rewritten message without overwriting its bytes. Deletes are allowed, since erasure needs them: a
// secure delete overwrites all bytes.
func (c Config) payloads() jetstream.StreamConfig {
	s := c.durable(PayloadsName(c.Log), "the data of the entries, apart from the log so that it can be erased",
		subject.Payloads(c.Log), subject.Payloads(c.Log)+".*")
	s.MaxBytes = orDefault(c.PayloadsMaxBytes, 32<<30)
	s.MaxMsgSize = 1 << 20
	s.AllowDirect = true // as SEALED
	return s
}
