package sealer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// derived does what follows from commits and is never waited for: the HEAD cache, the mark file, the tiles, the trimming
// of EVENTS and the sweeping of orphaned payloads. Each of them works on the newest state only, and can be lost without
// harm to the log.
type derived struct {
	s    *Sealer
	jobs []*follower
}

// follower runs one duty, with the newest commit that there is; commits that come while it works are merged.
type follower struct {
	name  string
	every time.Duration // least time between two runs
	do    func(context.Context, commitNote) error

	mu     sync.Mutex
	latest commitNote
	wake   chan struct{}
}

// commitNote is what the duties know of a commit.
type commitNote struct {
	batch  proof.Batch // without leaves
	sealed uint64      // its SEALED sequence
}

func newDerived(s *Sealer) *derived {
	d := &derived{s: s}
	add := func(name string, every time.Duration, do func(context.Context, commitNote) error) {
		d.jobs = append(d.jobs, &follower{name: name, every: every, do: do, wake: make(chan struct{}, 1)})
	}
	add("head", 0, s.putHead)
	if s.cfg.Mark != "" {
		add("mark", 0, func(_ context.Context, c commitNote) error { return writeMark(s.cfg.Mark, c.batch.Checkpoint) })
	}
	if !s.cfg.KeepEvents {
		t := &trimmer{s: s}
		add("trim", max(time.Second, s.cfg.TrimEvery), t.trim)
	}
	w := &sweeper{s: s}
	add("sweep", time.Second, w.sweep)
	tl := &tiler{s: s}
	add("tiles", 0, tl.write)
	return d
}

// run starts the duties; the channel is closed when all have ended.
func (d *derived) run(ctx context.Context) <-chan struct{} {
	var group sync.WaitGroup
	for _, f := range d.jobs {
		group.Go(func() { f.loop(ctx, d.s) })
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	return done
}

func (d *derived) notify(b proof.Batch, sealed uint64) {
	if b.Size == 0 {
		return
	}
	b.Leaves = nil
	for _, f := range d.jobs {
		f.mu.Lock()
		f.latest = commitNote{batch: b, sealed: sealed}
		f.mu.Unlock()
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

func (f *follower) loop(ctx context.Context, s *Sealer) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		f.mu.Lock()
		latest := f.latest
		f.mu.Unlock()
		pause := f.every
		if err := f.do(ctx, latest); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "a duty behind the commit will be tried again", "log", s.identity.log, "duty", f.name, "cause", err)
			pause = max(pause, time.Second)
			select { // again, even if nothing new is committed
			case f.wake <- struct{}{}:
			default:
			}
		}
		if pause > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}
}

// putHead writes the newest checkpoint to the HEAD cache. It is signed, so a lost or an old one deceives nobody.
func (s *Sealer) putHead(ctx context.Context, c commitNote) error {
	return s.cfg.Log.Head.Put(ctx, s.identity.log, c.batch.Checkpoint)
}

// trimmer purges EVENTS behind the commit, in large steps; the message at the input position stays, since the next start
// compares it.
type trimmer struct {
	s    *Sealer
	done uint64
	last time.Time
}

const trimStep = 1024

func (t *trimmer) trim(ctx context.Context, c commitNote) error {
	keep := c.batch.Input.Seq
	if keep < t.done+trimStep && (keep <= t.done || time.Since(t.last) < 10*time.Second) {
		return nil
	}
	p, ok := t.s.cfg.Log.Events.(store.Purger)
	if !ok {
		return nil
	}
	if err := p.PurgeBelow(ctx, keep); err != nil {
		return err
	}
	t.done, t.last = keep, time.Now()
	return nil
}

// sweeper deletes the orphans that crashes and losing sealers left on PAYLOADS: what stands strictly between the payload
// messages that two consecutive batches name. Above the newest named one nothing is touched: it may be on its way.
type sweeper struct {
	s     *Sealer
	at    swept
	known bool
}

// swept is how far the sweeper has come; it stands in CURSORS, and losing it costs a walk over the headers of SEALED.
type swept struct {
	Sealed   uint64 `json:"sealed"`   // SEALED sequence
	Payloads uint64 `json:"payloads"` // the payload sequence that it names
}

