package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// watch follows SEALED while somebody waits for a seal, and only then: an ingest whose callers are content with stored reads
// nothing. It looks at the headers of each batch and at the checkpoint's signature, and takes leaves apart only where they are
// waited for; the whole chain is the business of followers, and the proof that of the caller.
type watch struct {
	log    *store.Log
	keys   []string
	logger *slog.Logger
	wake   chan struct{} // holds one token when somebody begins to wait

	mu      sync.Mutex
	callers int // between begin and end
	waiting map[uint64]*sealing
	input   proof.Position // how far EVENTS is known to be sealed
	recent  []store.At     // the newest batches, one after the other on SEALED
}

// sealing is one EVENTS message that somebody waits for.
type sealing struct {
	seq       uint64
	positions map[uint64]bool // which of its events
	ready     chan struct{}   // closed once it is sealed
	end       store.At        // the batch that reached its end; Seq 0: not known
	epoch     uint64

	once    sync.Once
	entries map[uint64]outcome
	err     error
}

const (
	recentBatches = 16                     // remembered, so that who comes late finds his batch
	idleReader    = 250 * time.Millisecond // without a caller, after which the reader is closed: it would fall behind, and begin at the end again
	readAtOnce    = 16
)

func newWatch(log *store.Log, keys []string, logger *slog.Logger) *watch {
	return &watch{log: log, keys: keys, logger: logger, wake: make(chan struct{}, 1), waiting: map[uint64]*sealing{}}
}

// begin says that a seal will be waited for, before the event is even sent: so its batch is not missed.
func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.callers++; w.callers == 1 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.callers--; w.callers == 0 {
		clear(w.waiting) // left by callers whose time was up
	}
}

func (w *watch) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.callers == 0
}

// wait registers for positions of a message.
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

// reached says whether all entries of a message are sealed.
func reached(p proof.Position, seq uint64) bool {
	return p.Seq > seq || p.Seq == seq && p.Place == proof.PlaceEnd
}

// finish lets the callers of a message go on. w.mu is held.
func (w *watch) finish(s *sealing) {
	s.epoch = w.input.Epoch
	for _, at := range w.recent {
		if b := at.Batch; b.Input.Epoch == s.epoch && reached(b.Input, s.seq) {
			if first, ok := leafNumber(b.Leaves[0], "input_seq"); ok && first <= s.seq {
				s.end = at
			} // else its end stands before all that is remembered
			break
		}
	}
	delete(w.waiting, s.seq)
	close(s.ready)
}

// run reads while there is a caller, until ctx is done.
func (w *watch) run(ctx context.Context) {
	var r *reading
	defer func() { r.close() }()
	for wait := time.Duration(0); ; {
		if w.idle() {
			r = w.rest(ctx, r)
			if ctx.Err() != nil {
				return
			}
		}
		var err error
		if r, err = w.read(ctx, r); err == nil {
			wait = 0
			continue
		} else if ctx.Err() != nil {
			return
		}
		w.logger.WarnContext(ctx, "ingest: SEALED cannot be read; receipts of sealed events are late", "log", w.log.Name, "cause", err)
		r.close()
		r = nil
		wait = min(max(2*wait, 10*time.Millisecond), time.Second)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// rest waits for a caller, and closes the reader if none comes soon.
func (w *watch) rest(ctx context.Context, r *reading) *reading {
	t := time.NewTimer(idleReader)
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
	next uint64
}

func (r *reading) close() {
	if r != nil {
		r.Close()
	}
}

// read takes the next batches. A reader that is not there, or far behind, is opened at the end of SEALED.
func (w *watch) read(ctx context.Context, r *reading) (*reading, error) {
	if err := w.learnKeys(ctx); err != nil {
		return r, err
	}
	if r == nil {
		info, err := w.log.Sealed.Info(ctx)
		if err != nil {
			return r, err
		}
		from := max(info.Last, 1)
		reader, err := w.log.Sealed.Read(ctx, from)
		if err != nil {
			return r, err
		}
		r = &reading{reader, from}
	}
	messages, err := r.Next(ctx, readAtOnce)
	if err != nil {
		return r, err
	}
	for _, m := range messages {
		r.next = m.Seq + 1
		if at, err := w.open(m); err != nil {
			w.logger.WarnContext(ctx, "ingest: a message on SEALED is skipped", "log", w.log.Name, "sequence", m.Seq, "cause", err)
		} else {
			w.take(at)
		}
	}
	return r, nil
}

// open reads a batch's headers, and checks that the log has signed them.
func (w *watch) open(m entry.Message) (store.At, error) {
	b, err := proof.ParseBatch(m)
	if err != nil {
		return store.At{}, err
	}
	cp, err := proof.OpenCheckpoint(b.Checkpoint, w.keys...)
	if err == nil && (cp.Size != b.Size || cp.Root != b.Root) {
		err = errors.New("the checkpoint is of another size or root")
	}
	return store.At{Seq: m.Seq, Batch: b}, err
}

// take moves on by one batch, and lets go whose messages are sealed. One that does not lie ahead is void, or was seen before.
func (w *watch) take(at store.At) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.recent); n > 0 {
		last := w.recent[n-1]
		switch {
		case at.Batch.Size <= last.Batch.Size:
			return
		case at.Batch.First != last.Batch.Size:
			w.recent = nil // some were passed over
		}
	}
	if len(w.recent) >= recentBatches {
		w.recent = append(w.recent[:0], w.recent[1:]...)
	}
	w.recent = append(w.recent, at)
	w.input = at.Batch.Input
	for seq, s := range w.waiting {
		if reached(w.input, seq) {
			w.finish(s)
		}
	}
}

// learnKeys takes the keys that index 0 names, if none were given.
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

// vkeys are the keys of the log, as far as they are known.
func (w *watch) vkeys() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys
}
