package query

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// index is what is kept in memory of the verified log: all hashes, a column of times, and for each value of each field the
// entries that have it; about 150 bytes an entry. It holds no entry: those are read back from SEALED, and hashed again against the
// tree. Slices only grow and are never written at twice, so that their copies are snapshots.
type index struct {
	log     string
	tree    proof.Tree
	size    uint64 // of the newest verified batch; the tree may be ahead of it while a batch is taken
	batches []batchRef
	times   times
	values  [fieldCount]map[string]*[]uint32

	seed    maphash.Seed
	ids     map[uint64]uint32   // hash of an entry id → the first index with it
	moreIDs map[uint64][]uint32 // the further ones, which are rare

	erased     map[uint64]bool
	types      tally
	actions    tally
	outcomes   tally
	checkpoint proof.Checkpoint
	keys       []string  // of index 0's config
	received   [2]string // received_at of the first and of the newest entry
}

// batchRef says where a batch stands.
type batchRef struct {
	first    uint64 // index of its first entry
	seq      uint64 // of its SEALED message
	payloads uint64 // of its PAYLOADS message
}

func newIndex(log string) *index {
	x := &index{log: log, seed: maphash.MakeSeed(), ids: map[uint64]uint32{}, moreIDs: map[uint64][]uint32{}, erased: map[uint64]bool{}}
	for f := range x.values {
		x.values[f] = map[string]*[]uint32{}
	}
	return x
}

// take adds a batch that the follower has verified. That it continues this very index is checked here, because a follower that
// began again knows only the batch before.
func (x *index) take(s store.Sealed) error {
	if err := x.continues(s); err != nil {
		return err
	}
	for i := range s.Entries {
		if err := x.add(&s.Entries[i]); err != nil {
			return err
		}
	}
	root, err := x.tree.Root(s.Batch.Size)
	if err != nil || root != s.Batch.Root {
		return &proof.MismatchError{Index: s.Batch.First, What: "root", Why: "the batch has another root than the entries indexed"}
	}
	cp, err := proof.ParseCheckpointUnverified(s.Batch.Checkpoint) // the follower has verified it
	if err != nil {
		return err
	}
	x.batches = append(x.batches, batchRef{s.Batch.First, s.Seq, s.Batch.Payloads})
	x.checkpoint, x.size = cp, s.Batch.Size
	x.received[1] = strings.Clone(s.Entries[len(s.Entries)-1].ReceivedAt)
	return nil
}

func (x *index) continues(s store.Sealed) error {
	wrong := func(why string) error { return &proof.MismatchError{Index: x.size, What: "chain", Why: why} }
	switch {
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
		return nil
	}
	last, err := x.tree.Leaf(x.size - 1)
	if err == nil && entry.FormatHash(last) != s.Entries[0].PreviousHash {
		err = wrong("the log goes on from another entry than the one verified before")
	}
	return err
}

func (x *index) add(e *entry.Entry) error {
	h, err := entry.ParseHash(e.EntryHash)
	if err != nil {
		return err
	}
	x.tree.Append(h)
	x.times.append(e.Timestamp)
	at := uint32(e.Index)
	for f, v := range fieldsOf(e) {
		if v != "" {
			list := x.values[f][v]
			if list == nil {
				list = new([]uint32)
				x.values[f][strings.Clone(v)] = list // v is a part of its leaf, which would stay too
			}
			*list = append(*list, at)
		}
	}
	id := maphash.String(x.seed, e.EntryID)
	if _, there := x.ids[id]; there {
		x.moreIDs[id] = append(x.moreIDs[id], at)
	} else {
		x.ids[id] = at
	}
	if d, ok := e.Detail.(*entry.Erasure); ok {
		for _, i := range d.Indexes {
			x.erased[i] = true
		}
	}
	x.types.add(e.EventType)
	x.actions.add(e.Action)
	x.outcomes.add(e.Outcome)
	return nil
}

// firstWithID says that no entry before index has its id.
func (x *index) firstWithID(id string, index uint64) bool {
	first, there := x.ids[maphash.String(x.seed, id)]
	return there && uint64(first) == index
}

// withID is the entries that may have an id, ascending: those whose id has the same hash.
func (x *index) withID(id string) []uint64 {
	h := maphash.String(x.seed, id)
	first, there := x.ids[h]
	if !there {
		return nil
	}
	list := []uint64{uint64(first)}
	for _, i := range x.moreIDs[h] {
		list = append(list, uint64(i))
	}
	return list
}

// has says whether the entry at index has a value in a field.
func (x *index) has(field int, value string, index uint64) bool {
	list := x.values[field][value]
	if list == nil {
		return false
	}
	_, there := slices.BinarySearch(*list, uint32(index))
	return there
}

// search prepares a normal filter.
func (x *index) search(f Filter) search {
	s := search{size: x.size, times: x.times, span: newSpan(f.From, f.To)}
	for i, values := range f.values() {
		if len(*values) == 0 {
			continue
		}
		u := union{}
		for _, v := range *values {
			if list := x.values[i][v]; list != nil {
				u = append(u, postings{list: *list})
			}
		}
		s.fields = append(s.fields, u)
	}
	return s
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

func (t *tally) add(value string) {
	if value == "" {
		return
	}
	if t.counts == nil {
		t.counts = map[string]uint64{}
	}
	if _, there := t.counts[value]; there {
		t.counts[value]++
	} else if len(t.counts) < maxTally {
		t.counts[strings.Clone(value)] = 1
	} else {
		t.other++
	}
}
