package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Pauses after which a part's files are written again: they double from one try to the next.
const (
	keepRetry    = 10 * time.Second
	maxKeepRetry = 10 * time.Minute
)

// keeping is what keepFiles knows from one pass to the next.
type keeping struct {
	*Query
	sealed, payloads backlog
	gathered         map[uint64]*gathered // leaves of parts that are still to be written, by first index
	erased           int                  // erased entries known at the last pass
	used             time.Time            // when the backlogs were last read
}

// Bounds of what the keeper holds while nothing needs it.
const (
	keepGathered = 4               // parts whose leaves are gathered
	keepOpen     = 2 * time.Second // how long the backlogs stay open, with messages that were read ahead
	keepSoon     = 20 * time.Millisecond
)

// keepFiles writes the files of full parts, and removes erased data from them, until ctx is done. A
// crash leaves a temporary file, or a file with data that was erased: the next start removes both.
func (q *Query) keepFiles(ctx context.Context) {
	if q.folder == "" {
		return
	}
	k := &keeping{
		Query: q, sealed: backlog{stream: q.cfg.Log.Sealed}, payloads: backlog{stream: q.cfg.Log.Payloads},
		gathered: map[uint64]*gathered{},
	}
	defer k.closeBacklogs()
	for {
		next, err := k.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			q.logger.ErrorContext(ctx, "query cannot keep entries in its folder; it reads them from the log",
				"log", q.cfg.Log.Name, "folder", string(q.folder), "cause", err)
		}
		k.wait(ctx, next)
	}
}

// wait waits until there may be something to do, and holds what is gathered meanwhile.
func (k *keeping) wait(ctx context.Context, atMost time.Duration) {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-k.toKeep:
		case <-timer.C:
		case g := <-k.gatherer.out:
			if len(k.gathered) < keepGathered { // else the keeper is held up, and will read it from the log
				k.gathered[g.first] = g
			}
			continue
		}
		return
	}
}

// collect takes what was gathered, as much as the keeper may hold.
func (k *keeping) collect(x *index) {
	for first, g := range k.gathered {
		if g.of != x {
			delete(k.gathered, first)
		}
	}
	for len(k.gathered) < keepGathered {
		select {
		case g := <-k.gatherer.out:
			k.gathered[g.first] = g
		default:
			return
		}
	}
}

func (k *keeping) closeBacklogs() {
	k.sealed.close()
	k.payloads.close()
}

// wakeKeeper says that there may be something to keep, or to erase.
func (q *Query) wakeKeeper() {
	select {
	case q.toKeep <- struct{}{}:
	default: // it has not seen the last one
	}
}

// pass goes through the parts that the log has confirmed. It erases in all of them first, and then
// writes the files of at most one, so that an erasure never waits for more than that. It returns
// the time after which it must run again.
func (k *keeping) pass(ctx context.Context) (again time.Duration, err error) {
	k.mu.RLock()
	x, erased := k.index, slices.Sorted(maps.Keys(k.index.erased))
	k.mu.RUnlock()
	if len(erased) != k.erased { // what was read ahead may be erased now
		k.closeBacklogs()
		k.erased = len(erased)
	}
	coming := k.gatherer.at.Load()
	k.collect(x)
	again = maxKeepRetry
	var missing *keeper
	var erasing error
	behind := 0
	for at := 0; ctx.Err() == nil; at++ {
		p := k.keeperOf(at, erased)
		if p == nil {
			break
		}
		whole, err := p.check()
		if err != nil {
			again, erasing = min(again, keepRetry), cmp.Or(erasing, err)
		}
		if whole {
			delete(k.gathered, p.part.about.First)
			continue
		}
		if wait := time.Until(p.part.writeAfter); wait > 0 {
			again = min(again, wait)
		} else if behind++; missing == nil {
			missing = p
		}
	}
	k.reportErasing(erasing)
	switch {
	case missing == nil:
		if k.sealed.reader == nil && k.payloads.reader == nil {
			return again, erasing
		}
		if time.Since(k.used) < keepOpen {
			return min(again, keepOpen), erasing
		}
		k.closeBacklogs()
		return again, erasing
	case coming != nil && coming.of == x && coming.first == missing.part.about.First &&
		k.gathered[coming.first] == nil:
		return keepSoon, erasing
	}
	missing.hurry = behind > 1
	err = missing.write(ctx)
	k.used = time.Now()
	delete(k.gathered, missing.part.about.First)
	if err != nil {
		return 0, fmt.Errorf("entries %d to %d: %w", missing.part.about.First, missing.part.about.Size-1, err)
	}
	return 0, erasing
}

