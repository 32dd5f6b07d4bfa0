package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// maxNoteBytes is how much of earlier checkpoints is kept in memory, for the pages of walks that
// began under them.
const maxNoteBytes = 1 << 20

// answerProved writes a page whose entries come with one proof for all of them (SPEC 8.1).
func (p plan) answerProved(w http.ResponseWriter, r *http.Request) error {
	if p.size == 0 {
		return fmt.Errorf("proof: %w: nothing is sealed yet", ErrNotFound)
	}
	if err := p.mustProve(r.Context(), p.indexes); err != nil { // before anything is sent
		return err
	}
	leaves := make([]entry.Hash, 0, len(p.indexes))
	each := func(list []Found) {
		for _, f := range list {
			leaves = append(leaves, entry.LeafHash(f.Entry.Leaf))
		}
	}
	return p.answerWith(w, r, proofLine, each, func(dst []byte) ([]byte, error) {
		hashes, err := p.proveAll(r.Context(), p.indexes)
		if err != nil {
			return nil, err
		}
		if err := proof.CheckBatch(leaves, p.indexes, p.size, hashes, p.checkpoint.Root); err != nil {
			// the index itself is damaged: memory, or a defect
			return nil, p.remember(corrupt(p.indexes[0], "proof", "%v", err))
		}
		proved, err := p.batchProof(hashes)
		return appendEnd(dst, p.next, p.size, p.unchecked, proved), err
	})
}

// proveAll proves entries of ascending indexes under the snapshot's checkpoint.
func (r reader) proveAll(ctx context.Context, indexes []uint64) ([]entry.Hash, error) {
	nodes, err := r.provable(ctx)
	if err != nil {
		return nil, err
	}
	hashes, err := proof.ProveBatch(indexes, r.size, nodes)
	return hashes, r.remember(err)
}

// batchProof writes a proof under the snapshot's checkpoint.
func (s snapshot) batchProof(hashes []entry.Hash) ([]byte, error) {
	p := proof.BatchProof{TreeSize: s.size, Checkpoint: string(s.checkpoint.Note), Hashes: make([]string, len(hashes))}
	for i, h := range hashes {
		p.Hashes[i] = h.String()
	}
	return json.Marshal(p)
}
