package query

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Verdict is what a full audit of the log found.
type Verdict struct {
	Valid         bool    `json:"valid"`
	Error         *string `json:"error"`           // what does not verify; null: nothing
	FirstBadIndex *uint64 `json:"first_bad_index"` // null: there is none
	TreeSize      uint64  `json:"tree_size"`       // up to which the log verifies
	Root          string  `json:"root"`            // of that size
}

// Verify audits the whole log again, from SEALED and PAYLOADS as they stand now: every leaf, hash, payload and signature, and that
// the log still begins with the newest checkpoint that was seen here. It reads everything, and never trusts the index. One audit runs at
// a time; callers that come meanwhile share the next one. The error is trouble of the store, or ctx's.
func (q *Query) Verify(ctx context.Context) (Verdict, error) { return q.audits.wait(ctx) }

// audit is one run.
func (q *Query) audit(ctx context.Context) (Verdict, error) {
	q.mu.RLock()
	size, cp, known := q.index.size, q.index.checkpoint, []proof.Checkpoint(nil)
	q.mu.RUnlock()
	if size > 0 {
		known = append(known, cp)
	}
	report, err := store.Audit(ctx, q.cfg.Log, proof.AuditConfig{Keys: q.cfg.Keys, Known: known})
	v := Verdict{TreeSize: report.Size, Root: entry.FormatHash(report.Root)}
	if m, ok := errors.AsType[*proof.MismatchError](err); ok {
		m = q.pinpoint(ctx, m)
		why := m.Error()
		v.Error, v.FirstBadIndex = &why, &m.Index
		if v.TreeSize > m.Index {
			v.TreeSize, v.Root = q.rootAt(ctx, m.Index)
		}
		q.log.ErrorContext(ctx, "the log does not verify", "log", q.cfg.Log.Name, "cause", m)
		q.remember(&CorruptError{m})
		return v, nil
	} else if err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	v.Valid = true
	q.set(func() { q.state.altered = nil })
	return v, nil
}

// pinpoint names the leaf that was altered, where an audit can only tell the batch: its hash was verified here before.
func (q *Query) pinpoint(ctx context.Context, m *proof.MismatchError) *proof.MismatchError {
	q.mu.RLock()
	snap := q.index.snapshot()
	q.mu.RUnlock()
	if m.Index >= snap.size {
		return m
	}
	r := reader{Query: q, snapshot: snap, cache: newCache[cacheKey](0)}
	ref, end := r.batchOf(m.Index)
	body, err := r.sealed(ctx, ref)
	if err != nil {
		return m
	}
	for x := ref.first; x < end; x++ {
		_, err = body.entry(x)
		if c, ok := errors.AsType[*CorruptError](err); ok {
			return c.Mismatch
		}
	}
	return m
}

// rootAt is the root that the log had at a size, or, if less was verified here, at that. Where hashes that are not kept cannot be read any more, it is
// the root of the nearest size below that needs none of them.
func (q *Query) rootAt(ctx context.Context, size uint64) (uint64, string) {
	q.mu.RLock()
	snap := q.index.snapshot()
	q.mu.RUnlock()
	r := reader{Query: q, snapshot: snap, cache: newCache[cacheKey](0)}
	size = min(size, snap.size)
	root, err := proof.RootAt(size, r.nodes(ctx))
	if err != nil {
		size -= size % groupSize
		root, _ = proof.RootAt(size, r.nodes(ctx))
	}
	return size, entry.FormatHash(root)
}

// audits lets one audit run at a time, and those who ask meanwhile share the one after it: what a caller gets has always begun after
// it asked.
type audits struct {
	run func(ctx context.Context) (Verdict, error)

	mu            sync.Mutex
	running, next *auditRun
}

// auditRun is one audit and those who wait for it; it is given up when nobody does any more.
type auditRun struct {
	waiting int // guarded by audits.mu
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{}
	verdict Verdict
	err     error
}

func (a *audits) wait(ctx context.Context) (Verdict, error) {
	run := a.join()
	select {
	case <-run.done:
		a.leave(run)
		return run.verdict, run.err
	case <-ctx.Done():
		a.leave(run)
		return Verdict{}, ctx.Err()
	}
}

func (a *audits) join() *auditRun {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.next == nil {
		a.next = &auditRun{done: make(chan struct{})}
		a.next.ctx, a.next.cancel = context.WithCancel(context.Background())
	}
	run := a.next
	run.waiting++
	a.start()
	return run
}

// start begins the next run, if none is running.
func (a *audits) start() {
	if a.running != nil || a.next == nil {
		return
	}
	run := a.next
	a.running, a.next = run, nil
	go func() {
		run.verdict, run.err = a.run(run.ctx)
		close(run.done)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running = nil
		a.start()
	}()
}

func (a *audits) leave(run *auditRun) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if run.waiting--; run.waiting == 0 {
		run.cancel()
		if a.next == run {
			a.next = nil
		}
	}
}