// reportErasing sets the condition that says whether erased data is still in a file.
func (q *Query) reportErasing(err error) {
	if err == nil {
		q.cfg.Health.Set("erasure", health.OK, "")
		return
	}
	q.cfg.Health.Set("erasure", health.Warning, fmt.Sprintf(
		"data that was erased may still be in a file of the index: %v; make room, or remove the file", err))
}

// keeper keeps one part.
type keeper struct {
	reader
	keeping *keeping
	part    *frozen
	erased  []uint64 // indexes of the part, ascending
	pace    *pace
	hurry   bool          // more parts wait to be written
	spare   func() uint64 // Config.Spare, while what can be made again is written
}

// keeperOf returns the keeper of a part, or nil if the part is not full or not confirmed. erased
// are the indexes of all erased data, ascending.
func (k *keeping) keeperOf(at int, erased []uint64) *keeper {
	k.mu.RLock()
	defer k.mu.RUnlock()
	x := k.index
	if at >= len(x.parts) || x.parts[at].frozen == nil || x.fromFiles > 0 {
		return nil
	}
	f := x.parts[at].frozen
	start, _ := slices.BinarySearch(erased, f.about.First)
	end, _ := slices.BinarySearch(erased, f.about.Size)
	r := reader{Query: k.Query, snapshot: x.snapshot(), cache: newCache[cacheKey](4 << 20)}
	return &keeper{reader: r, keeping: k, part: f, erased: erased[start:end], pace: newPace()}
}

// check opens the files of the part, if they are not open, and erases from its data. It reports
// whether the part has all files. Its error is that erased data may still be in one.
func (k *keeper) check() (whole bool, err error) {
	if files := k.part.files.Load(); files != nil {
		return true, k.eraseFrom(files)
	}
	if k.part.distrusted.Load() {
		return false, k.discard()
	}
	files := &partFiles{leaves: k.open(leavesEnd), data: k.open(dataEnd)}
	if files.leaves == nil || files.data == nil {
		files.close()
		return false, k.discard()
	}
	k.part.files.Store(files)
	err = k.eraseFrom(files)
	return k.part.files.Load() != nil, err
}

// open opens a file of the part, or returns nil if it must be written.
func (k *keeper) open(end string) *rowFile {
	rows, err := k.folder.openRows(k.part.about.First, end)
	if err == nil && rows != nil && end == dataEnd {
		err = k.isOwn(rows)
	}
	if err != nil {
		k.alteredFile(k.folder.path(k.part.about.First, end), err.Error())
		if rows != nil {
			rows.Close()
		}
		return nil
	}
	return rows
}

// dataName is what stands beside the rows of a data file, so that the file of another part, whose
// erasures would not be looked for, is not taken for this part's.
func (k *keeper) dataName() []byte {
	root := k.part.root()
	return fmt.Appendf(nil, "%s %d %s", k.part.about.Origin, k.part.about.First, root)
}

func (k *keeper) isOwn(rows *rowFile) error {
	want := k.dataName()
	got := make([]byte, len(want)) // no more: the file says how long its own is
	if err := rows.Side(got, 0); err != nil {
		return err
	}
	if string(got) != string(want) || rows.SideBytes() != len(want) {
		return fmt.Errorf("%w: it belongs to another part", errFiles)
	}
	return nil
}

// discard removes the data file of a part whose files must be written: nobody knows what is in it.
// That needs no room.
func (k *keeper) discard() error {
	err := os.Remove(k.folder.path(k.part.about.First, dataEnd))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// distrust stops reading files of a part which do not hold what they must. They are written again.
func (q *Query) distrust(f *frozen, files *partFiles, why error) {
	if errors.Is(why, errIndexFile) || errors.Is(why, os.ErrClosed) || !f.files.CompareAndSwap(files, nil) {
		return // it is another file, the service is ending, makes its index again, or knows already
	}
	f.distrusted.Store(true)
	files.close()
	q.logger.Error("query writes files of the index again", "log", q.cfg.Log.Name, "first", f.about.First, "cause", why)
	q.alteredFile(q.folder.path(f.about.First, ".*"), why.Error())
	q.wakeKeeper()
}

// isErased reports whether an erasure entry names an index.
func (r reader) isErased(e *entry.Entry) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.indexed.erased[e.Index]
}
