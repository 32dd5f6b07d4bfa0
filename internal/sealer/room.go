package sealer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// capacity is how many bytes SEALED and PAYLOADS accept before they are full. The sealer counts
// what it sends and sends no payloads of a batch for which SEALED has no room, since each attempt
// would leave an orphan. Space that others free shows at the next measure. Space that others use
// shows as a refused append.
type capacity struct{ sealed, payloads uint64 }

// headerBytes exceeds what the subject, the headers of fixed length and JetStream's own record add
// to a message.
const headerBytes = 1024

// needs returns an upper bound of the space that a batch takes.
func needs(b *batch) capacity {
	frontier := len(b.Frontier) * (2*len(entry.Hash{}) + 1)
	checkpoint := base64.StdEncoding.EncodedLen(len(b.Checkpoint))
	need := capacity{sealed: uint64(headerBytes + b.leafBytes + frontier + checkpoint)}
	if len(b.payloads) > 0 {
		need.payloads = uint64(headerBytes + len(b.payloads))
	}
	return need
}

// measure asks the streams for their free space.
func (s *Sealer) measure(ctx context.Context) (r capacity, err error) {
	for _, x := range []struct {
		name   string
		stream store.Stream
		free   *uint64
	}{{"sealed", s.cfg.Log.Sealed, &r.sealed}, {"payloads", s.cfg.Log.Payloads, &r.payloads}} {
		size, err := store.SizeOf(ctx, x.stream)
		if err != nil {
			return r, fmt.Errorf("%s stream: %w", x.name, err)
		}
		limited := false
		if *x.free, limited = size.Free(); !limited {
			*x.free = math.MaxUint64
		}
	}
	return r, nil
}

// errNoCapacity reports that a batch does not fit, by the sealer's count.
type errNoCapacity struct{ need, have capacity }

func (e *errNoCapacity) Error() string {
	if e.need.sealed > e.have.sealed {
		return fmt.Sprintf("SEALED has room for %d bytes, and the next batch takes %d: raise its limit",
			e.have.sealed, e.need.sealed)
	}
	return fmt.Sprintf("PAYLOADS has room for %d bytes, and the next batch takes %d: raise its limit",
		e.have.payloads, e.need.payloads)
}

func (e *errNoCapacity) Unwrap() error { return store.ErrFull }

func (r capacity) fits(need capacity) bool {
	return need.sealed <= r.sealed && need.payloads <= r.payloads
}

// reserve reserves space for a batch before any of it is sent. If too little is left, it waits for
// the batches before it and measures again.
func (s *Sealer) reserve(ctx context.Context, b *batch, batches chan<- *batch) error {
	need := needs(b)
	if !s.room.fits(need) {
		err := s.waitCommitted(ctx, batches)
		if err != nil {
			return err
		}
		if s.room, err = s.measure(ctx); err != nil {
			return err
		}
	}
	if !s.room.fits(need) {
		return &errNoCapacity{need, s.room}
	}
	s.room.sealed -= need.sealed
	s.room.payloads -= need.payloads
	return nil
}

const (
	capacityInterval = time.Second      // time between two measurements
	refusalWait      = 10 * time.Second // wait after a refusal that no stream's own limit explains
)

// awaitRoom waits, after an error that wraps ErrFull, until there is space again. If the cause is
// not visible, such as an account's limit, it waits refusalWait.
func (s *Sealer) awaitRoom(ctx context.Context, err error) {
	start := time.Now()
	short, counted := errors.AsType[*errNoCapacity](err)
	for {
		switch have, err := s.measure(ctx); {
		case err != nil: // the next session reports it
			return
		case counted && have.fits(short.need):
			return
		case counted:
			full := &errNoCapacity{short.need, have}
			s.update(func(st *Status) { st.Err = full })
		case time.Since(start) >= refusalWait:
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(capacityInterval):
		}
	}
}

// withdraw deletes the payloads of batches that were sent and certainly not committed, because a
// stream refused an append. Otherwise each retry would leave them behind. It must not be called
// while a batch is being written.
func (s *Sealer) withdraw(ctx context.Context) {
	p, ok := s.cfg.Log.Payloads.(store.Purger)
	ctx, cancel := context.WithTimeout(ctx, withdrawTimeout)
	defer cancel()
	if info, err := s.cfg.Log.Sealed.Info(ctx); !ok || err != nil || info.Last != s.tail.lastRead {
		return // another sealer has written: the sweeper will know which payloads are named
	}
	for _, sent := range s.sent {
		if sent.wait(ctx) != nil || sent.seq <= s.named() {
			continue // refused, or committed
		}
		if err := p.SecureDelete(ctx, sent.seq); err != nil && !errors.Is(err, store.ErrNotFound) {
			s.logger.WarnContext(ctx, "sealer could not delete payloads that no batch names; the sweeper will", "log",
				s.identity.logName, "sequence", sent.seq, "cause", err)
		}
	}
}

const withdrawTimeout = 5 * time.Second
