package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Record is what a sink gets of an entry. The entry alone holds only a commitment to the event's data, because data can be erased and the
// entry cannot; so the data and its salt stand beside it.
type Record struct {
	Entry   entry.Entry
	Payload *entry.Payload // opens the entry's data_hash; nil: it has no data, or that was erased before it came here
}

// Erased says whether the event had data that is not to be had any more.
func (r Record) Erased() bool { return r.Entry.DataHash != "" && r.Payload == nil }

// MarshalJSON writes what a record needs to be verified and read back, and no more: the members of an export's line (SPEC 9), leaf, data_raw or
// data_base64, and salt.
func (r Record) MarshalJSON() ([]byte, error) {
	return proof.ExportLine{Leaf: r.Entry.Leaf, Payload: r.Payload}.Append(nil)
}

// UnmarshalJSON reads that, and checks the form of the leaf.
func (r *Record) UnmarshalJSON(text []byte) error {
	line, e, err := proof.ParseExportLine(text)
	if err == nil && line.Path != nil {
		err = errors.New("a merkle_proof in a record")
	}
	*r = Record{e, line.Payload}
	return err
}

// Sink keeps the entries of one log. Write is called by one goroutine at a time, the other methods but Close by any.
type Sink interface {
	// Cursor says how far the sink has come, durably, or ErrNoCursor.
	Cursor(ctx context.Context) (Cursor, error)

	// Write takes entries, one or many, that ascend by index without a gap. It is idempotent: those that the sink holds already are passed over
	// (Cursor.Rest does that), what does not continue them is ErrGap or ErrOther, and then nothing is written. After any other error
	// some of them may be held, the first ones and whole ones; Cursor tells. Records must not be changed or kept.
	Write(ctx context.Context, records []Record) error

	// Read yields what the sink holds, from an index on, in order, up to its end. It ends after the first error; errors.ErrUnsupported: nothing
	// can be read back.
	Read(ctx context.Context, from uint64) iter.Seq2[Record, error]

	// Verify checks all that the sink holds: nil, or the first thing that is wrong, an *InvalidError. Another error says that it could not be found out;
	// errors.ErrUnsupported that the sink cannot be checked.
	Verify(ctx context.Context) error

	// Close makes durable what was written, and gives everything back. The other methods then say ErrClosed.
	Close() error
}

// Eraser is what a sink may be beside: told that the data of entries was erased from the log, it erases its own copies. A sink that is none
// keeps the data that it has, as files that are signed or write-once must: who runs it erases there, by the entries of type sealstream.erasure,
// which every sink gets. Data that was erased before a sink came to its entry never reaches it.
type Eraser interface {
	// Erase forgets the data of entries of some indexes for good. Those that the sink does not hold, or holds without data, are done already.
	Erase(ctx context.Context, indexes []uint64) error
}

// What sinks say no with.
var (
	// ErrNoCursor: the sink cannot tell what it holds. Its cursor is kept elsewhere.
	ErrNoCursor = errors.New("the sink does not know what it holds")
	// ErrGap: the entries begin behind the end of what the sink holds, or have a gap. Nothing was written.
	ErrGap = errors.New("entries are missing before this one")
	// ErrOther: the entries do not continue what the sink holds: they are of another log, or of another history of it. Nothing was written.
	ErrOther = errors.New("not the log that this sink holds")
	// ErrClosed: the sink was closed.
	ErrClosed = errors.New("the sink is closed")
	// ErrLocked: another writer has the sink.
	ErrLocked = errors.New("the sink is in use by another writer")
)

// InvalidError is the first thing that Verify found wrong.
type InvalidError struct {
	Index uint64 // of the entry; where there is none, of the one that should be there
	Where string // file and line, or the like; ""
	Why   string
}

func (e *InvalidError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("index %d: %s", e.Index, e.Why)
	}
	return fmt.Sprintf("%s: index %d: %s", e.Where, e.Index, e.Why)
}

// Invalid makes an *InvalidError.
func Invalid(index uint64, where, format string, args ...any) error {
	return &InvalidError{index, where, fmt.Sprintf(format, args...)}
}
