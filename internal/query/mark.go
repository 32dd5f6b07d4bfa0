package query

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/pkg/proof"
)

// The mark is the newest checkpoint of the log that was seen before this start. It is in a file of
// this host's sealer, or in one that this service keeps beside its index. A log that does not pass
// through it was cut off, rolled back or replaced in the meantime. Nothing is answered until the
// log has passed it.

// maxShort is how often, once a second, SEALED may end before the mark until the log counts as cut
// off. A broker that has just restarted may be behind.
const maxShort = 2

// markPath returns the path of the file with the mark, or "" if there is none.
func (q *Query) markPath() string {
	if q.cfg.Mark == "" && q.cfg.Folder != "" {
		return q.cfg.Folder + ".seen"
	}
	return q.cfg.Mark
}

// readMark reads the mark once at the start. Newer checkpoints are in memory.
func (q *Query) readMark(ctx context.Context) {
	path := q.markPath()
	if path == "" {
		return
	}
	note, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		q.doubtMark(ctx, path, err)
		return
	}
	c, err := proof.ParseCheckpointUnverified(note)
	if len(q.cfg.Keys) > 0 {
		c, err = proof.OpenCheckpoint(note, q.cfg.Keys...)
	}
	if err != nil {
		q.doubtMark(ctx, path, err)
		return
	}
	q.set(func() { q.state.mark = &c })
}

// doubtMark reports a mark that cannot be used. That does not stop the service: whoever can damage
// the mark could also remove it.
func (q *Query) doubtMark(ctx context.Context, path string, err error) {
	q.logger.ErrorContext(ctx, "query cannot read the newest checkpoint seen before; the log may have been cut off",
		"log", q.cfg.Log.Name, "file", path, "cause", err)
	q.cfg.Health.Set("mark", health.Warning,
		"the newest checkpoint seen before this start cannot be read from "+path+": "+err.Error())
}

// passMark compares the log with the mark once the log is as large.
func (q *Query) passMark(ctx context.Context) error {
	q.mu.RLock()
	mark, snap := q.state.mark, q.index.snapshot()
	q.mu.RUnlock()
	if mark == nil || snap.size < mark.Size {
		return nil
	}
	c, err := proof.OpenCheckpoint(mark.Note, q.keys()...)
	if err != nil { // the mark of an earlier log
		q.doubtMark(ctx, q.markPath(), err)
	} else {
		root, err := merkle.RootAt(c.Size, q.reader(snap).nodes(ctx))
		if err != nil {
			return lost(err)
		}
		if root != c.Root {
			return corrupt(c.Size, "checkpoint",
				"the log has another root at size %d than a checkpoint that was seen before this start", c.Size)
		}
	}
	q.set(func() { q.state.mark = nil })
	return nil
}

// unmarked returns why the log does not reach the mark. It returns nil if it does, or if there is
// no mark.
func (s *state) unmarked(size uint64) error {
	switch {
	case s.mark == nil:
		return nil
	case s.shortReads > maxShort:
		return corrupt(size, "cut", "SEALED holds %d entries, and a checkpoint of %d was seen before this start",
			size, s.mark.Size)
	}
	return ErrBuilding
}

// keepMark writes the newest checkpoint to the service's own file, if it is larger than last. It
// returns the size written.
func (q *Query) keepMark(ctx context.Context, last uint64) uint64 {
	q.mu.RLock()
	c, size, unsure := q.index.checkpoint, q.index.size, q.state.mark != nil || q.state.invalid != nil
	q.mu.RUnlock()
	if q.cfg.Mark != "" || q.cfg.Folder == "" || unsure || size <= last {
		return last
	}
	if err := durable.WriteFile(q.markPath(), c.Note, 0o600); err != nil {
		if last == 0 { // log this only once
			q.logger.WarnContext(ctx, "query cannot write the newest checkpoint beside the index", "log", q.cfg.Log.Name,
				"cause", err)
		}
		return max(last, 1)
	}
	return size
}

// keepMarks writes the mark every watchInterval until ctx is done, and once more then.
func (q *Query) keepMarks(ctx context.Context) {
	last := uint64(0)
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		last = q.keepMark(ctx, last)
	}
}
