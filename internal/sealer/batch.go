package sealer

import (
	"context"
	"fmt"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// batch is the content of one SEALED message: entries, their payloads, and the input position they
// reach. The sequencer fills it and then hands it to the committer.
type batch struct {
	sealedlog.Batch
	leafBytes     int // size of the leaves with their line feeds
	payloads      []byte
	config        *entry.Config    // the newest config, at index Config
	signKeys      []string         // keys that sign: the ones active before the batch's first entry
	eventsCreated string           // creation time of the EVENTS stream
	service       serviceState     // what the entries up to its end say of services
	parsed        proof.Checkpoint // its checkpoint, opened as a verifier would
	last          entry.Message    // the EVENTS message that Input names
	payloadSent   *sentPayloads    // nil if the batch has no payloads
	ownTypes      map[string]int   // entries of the log's own event types, by type
	// set on a barrier, which is no batch: closed when all batches before it are committed
	barrier chan struct{}
}

// sentPayloads is the PAYLOADS message of a batch, once sent.
type sentPayloads struct {
	pending store.Pending
	seq     uint64 // set by wait
}

func (p *sentPayloads) wait(ctx context.Context) (err error) {
	if p.pending != nil {
		p.seq, err = p.pending(ctx)
		p.pending = nil
	}
	return err
}

// batchLimits limit one batch. Where batches end changes no leaf and no root.
type batchLimits struct{ entries, leafBytes, payloadBytes int }

// sequencer owns state and frontier, and cuts the stream of entries into batches.
type sequencer struct {
	state         *state
	frontier      merkle.Frontier
	limits        batchLimits
	signer        *proof.Signer
	activeKeys    []string      // keys that sign the next entry; nil before index 0
	sealedAlready []entry.Entry // entries of the next message that are in the log already
	current       *batch
	record        []byte                          // buffer for one payload record, reused
	previous      struct{ entries, payloads int } // size of the batch before, to allocate the next
	// hands a full batch on; blocks while inFlight batches are on their way
	emit func(*batch) error
}

// message seals one message into the current batch, and hands that on whenever it is full.
func (q *sequencer) message(p prepared) error {
	var failed error
	place := 0
	err := q.state.step(p, func(e entry.Entry, d *draft.Draft) {
		place++
		if failed == nil {
			failed = q.entry(e, d, p, place)
		}
	})
	if err == nil {
		err = failed
	}
	if err == nil && len(q.sealedAlready) > 0 {
		err = fmt.Errorf("%w: EVENTS sequence %d makes fewer entries than the log already has of it", ErrRefused, p.msg.Seq)
	}
	if err == nil && q.current != nil {
		q.current.Input.Place = sealedlog.PlaceEnd
	}
	return err
}

// entry adds the place-th entry of message p to the current batch.
func (q *sequencer) entry(e entry.Entry, d *draft.Draft, p prepared, place int) error {
	defer func() { q.activeKeys = q.state.config.Keys }() // a config takes effect at the next index
	if len(q.sealedAlready) > 0 {
		if q.sealedAlready[0].EntryHash != e.EntryHash {
			return fmt.Errorf("%w: sealing EVENTS sequence %d again makes another entry at index %d", ErrRefused,
				p.msg.Seq, e.Index)
		}
		q.sealedAlready = q.sealedAlready[1:]
		return nil
	}
	if len(e.Leaf) > ruleset.MaxLeafBytes {
		return fmt.Errorf("%w: EVENTS sequence %d makes a leaf of %d bytes", ErrRefused, p.msg.Seq, len(e.Leaf))
	}
	record := d.AppendRecord(q.record[:0], e.Index)
	if len(record) > 0 {
		record = append(record, '\n')
		q.record = record // reuses its memory
	}
	if b := q.current; b != nil && (len(b.Leaves) == q.limits.entries || b.leafBytes+len(e.Leaf)+1 > q.limits.leafBytes ||
		len(b.payloads)+len(record) > q.limits.payloadBytes && len(b.payloads) > 0) {
		if err := q.flush(); err != nil {
			return err
		}
	}
	if q.current == nil {
		q.current = &batch{
			Batch:    sealedlog.Batch{First: e.Index, Leaves: make([][]byte, 0, q.previous.entries)},
			payloads: make([]byte, 0, q.previous.payloads), signKeys: q.activeKeys,
		}
		if q.activeKeys == nil { // the config at index 0 names the keys that sign it
			q.current.signKeys = q.state.config.Keys
		}
	}
	b := q.current
	b.count(e.EventType)
	b.Leaves = append(b.Leaves, e.Leaf)
	b.leafBytes += len(e.Leaf) + 1
	b.payloads = append(b.payloads, record...)
	b.last = p.msg
	b.Input = sealedlog.Position{Epoch: e.InputEpoch, Seq: p.msg.Seq, Place: place, Time: p.msg.Time}
	b.Config, b.config, b.eventsCreated = q.state.configIndex, q.state.config, q.state.created
	b.service = q.state.service
	q.frontier.Append(e.EntryHash)
	return nil
}

// flush closes the current batch, if there is one, signs its checkpoint and hands it on. The
// checkpoint is published only by the commit. A crash before that leaves nothing, and sealing again
// makes the same bytes.
func (q *sequencer) flush() error {
	b := q.current
	if b == nil {
		return nil
	}
	q.current = nil
	q.previous.entries, q.previous.payloads = len(b.Leaves), len(b.payloads)
	b.Size, b.Root, b.Frontier = q.frontier.Size(), q.frontier.Root(), q.frontier.Hashes()
	note, err := q.signer.Sign(b.Size, b.Root, b.signKeys...)
	// batches before this one stay committed; the next open reports the same for its config
	if err != nil {
		return fmt.Errorf("%w: sign checkpoint of size %d: %w", ErrRefused, b.Size, err)
	}
	b.Checkpoint = note
	// a bad checkpoint could never be replaced once it is committed
	if b.parsed, err = proof.OpenCheckpoint(note, b.signKeys...); err != nil {
		return fmt.Errorf("own checkpoint of size %d: %w", b.Size, err)
	}
	return q.emit(b)
}
