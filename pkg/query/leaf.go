package query

import (
	"bytes"
	"context"
	"errors"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// sealedBody is a SEALED message from which leaves are taken. Their hashes decide, so that nothing else of the message needs to be looked at.
type sealedBody struct {
	r     reader
	ref   batchRef
	body  []byte
	group uint64 // whose hashes are known
	known []entry.Hash
}

// sealed reads the message of a batch.
func (r reader) sealed(ctx context.Context, ref batchRef) (*sealedBody, error) {
	body, err := r.body(ctx, cacheKey{seq: ref.seq})
	if errors.Is(err, store.ErrNotFound) {
		return nil, corrupt(ref.first, "missing", "SEALED sequence %d is not there any more", ref.seq)
	}
	return &sealedBody{r: r, ref: ref, body: body}, lost(err)
}

// entry takes one entry out of the message.
func (m *sealedBody) entry(index uint64) (entry.Entry, error) {
	want, offset, ok := m.expect(index)
	leaf := lineAt(m.body, offset)
	if ok && entry.LeafHash(leaf) != want { // that the index has another place for it is no fault of the log
		leaf = line(m.body, index-m.ref.first)
		ok = entry.LeafHash(leaf) == want
	}
	if !ok {
		m.r.cache.drop(cacheKey{seq: m.ref.seq})
		return entry.Entry{}, corrupt(index, "leaf", "SEALED sequence %d holds another leaf than the one that was verified", m.ref.seq)
	}
	e, err := entry.ParseEntry(leaf)
	if err != nil {
		return entry.Entry{}, corrupt(index, "leaf", "%v", err) // its hash is right: it was parsed before
	}
	return e, nil
}

// expect is the hash that the leaf of an index must have, and where the index has it in the message. It is not ok where the message no longer tells.
func (m *sealedBody) expect(index uint64) (want entry.Hash, offset int, ok bool) {
	want, offset, f := m.r.indexed.place(m.r.Query, index)
	if f == nil {
		return want, offset, true
	}
	if g := index / groupSize; m.known == nil || m.group != g {
		m.group, m.known = g, m.hashes(f, g*groupSize)
	}
	if m.known == nil {
		return want, offset, false
	}
	return m.known[index%groupSize], offset, true
}

// place is what the index has of a leaf: its hash, or, if that is not kept, the part that has its group's; and where it begins in its message.
func (x *index) place(q *Query, index uint64) (want entry.Hash, offset int, in *frozen) {
	q.mu.RLock()
	p, row := x.parts[index/x.rows], index%x.rows
	if p.live != nil {
		defer q.mu.RUnlock()
		want, err := p.live.tree.Leaf(row)
		if err != nil {
			panic("query: a leaf below the size is not in the tree: " + err.Error())
		}
		return want, int(p.live.rows.Value(offsetColumn, int(row))), nil
	}
	q.mu.RUnlock() // what is frozen does not change
	offset = int(p.frozen.seg.Value(offsetColumn, int(row)))
	if leaves := p.frozen.leaves[uint32(row/groupSize)]; leaves != nil {
		return leaves[row%groupSize], offset, nil
	}
	return want, offset, p.frozen
}

// hashes are the hashes of the leaves of a group, which begins at first, as they were verified; nil if the message does not tell any more. Where leaves were
// altered, the previous_hash of the next ones tells what they were: together they must make the group's hash, so that the leaf at fault
// is known and the others can still be served.
func (m *sealedBody) hashes(f *frozen, first uint64) []entry.Hash {
	row := int(first - f.about.First)
	want := f.levels[0][row/groupSize]
	hashes := make([]entry.Hash, groupSize)
	rest := from(m.body, int(f.seg.Value(offsetColumn, row)))
	for i := range hashes {
		var leaf []byte
		leaf, rest = cut(rest)
		hashes[i] = entry.LeafHash(leaf)
	}
	if proof.PerfectRoot(hashes) == want {
		return hashes
	}
	var claims []claim
	for i := range hashes {
		leaf := line(m.body, first-m.ref.first+uint64(i))
		hashes[i] = entry.LeafHash(leaf)
		if h, ok := previousOf(line(m.body, first-m.ref.first+uint64(i)+1)); ok && h != hashes[i] {
			claims = append(claims, claim{i, h})
		}
	}
	return tryClaims(hashes, claims, want)
}

// nodes are the nodes of the tree. Those that are not kept are made from leaves, which are read and must make the hash of their group.
func (r reader) nodes(ctx context.Context) proof.Nodes {
	return func(level int, n uint64) (entry.Hash, error) {
		r.mu.RLock()
		h, err := r.indexed.node(level, n)
		r.mu.RUnlock()
		if err != errLow {
			return h, err
		}
		first := n << level
		ref, _ := r.batchOf(first)
		m, err := r.sealed(ctx, ref)
		if err != nil {
			return h, err
		}
		hashes := make([]entry.Hash, 1<<level)
		for i := range hashes {
			x, ok := first+uint64(i), false
			if hashes[i], _, ok = m.expect(x); !ok {
				return h, corrupt(x, "leaf", "SEALED sequence %d holds other leaves than the ones that were verified", ref.seq)
			}
		}
		return proof.PerfectRoot(hashes), nil
	}
}

// claim is what the leaf behind one says that its hash is.
type claim struct {
	at   int
	hash entry.Hash
}

// tryClaims takes the claims that make the hashes right, if there are such.
func tryClaims(hashes []entry.Hash, claims []claim, want entry.Hash) []entry.Hash {
	for choice := range 1 << len(claims) {
		try := append([]entry.Hash(nil), hashes...)
		for i, c := range claims {
			if choice>>i&1 == 1 {
				try[c.at] = c.hash
			}
		}
		if proof.PerfectRoot(try) == want {
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

// line is the n-th line of a message, or nothing.
func line(body []byte, n uint64) (l []byte) {
	for l, body = cut(body); n > 0 && len(body) > 0; n-- {
		l, body = cut(body)
	}
	if n > 0 {
		return nil
	}
	return l
}

// lineAt is the line that begins at a place, or nothing.
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
