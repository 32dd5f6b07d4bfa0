package sealer

import (
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Commit is one batch that became a SEALED message, as Config.Observe is told of it.
type Commit struct {
	Entries int            // leaves
	Bytes   int            // of leaves, with their line feeds
	Own     map[string]int // entries of the log's own types among them, by event type; nil: none
	Took    time.Duration  // from the append to its acknowledgement
	Age     time.Duration  // since the broker stored the newest message that was sealed, by the clocks of both
}

// count notes an entry for Commit.
func (b *batch) count(eventType string) {
	if !strings.HasPrefix(eventType, entry.OwnPrefix) {
		return
	}
	if b.own == nil {
		b.own = map[string]int{}
	}
	b.own[eventType]++
}

func (s *Sealer) observe(b *batch, took time.Duration) {
	if s.cfg.Observe != nil {
		s.cfg.Observe(Commit{Entries: len(b.Leaves), Bytes: b.leafBytes, Own: b.own, Took: took, Age: max(0, time.Since(b.Input.Time))})
	}
}
