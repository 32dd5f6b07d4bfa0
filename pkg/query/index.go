package query

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query/segment"
	"github.com/sealstream/sealstream/pkg/store"
)

// partRows is how many entries a part has: a power of two, at most segment.MaxRows. Tests make it small.
var partRows uint64 = segment.MaxRows

// index is what is kept in memory of the verified log: its parts, each with the upper hashes of the tree, and where the batches stand. It
// holds no entry: those are read back from SEALED, and hashed again against the tree. parts and batches are never written at twice, so
// that their copies are snapshots; what is live in them is read under the lock.
type index struct {
	log     string
	rows    uint64 // of a part
	key     segment.Key
	size    uint64 // of the newest verified batch; the parts may be ahead of it while a batch is taken
	batches []batchRef
	parts   []*part
	top     proof.Tree // over the roots of the full parts
	ids     seen

	// What was read from files: so many entries, which count for nothing before the log itself was seen to have them. After that it is 0.
	loaded uint64

	stuck bool // a part could not be written as a segment: none is any more

	erased     map[uint64]bool
	agents     map[uint64]struct{} // hashes of all agents
	types      tally
	actions    tally
	outcomes   tally
	checkpoint proof.Checkpoint
	last       string    // entry_hash of the newest entry
	keys       []string  // of index 0's config
	received   [2]string // received_at of the first and of the newest entry
}

// batchRef says where a batch stands.
type batchRef struct {
	first    uint64 // index of its first entry
	seq      uint64 // of its SEALED message
	payloads uint64 // of its PAYLOADS message
}

func newIndex(log string, rows uint64) *index {
	x := &index{log: log, rows: rows, erased: map[uint64]bool{}, agents: map[uint64]struct{}{}}
	rand.Read(x.key[:]) // which never fails
	return x
}

// errForeign: what was read from files is not of this log. It is thrown away.
var errForeign = errors.New("the index's files are not of this log")

// take adds a batch that the follower has verified. That it continues this very index is checked here, because a follower that
// began again knows only the batch before.
func (x *index) take(s store.Sealed, f *facts) error {
	have := max(x.size, x.loaded)
	if err := x.continues(s, have); err != nil {
		return err
	}
	if f.err != nil {
		return f.err
	}
	if len(f.rows) != len(s.Entries) {
		return fmt.Errorf("index: facts of %d entries, the batch has %d", len(f.rows), len(s.Entries))
	}
	for i := int(have - s.Batch.First); i < len(s.Entries); i++ {
		x.add(&s.Entries[i], &f.rows[i], f.hashes[i])
	}
	for _, l := range f.long {
		if at := s.Batch.First + uint64(l.At); at >= have {
			x.parts[at/x.rows].live.long.add(l.Column, int(at%x.rows), l.Text)
		}
	}
	root, err := proof.RootAt(s.Batch.Size, proof.Nodes(x.node))
	if err != nil || root != s.Batch.Root {
		if x.loaded > 0 {
			return errForeign
		}
		return &proof.MismatchError{Index: s.Batch.First, What: "root", Why: "the batch has another root than the entries indexed"}
	}
	cp, err := proof.ParseCheckpointUnverified(s.Batch.Checkpoint) // the follower has verified it
	if err != nil {
		return err
	}
	if n := len(x.batches); n == 0 || x.batches[n-1].first < s.Batch.First {
		x.batches = append(x.batches, batchRef{s.Batch.First, s.Seq, s.Batch.Payloads})
	}
	x.checkpoint, x.size, x.loaded = cp, s.Batch.Size, 0
	last := &s.Entries[len(s.Entries)-1]
	x.last, x.received[1] = strings.Clone(last.EntryHash), strings.Clone(last.ReceivedAt)
	return nil
}

// continues says whether a batch stands behind the entries that there are; of the first one over files, whether they end in it.
func (x *index) continues(s store.Sealed, have uint64) error {
	wrong := func(why string) error { return &proof.MismatchError{Index: have, What: "chain", Why: why} }
	switch {
	case x.loaded > 0:
		if ref := x.batches[len(x.batches)-1]; ref != (batchRef{s.Batch.First, s.Seq, s.Batch.Payloads}) || have > s.Batch.Size || s.Entries[0].Log != x.log {
			return errForeign
		}
	case s.Batch.First != x.size || len(s.Entries) == 0:
		return wrong("the log goes on at another index than the one verified before")
	case s.Batch.Size > math.MaxUint32:
		return wrong("more entries than this index can count")
	case s.Entries[0].Log != x.log:
		return &proof.MismatchError{Index: x.size, What: "log", Why: fmt.Sprintf("a leaf of log %q in log %q", s.Entries[0].Log, x.log)}
	case x.size == 0:
		x.received[0] = strings.Clone(s.Entries[0].ReceivedAt)
		if c, ok := s.Entries[0].Detail.(*entry.Config); ok {
			x.keys = c.Keys
		}
	case x.last != s.Entries[0].PreviousHash:
		return wrong("the log goes on from another entry than the one verified before")
	}
	return nil
}

