package query

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Verdict is the result of a full audit of the log.
type Verdict struct {
	Valid         bool    `json:"valid"`
	Error         *string `json:"error"`           // why the log fails to verify; null if it verifies
	FirstBadIndex *uint64 `json:"first_bad_index"` // null if the log verifies
	TreeSize      uint64  `json:"tree_size"`       // tree size up to which the log verifies
	Root          string  `json:"root"`            // root of the tree of that size
}

// Verify audits the whole log again, from SEALED and PAYLOADS as they are now: every leaf, hash,
// payload and signature, and that the newest checkpoint seen here is on it. It reads everything and
// does not trust the index. One audit runs at a time; callers that come meanwhile share the next
// one. The error comes from the store or from ctx. A log that fails to verify is no error, but a
// Verdict.
// It needs the right to read everything, or to administer the log.
func (q *Query) Verify(ctx context.Context) (Verdict, error) {
	if q.sightOf(ctx) != nil && q.may(ctx, access.Admin) != nil {
		return Verdict{}, errReadAll
	}
	return q.audits.wait(ctx)
}

// auditCost is the memory that an audit takes for what it reads ahead, in bytes.
const auditCost = 16 << 20

// audit runs one audit.
func (q *Query) audit(ctx context.Context) (Verdict, error) {
	q.mu.RLock()
	size, cp, known := q.index.size, q.index.checkpoint, []proof.Checkpoint(nil)
	q.mu.RUnlock()
	if size > 0 {
		known = append(known, cp)
	}
	share, err := q.reads.take(ctx, auditCost, true)
	if err != nil {
		return Verdict{}, fmt.Errorf("verify: %w", err)
	}
	defer share.leave()
	report, err := store.Audit(ctx, q.cfg.Log, audit.Config{Keys: q.cfg.Keys, Known: known})
	v := Verdict{TreeSize: report.Size, Root: report.Root.String()}
	if m, ok := errors.AsType[*audit.MismatchError](err); ok {
		m = q.pinpoint(ctx, m)
		why := m.Error()
		v.Error, v.FirstBadIndex = &why, &m.Index
		if v.TreeSize > m.Index {
			v.TreeSize, v.Root = q.rootAt(ctx, m.Index)
		}
		q.logger.ErrorContext(ctx, "query: the log fails to verify", "log", q.cfg.Log.Name, "cause", m)
		q.remember(&CorruptError{m})
		return v, nil
	} else if err != nil {
		return v, fmt.Errorf("verify: %w", err)
	}
	v.Valid = true
	q.set(func() { q.state.altered = nil })
	q.allReadable()
	return v, nil
}

// pinpoint finds the altered leaf where an audit can only name the batch, by the hashes that were
// verified here before.
func (q *Query) pinpoint(ctx context.Context, m *audit.MismatchError) *audit.MismatchError {
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

// rootAt returns the root of the verified log at a size, or at the largest verified size below. If
// it cannot read the leaves for hashes that are not kept, it uses the nearest lower size that needs
// none of them.
func (q *Query) rootAt(ctx context.Context, size uint64) (uint64, string) {
	q.mu.RLock()
	snap := q.index.snapshot()
	q.mu.RUnlock()
	r := reader{Query: q, snapshot: snap, cache: newCache[cacheKey](0)}
	size = min(size, snap.size)
	root, err := merkle.RootAt(size, r.nodes(ctx))
	if err != nil {
		size -= size % groupSize
		root, _ = merkle.RootAt(size, r.nodes(ctx))
	}
	return size, root.String()
}

// audits runs one audit at a time. Callers that come meanwhile share the next one, so that a
// caller's audit always starts after its call.
type audits struct {
	run func(ctx context.Context) (Verdict, error)

	mu            sync.Mutex
	running, next *auditRun
}

// auditRun is one audit and its callers. It is cancelled when none is left.
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

// start starts the next run if none is running.
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
