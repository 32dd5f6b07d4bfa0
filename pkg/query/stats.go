package query

import (
	"maps"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Stats is what the log holds, and how this service fares.
type Stats struct {
	Log        string   `json:"log"`
	Origin     string   `json:"origin"`
	Keys       []string `json:"keys"` // verifier keys that the log is checked with
	TreeSize   uint64   `json:"tree_size"`
	Root       string   `json:"root"`
	Durability string   `json:"durability,omitempty"`

	EventTypes      map[string]uint64 `json:"event_types"` // the first 256 that occurred
	OtherTypes      uint64            `json:"other_event_types"`
	Actions         map[string]uint64 `json:"actions"`
	Outcomes        map[string]uint64 `json:"outcomes"`
	Agents          int               `json:"agents"` // how many, the log itself among them
	FirstReceivedAt string            `json:"first_received_at,omitempty"`
	LastReceivedAt  string            `json:"last_received_at,omitempty"`

	Index IndexStats `json:"index"`
}

// IndexStats is how the follower of the log fares.
type IndexStats struct {
	Ready     bool     `json:"ready"`
	Valid     bool     `json:"valid"`      // nothing was seen that does not verify
	Error     *string  `json:"error"`      // why it is not well; null: it is
	SealedSeq uint64   `json:"sealed_seq"` // SEALED sequence followed up to
	Lag       uint64   `json:"lag"`        // SEALED messages behind
	Void      []uint64 `json:"void"`       // SEALED sequences of void messages, the first 100
}

// Stats tells what the log holds. It is answered from the index, at any time.
func (q *Query) Stats() Stats {
	status := q.Status()
	q.mu.RLock()
	defer q.mu.RUnlock()
	x := q.index
	s := Stats{
		Log: q.cfg.Log.Name, Origin: x.checkpoint.Origin, Keys: slices.Clone(q.cfg.Keys), TreeSize: x.size, Root: entry.FormatHash(x.root()),
		Durability: q.cfg.Durability, EventTypes: x.types.clone(), OtherTypes: x.types.other, Actions: x.actions.clone(),
		Outcomes: x.outcomes.clone(), Agents: len(x.agents), FirstReceivedAt: x.received[0], LastReceivedAt: x.received[1],
		Index: IndexStats{
			Ready: status.Err == nil, Valid: !status.Corrupt, SealedSeq: status.SealedSeq, Lag: status.Lag,
			Void: append([]uint64{}, status.Void...),
		},
	}
	if len(s.Keys) == 0 {
		s.Keys = append([]string{}, x.keys...)
	}
	if status.Err != nil {
		why := status.Err.Error()
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
