package disk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/size"
)

// ErrNoRoom reports a disk with less free space than its reserve, or one that cannot be written to.
var ErrNoRoom = errors.New("no room on the disk")

// Folder is a folder that a process writes to.
type Folder struct {
	Path   string
	Canary bool // write canaries into it; false where other programs process each new file
}

// Config configures a Watcher.
type Config struct {
	Folders []Folder
	Limits  Limits
	Every   time.Duration // interval between two measurements; 0 means 1 s
	Board   *health.Board // receives the condition "disk"
	Ballast string        // path of the ballast file; empty means none
	Advise  bool          // the process works without free space, so that a full disk is only a warning
}

// Watcher watches the disks of folders. New makes it and measures once; Run measures repeatedly. It
// is safe for concurrent use.
type Watcher struct {
	cfg   Config
	owed  atomic.Uint64
	mu    sync.Mutex
	state health.State
	err   error // wraps ErrNoRoom while the state is Failing

	looked time.Time
	// bytes accepted since then, and the least free space above a reserve at that time
	since, margin uint64

	// canaryErr is the newest error of the canaries. Only Run and Look write canaries, since a disk
	// that hangs would block callers of Room.
	canaryErr error
}

// New makes a Watcher and measures once.
func New(cfg Config) *Watcher {
	if cfg.Every <= 0 {
		cfg.Every = time.Second
	}
	w := &Watcher{cfg: cfg}
	w.cfg.Folders = nil
	for _, f := range cfg.Folders { // ignore duplicates
		f.Path = filepath.Clean(f.Path)
		if i := slices.IndexFunc(w.cfg.Folders, func(g Folder) bool { return g.Path == f.Path }); i < 0 {
			w.cfg.Folders = append(w.cfg.Folders, f)
		}
	}
	w.canaries()
	w.look()
	if w.hasSpare() {
		w.setCanaryErr(ballast(cfg.Ballast).create())
	}
	return w
}

// Run measures every Config.Every until ctx is done, and then returns nil. Every second time it
// writes the canaries.
func (w *Watcher) Run(ctx context.Context) error {
	t := time.NewTicker(w.cfg.Every)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if n%2 == 0 || w.Full() != nil {
			w.canaries()
		}
		w.look()
		if w.hasSpare() {
			w.setCanaryErr(ballast(w.cfg.Ballast).create())
		}
	}
}

// steady reports whether there is space for a ballast.
func (w *Watcher) hasSpare() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err == nil && w.margin/2 > BallastBytes
}

// note records an error that prevents the ballast from being written, like an error of a canary.
func (w *Watcher) setCanaryErr(err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.canaryErr = fmt.Errorf("%w: %w", ErrNoRoom, err)
}

// Room measures now, and returns an error that wraps ErrNoRoom if nothing new may be accepted.
// bytes is what the new data will take beyond the reserve. It counts as owed from then on. A
// measurement takes two system calls a folder. A recent one is reused while what was accepted since
// takes less than half of the free space above the reserve.
func (w *Watcher) Room(bytes uint64) error {
	w.owed.Add(bytes)
	w.mu.Lock()
	w.since += bytes
	fresh, err := w.since < w.margin/2 && time.Since(w.looked) < freshFor, w.err
	w.mu.Unlock()
	if fresh {
		return err
	}
	return w.look()
}

// Spare measures now and returns how many bytes may be written without touching the reserve of a
// disk, or 0 if nothing new may be accepted. It takes two system calls a folder. It is for what is
// written for convenience, and can be made again.
func (w *Watcher) Spare() uint64 {
	if w.look() != nil {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.margin
}

const freshFor = 20 * time.Millisecond

// Owe replaces the bytes that accepted data is still going to take.
func (w *Watcher) Owe(bytes uint64) { w.owed.Store(bytes) }

// Full returns the result of the last measurement, which is at most Config.Every old. It costs
// nothing.
func (w *Watcher) Full() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Look writes the canaries and measures now, and returns the result.
func (w *Watcher) Look() error {
	w.canaries()
	return w.look()
}

// Folders returns the watched folders.
func (w *Watcher) Folders() []Folder { return w.cfg.Folders }

func (w *Watcher) canaries() {
	var dry error
	for _, f := range w.cfg.Folders {
		if !f.Canary {
			continue
		}
		if err := Canary(f.Path); err != nil {
			dry = fmt.Errorf("%w: nothing can be written into %s: %w", ErrNoRoom, f.Path, err)
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.canaryErr = dry
}

// look measures all folders and reports the worst state. A measurement of one folder counts for all
// folders on the same disk.
func (w *Watcher) look() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	state, text, seen := health.OK, "", map[uint64]bool{}
	w.looked, w.since, w.margin = time.Now(), 0, math.MaxUint64
	for _, f := range w.cfg.Folders {
		s, err := Look(f.Path)
		if err != nil || seen[s.device] { // a folder that cannot be measured fails its canary
			continue
		}
		seen[s.device] = true
		if st, t := w.judge(f.Path, s); st > state {
			state, text = st, t
		}
	}
	ballast(w.cfg.Ballast).removeIfFull() // before the board causes an alert
	w.err = nil
	switch {
	case w.canaryErr != nil:
		state, w.err = health.Failing, w.canaryErr
		text = w.err.Error()
	case state == health.Failing:
		w.err = fmt.Errorf("%w: %s", ErrNoRoom, text)
		text = w.err.Error()
	}
	if state == health.Failing && !w.cfg.Advise {
		text += "; no new events are accepted until there is room"
	}
	w.state = state
	if w.cfg.Advise {
		state = min(state, health.Warning)
	}
	w.cfg.Board.Set("disk", state, text)
	return w.err
}

// judge compares one disk with the limits. A bad state ends only with a tenth more space, so that
// it does not flap.
func (w *Watcher) judge(path string, s Space) (health.State, string) {
	l := w.cfg.Limits
	state, text := health.OK, ""
	for i, c := range []struct {
		free, size, owed uint64
		warn, reserve    Level
		format           func(uint64) string
	}{
		{s.Free, s.Size, w.owed.Load(), l.Warn, l.Reserve, formatBytes},
		{s.Inodes, s.AllInodes, 0, l.WarnInodes, l.ReserveInodes, formatInodes},
	} {
		if c.size == 0 {
			continue
		}
		warn, reserve := c.warn.Of(c.size), c.reserve.Of(c.size)
		if reserve > 0 {
			reserve += c.owed
			if i == 0 {
				w.margin = min(w.margin, max(c.free, reserve)-reserve)
			}
		}
		most := func(level uint64, bad bool) uint64 {
			if bad {
				return level + level/10
			}
			return level
		}
		tell := func(st health.State, format string, level uint64) {
			if st > state {
				state, text = st, fmt.Sprintf(format, path, c.format(c.free), c.format(c.size), c.format(level))
			}
		}
		switch {
		case c.free < most(reserve, w.state >= health.Failing):
			tell(health.Failing, "%s has %s of %s free, less than its reserve of %s", reserve)
		case c.free < most(warn, w.state >= health.Warning):
			tell(health.Warning, "%s has %s of %s free, less than %s", warn)
		}
	}
	return state, text
}

func formatInodes(n uint64) string { return fmt.Sprintf("%d inodes", n) }

func formatBytes(n uint64) string { return size.Short(int64(min(n, math.MaxInt64))) }
