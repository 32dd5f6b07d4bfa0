package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// lookup finds the data of entries.
type lookup struct {
	log    *store.Log
	keys   []string
	erased map[uint64]bool // what erasure entries up to the end of the log name, when that was last looked at
}

// records puts entries of one batch together with their data. Data that is not there must have been erased: the entry that says so stands somewhere
// behind, and is looked for. Else it is trouble, to be waited out: an entry without its data must not come to a sink by an oversight.
func (l *lookup) records(ctx context.Context, seq uint64, entries []entry.Entry) ([]Record, error) {
	list, wanted := make([]Record, len(entries)), false
	for i := range entries {
		list[i].Entry = entries[i]
		wanted = wanted || entries[i].DataHash != ""
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
		if e.DataHash == "" {
			continue
		}
		p, ok := payloads[e.Index]
		switch {
		case !ok:
			if err := l.wasErased(ctx, e.Index); err != nil {
				return nil, err
			}
		case !p.Opens(*e):
			return nil, &proof.MismatchError{Index: e.Index, What: "payload", Why: fmt.Sprintf("PAYLOADS sequence %d holds data that does not open data_hash", seq)}
		default:
			list[i].Payload = &p
		}
	}
	return list, nil
}

// errLost: data is gone, and no entry says that it was erased.
var errLost = errors.New("the data is not there, and no entry says that it was erased")

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
