package query

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// An entry from before rules 4 has no blind. Whoever knows the hash of the entry before it, and has
// any hash that covers it, can confirm a guess of it (SPEC-rules4 7). Each leaf holds the hash of
// its predecessor. So the hash of an entry covers all entries before it, back to the newest
// withheld one with blind, which nobody can guess.
//
// Therefore a caller without the right to these hashes gets none of any entry after the first
// withheld one without blind. Then no guess of a later one can be confirmed by itself: its leaf
// holds a hash that the caller does not have.

// blindRules are the rules from which on each leaf has blind.
const blindRules = 4

// never is an index that no entry has.
const never = uint64(math.MaxUint64)

// hidden says which hashes a caller may not have. The zero value forbids none if any is false.
type hidden struct {
	any bool
	// first and second are the first two withheld entries; first has no blind
	first, second uint64
	blinded       uint64 // the first withheld entry with blind
}

// entry reports whether the hash, the leaf and the previous_hash of a visible entry are hidden.
func (h hidden) entry(index uint64) bool {
	return h.any && index > h.first && index <= h.blinded
}

// alike returns how many of some ascending indexes are hidden like the first.
func (h hidden) alike(indexes []uint64) int {
	is := h.entry(indexes[0])
	if n := slices.IndexFunc(indexes, func(x uint64) bool { return h.entry(x) != is }); n > 0 {
		return n
	}
	return len(indexes)
}

// node reports whether the hash of a node of the tree is hidden. A node above the leaves shows none
// of their hashes. It confirms a guess only if it covers exactly one withheld entry, as one of its
// leaves or by the chain.
func (h hidden) node(level int, n uint64) bool {
	if level == 0 {
		return h.any && n >= h.first && n < h.blinded
	}
	return h.root((n + 1) << level)
}

// root reports whether the root of the tree of a size is hidden.
func (h hidden) root(size uint64) bool { return h.any && size > h.first && size <= h.second }

// hidden returns which hashes of the snapshot the caller may not have.
func (r reader) hidden(ctx context.Context) (h hidden, err error) {
	if r.sight == nil || r.sight.caller.SeesHash(false) {
		return h, nil
	}
	blind, err := r.blindFrom(ctx)
	if err != nil {
		return h, err
	}
	first, err := r.withheld(0)
	if err != nil || first >= blind || first == never {
		return h, err
	}
	second, err := r.withheld(first + 1)
	if err != nil {
		return h, err
	}
	blinded := second
	if blinded < blind {
		blinded, err = r.withheld(blind)
	}
	return hidden{true, first, second, blinded}, err
}

// withheld returns the first index from one on that the caller does not see, or never.
func (r reader) withheld(from uint64) (uint64, error) {
	r.mu.RLock()
	parts := r.indexed.parts
	r.mu.RUnlock()
	rows, all := new(segment.Bits), new(segment.Bits)
	all.Fill(0, segment.MaxRows)
	for n := from / r.rows; n*r.rows < r.size; n++ {
		if err := r.visibleIn(r.indexed, parts[n], r.sight, rows); err != nil {
			return 0, err
		}
		none := *all
		none.AndNot(rows)
		row := none.Next(int(max(from, n*r.rows) - n*r.rows))
		if x := n*r.rows + uint64(row); row >= 0 && uint64(row) < r.rows && x < r.size {
			return x, nil
		}
	}
	return never, nil
}

// blindFrom returns the first index whose leaf has blind, or never.
func (r reader) blindFrom(ctx context.Context) (uint64, error) {
	r.mu.RLock()
	known, parts := r.indexed.blind, r.indexed.parts
	r.mu.RUnlock()
	by := compile(api.Filter{Type: []string{entry.TypeConfig}})
	for n := known.checked / r.rows; known.from == never && n*r.rows < r.size; n++ {
		found, err := r.matchPart(r.indexed, parts[n], by, nil)
		if err != nil {
			return 0, err
		}
		for row := 0; found != nil && known.from == never; row++ {
			if row = found.Next(row); row < 0 || n*r.rows+uint64(row) >= r.size {
				break
			}
			e, err := r.entryAt(ctx, n*r.rows+uint64(row))
			if err != nil {
				return 0, r.remember(err)
			}
			if c, ok := e.Detail.(*entry.Config); ok && c.Rules >= blindRules {
				known.from = e.Index + 1
			}
		}
	}
	known.checked = r.size
	r.mu.Lock()
	if r.indexed.blind.checked < known.checked {
		r.indexed.blind = known
	}
	r.mu.Unlock()
	return known.from, nil
}

// blindness says from which index on leaves have blind, as far as the configs were read.
type blindness struct {
	checked uint64 // configs before this index were read
	from    uint64 // never: none of them has rules 4
}

// hide marks the entries whose hashes the caller may not have.
func (r reader) hide(ctx context.Context, list []Found) error {
	h, err := r.hidden(ctx)
	for i := range list {
		list[i].Hidden = h.entry(list[i].Entry.Index)
	}
	return err
}

// provable returns the nodes of the tree for proofs. It fails with ErrWithheld at one that the
// caller may not have.
func (r reader) provable(ctx context.Context) (merkle.Nodes, error) {
	h, err := r.hidden(ctx)
	nodes := r.nodes(ctx)
	if !h.any || err != nil {
		return nodes, err
	}
	return func(level int, n uint64) (entry.Hash, error) {
		if h.node(level, n) {
			return entry.Hash{}, errGuess
		}
		return nodes(level, n)
	}, nil
}

// mustProve returns an error if the caller may not have the proof of some entries.
func (r reader) mustProve(ctx context.Context, indexes []uint64) error {
	h, err := r.hidden(ctx)
	if !h.any || err != nil {
		return err
	}
	if slices.ContainsFunc(indexes, h.entry) {
		return errGuess
	}
	_, err = r.proveAll(ctx, indexes)
	return err
}

// mustShowRoots returns an error if the caller may not have the roots of trees of some sizes.
func (r reader) mustShowRoots(ctx context.Context, sizes ...uint64) error {
	h, err := r.hidden(ctx)
	for _, size := range sizes {
		if err == nil && h.root(size) {
			err = errGuess
		}
	}
	return err
}

// errGuess reports that an answer has hashes by which a withheld entry could be guessed.
var errGuess = fmt.Errorf("%w: a withheld entry could be guessed by these hashes; they need proof: all", ErrWithheld)

// needs returns the error for a caller without a scope.
func needs(scope string) error { return fmt.Errorf("%w: it needs the scope %s", ErrWithheld, scope) }

// errReadAll is the error for a caller who may not read everything.
var errReadAll = needs(access.Read.String() + " of all")
