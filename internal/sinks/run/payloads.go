package sinkrun

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// lookup finds the data of entries.
type lookup struct {
	log    *store.Log
	keys   []string
	erased map[uint64]bool // indexes that erasure entries name, as of the last look at the whole log
}

// records returns the entries of one batch with their data. seq is the batch's sequence in
// PAYLOADS. Data that is missing must have been erased: a later erasure entry must name its index.
// Otherwise records returns an error, which is retried, so that no entry reaches a sink without its
// data by mistake.
func (l *lookup) records(ctx context.Context, seq uint64, entries []entry.Entry) ([]sink.Record, error) {
	list, wanted := make([]sink.Record, len(entries)), false
	for i := range entries {
		list[i].Entry = entries[i]
		wanted = wanted || entries[i].HasPayload()
	}
	if !wanted {
		return list, nil
	}
	payloads, err := store.Payloads(ctx, l.log, seq)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	for i := range list {
		e := &list[i].Entry
		if !e.HasPayload() {
			continue
		}
		p, ok := payloads[e.Index]
		switch {
		case !ok:
			if err := l.wasErased(ctx, e.Index); err != nil {
				return nil, err
			}
		case !p.Opens(*e):
			return nil, &audit.MismatchError{
				Index: e.Index,
				What:  "payload",
				Why:   fmt.Sprintf("PAYLOADS sequence %d holds data that does not open what the leaf commits to", seq),
			}
		default:
			list[i].Payload = &p
		}
	}
	return list, nil
}

// errLost reports that data is missing, and that no entry names it as erased.
var errLost = errors.New("the data is missing, and no entry names it as erased")

func (l *lookup) wasErased(ctx context.Context, index uint64) error {
	if l.erased[index] {
		return nil
	}
	erased := map[uint64]bool{}
	for b, err := range (store.Follower{Log: l.log, Keys: l.keys, From: index, Stop: true}).Batches(ctx) {
		if err != nil {
			return err
		}
		for i := range b.Entries {
			if d, ok := b.Entries[i].Detail.(*entry.Erasure); ok {
				for _, n := range d.Indexes {
					erased[n] = true
				}
			}
		}
	}
	if l.erased = erased; !erased[index] {
		return fmt.Errorf("index %d: %w", index, errLost)
	}
	return nil
}
