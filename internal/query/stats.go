package query

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/api"
)

// StatsFor is Stats of what the caller of a request sees. The size and the root are always those of
// the log.
func (q *Query) StatsFor(ctx context.Context) (api.Stats, error) {
	s := q.Stats()
	if q.sightOf(ctx) == nil {
		return s, nil
	}
	if leaseOf(ctx) == nil {
		share, err := q.reads.take(ctx, q.countsCost(), false)
		if err != nil {
			return api.Stats{}, err
		}
		defer share.leave()
	}
	c, err := q.Tally(ctx, api.Filter{}, 0, 0)
	if err != nil {
		return api.Stats{}, err
	}
	s.EventTypes, s.OtherTypes, s.Actions, s.Outcomes, s.Agents = c.Types, 0, c.Actions, c.Outcomes, int(c.Agents)
	s.FirstReceivedAt, s.LastReceivedAt, err = q.receivedAt(ctx, c)
	s.Index.Void, s.Index.Unreadable = []uint64{}, 0
	if s.Index.Error != nil { // it may name a withheld entry
		why := "see the server's log"
		s.Index.Error = &why
	}
	return s, err
}

// receivedAt returns when the log received the first and the last entry that were counted.
func (q *Query) receivedAt(ctx context.Context, c api.Counts) (first, last string, err error) {
	if c.First == nil {
		return "", "", nil
	}
	f, err := q.Entry(ctx, *c.First)
	if err != nil {
		return "", "", err
	}
	l, err := q.Entry(ctx, *c.Last)
	return f.Entry.ReceivedAt, l.Entry.ReceivedAt, err
}

// Stats describes the content of the log. It is computed from the index and never fails.
func (q *Query) Stats() api.Stats {
	status := q.Status()
	q.mu.RLock()
	defer q.mu.RUnlock()
	x := q.index
	s := api.Stats{
		Log: q.cfg.Log.Name, Origin: x.checkpoint.Origin, Keys: slices.Clone(q.cfg.Keys), TreeSize: x.size,
		Root:       x.root().String(),
		Durability: q.cfg.Durability, EventTypes: x.types.clone(), OtherTypes: x.types.other, Actions: x.actions.clone(),
		Outcomes: x.outcomes.clone(), Agents: len(x.agents), FirstReceivedAt: x.received[0], LastReceivedAt: x.received[1],
		Index: api.IndexStats{
			Ready: status.Err == nil, Valid: !status.Corrupt && status.DataErr == nil, Unreadable: status.Unreadable,
			Rechecking: status.Rechecking, SealedSeq: status.SealedSeq, Lag: status.Lag,
			Void: append([]uint64{}, status.Void...),
		},
	}
	if len(s.Keys) == 0 {
		s.Keys = append([]string{}, x.keys...)
	}
	if err := cmp.Or(status.Err, status.DataErr); err != nil {
		why := err.Error()
		s.Index.Error = &why
	}
	return s
}

func (t *tally) clone() map[string]uint64 {
	if t.counts == nil {
		return map[string]uint64{}
	}
	return maps.Clone(t.counts)
}
