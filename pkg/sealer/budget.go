package sealer

import (
	"context"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
)

// maxRead bounds the EVENTS messages that are read and not sequenced yet, in bytes: messages can be nearly 1 MiB, and a backlog is as long as
// EVENTS. What the reader itself holds ahead comes on top, and the batches in flight.
const maxRead = 32 << 20

// messageCost is what a message costs beside its bytes.
const messageCost = 1 << 10

// budget is a semaphore of bytes, of one who takes and one who gives.
type budget struct {
	mu    sync.Mutex
	most  int
	used  int
	peak  int
	freed chan struct{} // closed and replaced when something is given back
}

func newBudget(most int) *budget { return &budget{most: most, freed: make(chan struct{})} }

// take waits until messages fit, or nothing else is out; it returns what to give back.
func (b *budget) take(ctx context.Context, messages []entry.Message) (int, error) {
	n := 0
	for i := range messages {
		n += messageCost + len(messages[i].Data)
	}
	for {
		freed, ok := b.try(n)
		if ok {
			return n, nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

func (b *budget) try(n int) (<-chan struct{}, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used > 0 && b.used+n > b.most {
		return b.freed, false
	}
	b.used += n
	b.peak = max(b.peak, b.used)
	return nil, true
}

func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	close(b.freed)
	b.freed = make(chan struct{})
}
