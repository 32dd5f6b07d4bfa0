package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// held is a batch of SEALED, and what the proofs of its entries are made of.
type held struct {
	store.At
	note   string          // its checkpoint
	before sealedlog.Batch // the batch before, without its leaves; its Size is 0 if it was not read

	grow  sync.Once
	tree  merkle.Branch
	whole bool // tree has the root that the checkpoint states

	open  sync.Once
	salts map[uint64]entry.Hash
}

func hold(at store.At) *held { return &held{At: at, note: string(at.Batch.Checkpoint)} }

// follow notes the batch before.
func (h *held) follow(last *held) {
	b := last.Batch
	h.before = sealedlog.Batch{Size: b.Size, Root: b.Root, Frontier: b.Frontier, Payloads: b.Payloads}
}

// branch returns the end of the log's tree. It is false if the frontier before the batch is
// unknown, or if it and the leaves do not give the signed root. Then nothing can be proven here.
// The root of the frontier was signed, too, with the batch before.
func (h *held) branch() (merkle.Branch, bool) {
	h.grow.Do(func() {
		before, err := merkle.NewFrontier(h.before.Size, h.before.Frontier)
		if err != nil || before.Size() != h.Batch.First || before.Root() != h.before.Root {
			return
		}
		leaves := make([]entry.Hash, len(h.Batch.Leaves))
		for i, leaf := range h.Batch.Leaves {
			leaves[i] = entry.LeafHash(leaf)
		}
		h.tree = merkle.NewBranch(before, leaves)
		root, err := merkle.RootAt(h.Batch.Size, merkle.Nodes(h.tree.Node))
		h.whole = err == nil && root == h.Batch.Root
	})
	return h.tree, h.whole
}

// saltTimeout limits the wait for a PAYLOADS message. A receipt without the salt is as good: the
// client asks query for it.
const saltTimeout = 2 * time.Second

// salt returns the salt of an entry's data, or "".
func (h *held) salt(ctx context.Context, log *store.Log, index uint64) string {
	if ctx.Err() != nil { // the request has waited long enough
		return ""
	}
	h.open.Do(func() {
		if h.Batch.Payloads == h.before.Payloads { // the batch has no data
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saltTimeout)
		defer cancel()
		payloads, err := store.Payloads(ctx, log, h.Batch.Payloads)
		if err != nil {
			return
		}
		h.salts = make(map[uint64]entry.Hash, len(payloads))
		for index, p := range payloads {
			h.salts[index] = p.Salt
		}
	})
	if salt, ok := h.salts[index]; ok {
		return salt.String()
	}
	return ""
}

// proofs collects the proofs for one answer, batch by batch (SPEC 8.1).
type proofs struct {
	log      *store.Log
	list     []proof.BatchProof
	of       *held          // batch of receipts, which are not proven yet
	receipts []*api.Receipt // in the order of their indexes
}

// add takes the receipt of a sealed event and the batch with its entry. A nil p ignores it.
func (p *proofs) add(ctx context.Context, r *api.Receipt, of *held) {
	if p == nil {
		return
	}
	if p.of != of {
		p.end(ctx)
		p.of = of
	}
	p.receipts = append(p.receipts, r)
}

// end proves the receipts of the last batch. If it cannot, they stay as they are.
func (p *proofs) end(ctx context.Context) {
	if p == nil || p.of == nil {
		return
	}
	of, receipts := p.of, p.receipts
	p.of, p.receipts = nil, p.receipts[:0]
	tree, ok := of.branch()
	if !ok {
		return
	}
	indexes := make([]uint64, len(receipts))
	for i, r := range receipts {
		indexes[i] = r.Index
	}
	hashes, err := proof.ProveBatch(indexes, tree.Size(), merkle.Nodes(tree.Node))
	if err != nil {
		return
	}
	b := proof.BatchProof{TreeSize: tree.Size(), Checkpoint: of.note, Hashes: make([]string, len(hashes))}
	for i, h := range hashes {
		b.Hashes[i] = h.String()
	}
	at := len(p.list)
	p.list = append(p.list, b)
	for _, r := range receipts {
		r.Checkpoint, r.ProofAt = "", &at
		r.Leaf = string(of.Batch.Leaves[r.Index-of.Batch.First])
		r.Salt = of.salt(ctx, p.log, r.Index)
	}
}