func (w *sweeper) sweep(ctx context.Context, c commitNote) error {
	l, key := w.s.cfg.Log, w.s.identity.log+"/sweep"
	if !w.known {
		value, _, err := l.Cursors.Get(ctx, key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && json.Unmarshal(value, &w.at) != nil {
			w.at = swept{}
		}
		w.known = true
	}
	from := w.at
	for seq := w.at.Sealed + 1; seq <= c.sealed; seq++ {
		m, err := l.Sealed.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		b, err := proof.ParseBatch(m)
		if err != nil || b.Payloads < w.at.Payloads {
			continue // void
		}
		if err := w.between(ctx, w.at.Payloads, b.Payloads); err != nil {
			return err
		}
		w.at = swept{seq, b.Payloads}
	}
	if w.at == from {
		return nil
	}
	value, err := json.Marshal(w.at)
	if err != nil {
		return err
	}
	return l.Cursors.Put(ctx, key, value)
}

// between removes the payload messages after a and before b; rewritten ones stand on another subject and stay.
func (w *sweeper) between(ctx context.Context, a, b uint64) error {
	payloads := w.s.cfg.Log.Payloads
	for seq := a + 1; seq < b; seq++ {
		m, err := payloads.Get(ctx, seq)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Subject != payloadsSubject(w.s.identity.log) {
			continue
		} else if err != nil {
			return err
		}
		p, ok := payloads.(store.Purger)
		if !ok {
			return nil
		}
		if err := p.SecureDelete(ctx, seq); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("orphan at PAYLOADS sequence %d: %w", seq, err)
		}
	}
	return nil
}

// tiler writes full tiles of hashes to TILES, each once. They are derived: anyone can make them from the leaves.
type tiler struct {
	s     *Sealer
	size  uint64         // leaves taken in
	rows  [][]entry.Hash // by level, the hashes of the tile that is not full yet
	ready bool
}

const tileWidth = 256

func (t *tiler) write(ctx context.Context, c commitNote) error {
	if !t.ready {
		if err := t.begin(ctx); err != nil {
			return err
		}
	}
	for t.size < c.batch.Size {
		at, err := store.FindBatch(ctx, t.s.cfg.Log, t.size)
		if err != nil {
			return fmt.Errorf("index %d: %w", t.size, err)
		}
		for ; t.size < at.Batch.Size; t.size++ {
			if err := t.add(ctx, 0, t.size, entry.LeafHash(at.Batch.Leaves[t.size-at.Batch.First])); err != nil {
				t.ready = false // begins again behind the last tile that is written
				return err
			}
		}
	}
	return nil
}

// begin finds how many full tiles of the lowest level are written, and reads back what the levels above need of them.
func (t *tiler) begin(ctx context.Context) error {
	t.rows, t.size = nil, 0
	for {
		value, _, err := t.s.cfg.Log.Tiles.Get(ctx, t.key(0, t.size/tileWidth))
		if errors.Is(err, store.ErrNotFound) {
			t.ready = true
			return nil
		} else if err != nil {
			return err
		}
		row, err := parseTile(value)
		if err != nil {
			return err
		}
		if err := t.add(ctx, 1, t.size/tileWidth, proof.PerfectRoot(row)); err != nil {
			return err
		}
		t.size += tileWidth
	}
}

// add takes the n-th hash of a level, and writes the tile that it fills.
func (t *tiler) add(ctx context.Context, level int, n uint64, h entry.Hash) error {
	for len(t.rows) <= level {
		t.rows = append(t.rows, make([]entry.Hash, 0, tileWidth))
	}
	t.rows[level] = append(t.rows[level], h)
	row := t.rows[level]
	if len(row) < tileWidth {
		return nil
	}
	if err := t.put(ctx, t.key(level, n/tileWidth), formatTile(row)); err != nil {
		return err
	}
	up := proof.PerfectRoot(row)
	t.rows[level] = row[:0]
	return t.add(ctx, level+1, n/tileWidth, up)
}

// put writes a tile once. Another one under its key means that someone has another log, or that bytes have changed.
func (t *tiler) put(ctx context.Context, key string, value []byte) error {
	err := t.s.cfg.Log.Tiles.Create(ctx, key, value)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	old, _, err := t.s.cfg.Log.Tiles.Get(ctx, key)
	if err != nil {
		return err
	}
	if string(old) != string(value) {
		t.s.log.ErrorContext(ctx, "a tile differs from the log", "log", t.s.identity.log, "tile", key)
		return fmt.Errorf("tile %s differs from the log", key)
	}
	return nil
}

func (t *tiler) key(level int, n uint64) string {
	return t.s.identity.log + "/" + proof.TilePath(level, n, 0)
}

func formatTile(row []entry.Hash) []byte {
	b := make([]byte, 0, len(row)*32)
	for _, h := range row {
		b = append(b, h[:]...)
	}
	return b
}

func parseTile(b []byte) ([]entry.Hash, error) {
	if len(b) != tileWidth*32 {
		return nil, errors.New("tile of " + strconv.Itoa(len(b)) + " bytes")
	}
	row := make([]entry.Hash, tileWidth)
	for i := range row {
		row[i] = entry.Hash(b[i*32:])
	}
	return row, nil
}
