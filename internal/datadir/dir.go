package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/internal/natsd"
)

// Why a data directory cannot be used. Nothing in it was touched.
var (
	// ErrLocked: another process has the directory.
	ErrLocked = errors.New("data directory is in use by another process")
	// ErrFormat: the directory is no data directory of this release: a newer one made it, or it is
	// something else.
	ErrFormat = errors.New("not a data directory of this release")
	// ErrKeys: keys are missing or do not belong to the log.
	ErrKeys = errors.New("keys of the data directory")
)

// format is what a data directory's file `format` says. A release whose directories an older one
// must not open counts it up. Format 2: the streams are in an account of their own, and the
// directory itself is locked.
const (
	format       = "sealstream data directory, format 2\n"
	formatBefore = "sealstream data directory, format 1\n"
)

// Dir is a data directory: the stores of the embedded NATS server, the log's keys, the newest
// checkpoint seen here, and the lock of the process that has it.
//
//	format      what made it
//	lock        locked while a process has the directory, as the directory itself is
//	log.key     signer key (0600)    log.secret  log secret, hex (0600)    log.pub  verifier key, for everyone
//	checkpoint  the newest checkpoint that this host has seen committed
//	snapshot/   the sealer's state, so that it starts fast; may be removed while nothing runs
//	home        where the log last ran: host, boot, path; a copy of the directory is known by it
//	webhook.secret  what webhooks without a secret of their own are signed with (0600)
//	nats/       the streams, under their names
//	replay.json while a process runs: a nats context with which replays may be published (0600)
//	ballast     takes 1 MiB until there is no other room on the disk; may be removed at any time
//	index/      the query service's index, by log; may be removed at any time while nothing runs
type Dir struct {
	Path string
	lock *dirLock
}

// Names of the files in a data directory.
const (
	fileFormat = "format"
	fileLock   = "lock"
	FileKey    = "log.key"
	FileSecret = "log.secret"
	FilePublic = "log.pub"
	FileMark   = "checkpoint"
	FileReplay = "replay.json"
	fileHome   = "home"
	DirNATS    = "nats"
	DirIndex   = "index"
	// DirSnapshot stands beside FileMark, without which it does not count
	DirSnapshot = "snapshot"
)

// Check says whether path is a data directory of this release, and touches nothing.
func Check(path string) error {
	b, err := os.ReadFile(filepath.Join(path, fileFormat))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: it has no file %q", path, ErrFormat, fileFormat)
	case err != nil:
		return err
	case string(b) == formatBefore:
		if from, to, older := natsd.OlderLayout(filepath.Join(path, DirNATS)); older {
			return fmt.Errorf(
				"%s: %w: an older release made it, and its streams are in another folder; copy the directory, then: %smv '%s' '%s'",
				path,
				ErrFormat,
				remove(to),
				from,
				to,
			)
		}
	case string(b) != format:
		return fmt.Errorf(
			"%s: %w: it says %.80q, this release knows %q",
			path,
			ErrFormat,
			strings.TrimSpace(string(b)),
			strings.TrimSpace(format),
		)
	}
	return nil
}

// remove is the command that removes a folder, if it is there.
func remove(path string) string {
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return fmt.Sprintf("rm -r '%s' && ", path) // it is empty
}

// Open locks the data directory at path, and makes it if there is none or an empty one. A crash
// while it is made leaves a directory that the next Open goes on with.
func Open(path string) (*Dir, error) {
	fresh, err := isFresh(path)
	if err != nil {
		return nil, err
	}
	if !fresh {
		if err := Check(path); err != nil {
			return nil, err
		}
	} else if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := &Dir{path, lock}
	if text, err := os.ReadFile(d.Join(fileFormat)); fresh || err == nil && string(text) == formatBefore {
		if err := d.WriteFile(fileFormat, []byte(format), 0o644); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// isFresh says whether there is nothing at path yet, or no more than what a crash in Open leaves.
func isFresh(path string) (bool, error) {
	list, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, fmt.Errorf("data directory: %w", err)
	}
	for _, f := range list {
		if name := f.Name(); name != fileLock && !strings.HasPrefix(name, fileFormat+".tmp") {
			return false, nil
		}
	}
	return true, nil
}

// Join names a file in the directory.
func (d *Dir) Join(name string) string { return filepath.Join(d.Path, name) }

// Held returns ErrDisplaced when the directory, its lock file or a watched path was deleted,
// renamed or replaced. It takes microseconds.
func (d *Dir) Held() error { return d.lock.Held() }

// Watch makes Held look at one more path.
func (d *Dir) Watch(path string) error { return d.lock.watch(path) }

// Keep returns an error as soon as the directory is displaced or a file was taken out of its
// streams, and nil when ctx is done. unlinked lists such files; it may be wrong once.
func (d *Dir) Keep(ctx context.Context, unlinked func() []string) error {
	return d.lock.keep(ctx, unlinked)
}

// Close gives the lock back.
func (d *Dir) Close() error { return d.lock.Close() }

// WriteFile writes a file durably: after a crash there is all of it, or the one before.
func (d *Dir) WriteFile(name string, data []byte, mode os.FileMode) error {
	return WriteFile(d.Join(name), data, mode)
}

// WriteFile replaces a file durably: after a crash there is all of it, or the one before.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return durable.WriteFile(path, data, mode)
}
