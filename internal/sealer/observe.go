package sealer

import (
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
)

// Commit describes one committed batch for Config.Observe.
type Commit struct {
	Entries int            // number of leaves
	Bytes   int            // size of the leaves with their line feeds
	Own     map[string]int // entries of the log's own event types, by type; nil if there are none
	Took    time.Duration  // time from the append to its acknowledgement
	// Age is the time since the broker stored the newest sealed message. It compares two clocks, and
	// is never negative.
	Age time.Duration
}

// count counts an entry of the log's own types.
func (b *batch) count(eventType string) {
	if !strings.HasPrefix(eventType, ruleset.OwnPrefix) {
		return
	}
	if b.ownTypes == nil {
		b.ownTypes = map[string]int{}
	}
	b.ownTypes[eventType]++
}

func (s *Sealer) observe(b *batch, took time.Duration) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(
			Commit{
				Entries: len(b.Leaves), Bytes: b.leafBytes, Own: b.ownTypes, Took: took, Age: max(0, time.Since(b.Input.Time)),
			},
		)
	}
}
