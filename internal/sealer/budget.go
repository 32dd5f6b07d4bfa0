package sealer

import (
	"context"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
)

// maxRead limits the EVENTS messages that are read and not sequenced yet, in bytes. A message can
// be nearly 1 MiB, and a backlog as long as EVENTS. The reader's own buffer and the batches in
// flight come on top.
const maxRead = 32 << 20

// messageCost is the memory that a message takes besides its data, in bytes.
const messageCost = 1 << 10

// budget is a semaphore that counts bytes, for one goroutine that takes and one that releases.
type budget struct {
	mu    sync.Mutex
	limit int
	used  int
	peak  int
	freed chan struct{} // closed and replaced by each release
}

func newBudget(limit int) *budget { return &budget{limit: limit, freed: make(chan struct{})} }

// take waits until the messages fit, or nothing else is taken. It returns the bytes to release.
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
	if b.used > 0 && b.used+n > b.limit {
		return b.freed, false
	}
	b.used += n
	b.peak = max(b.peak, b.used)
	return nil, true
}

func (b *budget) release(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	close(b.freed)
	b.freed = make(chan struct{})
}
