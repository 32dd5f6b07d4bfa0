package query

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Indexer makes the indexes of full parts from verified batches, byte for byte those that a query
// service with the same key makes. The archiver keeps them for services whose folder is empty. One
// goroutine may use it at a time, except for Prepare.
type Indexer struct {
	log    string
	rows   uint64
	key    segment.Key
	before sealedlog.Batch // the batch taken last

	first   uint64 // index of the part's first entry
	live    *live
	batches []batchRef
	keys    []string
}

// NewIndexer returns an Indexer of a log. Begin must be called first.
func NewIndexer(log string) *Indexer { return &Indexer{log: log, rows: partRows} }

// Rows is the number of entries of a part.
func (x *Indexer) Rows() uint64 { return x.rows }

// Begin begins with a part, under a key. The next batch must hold the part's first entry, or lie
// before it.
func (x *Indexer) Begin(part uint64, key segment.Key) {
	x.key, x.before = key, sealedlog.Batch{}
	x.begin(part * x.rows)
}

func (x *Indexer) begin(first uint64) {
	x.first, x.live, x.batches = first, &live{rows: segment.NewBuilder()}, nil
}

// Prepare computes what Take needs of a batch. It may run for several batches at a time.
func (x *Indexer) Prepare(b sealedlog.Batch, entries []entry.Entry) any {
	return factsOf(x.key, b, entries)
}

// Take takes the next batch, and calls full with each part that it fills. What is before the part
// of Begin is skipped. Take returns the error of full as it is.
func (x *Indexer) Take(s store.Sealed, full func(part uint64, index []byte) error) error {
	f, ok := s.Prepared.(*facts)
	if !ok || len(f.rows) != len(s.Entries) || uint64(len(s.Entries)) != s.Batch.Size-s.Batch.First {
		return fmt.Errorf("index: batch of index %d was not prepared", s.Batch.First)
	}
	for at := max(s.Batch.First, x.first); at < s.Batch.Size; {
		end := min(s.Batch.Size, x.first+x.rows)
		x.add(s, f, at, end)
		if at = end; at < x.first+x.rows {
			break
		}
		data, err := x.encode(s, f)
		if err != nil {
			return fmt.Errorf("index from index %d on: %w", x.first, err)
		}
		if err := full(x.first/x.rows, data); err != nil {
			return err
		}
		x.begin(end)
	}
	x.before = s.Batch
	x.before.Leaves = nil
	return nil
}

// add adds the entries of a batch from index at to before end.
func (x *Indexer) add(s store.Sealed, f *facts, at, end uint64) {
	if c, ok := s.Entries[0].Detail.(*entry.Config); ok && s.Batch.First == 0 {
		x.keys = c.Keys
	}
	if s.Batch.First >= x.first {
		x.batches = append(x.batches, batchRef{s.Batch.First, s.Seq, s.Batch.Payloads})
	}
	for i := at - s.Batch.First; i < end-s.Batch.First; i++ {
		x.live.add(&s.Entries[i], &f.rows[i], f.hashes[i])
	}
	for _, l := range f.long {
		if i := s.Batch.First + uint64(l.At); i >= at && i < end {
			x.live.long.add(l.Column, int(i-x.first), l.Text)
		}
	}
}

// encode encodes the part, which the batch fills.
func (x *Indexer) encode(s store.Sealed, f *facts) ([]byte, error) {
	size := x.first + x.rows
	tree, err := merkle.NewFrontier(x.before.Size, x.before.Frontier)
	if err != nil {
		return nil, err
	}
	if tree.Size() != s.Batch.First {
		return nil, fmt.Errorf("the batch before ends at %d, not at %d", tree.Size(), s.Batch.First)
	}
	for _, h := range f.hashes[:size-s.Batch.First] {
		tree.Append(h)
	}
	cp, err := proof.ParseCheckpointUnverified(s.Batch.Checkpoint) // the caller has verified it
	if err != nil {
		return nil, err
	}
	a := about{
		Log: x.log, Origin: cp.Origin, First: x.first, Size: size, Root: tree.Root().String(), batch: x.batches,
	}
	if x.first == 0 {
		a.Keys = x.keys
	}
	return x.live.encode(x.key, a)
}