func (x *index) add(e *entry.Entry, r *segment.Row, h entry.Hash) {
	if len(x.parts) == 0 || x.parts[len(x.parts)-1].full(x.rows) {
		x.parts = append(x.parts, &part{first: e.Index, live: &live{rows: segment.NewBuilder()}, again: new(segment.Bits)})
	}
	p := x.parts[len(x.parts)-1]
	l := p.live
	if x.ids.add(segment.ShortID(r.ID)) {
		p.again.Set(l.rows.Rows())
	}
	l.add(r, h)
	if d, ok := e.Detail.(*entry.Erasure); ok {
		l.erased = append(l.erased, d.Indexes...)
		for _, i := range d.Indexes {
			x.erased[i] = true
		}
	}
	if l.rows.Rows() == int(x.rows) {
		root, err := l.tree.Root(x.rows)
		if err != nil {
			panic("query: a tree has no root of its own size: " + err.Error())
		}
		x.top.Append(root)
	}
	x.agents[x.key.Hash(e.AgentDID)] = struct{}{}
	x.types.add(e.EventType, 1)
	x.actions.add(e.Action, 1)
	x.outcomes.add(e.Outcome, 1)
}

func (p *part) full(rows uint64) bool { return p.frozen != nil || p.live.rows.Rows() == int(rows) }

// errLow: the hash of a node is not kept; it follows from leaves.
var errLow = errors.New("the hash is not kept")

// node is a node of the tree (proof.Nodes). Those below groupLevel in frozen parts are errLow.
func (x *index) node(level int, n uint64) (entry.Hash, error) {
	up := rowsLevel(x.rows)
	if level > up {
		return x.top.Node(level-up, n)
	}
	in := n >> (up - level)
	if in >= uint64(len(x.parts)) {
		return entry.Hash{}, fmt.Errorf("no node %d of level %d", n, level)
	}
	p, local := x.parts[in], n-in<<(up-level)
	switch {
	case p.live != nil:
		return p.live.tree.Node(level, local)
	case level < groupLevel:
		return entry.Hash{}, errLow
	}
	return p.frozen.levels[level-groupLevel][local], nil
}

// freeze puts a part that was written as a segment in the place of the live one.
func (x *index) freeze(at int, f *frozen) {
	x.parts = slices.Clone(x.parts) // others hold the slice
	was := x.parts[at]
	x.parts[at] = &part{first: was.first, frozen: f, again: was.again}
}

// again says whether an entry's id may stand in the log before it.
func (x *index) again(index uint64) bool { return x.parts[index/x.rows].again.Has(int(index % x.rows)) }

// withID yields the entries that may have an id, ascending: those whose id has the same hash.
func (x *index) withID(id string, yield func(index uint64) bool) {
	h := x.key.Hash(id)
	for _, p := range x.parts {
		in := p.withID(h, func(row int) bool { return yield(p.first + uint64(row)) })
		if !in {
			return
		}
	}
}

func (p *part) withID(hash uint64, yield func(row int) bool) bool {
	if p.live != nil {
		return p.live.rows.WithID(hash, yield)
	}
	return p.frozen.seg.WithID(hash, yield)
}

// root is that of the newest verified checkpoint.
func (x *index) root() entry.Hash {
	if x.size == 0 {
		return proof.EmptyRoot
	}
	return x.checkpoint.Root
}

// tally counts values. Agents choose event types freely, so that only the first ones get a count of their own.
type tally struct {
	counts map[string]uint64
	other  uint64
}

const maxTally = 256

func (t *tally) add(value string, n uint64) {
	if value == "" {
		return
	}
	if t.counts == nil {
		t.counts = map[string]uint64{}
	}
	if _, there := t.counts[value]; there {
		t.counts[value] += n
	} else if len(t.counts) < maxTally {
		t.counts[strings.Clone(value)] = n
	} else {
		t.other += n
	}
}
