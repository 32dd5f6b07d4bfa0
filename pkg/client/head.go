package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// head is what the client knows of the log: its keys, and the newest checkpoint that it has
// verified. Every other checkpoint must be consistent with that one, so a server cannot show this
// client two logs.
type head struct {
	api    *httpAPI
	ctx    context.Context // of the client; requests that callers share end with it
	base   string
	path   string // of the state; "": none
	pinned bool   // the keys were given

	firstUse bool // reading trusts the keys that the server names at first use

	// rollBackAfter is how long a server may know less than this client has seen, as after its
	// restart, before that counts as a rolled back log.
	rollBackAfter time.Duration

	mu        sync.Mutex // held for no longer than it takes to look: never during a request
	ring      keyring
	newest    proof.Checkpoint      // Size 0: none
	unsaved   bool                  // newest or the keys are not in the file yet
	seen      map[uint64]entry.Hash // roots of sizes that are known to be consistent with newest
	sightings map[sighted]*sighting

	saving sync.Mutex // held while the state is written
}

// openHead makes a head, which resumes what the state says.
func openHead(ctx context.Context, cfg Config, a *httpAPI) (*head, error) {
	h := &head{
		api:           a,
		ctx:           ctx,
		base:          strings.TrimRight(cfg.Server, "/"),
		path:          cfg.State,
		firstUse:      cfg.TrustFirstUse,
		seen:          map[uint64]entry.Hash{},
		sightings:     map[sighted]*sighting{},
		rollBackAfter: 10 * time.Second,
	}
	if keys := cfg.keys(); len(keys) > 0 {
		h.pinned = true
		if err := h.ring.trust(keys...); err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
	}
	if h.path == "" {
		return h, nil
	}
	if err := h.resume(); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return h, nil
}

// size is that of the newest checkpoint that was seen.
func (h *head) size() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.newest.Size
}

// known is the newest checkpoint that was seen, if there is one.
func (h *head) known() []proof.Checkpoint {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newest.Size == 0 {
		return nil
	}
	return []proof.Checkpoint{h.newest}
}

// sighted names a checkpoint.
type sighted struct {
	origin string
	size   uint64
	root   entry.Hash
}

// sighting is a checkpoint that is being compared with those seen before. It ends when the last of
// its callers has left.
type sighting struct {
	checkpoint proof.Checkpoint
	prefix     func(size uint64) (entry.Hash, bool) // as in extend; nil: nothing is known
	callers    int                                  // guarded by the head's mu
	cancel     context.CancelFunc
	once       sync.Once
	done       chan struct{} // closed when err is known
	err        error
}

func (s *sighting) end(err error) {
	s.once.Do(func() { s.err = err; close(s.done) })
	s.cancel()
}

// see takes a checkpoint whose signature is verified already: it must be one log with all that were
// seen before. Callers with the same checkpoint share one request.
func (h *head) see(ctx context.Context, cp proof.Checkpoint) error { return h.seeBy(ctx, cp, nil) }

// seeBy is see. If prefix, which extend describes, comes to be enough while the request is under
// way, callers do not wait for it.
func (h *head) seeBy(ctx context.Context, cp proof.Checkpoint, prefix func(uint64) (entry.Hash, bool)) error {
	if of := ruleset.LogOf(cp.Origin); of != h.api.log {
		return fmt.Errorf("%w: a checkpoint of %.80q, not of log %.40q", ErrProof, cp.Origin, h.api.log)
	}
	name := sighted{cp.Origin, cp.Size, cp.Root}
	h.mu.Lock()
	if h.fits(cp) && (h.path == "" || !h.unsaved) {
		h.mu.Unlock()
		return nil
	}
	s := h.sightings[name]
	if s == nil && h.ring.replaced(cp) {
		h.mu.Unlock()
		return fmt.Errorf("%w: a checkpoint of size %d is signed only by keys that the log has replaced", ErrProof, cp.Size)
	}
	if s == nil {
		var shared context.Context
		s = &sighting{checkpoint: cp, prefix: prefix, done: make(chan struct{})}
		shared, s.cancel = context.WithCancel(h.ctx)
		h.sightings[name] = s
		go h.settle(shared, name, s, cp)
	}
	s.callers++
	h.mu.Unlock()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		h.leave(name, s)
		return h.api.cause(context.Cause(ctx))
	}
}

