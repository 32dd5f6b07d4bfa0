package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// MaxTop is the maximum number of agents that Tally names.
const MaxTop = 1000

// Tally counts what a filter matches among the first size entries, or among all if size is 0. It
// names the `top` agents with most matches. Its cost grows with the number of distinct values in
// the parts that match. The error is an *api.ParamError if the filter or a number is invalid.
func (q *Query) Tally(ctx context.Context, f api.Filter, size uint64, top int) (api.Counts, error) {
	f, err := f.Normal()
	if err != nil {
		return api.Counts{}, err
	}
	if top < 0 || top > MaxTop {
		return api.Counts{}, &api.ParamError{Param: "top", Reason: fmt.Sprintf("must be from 0 to %d", MaxTop)}
	}
	snap, all, err := q.view(ctx, api.Filter{})
	if err != nil {
		return api.Counts{}, err
	}
	if size == 0 {
		size = snap.size
	}
	if size > snap.size {
		return api.Counts{}, &api.ParamError{Param: "size", Reason: fmt.Sprintf("the log has %d entries", snap.size)}
	}
	c := counter{by: compile(f), sight: snap.sight, first: math.MaxUint64}
	for field := range c.values {
		c.values[field] = map[string]uint64{}
	}
	for n := range all.parts {
		if first := uint64(n) * all.rows; first < size {
			if err := q.countPart(&c, snap.indexed, all.parts[n], min(size-first, all.rows)); err != nil {
				return api.Counts{}, err
			}
		}
	}
	return c.answer(size, top), nil
}

// counter adds up the counts of parts.
type counter struct {
	by          *compiled
	sight       *sight
	values      [api.OutcomeField + 1]map[string]uint64
	matches     uint64
	first, last uint64
}

