package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// watch follows SEALED, but only while a caller waits for a seal. It verifies each batch's headers
// and checkpoint signature, and parses only the leaves that callers wait for. Verifying the whole
// chain is the task of followers, and verifying a proof that of the caller.
type watch struct {
	log    *store.Log
	keys   []string
	logger *slog.Logger
	wake   chan struct{} // holds one token when a caller starts to wait

	mu      sync.Mutex
	callers int // callers between addCaller and removeCaller
	waiting map[uint64]*sealing
	input   sealedlog.Position // newest input position known to be sealed
	recent  []*held            // the newest consecutive batches
}

// sealing is one EVENTS message that callers wait for.
type sealing struct {
	seq       uint64
	positions map[uint64]bool // positions of the events they wait for
	ready     chan struct{}   // closed once it is sealed
	end       *held           // the batch with the end of the message; nil if unknown
	epoch     uint64

	once    sync.Once
	entries map[uint64]outcome
	err     error
}

const (
	recentBatches = 16 // kept for callers that register after their batch was read
	// time without a caller after which the reader is closed: it would fall behind
	readerIdleTimeout = 250 * time.Millisecond
	readSize          = 16
	// messages that are read before the newest one: each gives the frontier for the proofs of the next
	readBack = 3
)

func newWatch(log *store.Log, keys []string, logger *slog.Logger) *watch {
	return &watch{log: log, keys: keys, logger: logger, wake: make(chan struct{}, 1), waiting: map[uint64]*sealing{}}
}

// addCaller registers a caller before its events are sent, so that their batch is not missed.
func (w *watch) addCaller() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.callers++; w.callers == 1 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *watch) removeCaller() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.callers--; w.callers == 0 {
		clear(w.waiting) // left by callers that timed out
	}
}

func (w *watch) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.callers == 0
}

// wait registers interest in positions of a message.
func (w *watch) wait(seq uint64, positions []uint64) *sealing {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.waiting[seq]
	if s == nil {
		s = &sealing{seq: seq, positions: map[uint64]bool{}, ready: make(chan struct{})}
		w.waiting[seq] = s
	}
	for _, p := range positions {
		s.positions[p] = true
	}
	if reached(w.input, seq) {
		w.finish(s)
	}
	return s
}

// reached reports whether all entries of a message are sealed.
func reached(p sealedlog.Position, seq uint64) bool {
	return p.Seq > seq || p.Seq == seq && p.Place == sealedlog.PlaceEnd
}

// finish releases the callers of a message. w.mu is held.
func (w *watch) finish(s *sealing) {
	s.epoch = w.input.Epoch
	for _, at := range w.recent {
		if b := &at.Batch; b.Input.Epoch == s.epoch && reached(b.Input, s.seq) {
			if first, ok := leafNumber(b.Leaves[0], "input_seq"); ok && first <= s.seq {
				s.end = at
			} // otherwise its end is before the recent batches
			break
		}
	}
	delete(w.waiting, s.seq)
	close(s.ready)
}

// run reads SEALED while there is a caller, until ctx is done.
func (w *watch) run(ctx context.Context) {
	var r *reading
	defer func() { r.close() }()
	for pauses := retry.New(10*time.Millisecond, time.Second); ; {
		if w.idle() {
			r = w.awaitCaller(ctx, r)
			if ctx.Err() != nil {
				return
			}
		}
		var err error
		if r, err = w.read(ctx, r); err == nil {
			pauses.Reset()
			continue
		} else if ctx.Err() != nil {
			return
		}
		w.logger.WarnContext(ctx, "ingest cannot read SEALED; receipts of sealed events are late",
			"log", w.log.Name, "cause", err)
		r.close()
		r = nil
		if pauses.Wait(ctx, 0) != nil {
			return
		}
	}
}

// awaitCaller waits for a caller, and closes the reader after readerIdleTimeout.
func (w *watch) awaitCaller(ctx context.Context, r *reading) *reading {
	t := time.NewTimer(readerIdleTimeout)
	defer t.Stop()
	for w.idle() {
		select {
		case <-ctx.Done():
			return r
		case <-w.wake:
		case <-t.C:
			r.close()
			r = nil
		}
	}
	return r
}

// reading is an open reader of SEALED.
type reading struct {
	store.Reader
	next   uint64
	newest uint64 // the end of SEALED when it was opened
}

func (r *reading) close() {
	if r != nil {
		r.Close()
	}
}

// read reads the next batches. Without a reader, it opens one at the end of SEALED.
func (w *watch) read(ctx context.Context, r *reading) (*reading, error) {
	if err := w.learnKeys(ctx); err != nil {
		return r, err
	}
	if r == nil {
		info, err := w.log.Sealed.Info(ctx)
		if err != nil {
			return r, err
		}
		from := max(info.Last, readBack+1) - readBack
		reader, err := w.log.Sealed.Read(ctx, from)
		if err != nil {
			return r, err
		}
		r = &reading{reader, from, info.Last}
	}
	messages, err := r.Next(ctx, readSize)
	if err != nil {
		return r, err
	}
	for _, m := range messages {
		r.next = m.Seq + 1
		if at, err := w.open(m); err != nil {
			w.logger.WarnContext(ctx, "ingest skips a message on SEALED", "log", w.log.Name,
				"sequence", m.Seq, "cause", err)
		} else {
			w.take(hold(at), m.Seq >= r.newest)
		}
	}
	return r, nil
}

// open parses a batch and verifies the log's signature on its checkpoint.
func (w *watch) open(m entry.Message) (store.At, error) {
	b, err := sealedlog.ParseBatch(m)
	if err != nil {
		return store.At{}, err
	}
	cp, err := proof.OpenCheckpoint(b.Checkpoint, w.keys...)
	if err == nil && (cp.Size != b.Size || cp.Root != b.Root) {
		err = errors.New("the checkpoint is of another size or root")
	}
	return store.At{Seq: m.Seq, Batch: b}, err
}

// take adds a batch and releases the callers whose messages are sealed. It ignores a batch that
// does not extend the newest one: it is void or was seen before. Batches before the newest one give
// no more than the frontier for proofs: their input may be of another epoch, in which a caller's
// sequence was another message.
func (w *watch) take(at *held, newest bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.recent); n > 0 {
		last := w.recent[n-1]
		switch {
		case at.Batch.Size <= last.Batch.Size:
			return
		case at.Batch.First != last.Batch.Size:
			w.recent = nil // some batches were skipped
		default:
			at.follow(last)
		}
	}
	if len(w.recent) >= recentBatches {
		w.recent = append(w.recent[:0], w.recent[1:]...)
	}
	w.recent = append(w.recent, at)
	if !newest {
		return
	}
	w.input = at.Batch.Input
	for seq, s := range w.waiting {
		if reached(w.input, seq) {
			w.finish(s)
		}
	}
}

// learnKeys reads the keys that index 0 names, if none were configured.
func (w *watch) learnKeys(ctx context.Context) error {
	if len(w.keys) > 0 {
		return nil
	}
	at, err := store.FindBatch(ctx, w.log, 0)
	if err != nil {
		return err
	}
	e, err := entry.ParseEntry(at.Batch.Leaves[0])
	if err != nil {
		return err
	}
	c, ok := e.Detail.(*entry.Config)
	if !ok {
		return fmt.Errorf("index 0 is of type %q", e.EventType)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys = c.Keys
	return nil
}

// verifierKeys returns the verifier keys known so far.
func (w *watch) verifierKeys() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys
}
