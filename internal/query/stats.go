package query

import (
	"cmp"
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/api"
)

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
