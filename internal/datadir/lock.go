package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/flock"
)

// ErrDisplaced reports that the path of the data directory no longer leads to what this process has
// locked. The log stops then: another process may have started on what is there now.
var ErrDisplaced = errors.New("the data directory was changed while the log was running")

// dirLock keeps a second process out of a data directory. It locks the directory itself, which
// nobody can delete unnoticed, and the file `lock`, which is all that releases before format 2 look
// at.
type dirLock struct {
	held []*flock.Lock
}

// lockDir locks a data directory, or a folder of keys, for a process that writes to it.
func lockDir(path string) (*dirLock, error) {
	l := &dirLock{}
	if err := l.add(flock.Open(path, flock.Exclusive)); errors.Is(err, errors.ErrUnsupported) {
		err = l.watch(path) // NFS; the lock file is locked there, and watched
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if err := l.add(flock.Create(filepath.Join(path, fileLock))); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// lockShared locks a data directory for a process that only reads it. Several may do so at once; a
// read-only medium is enough. fs.ErrNotExist means that there is no directory.
func lockShared(path string) (*dirLock, error) {
	l := &dirLock{}
	if err := l.add(flock.Open(path, flock.Shared)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	err := l.add(flock.Open(filepath.Join(path, fileLock), flock.Shared))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errors.ErrUnsupported) {
		l.Close()
		return nil, err
	}
	return l, nil
}

// LockedBy gives a lock that is taken the name that it has here.
func LockedBy(err error) error {
	if errors.Is(err, flock.ErrLocked) {
		return ErrLocked
	}
	return err
}

func (l *dirLock) add(lock *flock.Lock, err error) error {
	if err != nil {
		return LockedBy(err)
	}
	l.held = append(l.held, lock)
	return nil
}

// watch makes Held look at one more path.
func (l *dirLock) watch(path string) error { return l.add(flock.Open(path, flock.None)) }

// Held returns ErrDisplaced when the directory, its lock file or a watched path was deleted,
// renamed or replaced. It takes microseconds.
func (l *dirLock) Held() error {
	for _, lock := range l.held {
		if err := lock.Held(); err != nil {
			return fmt.Errorf("%w: %w", ErrDisplaced, err)
		}
	}
	return nil
}

// Close gives the locks back.
func (l *dirLock) Close() error {
	var err error
	for _, lock := range l.held {
		err = errors.Join(err, lock.Close())
	}
	return err
}

// heldEvery is the time between two looks at the directory of a log that seals nothing, and
// unlinkedEvery that between two looks at the files of its streams.
const (
	heldEvery     = 100 * time.Millisecond
	unlinkedEvery = time.Second
)

// keep returns an error as soon as the directory is displaced or a file was taken out of its
// streams, and nil when ctx is done. unlinked lists such files; it may be wrong once.
func (l *dirLock) keep(ctx context.Context, unlinked func() []string) error {
	var before []string
	for looked := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(heldEvery):
		}
		if err := l.Held(); err != nil {
			return err
		}
		if time.Since(looked) < unlinkedEvery {
			continue
		}
		looked = time.Now()
		now := unlinked()
		for _, path := range now {
			if slices.Contains(before, path) {
				return fmt.Errorf(
					"%w: %s was deleted, renamed or replaced; what was written since is lost, restore the folder `%s` from a copy",
					ErrDisplaced,
					path,
					DirNATS,
				)
			}
		}
		before = now
	}
}