// settle finds out what becomes of a sighting.
func (h *head) settle(ctx context.Context, name sighted, s *sighting, cp proof.Checkpoint) {
	err := h.compare(ctx, cp, s.prefix != nil)
	if err == nil {
		h.succeed(ctx, cp)
		err = h.save(ctx)
	}
	if h.ctx.Err() != nil {
		err = ErrClosed
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sightings[name] == s {
		delete(h.sightings, name)
	}
	s.end(err)
}

// leave ends a sighting that nobody waits for any more.
func (h *head) leave(name sighted, s *sighting) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.callers--; s.callers > 0 {
		return
	}
	s.cancel()
	if h.sightings[name] == s {
		delete(h.sightings, name)
	}
}

// fits reports whether a checkpoint is known to be consistent with the newest one. The caller holds
// mu.
func (h *head) fits(cp proof.Checkpoint) bool {
	root, ok := h.seen[cp.Size]
	return ok && root == cp.Root && cp.Origin == h.newest.Origin
}

// compare proves that a checkpoint is of one log with the newest one, and takes it. While it asks,
// others may take a newer one: a checkpoint that was proven to be a prefix of the older one is a
// prefix of that, too. The server may be behind a checkpoint that came with a receipt.
func (h *head) compare(ctx context.Context, cp proof.Checkpoint, receipt bool) error {
	for {
		h.mu.Lock()
		newest, fits := h.newest, h.fits(cp)
		h.mu.Unlock()
		if fits {
			return nil
		}
		if err := h.oneLog(ctx, newest, cp, receipt); err != nil {
			return err
		}
		h.mu.Lock()
		taken := cp.Size <= newest.Size || h.newest.Size == newest.Size
		if taken {
			h.take(cp)
			h.goOn()
		}
		h.mu.Unlock()
		if taken {
			return nil
		}
	}
}

// take notes a checkpoint that is consistent with the newest one. The caller holds mu.
func (h *head) take(cp proof.Checkpoint) {
	if len(h.seen) >= 1024 {
		clear(h.seen)
	}
	h.seen[cp.Size] = cp.Root
	if cp.Size > h.newest.Size {
		h.newest, h.unsaved = cp, true
	}
}

// extend takes a checkpoint whose signature is verified, if what came with it shows that it
// continues the newest one. prefix returns the root that its tree had at an earlier size, if that
// is known. Otherwise extend does nothing: see then asks the server.
func (h *head) extend(cp proof.Checkpoint, prefix func(size uint64) (entry.Hash, bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.continues(cp, prefix) {
		h.take(cp)
		h.found(sighted{cp.Origin, cp.Size, cp.Root})
		h.goOn()
	}
}

// found ends the wait for a checkpoint that was taken, unless the state must be written. The caller
// holds mu.
func (h *head) found(name sighted) {
	if s := h.sightings[name]; s != nil && h.path == "" {
		delete(h.sightings, name)
		s.end(nil)
	}
}

// goOn takes the checkpoints that wait and continue the newest one, one after the other. The
// caller holds mu.
func (h *head) goOn() {
	for name, s := range h.sightings {
		if s.prefix == nil || !h.continues(s.checkpoint, s.prefix) {
			continue
		}
		h.take(s.checkpoint)
		h.found(name)
		h.goOn()
		return
	}
}

// continues reports whether a checkpoint continues the newest one. It is false for one that has
// other signers than the last one, since see must learn which keys are active then. The caller
// holds mu.
func (h *head) continues(cp proof.Checkpoint, prefix func(size uint64) (entry.Hash, bool)) bool {
	if h.newest.Size == 0 || cp.Origin != h.newest.Origin || !slices.Equal(signersOf(cp), h.ring.signers) ||
		h.ring.replaced(cp) {
		return false
	}
	root, ok := prefix(h.newest.Size)
	return ok && root == h.newest.Root
}

// oneLog proves that the smaller of two checkpoints is of a prefix of the other's log.
func (h *head) oneLog(ctx context.Context, newest, cp proof.Checkpoint, receipt bool) error {
	switch {
	case newest.Size == 0: // cp is the first one
		return nil
	case cp.Origin != newest.Origin:
		return fmt.Errorf("%w: it is %.80q, and was %.80q", ErrFork, cp.Origin, newest.Origin)
	case cp.Size < newest.Size:
		return h.consistent(ctx, cp, newest)
	case receipt:
		return h.consistentWithin(ctx, catchUp, ErrProof, newest, cp)
	}
	return h.consistent(ctx, newest, cp)
}

// keys of a Config, each once.
func (c *Config) keys() (keys []string) {
	for _, key := range append([]string{c.Key}, c.Keys...) {
		if key = strings.TrimSpace(key); key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}
