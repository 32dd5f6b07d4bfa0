// Package store is the contract between sealstream and whatever keeps its streams: what the sealer, ingest and the followers
// may rely on, and nothing of how it is done. Memory keeps all of it in this process, for tests and for logs that need
// not outlive it; natsstore is the same on JetStream, and storetest the suite that both must pass.
//
// To the right of the sealer everything is a follower: it reads SEALED from a cursor of its own with Follow, which verifies
// chain, tree and signatures as it goes, so that no reader needs to trust the store.
//
// No compatibility is promised for this package yet.
package store

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// What a store says no with. Everything else is trouble of its own: a broken connection, a full disk.
var (
	// ErrNotFound: there is no such message or key. It is certain: the leader has said so.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the stream's last sequence, or the key's revision, is not the expected one. Nothing was written.
	ErrConflict = errors.New("conflict with the expected last sequence")
	// ErrExists: Create found the key. Nothing was written.
	ErrExists = errors.New("key exists")
	// ErrFull: the stream has reached its limit and refuses new messages. Nothing was written.
	ErrFull = errors.New("stream is full")
	// ErrAmbiguous: no answer came in time. The message may be written or not, now or a little later: read before anything else.
	ErrAmbiguous = errors.New("no answer: it may be written or not")
	// ErrDamaged: an object is there, but not the bytes that were written. It is certain: reading again does not help.
	ErrDamaged = errors.New("object is damaged")
)

// Log is one log's streams and buckets.
type Log struct {
	Name     string
	Events   Stream // what agents said, in the order of the broker
	Sealed   Stream // the log itself
	Payloads Stream // the data that leaves commit to
	Alerts   Stream // what the alert follower tells
	Head     KV     // cache of the newest checkpoint
	Tiles    KV     // full tiles of hashes, derived
	Cursors  KV     // how far each follower has come

	Archive Objects // segments of SEALED and PAYLOADS, of which these may be trimmed; nil: there is none
}

// Stream is an ordered, durable sequence of messages. Sequences count from 1 and are never given twice, not even after
// their message is gone. It may be used by many goroutines.
type Stream interface {
	// Info is the leader's answer, never older than an acknowledgement that the caller has seen.
	Info(ctx context.Context) (Info, error)

	// Get reads one message from the leader, or says ErrNotFound.
	Get(ctx context.Context, seq uint64) (entry.Message, error)

	// Last reads the newest message on a subject, or says ErrNotFound.
	Last(ctx context.Context, subject string) (entry.Message, error)

	// Read begins to read at a sequence, or at the first one after it that exists.
	Read(ctx context.Context, from uint64) (Reader, error)

	// Append writes a message at the end and returns its sequence once it is durable. With expectLast it does so only if the
	// last sequence ever given is that one, and says ErrConflict otherwise. It never tries twice: a lost answer is ErrAmbiguous.
	Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error)

	// AppendAsync sends a message without waiting. Messages that one goroutine sends arrive in that order; some may fail while later
	// ones are written.
	AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (Pending, error)
}

// BatchAppender is what a stream may offer beside Append: several messages in one step, and one fsync.
type BatchAppender interface {
	// AppendBatch writes 1 to MaxBatch messages one behind the other, if the last sequence ever given is expectLast, and returns the sequence of the
	// last one once all are durable. It writes all of them or none; errors are those of Append, and errors.ErrUnsupported where the stream
	// does not take batches.
	AppendBatch(ctx context.Context, messages []entry.Message, expectLast uint64) (uint64, error)
}

// MaxBatch is how many messages an AppendBatch may have.
const MaxBatch = 256

// Pending waits for the answer to an AppendAsync; its results are those of Append. It may be called once.
type Pending func(ctx context.Context) (uint64, error)

// Info is the state of a stream.
type Info struct {
	Created     time.Time
	First, Last uint64 // of an empty stream, First is Last+1
	Bytes       uint64 // stored; 0 if the store does not tell
}

// NextBytes is about what the messages of one Next have together at most, so that who reads a long backlog needs no more memory than for a
// short one.
const NextBytes = 8 << 20

// Reader reads a stream in order, and waits at its end. One goroutine may use it.
type Reader interface {
	// Next returns the next messages, at least one and at most limit, and no more than a few MiB of them (NextBytes) at a time; it waits
	// for the first of them until ctx is done.
	// Sequences rise; one that is left out does not exist any more.
	Next(ctx context.Context, limit int) ([]entry.Message, error)
	Close()
}

// Reopener is what a Reader has that goes on by itself after its broker was away, or had forgotten it. A broker that came back may have lost
// what was read from it before: a caller to whom that matters looks whether the number has changed, after each Next.
type Reopener interface {
	// Reopened is how often the reader had to begin again.
	Reopened() int
}

// Fetcher is what a stream may offer beside Get: the body of a message from whoever has it nearest, cheaper, and perhaps not the newest
// word. It is for bodies whose hash the reader knows.
type Fetcher interface {
	Fetch(ctx context.Context, seq uint64) ([]byte, error)
}

// Fetch reads the body of a message in the cheapest way that the stream has.
func Fetch(ctx context.Context, s Stream, seq uint64) ([]byte, error) {
	if f, ok := s.(Fetcher); ok {
		return f.Fetch(ctx, seq)
	}
	m, err := s.Get(ctx, seq)
	return m.Data, err
}

// Purger is what the roles that may remove messages have of a stream.
type Purger interface {
	// PurgeBelow removes the messages before seq.
	PurgeBelow(ctx context.Context, seq uint64) error
	// SecureDelete removes one message and overwrites its bytes.
	SecureDelete(ctx context.Context, seq uint64) error
}

// KV is a bucket of small values under keys of `/`-separated tokens. What stands in one is never the truth.
type KV interface {
	// Get reads a value and its revision, or says ErrNotFound.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put writes a value, whatever stood there.
	Put(ctx context.Context, key string, value []byte) error
	// Create writes a value if there was none, and says ErrExists otherwise.
	Create(ctx context.Context, key string, value []byte) error
	// Update writes a value if the key's revision is still the given one, and says ErrConflict otherwise.
	Update(ctx context.Context, key string, value []byte, revision uint64) error
}

// Objects is a bucket of values of any size under names of `/`-separated tokens.
type Objects interface {
	// Open reads an object, or says ErrNotFound. Reading it to its end says ErrDamaged if it is not what was written.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Put writes an object, whatever stood there. After an error there is what was there before, or all of the new one.
	Put(ctx context.Context, name string, r io.Reader) error
	// Delete removes an object and overwrites its bytes; one that is not there is removed already.
	Delete(ctx context.Context, name string) error
}
