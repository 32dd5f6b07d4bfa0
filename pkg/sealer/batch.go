package sealer

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// batch is what becomes one SEALED message: entries, their payloads, and the input position they reach. It is filled by
// the sequencer and then belongs to the committer.
type batch struct {
	proof.Batch
	leafBytes   int
	payloads    []byte
	hashes      []entry.Hash     // of the leaves
	config      *entry.Config    // the newest, at index Config
	by          []string         // keys that sign: those in force before its first entry
	created     string           // of the EVENTS sealed from
	opened      proof.Checkpoint // its checkpoint, as whoever verifies will open it
	last        entry.Message    // the EVENTS message that Input names
	payloadSent store.Pending    // nil without payloads
	own         map[string]int   // entries of the log's own types, by type
	settled     chan struct{}    // not a batch: closed when all batches before it are committed
}

// limits are how much goes into one batch. Where batches end changes no leaf and no root.
type limits struct{ entries, leafBytes, payloadBytes int }

// sequencer owns state and frontier and cuts the stream of entries into batches.
type sequencer struct {
	state    *state
	frontier proof.Frontier
	limits   limits
	signer   *proof.Signer
	force    []string      // keys in force for the next entry; nil: there is no entry yet
	skip     []entry.Entry // the entries of the next message that are in the log already
	current  *batch
	record   []byte                          // a payload record under way
	before   struct{ entries, payloads int } // of the batch before, which the next will be like
	emit     func(*batch) error              // hands a full batch on; blocks while four are in flight
}

// message seals one message into the current batch, which is handed on whenever it is full.
func (q *sequencer) message(p prepared) error {
	var failed error
	place := 0
	err := q.state.step(p, func(e entry.Entry, d *entry.Draft) {
		place++
		if failed == nil {
			failed = q.entry(e, d, p, place)
		}
	})
	if err == nil {
		err = failed
	}
	if err == nil && len(q.skip) > 0 {
		err = fmt.Errorf("%w: EVENTS sequence %d makes fewer entries than the log has of it", ErrRefused, p.msg.Seq)
	}
	if err == nil && q.current != nil {
		q.current.Input.Place = proof.PlaceEnd
	}
	return err
}

// entry adds one entry, which is the place-th of its message.
func (q *sequencer) entry(e entry.Entry, d *entry.Draft, p prepared, place int) error {
	defer func() { q.force = q.state.config.Keys }() // a config holds from the next index on
	if len(q.skip) > 0 {
		if q.skip[0].EntryHash != e.EntryHash {
			return fmt.Errorf("%w: sealing EVENTS sequence %d again makes another entry at index %d", ErrRefused, p.msg.Seq, e.Index)
		}
		q.skip = q.skip[1:]
		return nil
	}
	if len(e.Leaf) > entry.MaxLeafBytes {
		return fmt.Errorf("%w: EVENTS sequence %d makes a leaf of %d bytes", ErrRefused, p.msg.Seq, len(e.Leaf))
	}
	record := d.AppendRecord(q.record[:0], e.Index)
	if len(record) > 0 {
		record = append(record, '\n')
		q.record = record // its memory is used again
	}
	if b := q.current; b != nil && (len(b.Leaves) == q.limits.entries || b.leafBytes+len(e.Leaf)+1 > q.limits.leafBytes ||
		len(b.payloads)+len(record) > q.limits.payloadBytes && len(b.payloads) > 0) {
		if err := q.flush(); err != nil {
			return err
		}
	}
	if q.current == nil {
		q.current = &batch{
			Batch:    proof.Batch{First: e.Index, Leaves: make([][]byte, 0, q.before.entries)},
			payloads: make([]byte, 0, q.before.payloads), hashes: make([]entry.Hash, 0, q.before.entries), by: q.force,
		}
		if q.force == nil { // index 0 names its own
			q.current.by = q.state.config.Keys
		}
	}
	b := q.current
	b.count(e.EventType)
	b.Leaves = append(b.Leaves, e.Leaf)
	b.leafBytes += len(e.Leaf) + 1
	b.payloads = append(b.payloads, record...)
	b.last = p.msg
	b.Input = proof.Position{Epoch: e.InputEpoch, Seq: p.msg.Seq, Place: place, Time: p.msg.Time}
	b.Config, b.config, b.created = q.state.configIndex, q.state.config, q.state.created
	h, err := entry.ParseHash(e.EntryHash)
	if err != nil {
		return err
	}
	b.hashes = append(b.hashes, h)
	q.frontier.Append(h)
	return nil
}

// flush closes the current batch, if there is one: signs its checkpoint, and hands it on. The checkpoint is public only once
// the batch is committed; a crash before that leaves nothing, and sealing again makes the same bytes.
func (q *sequencer) flush() error {
	b := q.current
	if b == nil {
		return nil
	}
	q.current = nil
	q.before.entries, q.before.payloads = len(b.Leaves), len(b.payloads)
	b.Size, b.Root, b.Frontier = q.frontier.Size(), q.frontier.Root(), q.frontier.Hashes()
	note, err := q.signer.Sign(b.Size, b.Root, b.by...)
	if err != nil { // what is committed before this batch stands; the next open says the same of its config
		return fmt.Errorf("%w: sign checkpoint of size %d: %w", ErrRefused, b.Size, err)
	}
	b.Checkpoint = note
	if b.opened, err = proof.OpenCheckpoint(note, b.by...); err != nil { // once committed, a bad one could never be mended
		return fmt.Errorf("own checkpoint of size %d: %w", b.Size, err)
	}
	return q.emit(b)
}
