package streams

import (
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// PayloadsName is the stream of the data that leaves commit to.
func PayloadsName(log string) string { return "PAYLOADS_" + log }

// PayloadsSubject is where the sealer writes.
func PayloadsSubject(log string) string { return "audit." + log + ".payloads" }

// PayloadsRewriteSubject is where a message stands anew after data was erased from it; seq is the sequence of the original.
func PayloadsRewriteSubject(log string, seq uint64) string {
	return PayloadsSubject(log) + "." + strconv.FormatUint(seq, 10)
}

// payloads: no limit per subject, which would remove a rewritten message's predecessor without overwriting its bytes. Deleting is
// allowed, because erasing is: a secure delete leaves no byte.
func (c Config) payloads() jetstream.StreamConfig {
	s := c.durable(PayloadsName(c.Log), "the data of the entries, apart from the log so that it can be erased", PayloadsSubject(c.Log), PayloadsSubject(c.Log)+".*")
	s.MaxBytes = orDefault(c.PayloadsMaxBytes, 32<<30)
	s.MaxMsgSize = 1 << 20
	s.AllowDirect = true // as SEALED
	return s
}