// countPart counts in the first rows of a part. It reads a live part under the lock; the part may
// have been frozen since the snapshot.
func (q *Query) countPart(c *counter, x *index, p *part, rows uint64) error {
	if p.live == nil {
		return q.damaged(x, p.frozen, c.countFrozen(q, p.frozen, rows))
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	if found := x.matchLive(p, c.by, c.sight, 0); found != nil {
		c.add(p.first, rows, found, func(field int) {
			p.live.rows.Counts(field, found, func(v string, n int) { c.values[field][v] += uint64(n) })
		})
	}
	return nil
}

func (c *counter) countFrozen(q *Query, f *frozen, rows uint64) error {
	found, spare := new(segment.Bits), new(segment.Bits)
	any, err := f.match(c.by, found, spare)
	if any && err == nil && c.sight != nil {
		any, err = q.keepVisible(f, c.sight, found, spare)
	}
	if !any || err != nil {
		return err
	}
	c.add(f.about.First, rows, found, func(field int) {
		counted := f.seg.Counts(field, found, func(v []byte, n int) { c.values[field][string(v)] += uint64(n) })
		err = cmp.Or(err, counted)
	})
	return err
}

// add adds the found rows below rows, and has count add each field.
func (c *counter) add(first, rows uint64, found *segment.Bits, count func(field int)) {
	if rows < segment.MaxRows {
		below := new(segment.Bits)
		below.Fill(0, int(rows))
		found.And(below)
	}
	n := uint64(found.Count())
	if n == 0 {
		return
	}
	c.matches += n
	c.first = min(c.first, first+uint64(found.Next(0)))
	c.last = first + uint64(found.Previous(segment.MaxRows-1))
	for field := range c.values {
		count(field)
	}
}

func (c *counter) answer(size uint64, top int) api.Counts {
	a := api.Counts{
		TreeSize: size,
		Matches:  c.matches,
		Types:    c.values[api.TypeField],
		Actions:  c.values[api.ActionField],
		Outcomes: c.values[api.OutcomeField],
		Agents:   uint64(len(c.values[api.AgentField])),
		Top:      []api.AgentCount{},
	}
	if c.matches > 0 {
		a.First, a.Last = &c.first, &c.last
	}
	for agent, n := range c.values[api.AgentField] {
		a.Top = append(a.Top, api.AgentCount{Agent: agent, Matches: n})
	}
	slices.SortFunc(a.Top, func(x, y api.AgentCount) int {
		return cmp.Or(cmp.Compare(y.Matches, x.Matches), strings.Compare(x.Agent, y.Agent))
	})
	a.Top = a.Top[:min(top, len(a.Top))]
	return a
}

// ProofAt is Proof without the data, in the tree of an earlier checkpoint of that size. The error
// wraps ErrNotFound if the log had no such checkpoint.
func (q *Query) ProofAt(ctx context.Context, index, size uint64) (proof.EntryProof, error) {
	snap, _, err := q.view(ctx, api.Filter{})
	if err != nil {
		return proof.EntryProof{}, err
	}
	if size == 0 || size > snap.size {
		return proof.EntryProof{}, &api.ParamError{Param: "size", Reason: fmt.Sprintf("the log has %d entries", snap.size)}
	}
	found, err := q.entry(ctx, snap, index, false)
	if err != nil {
		return proof.EntryProof{}, err
	}
	if index >= size {
		return proof.EntryProof{}, &api.ParamError{Param: "size", Reason: "the entry came later"}
	}
	if snap, err = q.at(ctx, snap, size); err != nil {
		return proof.EntryProof{}, err
	}
	return q.prove(ctx, snap, found, false)
}

// at returns the snapshot with the checkpoint of the batch that ends at size.
func (q *Query) at(ctx context.Context, snap snapshot, size uint64) (snapshot, error) {
	ref, end := snap.batchOf(size - 1)
	if end != size {
		return snapshot{}, fmt.Errorf("checkpoint of size %d: %w: the nearest is of size %d", size, ErrNotFound, end)
	}
	if size == snap.size {
		return snap, nil
	}
	if note, there := q.notes.get(size); there {
		c, err := proof.ParseCheckpointUnverified(note)
		snap.size, snap.checkpoint = size, c
		return snap, err
	}
	m, err := q.cfg.Log.Sealed.Get(ctx, ref.seq)
	if err != nil {
		return snapshot{}, fmt.Errorf("SEALED sequence %d: %w", ref.seq, err)
	}
	c, err := proof.ParseCheckpointUnverified(audit.Parse(m).Batch.Checkpoint)
	if err != nil {
		return snapshot{}, q.remember(corrupt(ref.first, "checkpoint", "%v", err))
	}
	root, err := merkle.RootAt(size, q.reader(snap).nodes(ctx))
	if err != nil {
		return snapshot{}, q.remember(err)
	}
	if c.Size != size || c.Root != root {
		return snapshot{}, q.remember(
			corrupt(ref.first, "checkpoint", "SEALED sequence %d holds another checkpoint than the one that was verified",
				ref.seq))
	}
	q.notes.put(size, c.Note)
	snap.size, snap.checkpoint = size, c
	return snap, nil
}

// countsCost is the memory that counts take: most of it is for what is counted by agent.
func (q *Query) countsCost() int64 {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return 1<<20 + 256*int64(len(q.index.agents))
}

func (q *Query) getCounts(w http.ResponseWriter, r *http.Request, p *httpapi.Params) error {
	filter, size, top := p.Filter(), indexParam(p, "size"), 10
	if n := p.Number("top"); n != nil {
		top = int(min(*n, MaxTop+1))
	}
	if err := p.End(); err != nil {
		return err
	}
	n := uint64(0)
	if size != nil {
		n = *size
	}
	share, err := q.reads.take(r.Context(), q.countsCost(), false)
	if err != nil {
		return err
	}
	defer share.leave()
	c, err := q.Tally(r.Context(), filter, n, top)
	if err != nil {
		return err
	}
	httpapi.JSON(w, http.StatusOK, c)
	return nil
}
