package query

import (
	"bytes"
	"context"
	"errors"

	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// sealedBody is a SEALED message from which leaves are read. Each leaf is verified by its hash, so
// nothing else in the message is checked.
type sealedBody struct {
	r      reader
	ref    batchRef
	body   []byte
	group  uint64 // the group that hashes belongs to
	hashes []entry.Hash
}

// sealed reads the message of a batch.
func (r reader) sealed(ctx context.Context, ref batchRef) (*sealedBody, error) {
	body, err := r.body(ctx, cacheKey{seq: ref.seq})
	if errors.Is(err, store.ErrNotFound) {
		return nil, corrupt(ref.first, "missing", "SEALED sequence %d is missing", ref.seq)
	}
	return &sealedBody{r: r, ref: ref, body: body}, lost(err)
}

// entry reads one entry from the message.
func (m *sealedBody) entry(index uint64) (entry.Entry, error) {
	want, offset, ok, err := m.expect(index)
	if err != nil {
		return entry.Entry{}, err
	}
	leaf := lineAt(m.body, offset)
	// a wrong offset in the index does not mean that the log is wrong
	if ok && entry.LeafHash(leaf) != want {
		leaf = line(m.body, index-m.ref.first)
		ok = entry.LeafHash(leaf) == want
	}
	if !ok {
		m.r.cache.drop(cacheKey{seq: m.ref.seq})
		return entry.Entry{}, corrupt(index, "leaf",
			"SEALED sequence %d holds another leaf than the one that was verified", m.ref.seq)
	}
	e, err := entry.ParseEntry(leaf)
	if err != nil {
		// the hash is right, so it was parsed before
		return entry.Entry{}, corrupt(index, "leaf", "%v", err)
	}
	return e, nil
}

// expect returns the hash that the leaf of an index must have, and its offset by the index. ok is
// false if the hash cannot be determined, because the message was altered. The error is of the
// index.
func (m *sealedBody) expect(index uint64) (want entry.Hash, offset int, ok bool, err error) {
	want, offset, f, err := m.r.indexed.place(m.r.Query, index)
	if f == nil || err != nil {
		return want, offset, err == nil, err
	}
	if g := index / groupSize; m.hashes == nil || m.group != g {
		if m.hashes, err = m.groupHashes(f, g*groupSize); err != nil {
			return want, offset, false, m.r.damaged(m.r.indexed, f, err)
		}
		m.group = g
	}
	if m.hashes == nil {
		return want, offset, false, nil
	}
	return m.hashes[index%groupSize], offset, true, nil
}

// place returns what the index keeps of a leaf: its offset and its hash. If that hash is not kept,
// it returns the part that has the hash of its group.
func (x *index) place(q *Query, index uint64) (want entry.Hash, offset int, in *frozen, err error) {
	q.mu.RLock()
	p, row := x.parts[index/x.rows], index%x.rows
	if p.live != nil {
		defer q.mu.RUnlock()
		want, err := p.live.tree.Leaf(row)
		if err != nil {
			panic("query: a leaf below the size is not in the tree: " + err.Error())
		}
		return want, int(p.live.rows.Value(offsetColumn, int(row))), nil, nil
	}
	q.mu.RUnlock() // frozen parts do not change
	f := p.frozen
	n, err := f.seg.Value(offsetColumn, int(row))
	if err != nil {
		return want, 0, nil, q.damaged(x, f, err)
	}
	leaves, err := f.split(int(row / groupSize))
	if err != nil {
		return want, 0, nil, q.damaged(x, f, err)
	}
	if leaves != nil {
		return leaves[row%groupSize], int(n), nil, nil
	}
	return want, int(n), f, nil
}

// groupHashes returns the verified hashes of the leaves of a group that starts at first, or nil if
// they cannot be determined any more. If leaves were altered, the previous_hash of their successors
// tells what they were. Together the hashes must make the group's hash. So the altered leaf is
// identified, and the others can still be served.
func (m *sealedBody) groupHashes(f *frozen, first uint64) ([]entry.Hash, error) {
	row := int(first - f.about.First)
	want, err := f.node(groupLevel, uint64(row/groupSize))
	if err != nil {
		return nil, err
	}
	offset, err := f.seg.Value(offsetColumn, row)
	if err != nil {
		return nil, err
	}
	hashes := make([]entry.Hash, groupSize)
	rest := from(m.body, int(offset))
	for i := range hashes {
		var leaf []byte
		leaf, rest = cut(rest)
		hashes[i] = entry.LeafHash(leaf)
	}
	if merkle.PerfectRoot(hashes) == want {
		return hashes, nil
	}
	var claims []claim
	for i := range hashes {
		leaf := line(m.body, first-m.ref.first+uint64(i))
		hashes[i] = entry.LeafHash(leaf)
		if h, ok := previousOf(line(m.body, first-m.ref.first+uint64(i)+1)); ok && h != hashes[i] {
			claims = append(claims, claim{i, h})
		}
	}
	return tryClaims(hashes, claims, want), nil
}

// nodes returns the nodes of the tree. Those that are not kept are computed from leaves, whose
// group must have the verified hash.
func (r reader) nodes(ctx context.Context) merkle.Nodes {
	var m *sealedBody // the last one, with the hashes of its last group
	var leaves *leafFile
	return func(level int, n uint64) (entry.Hash, error) {
		r.mu.RLock()
		h, err := r.indexed.node(level, n)
		r.mu.RUnlock()
		if err != errNotKept {
			return h, err
		}
		first := n << level
		if level >= groupLevel {
			f := r.frozenAt(first)
			h, err = f.node(level, n-f.about.First>>level)
			return h, r.damaged(r.indexed, f, err)
		}
		if leaves == nil || first < leaves.in.about.First || first >= leaves.in.about.Size {
			leaves = r.leavesOf(first)
		}
		if leaves != nil {
			if h, err = leaves.node(level, int(first-leaves.in.about.First)); err == nil {
				return h, nil
			}
			r.distrust(leaves.in, leaves.files, err)
			leaves = nil
		}
		ref, _ := r.batchOf(first)
		if m == nil || m.ref != ref {
			if m, err = r.sealed(ctx, ref); err != nil {
				return h, err
			}
		}
		hashes := make([]entry.Hash, 1<<level)
		for i := range hashes {
			x, ok := first+uint64(i), false
			if hashes[i], _, ok, err = m.expect(x); err != nil {
				return h, err
			} else if !ok {
				return h, corrupt(x, "leaf", "SEALED sequence %d holds other leaves than the ones that were verified", ref.seq)
			}
		}
		return merkle.PerfectRoot(hashes), nil
	}
}

// frozenAt returns the part that an index is in, which must be frozen.
func (r reader) frozenAt(index uint64) *frozen {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.indexed.parts[index/r.indexed.rows].frozen
}

// claim is the hash of a leaf by the previous_hash of its successor.
type claim struct {
	at   int
	hash entry.Hash
}

// tryClaims applies the subset of claims that makes the hashes match want, if there is one.
func tryClaims(hashes []entry.Hash, claims []claim, want entry.Hash) []entry.Hash {
	for choice := range 1 << len(claims) {
		try := append([]entry.Hash(nil), hashes...)
		for i, c := range claims {
			if choice>>i&1 == 1 {
				try[c.at] = c.hash
			}
		}
		if merkle.PerfectRoot(try) == want {
			return try
		}
	}
	return nil
}

func previousOf(leaf []byte) (h entry.Hash, ok bool) {
	const name = `,"previous_hash":"`
	i := bytes.Index(leaf, []byte(name))
	if i < 0 || len(leaf) < i+len(name)+64 {
		return h, false
	}
	h, err := entry.ParseHash(string(leaf[i+len(name) : i+len(name)+64]))
	return h, err == nil
}

// line returns the n-th line of a message, or nil.
func line(body []byte, n uint64) (l []byte) {
	for l, body = cut(body); n > 0 && len(body) > 0; n-- {
		l, body = cut(body)
	}
	if n > 0 {
		return nil
	}
	return l
}

// lineAt returns the line at an offset.
func lineAt(body []byte, offset int) []byte {
	l, _ := cut(from(body, offset))
	return l
}

func from(body []byte, offset int) []byte { return body[min(max(offset, 0), len(body)):] }

func cut(body []byte) (line, rest []byte) {
	i := bytes.IndexByte(body, '\n')
	if i < 0 {
		return body[:len(body):len(body)], nil
	}
	return body[:i:i], body[i+1:]
}
