package query

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// partRows is the number of entries of a part: a power of two, at most segment.MaxRows. Tests make
// it smaller.
var partRows uint64 = segment.MaxRows

// index is what query keeps in memory of the verified log: its parts, each with the upper hashes of
// the tree, and the positions of the batches. It holds no entries: those are read from SEALED and
// hashed again against the tree. Elements of parts and batches are never changed, so copies of the
// slices are snapshots. What is live in them is read under the lock.
type index struct {
	log  string
	rows uint64 // entries of a part
	key  segment.Key
	// tree size of the newest verified batch; the parts may be ahead of it while a batch is added
	size    uint64
	batches []batchRef
	parts   []*part
	top     merkle.Tree // tree over the roots of the full parts
	ids     seen
	barren  barren

	// fromFiles is the number of entries that were read from files. They do not count until the log
	// itself confirms them, and then it is 0.
	fromFiles uint64

	memoryOnly bool // a part could not be encoded as a segment, so no more are
	closed     bool // its files are closed

	blind      blindness
	erased     map[uint64]bool
	agents     map[uint64]struct{} // hashes of all agents' names
	types      tally
	actions    tally
	outcomes   tally
	checkpoint proof.Checkpoint
	lastHash   entry.Hash // entry_hash of the newest entry
	keys       []string   // keys of index 0's config
	received   [2]string  // received_at of the first and the newest entry
}

// batchRef is the position of a batch.
type batchRef struct {
	first    uint64 // index of its first entry
	seq      uint64 // sequence of its SEALED message
	payloads uint64 // sequence of its PAYLOADS message
}

// lastSeq returns the SEALED sequence of the newest batch, or 0 if there is none.
func (x *index) lastSeq() uint64 {
	if len(x.batches) == 0 {
		return 0
	}
	return x.batches[len(x.batches)-1].seq
}

func newIndex(log string, rows uint64) *index {
	x := &index{
		log: log, rows: rows, blind: blindness{from: never}, erased: map[uint64]bool{}, agents: map[uint64]struct{}{},
	}
	rand.Read(x.key[:]) // never fails
	return x
}

// errOtherLog reports that the index files belong to another log. The index is then rebuilt.
var errOtherLog = errors.New("the index files belong to another log")

// take adds a batch that the follower has verified. It checks that the batch continues this index,
// because a follower that restarted knows only the batch before.
func (x *index) take(s store.Sealed, f *facts) error {
	have := max(x.size, x.fromFiles)
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
	root, err := merkle.RootAt(s.Batch.Size, merkle.Nodes(x.node))
	if err != nil || root != s.Batch.Root {
		if x.fromFiles > 0 {
			return errOtherLog
		}
		return &audit.MismatchError{
			Index: s.Batch.First,
			What:  "root",
			Why:   "the batch has another root than the entries indexed",
		}
	}
	cp, err := proof.ParseCheckpointUnverified(s.Batch.Checkpoint) // the follower has verified it
	if err != nil {
		return err
	}
	if n := len(x.batches); n == 0 || x.batches[n-1].first < s.Batch.First {
		x.batches = append(x.batches, batchRef{s.Batch.First, s.Seq, s.Batch.Payloads})
	}
	x.checkpoint, x.size, x.fromFiles = cp, s.Batch.Size, 0
	last := &s.Entries[len(s.Entries)-1]
	x.lastHash, x.received[1] = last.EntryHash, strings.Clone(last.ReceivedAt)
	return nil
}

// continues checks that a batch continues the index. For an index that was read from files, it
// checks that the files end in the batch.
func (x *index) continues(s store.Sealed, have uint64) error {
	wrong := func(why string) error { return &audit.MismatchError{Index: have, What: "chain", Why: why} }
	switch {
	case x.fromFiles > 0:
		if ref := x.batches[len(x.batches)-1]; ref != (batchRef{s.Batch.First, s.Seq, s.Batch.Payloads}) ||
			have > s.Batch.Size ||
			s.Entries[0].Log != x.log {
			return errOtherLog
		}
	case s.Batch.First != x.size || len(s.Entries) == 0:
		return wrong("the log continues at another index than the one verified before")
	case s.Batch.Size > math.MaxUint32:
		return wrong("more entries than this index can count")
	case s.Entries[0].Log != x.log:
		return &audit.MismatchError{
			Index: x.size,
			What:  "log",
			Why:   fmt.Sprintf("a leaf of log %q in log %q", s.Entries[0].Log, x.log),
		}
	case x.size == 0:
		x.received[0] = strings.Clone(s.Entries[0].ReceivedAt)
		if c, ok := s.Entries[0].Detail.(*entry.Config); ok {
			x.keys = c.Keys
		}
	case x.lastHash != s.Entries[0].PreviousHash:
		return wrong("the log continues after another entry than the one verified before")
	}
	return nil
}

func (x *index) add(e *entry.Entry, r *segment.Row, h entry.Hash) {
	if len(x.parts) == 0 || x.parts[len(x.parts)-1].full(x.rows) {
		x.parts = append(x.parts, &part{first: e.Index, live: &live{rows: segment.NewBuilder()}, repeats: new(segment.Bits)})
	}
	p := x.parts[len(x.parts)-1]
	l := p.live
	if x.ids.add(segment.ShortID(r.ID)) {
		p.repeats.Set(l.rows.Rows())
	}
	agents := l.rows.Distinct(api.AgentField)
	l.add(e, r, h)
	if l.rows.Distinct(api.AgentField) > agents {
		x.agents[x.key.Hash(e.AgentDID)] = struct{}{}
	}
	if d, ok := e.Detail.(*entry.Erasure); ok {
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
	x.types.add(e.EventType, 1)
	x.actions.add(e.Action, 1)
	x.outcomes.add(e.Outcome, 1)
}

func (p *part) full(rows uint64) bool { return p.frozen != nil || p.live.rows.Rows() == int(rows) }

// errNotKept reports that the hash of a node is not in memory. It can be read from the index's file
// or, below groupLevel, computed from leaves.
var errNotKept = errors.New("the index does not keep this hash")

// node returns a node of the tree (proof.Nodes). It returns errNotKept for lower nodes of frozen
// parts. It reads no file, because the lock is held.
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
	case level < p.frozen.kept:
		return entry.Hash{}, errNotKept
	}
	return p.frozen.node(level, local)
}

// freeze replaces a live part by its segment.
func (x *index) freeze(at int, f *frozen) {
	x.parts = slices.Clone(x.parts) // snapshots share the slice
	was := x.parts[at]
	x.parts[at] = &part{first: was.first, frozen: f, repeats: was.repeats}
}

// mayRepeat reports whether an earlier entry may have the same id.
func (x *index) mayRepeat(index uint64) bool {
	return x.parts[index/x.rows].repeats.Has(int(index % x.rows))
}

// rowsWithID returns the rows of a part that may have an id, ascending: those whose id has the same
// hash.
func (q *Query) rowsWithID(x *index, p *part, hash uint64) (rows []int, err error) {
	yield := func(row int) bool { rows = append(rows, row); return true }
	if p.live == nil {
		return rows, q.damaged(x, p.frozen, p.frozen.seg.WithID(hash, yield))
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	p.live.rows.WithID(hash, yield)
	return rows, nil
}

// root returns the root of the newest verified checkpoint.
func (x *index) root() entry.Hash {
	if x.size == 0 {
		return merkle.EmptyRoot
	}
	return x.checkpoint.Root
}

// tally counts values. Agents choose event types freely, so only the first maxTally values get a
// count of their own.
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
