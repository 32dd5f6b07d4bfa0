package streams

import "github.com/nats-io/nats.go/jetstream"

// SealedName is the stream that is the log.
func SealedName(log string) string { return "SEALED_" + log }

// SealedSubject is its only subject.
func SealedSubject(log string) string { return "audit." + log + ".sealed" }

// sealed: one writer, fenced by the expected last sequence. DenyDelete keeps applications from deleting by mistake; it does not protect
// against whoever may update the stream, which is what Check, the chain and outside checkpoints are for. Purging stays possible for the
// archiver, behind the archive.
func (c Config) sealed() jetstream.StreamConfig {
	s := c.durable(SealedName(c.Log), "the log: one message a batch of entries, each under a signed checkpoint", SealedSubject(c.Log))
	s.MaxBytes = orDefault(c.SealedMaxBytes, 16<<30)
	s.MaxMsgSize = 1 << 20
	s.AllowDirect = true // readers check every body against a hash; whoever must know the newest asks the leader
	s.DenyDelete = true
	return s
}
