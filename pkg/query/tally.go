package query

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query/segment"
)

// MaxTop is how many agents Tally can name.
const MaxTop = 1000

// Tally is how many entries a filter matches, by what they are. It is made from the index alone: no entry is read, and nothing is proven.
type Tally struct {
	TreeSize uint64            `json:"tree_size"` // entries that the filter was applied to
	Matches  uint64            `json:"matches"`
	First    *uint64           `json:"first"` // index of the first match; null: there is none
	Last     *uint64           `json:"last"`
	Types    map[string]uint64 `json:"event_types"`
	Actions  map[string]uint64 `json:"actions"`
	Outcomes map[string]uint64 `json:"outcomes"`
	Agents   uint64            `json:"agents"`     // how many different ones
	Top      []AgentCount      `json:"top_agents"` // those with the most matches, and by name where they have as many
}

// AgentCount is how many of the matches are of an agent.
type AgentCount struct {
	Agent   string `json:"agent"`
	Matches uint64 `json:"matches"`
}

// Tally counts what a filter matches among the first size entries, or, with 0, among all there are, and names the top agents. It takes as
// long as the index has values in the parts that match. A *RequestError says that the filter or a number are wrong.
func (q *Query) Tally(f Filter, size uint64, top int) (Tally, error) {
	f, err := f.normal()
	if err != nil {
		return Tally{}, err
	}
	if top < 0 || top > MaxTop {
		return Tally{}, &RequestError{"top", fmt.Sprintf("must be from 0 to %d", MaxTop)}
	}
	snap, all, err := q.view(Filter{})
	if err != nil {
		return Tally{}, err
	}
	if size == 0 {
		size = snap.size
	}
	if size > snap.size {
		return Tally{}, &RequestError{"size", fmt.Sprintf("the log has %d entries", snap.size)}
	}
	c := counter{by: compile(f), first: math.MaxUint64}
	for field := range c.values {
		c.values[field] = map[string]uint64{}
	}
	for n := range all.parts {
		if first := uint64(n) * all.rows; first < size {
			q.countPart(&c, snap.indexed, all.parts[n], n, min(size-first, all.rows))
		}
	}
	return c.answer(size, top), nil
}

// counter adds up what parts count.
type counter struct {
	by          *compiled
	values      [outcomeField + 1]map[string]uint64
	matches     uint64
	first, last uint64
}

// countPart counts in the first rows of a part. One that grows is looked at under the lock; it may have been frozen since the snapshot.
func (q *Query) countPart(c *counter, x *index, p *part, n int, rows uint64) {
	if p.live == nil {
		found, spare := new(segment.Bits), new(segment.Bits)
		if p.frozen.match(c.by, found, spare) {
			c.add(p.first, rows, found, func(field int) {
				p.frozen.seg.Counts(field, found, func(v []byte, n int) { c.values[field][string(v)] += uint64(n) })
			})
		}
		return
	}
	q.mu.RLock()
	defer q.mu.RUnlock()
	found, spare := new(segment.Bits), new(segment.Bits)
	if p.live.match(x.key, c.by, 0, found, spare) {
		c.add(p.first, rows, found, func(field int) {
			p.live.rows.Counts(field, found, func(v string, n int) { c.values[field][v] += uint64(n) })
		})
	}
}

// add takes the rows that were found, those behind the size left out, and has them counted by each field.
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

func (c *counter) answer(size uint64, top int) Tally {
	a := Tally{TreeSize: size, Matches: c.matches, Types: c.values[typeField], Actions: c.values[actionField], Outcomes: c.values[outcomeField],
		Agents: uint64(len(c.values[agentField])), Top: []AgentCount{}}
	if c.matches > 0 {
		a.First, a.Last = &c.first, &c.last
	}
	for agent, n := range c.values[agentField] {
		a.Top = append(a.Top, AgentCount{agent, n})
	}
	slices.SortFunc(a.Top, func(x, y AgentCount) int {
		return cmp.Or(cmp.Compare(y.Matches, x.Matches), strings.Compare(x.Agent, y.Agent))
	})
	a.Top = a.Top[:min(top, len(a.Top))]
	return a
}

// ProofAt is Proof, without the data, in the tree of a size that the log once had a checkpoint of; ErrNotFound says that it had none.
func (q *Query) ProofAt(ctx context.Context, index, size uint64) (proof.EntryProof, error) {
	snap, _, err := q.view(Filter{})
	if err != nil {
		return proof.EntryProof{}, err
	}
	if size == 0 || size > snap.size {
		return proof.EntryProof{}, &RequestError{"size", fmt.Sprintf("the log has %d entries", snap.size)}
	}
	found, err := q.entry(ctx, snap, index, false)
	if err != nil {
		return proof.EntryProof{}, err
	}
	if index >= size {
		return proof.EntryProof{}, &RequestError{"size", "the entry came later"}
	}
	if snap, err = q.at(ctx, snap, size); err != nil {
		return proof.EntryProof{}, err
	}
	return q.prove(ctx, snap, found, false)
}

// at is the snapshot with the checkpoint that the batch ending at a size was committed under.
func (q *Query) at(ctx context.Context, snap snapshot, size uint64) (snapshot, error) {
	ref, end := snap.batchOf(size - 1)
	if end != size {
		return snapshot{}, fmt.Errorf("checkpoint of size %d: %w: the nearest is of size %d", size, ErrNotFound, end)
	}
	if size == snap.size {
		return snap, nil
	}
	m, err := q.cfg.Log.Sealed.Get(ctx, ref.seq)
	if err != nil {
		return snapshot{}, fmt.Errorf("SEALED sequence %d: %w", ref.seq, err)
	}
	c, err := proof.ParseCheckpointUnverified(proof.Parse(m).Batch.Checkpoint)
	if err != nil {
		return snapshot{}, q.remember(corrupt(ref.first, "checkpoint", "%v", err))
	}
	root, err := proof.RootAt(size, q.reader(snap).nodes(ctx))
	if err != nil {
		return snapshot{}, q.remember(err)
	}
	if c.Size != size || c.Root != root {
		return snapshot{}, q.remember(corrupt(ref.first, "checkpoint", "SEALED sequence %d holds another than the one that was verified", ref.seq))
	}
	snap.size, snap.checkpoint = size, c
	return snap, nil
}

func (q *Query) getCounts(w http.ResponseWriter, r *http.Request, p *params) error {
	filter, size, top := p.filter(), p.index("size"), 10
	if _, given := p.values["top"]; given {
		top = int(min(p.number("top", true), MaxTop+1))
	}
	if err := p.end(); err != nil {
		return err
	}
	n := uint64(0)
	if size != nil {
		n = *size
	}
	c, err := q.Tally(filter, n, top)
	if err != nil {
		return err
	}
	return writeJSON(w, c)
}
