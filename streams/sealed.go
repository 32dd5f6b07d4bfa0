package streams

import (
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/streams/subject"
)

// SealedName returns the name of the stream that is the log.
func SealedName(log string) string { return "SEALED_" + log }

// sealed declares SEALED. It has one writer, fenced by the expected last sequence. DenyDelete
// prevents deletes by mistake. It does not protect against an administrator of the stream; Check,
// the chain and outside checkpoints do. The archiver may still purge what is archived.
func (c Config) sealed() jetstream.StreamConfig {
	s := c.durable(SealedName(c.Log), "the log: one message a batch of entries, each under a signed checkpoint",
		subject.Sealed(c.Log))
	s.MaxBytes = orDefault(c.SealedMaxBytes, 16<<30)
	s.MaxMsgSize = 1 << 20
	// readers verify every body by a hash, and ask the leader for the newest message
	s.AllowDirect = true
	s.DenyDelete = true
	return s
}
