package sealer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/streams/subject"
)

// The lease decides which of several sealers of a log seals. It serves liveness alone. Safety comes
// from the expected last sequence of each commit, with or without a lease. So clocks need not
// agree: the holder writes a new beat every beatInterval, and a standby that has seen the same beat
// for leaseTimeout by its own clock takes over.
//
// A holder that crashes leaves a beat that no longer changes. One that stops cleanly marks its last
// beat as released, and the standby takes over at once.
const (
	beatInterval = 500 * time.Millisecond
	leaseTimeout = 4 * beatInterval
)

// beat is the value of the lease. The term rises with each take-over and the beat within a term, so
// a stale answer of a lagging replica is recognised.
type beat struct {
	Holder   string `json:"holder"` // name of the sealer, for people
	ID       string `json:"id"`     // random, one for each process
	Term     uint64 `json:"term"`
	Beat     uint64 `json:"beat"`
	Released bool   `json:"released,omitempty"`
}

func (b beat) after(c beat) bool { return b.Term > c.Term || b.Term == c.Term && b.Beat > c.Beat }

// lease is one sealer's view of the log's lease. It is not safe for concurrent use.
type lease struct {
	kv          store.KV
	key         string
	holder, id  string
	newest      beat      // the newest beat read
	newestSince time.Time // when newest was first read
	ownBeat     beat      // the newest beat of our own term
}

func newLease(s *Sealer) *lease {
	return &lease{kv: s.cfg.Log.Head, key: subject.Lease(s.identity.logName), holder: s.cfg.Holder, id: uuid.NewString()}
}

// errLeaseTaken reports that another sealer now has the lease.
var errLeaseTaken = errors.New("another sealer has taken the lease")

// acquire takes the lease if it is free or has expired. It reports whether this sealer holds it.
func (l *lease) acquire(ctx context.Context) (bool, error) {
	now, revision, err := l.read(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return l.write(ctx, beat{Term: l.newest.Term + 1}, func(b []byte) error { return l.kv.Create(ctx, l.key, b) })
	} else if err != nil {
		return false, err
	}
	switch {
	case now.ID == l.id && !now.Released: // our write succeeded, but its answer was lost
		l.ownBeat = now
		return true, nil
	case now.after(l.newest):
		l.newest, l.newestSince = now, time.Now()
	}
	if !now.Released && time.Since(l.newestSince) < leaseTimeout {
		return false, nil
	}
	return l.write(ctx, beat{Term: now.Term + 1}, func(b []byte) error { return l.kv.Update(ctx, l.key, b, revision) })
}

// keep writes beats until ctx is done or another sealer has taken over. It goes on while it cannot
// reach the bucket: sealing stays safe without the lease.
func (l *lease) keep(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(beatInterval):
		}
		if err := l.writeNext(ctx, false); errors.Is(err, errLeaseTaken) {
			return err
		}
	}
}

// writeNext writes the next beat of our term.
func (l *lease) writeNext(ctx context.Context, released bool) error {
	now, revision, err := l.read(ctx)
	next := beat{Term: l.ownBeat.Term, Beat: l.ownBeat.Beat + 1, Released: released}
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = l.write(ctx, next, func(b []byte) error { return l.kv.Create(ctx, l.key, b) })
		return err
	case err != nil:
		return err
	case now.ID != l.id && now.Term >= l.ownBeat.Term:
		return errLeaseTaken
	case l.ownBeat.after(now): // a stale answer of a lagging replica
		return nil
	}
	next.Beat = now.Beat + 1 // our own beat, perhaps of a write whose answer was lost
	_, err = l.write(ctx, next, func(b []byte) error { return l.kv.Update(ctx, l.key, b, revision) })
	return err
}

// release marks the lease as free, so that a standby need not wait for it to expire.
func (l *lease) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for {
		before := l.ownBeat
		if err := l.writeNext(ctx, true); err != nil || l.ownBeat.after(before) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(beatInterval / 10):
		}
	}
}

func (l *lease) read(ctx context.Context) (b beat, revision uint64, err error) {
	value, revision, err := l.kv.Get(ctx, l.key)
	if err != nil {
		return b, 0, fmt.Errorf("lease: %w", err)
	}
	// unreadable: it belongs to nobody, and expires like another sealer's
	if err := json.Unmarshal(value, &b); err != nil {
		return beat{Term: l.newest.Term, Beat: l.newest.Beat}, revision, nil
	}
	return b, revision, nil
}

// write reports whether the beat was written. A lost race is no error: the next read shows who won.
func (l *lease) write(ctx context.Context, b beat, put func([]byte) error) (bool, error) {
	b.Holder, b.ID = l.holder, l.id
	text, err := json.Marshal(b)
	if err != nil {
		return false, err
	}
	switch err := put(text); {
	case err == nil:
		l.ownBeat, l.newest, l.newestSince = b, b, time.Now()
		return true, nil
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExists):
		return false, nil
	default:
		return false, fmt.Errorf("lease: %w", err)
	}
}
