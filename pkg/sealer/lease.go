package sealer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/store"
)

// The lease says which of several sealers of a log seals. It is for liveness alone: what keeps two of them from forking the log is the expected
// last sequence of each commit, with or without a lease. So nobody has to agree about the time: the holder writes a new beat every
// leaseBeat, and who has seen the same beat for leaseLapse by a clock of its own takes over.
//
// A holder that dies here leaves a beat that stays the same; one that stops in peace says so in its last beat, and the standby does not wait.
const (
	leaseBeat  = 500 * time.Millisecond
	leaseLapse = 4 * leaseBeat
)

// leaseKey is in the HEAD bucket, which the sealers of a log alone write.
func leaseKey(log string) string { return log + "/lease" }

// beat is what stands under the key. Terms rise with each take-over and beats within a term, so that an answer of a replica that lags is known
// for what it is.
type beat struct {
	Holder   string `json:"holder"` // for people
	ID       string `json:"id"`     // of the process
	Term     uint64 `json:"term"`
	Beat     uint64 `json:"beat"`
	Released bool   `json:"released,omitempty"`
}

func (b beat) after(c beat) bool { return b.Term > c.Term || b.Term == c.Term && b.Beat > c.Beat }

// lease is one sealer's view of it. One goroutine uses it at a time.
type lease struct {
	kv         store.KV
	key        string
	holder, id string
	seen       beat      // the newest that was read
	since      time.Time // when it was first read
	own        beat      // the newest of our own term
}

func newLease(s *Sealer) *lease {
	return &lease{kv: s.cfg.Log.Head, key: leaseKey(s.identity.log), holder: s.cfg.Holder, id: uuid.NewString()}
}

// errLeaseTaken: another sealer has the lease now.
var errLeaseTaken = errors.New("another sealer has taken the lease over")

// try takes the lease if it is free or has lapsed, and says whether it is held now.
func (l *lease) try(ctx context.Context) (bool, error) {
	now, revision, err := l.read(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return l.write(ctx, beat{Term: l.seen.Term + 1}, func(b []byte) error { return l.kv.Create(ctx, l.key, b) })
	} else if err != nil {
		return false, err
	}
	switch {
	case now.ID == l.id && !now.Released: // the answer to our own write was lost
		l.own = now
		return true, nil
	case now.after(l.seen):
		l.seen, l.since = now, time.Now()
	}
	if !now.Released && time.Since(l.since) < leaseLapse {
		return false, nil
	}
	return l.write(ctx, beat{Term: now.Term + 1}, func(b []byte) error { return l.kv.Update(ctx, l.key, b, revision) })
}

// keep writes beats until ctx is done, or until another sealer has taken over. That it cannot reach the bucket is no reason to stop sealing.
func (l *lease) keep(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(leaseBeat):
		}
		if err := l.again(ctx, false); errors.Is(err, errLeaseTaken) {
			return err
		}
	}
}

// again writes the next beat of our term.
func (l *lease) again(ctx context.Context, released bool) error {
	now, revision, err := l.read(ctx)
	next := beat{Term: l.own.Term, Beat: l.own.Beat + 1, Released: released}
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = l.write(ctx, next, func(b []byte) error { return l.kv.Create(ctx, l.key, b) })
		return err
	case err != nil:
		return err
	case now.ID != l.id && now.Term >= l.own.Term:
		return errLeaseTaken
	case l.own.after(now): // a replica that lags
		return nil
	}
	next.Beat = now.Beat + 1 // ours, perhaps of a write whose answer was lost
	_, err = l.write(ctx, next, func(b []byte) error { return l.kv.Update(ctx, l.key, b, revision) })
	return err
}

// release tells the standby that it need not wait.
func (l *lease) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for {
		before := l.own
		if err := l.again(ctx, true); err != nil || l.own.after(before) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(leaseBeat / 10):
		}
	}
}

func (l *lease) read(ctx context.Context) (b beat, revision uint64, err error) {
	value, revision, err := l.kv.Get(ctx, l.key)
	if err != nil {
		return b, 0, fmt.Errorf("lease: %w", err)
	}
	if err := json.Unmarshal(value, &b); err != nil { // nobody's: it lapses like another's
		return beat{Term: l.seen.Term, Beat: l.seen.Beat}, revision, nil
	}
	return b, revision, nil
}

// write says whether the beat is written. That somebody was faster is no error: the next read tells who.
func (l *lease) write(ctx context.Context, b beat, put func([]byte) error) (bool, error) {
	b.Holder, b.ID = l.holder, l.id
	text, err := json.Marshal(b)
	if err != nil {
		return false, err
	}
	switch err := put(text); {
	case err == nil:
		l.own, l.seen, l.since = b, b, time.Now()
		return true, nil
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrExists):
		return false, nil
	default:
		return false, fmt.Errorf("lease: %w", err)
	}
}
