package sealer

import (
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// simFolder is the folder of a host's snapshot.
type simFolder struct {
	c    *client
	host *map[string][]byte
}

// do names a piece without its MAC: that depends on the id of an administrator's message, which is
// random.
func (f simFolder) do(what string, run func()) error {
	if i := strings.LastIndexByte(what, '-'); i >= 0 {
		what = what[:i]
	}
	return f.c.do(background, "snapshot."+what, nil, run)
}

func (f simFolder) read(name string) (content []byte, err error) {
	if over := f.do("read "+name, func() {
		var ok bool
		if content, ok = (*f.host)[name]; !ok {
			err = fs.ErrNotExist
		}
	}); over != nil {
		return nil, over
	}
	return content, err
}

func (f simFolder) write(name string, content []byte) error {
	return f.do("write "+name, func() {
		if *f.host == nil {
			*f.host = map[string][]byte{}
		}
		(*f.host)[name] = slices.Clone(content)
	})
}

func (f simFolder) list() (names []string, err error) {
	err = f.do("list", func() { names = slices.Sorted(maps.Keys(*f.host)) })
	return names, err
}

func (f simFolder) remove(name string) error {
	return f.do("remove "+name, func() { delete(*f.host, name) })
}

// spoil does something to a host's snapshot: it damages or removes a file, exchanges two, or puts
// back what was there before.
func (w *world) spoil() bool {
	n := w.rng.IntN(len(w.folders))
	names := slices.Sorted(maps.Keys(w.folders[n]))
	if len(names) == 0 {
		return false
	}
	name, other := names[w.rng.IntN(len(names))], names[w.rng.IntN(len(names))]
	files := maps.Clone(w.folders[n])
	content := slices.Clone(files[name])
	kind := ""
	switch w.rng.IntN(7) {
	case 0:
		kind = "removed"
		delete(files, name)
	case 1:
		kind = "cut"
		files[name] = content[:w.rng.IntN(len(content))]
	case 2, 3:
		kind = "flipped"
		content[w.rng.IntN(len(content))] ^= 1 << w.rng.IntN(8)
		files[name] = content
	case 4:
		kind = "exchanged with " + other
		files[name], files[other] = files[other], content
	case 5:
		kind = "put back as they were, as are all"
		if files = maps.Clone(w.oldFolders[n]); files == nil {
			return false
		}
	default:
		w.oldFolders[n] = w.folders[n]
		return true
	}
	w.note("SNAPSHOT %d: %s is %s", n, name, kind)
	w.folders[n] = files
	return true
}

// linesSaid keeps what a logger was told.
type linesSaid struct {
	mu    sync.Mutex
	lines []string
}

func (l *linesSaid) Enabled(context.Context, slog.Level) bool { return true }
func (l *linesSaid) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *linesSaid) WithGroup(string) slog.Handler            { return l }

func (l *linesSaid) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.lines = append(l.lines, line)
	return nil
}

func (l *linesSaid) count(prefix string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

const (
	saysRestored = "sealer starts from its snapshot"
	saysRefused  = "sealer does not use its snapshot"
)

// snapshotPlan is a world whose window is short and whose sealers write snapshots all the time.
func snapshotPlan(seed uint64) plan {
	return plan{
		seed: seed, publishers: 2, messages: 16, hostile: 0.1, marks: 1, window: 20, slack: 120, piece: 4,
		sealers: []batchLimits{{3, 512 << 10, 768 << 10}},
	}
}

// TestCrashWhileASnapshotIsWritten: wherever a sealer crashes, before or after any step of reading
// or writing a snapshot, the next one goes on.
func TestCrashWhileASnapshotIsWritten(t *testing.T) {
	p := snapshotPlan(6)
	w, err := simulate(t, p, false)
	if err != nil {
		t.Fatal(err)
	}
	steps := w.snapshotSteps
	if len(steps) < 40 {
		t.Fatalf("the sealer asked for %d operations on its snapshot", len(steps))
	}
	restored, crashes := 0, 0
	for i, n := range steps {
		if raceDetector && i%10 > 0 {
			continue
		}
		for _, p.crashAt = range []int{n, -n} {
			crashes++
			w, err := simulate(t, p, false)
			if err != nil {
				t.Fatalf("crash at operation %d: %v\n%s", p.crashAt, err, explain(t, p))
			}
			restored += w.said.count(saysRestored)
			if slices.ContainsFunc(w.said.lines, func(s string) bool {
				return strings.HasPrefix(s, saysRefused) && !strings.Contains(s, errCrashed.Error())
			}) {
				t.Fatalf("crash at operation %d: a snapshot was refused: %q", p.crashAt, w.said.lines)
			}
		}
	}
	if restored < crashes/2 {
		t.Fatalf("%d starts from a snapshot after %d crashes", restored, crashes)
	}
	t.Logf("%d operations, %d crashes, %d starts from a snapshot", len(steps), crashes, restored)
}

// TestSimulationWithSnapshots: sealers that restart often, from snapshots that are spoilt now and
// then, seal what one that never stopped would.
func TestSimulationWithSnapshots(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() || raceDetector {
		seeds = 20
	}
	restored, refused := 0, 0
	for seed := uint64(1); seed <= seeds; seed++ {
		p := snapshotPlan(seed)
		p.crash, p.happen, p.spoil = 0.01, 0.03, true
		w, err := simulate(t, p, false)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, explain(t, p))
		}
		restored, refused = restored+w.said.count(saysRestored), refused+w.said.count(saysRefused)
	}
	if restored < int(seeds) || refused < int(seeds)/5 {
		t.Errorf("%d starts from a snapshot and %d refused in %d worlds", restored, refused, seeds)
	}
	t.Logf("%d worlds: %d starts from a snapshot, %d refused", seeds, restored, refused)
}
