package sink

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Record is an entry together with the data of its event. The entry itself holds only a commitment
// to the data, because data can be erased and entries cannot.
type Record struct {
	Entry entry.Entry
	// Payload is the data, with the salt and what is beside the data, that open what the entry
	// commits to. It is nil if the event has none, or if it was erased before the record was read.
	Payload *entry.Payload
}

// Erased reports whether the event had a payload that was erased.
func (r Record) Erased() bool { return r.Entry.HasPayload() && r.Payload == nil }

// MarshalJSON writes the members that are needed to verify a record and to read it back: the leaf,
// data_raw or data_base64, and the salt, as in a line of an export (SPEC 9).
func (r Record) MarshalJSON() ([]byte, error) {
	return proof.ExportLine{Leaf: r.Entry.Leaf, Payload: r.Payload}.Append(nil)
}

// UnmarshalJSON reads the form of MarshalJSON, and checks the form of the leaf.
func (r *Record) UnmarshalJSON(text []byte) error {
	line, e, err := proof.ParseExportLine(text)
	if err == nil && line.Path != nil {
		err = errors.New("a record must not contain a merkle_proof")
	}
	*r = Record{e, line.Payload}
	return err
}

// Sink keeps the entries of one log. One goroutine at a time may call Write. Any goroutine may call
// the other methods, except Close.
type Sink interface {
	// Cursor returns the position up to which the sink holds the log durably, or ErrNoCursor.
	Cursor(ctx context.Context) (Cursor, error)

	// Write writes one or more entries, whose indexes ascend without a gap. It is idempotent: it skips
	// entries that the sink holds already, as Cursor.Rest does. If the entries do not continue those,
	// it returns ErrGap or ErrOther and writes nothing. After any other error the sink may hold some
	// of the entries, from the first on, each of them whole. Cursor then returns how many. Write must
	// not change the records, or keep them after it returns.
	Write(ctx context.Context, records []Record) error

	// Read yields the records that the sink holds, from an index on and in order. It ends after the
	// first error. The error is errors.ErrUnsupported if nothing can be read back.
	Read(ctx context.Context, from uint64) iter.Seq2[Record, error]

	// Verify checks everything that the sink holds. The first fault is an *InvalidError. Any other
	// error means that the check could not be completed, and errors.ErrUnsupported that the sink
	// cannot be checked.
	Verify(ctx context.Context) error

	// Close makes everything durable that was written, and releases all resources. The other methods
	// then return ErrClosed.
	Close() error
}

// A Sink may also implement Eraser, to erase its copies of data that was erased from the log.
// Without it the sink keeps the data, as signed or write-once files must. Its operator then erases
// the data, by the entries of type sealstream.erasure, which every sink receives. Data that was
// erased before the runner reads its entry never reaches a sink.
type Eraser interface {
	// Erase erases the data of the entries with some indexes for good. It ignores entries that the
	// sink does not hold, or holds without data.
	Erase(ctx context.Context, indexes []uint64) error
}

// A Sink may also implement Watcher, if it notices between two writes that its data was lost.
type Watcher interface {
	// Lost returns a channel that is closed when the sink must be opened again. Cursor and Write then
	// return the cause.
	Lost() <-chan struct{}
}

// A Sink may also implement Mender, if opening it can find that its data was lost. Such a sink
// starts again from what is left, and the runner fills it from the log.
type Mender interface {
	// Mended describes what was lost when the sink was opened, or returns "".
	Mended() string
}

// Errors of sinks.
var (
	// ErrNoCursor reports that a sink does not store a cursor. The runner then stores it.
	ErrNoCursor = errors.New("the sink stores no cursor")
	// ErrGap reports that entries begin after the end of what the sink holds, or have a gap. Nothing
	// was written.
	ErrGap = errors.New("entries are missing before this one")
	// ErrOther reports that entries do not continue what the sink holds: they are of another log, or
	// of another history of the same log. Nothing was written.
	ErrOther = errors.New("not the log that this sink holds")
	// ErrClosed reports that the sink was closed.
	ErrClosed = errors.New("the sink is closed")
	// ErrLost reports that somebody else removed, moved, cut or overwrote the sink's data. Opening the
	// sink again starts from what is left, and the runner fills it from the log.
	ErrLost = errors.New("it was changed by somebody else")
	// ErrLocked reports that another process writes to the sink.
	ErrLocked = errors.New("the sink is in use by another writer")
)

// InvalidError is the first fault that Verify found.
type InvalidError struct {
	Index uint64 // index of the entry, or of the entry that should be there
	Where string // place of the fault, such as file and line, or ""
	Why   string // what is wrong
}

func (e *InvalidError) Error() string {
	if e.Where == "" {
		return fmt.Sprintf("index %d: %s", e.Index, e.Why)
	}
	return fmt.Sprintf("%s: index %d: %s", e.Where, e.Index, e.Why)
}

// Invalid returns an *InvalidError.
func Invalid(index uint64, where, format string, args ...any) error {
	return &InvalidError{index, where, fmt.Sprintf(format, args...)}
}
