// Package store is the contract between sealstream and whatever keeps its streams. It says what the
// sealer, ingest and the followers may rely on, and nothing about how it is done. NewMemory keeps
// everything in this process, for tests and for logs that need not outlive it. Package natsstore
// does the same on JetStream. Package storetest is the suite that both must pass.
//
// Everything after the sealer is a follower: it reads SEALED from its own cursor with Follow, which
// verifies chain, tree and signatures as it goes. So no reader needs to trust the store.
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

// Errors with which a store refuses a request. All other errors are failures of the store itself,
// such as a broken connection or a full disk.
var (
	// ErrNotFound means that there is no such message or key. It is certain: the leader has
	// answered.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the stream's last sequence, or the key's revision, is not the expected
	// one. Nothing was written.
	ErrConflict = errors.New("conflict with the expected last sequence")
	// ErrExists means that Create found the key. Nothing was written.
	ErrExists = errors.New("key exists")
	// ErrFull means that the stream has reached its limit and refuses new messages. Nothing was
	// written.
	ErrFull = errors.New("stream is full")
	// ErrAmbiguous means that no answer came in time. The message may be written or not, now or a
	// little later: read before anything else.
	ErrAmbiguous = errors.New("no answer: it may be written or not")
	// ErrDamaged means that an object exists, but not with the bytes that were written. It is
	// certain: reading again does not help.
	ErrDamaged = errors.New("object is damaged")
)

// Log is one log's streams and buckets.
type Log struct {
	Name     string // name of the log
	Events   Stream // events of agents, in the order of the broker
	Sealed   Stream // the log itself
	Payloads Stream // the data that leaves commit to
	Alerts   Stream // alerts of the alert follower
	Head     KV     // cache of the newest checkpoint
	Cursors  KV     // how far each follower has read

	Archive Objects // segments of SEALED and PAYLOADS, which may then be trimmed; nil if there is none

	Parses *Parses // what the followers of this process share; nil if each of them parses by itself
}

// Stream is an ordered, durable sequence of messages. Sequences count from 1 and are never reused,
// not even after their message is gone. Several goroutines may use it at a time.
type Stream interface {
	// Info returns the leader's state, never older than an acknowledgement that the caller has seen.
	Info(ctx context.Context) (Info, error)

	// Get reads one message from the leader. The error wraps ErrNotFound if there is none.
	Get(ctx context.Context, seq uint64) (entry.Message, error)

	// Last reads the newest message on a subject. The error wraps ErrNotFound if there is none.
	Last(ctx context.Context, subject string) (entry.Message, error)

	// Read returns a Reader that begins at a sequence, or at the first one after it that exists.
	Read(ctx context.Context, from uint64) (Reader, error)

	// Append writes a message at the end and returns its sequence once it is durable. If expectLast is
	// not nil, it does so only if the last sequence ever given is that one. Otherwise the error wraps
	// ErrConflict. It never retries: a lost answer is ErrAmbiguous.
	Append(ctx context.Context, m entry.Message, expectLast *uint64) (uint64, error)

	// AppendAsync sends a message without waiting. Messages that one goroutine sends arrive in that
	// order; some may fail while later ones are written.
	AppendAsync(ctx context.Context, m entry.Message, expectLast *uint64) (Pending, error)
}

// BatchAppender is what a stream may implement besides Append: it writes several messages in one
// step, with one fsync.
type BatchAppender interface {
	// AppendBatch writes 1 to MaxBatch messages in a row, if the last sequence ever given is
	// expectLast, and returns the sequence of the last one once all are durable. It writes all of them
	// or none. Errors are those of Append, and errors.ErrUnsupported if the stream takes no batches.
	AppendBatch(ctx context.Context, messages []entry.Message, expectLast uint64) (uint64, error)
}

// MaxBatch is the most messages that one AppendBatch may write.
const MaxBatch = 256

// Pending waits for the answer to an AppendAsync. Its results are those of Append. It may be called
// once.
type Pending func(ctx context.Context) (uint64, error)

// Info is the state of a stream.
type Info struct {
	Created time.Time // when the stream was created
	First   uint64    // first sequence; Last+1 in an empty stream
	Last    uint64    // last sequence ever given
	Bytes   uint64    // bytes stored; 0 if not known
	Limit   uint64    // bytes that it may hold before it refuses more (ErrFull); 0 if no limit is known
	Newest  time.Time // when the newest message was stored; zero if not known
}

// NextBytes is about the most bytes that the messages of one Next have together. It bounds the
// memory of a reader with a long backlog.
const NextBytes = 8 << 20

// Reader reads a stream in order and waits at its end. One goroutine may use it at a time.
type Reader interface {
	// Next returns the next messages: at least one, at most limit, and about NextBytes of them. It
	// waits for the first of them until ctx is done. Sequences ascend. A sequence that is left out
	// does not exist any more.
	Next(ctx context.Context, limit int) ([]entry.Message, error)
	Close()
}

// Reopener is implemented by a Reader that goes on by itself after its broker was away or has
// forgotten it. A broker that comes back may have lost what was read from it before. A caller to
// whom that matters checks after each Next whether the number has changed.
type Reopener interface {
	// Reopened returns how often the reader had to begin again.
	Reopened() int
}

// Fetcher is what a stream may implement besides Get: it reads the body of a message from whoever
// has it nearest. That is cheaper, but may not be the newest state. Use it only for bodies whose
// hash the reader knows.
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

// Purger is implemented by the streams of roles that may remove messages.
type Purger interface {
	// PurgeBelow removes the messages before seq.
	PurgeBelow(ctx context.Context, seq uint64) error
	// SecureDelete removes one message and overwrites its bytes.
	SecureDelete(ctx context.Context, seq uint64) error
}

// KV is a bucket of small values under keys of tokens separated by slashes. Its values are never
// the source of truth.
type KV interface {
	// Get reads a value and its revision. The error wraps ErrNotFound if there is none.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put writes a value, whether or not there was one.
	Put(ctx context.Context, key string, value []byte) error
	// Create writes a value if there was none. Otherwise the error wraps ErrExists.
	Create(ctx context.Context, key string, value []byte) error
	// Update writes a value if the key's revision is still the given one. Otherwise the error wraps
	// ErrConflict.
	Update(ctx context.Context, key string, value []byte, revision uint64) error
}

// Objects is a bucket of values of any size under names of tokens separated by slashes.
type Objects interface {
	// Open reads an object. The error wraps ErrNotFound if there is none. Reading to the end fails
	// with ErrDamaged if the bytes are not those that were written.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Put writes an object, whether or not there was one. After an error, either the old or the whole
	// new object is there.
	Put(ctx context.Context, name string, r io.Reader) error
	// Delete removes an object and overwrites its bytes. It is no error if there is none.
	Delete(ctx context.Context, name string) error
}
