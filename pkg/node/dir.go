package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sealstream/sealstream/pkg/internal/durable"
)

// Why a data directory cannot be used. Nothing in it was touched.
var (
	// ErrLocked: another process has the directory.
	ErrLocked = errors.New("data directory is in use by another process")
	// ErrFormat: the directory is no data directory of this release: a newer one made it, or it is something else.
	ErrFormat = errors.New("not a data directory of this release")
	// ErrKeys: keys are missing or do not belong to the log.
	ErrKeys = errors.New("keys of the data directory")
)

// format is what a data directory's file `format` says. A release that cannot read an older one's directory counts it up.
const format = "sealstream data directory, format 1\n"

// Dir is a data directory: the stores of the embedded NATS server, the log's keys, the newest checkpoint seen here, and
// the lock of the process that has it.
//
//	format      what made it
//	lock        held while a process has it
//	log.key     signer key (0600)    log.secret  log secret, hex (0600)    log.pub  verifier key, for everyone
//	checkpoint  the newest checkpoint that this host has seen committed
//	webhook.secret  what webhooks without a secret of their own are signed with (0600)
//	nats/       the streams, under their names
//	replay.json while a process runs: a nats context with which replays may be published (0600)
//	index/      the query service's index, by log; may be removed at any time while nothing runs
type Dir struct {
	Path string
	lock *os.File
}

// Names of the files in a data directory.
const (
	fileFormat = "format"
	fileLock   = "lock"
	fileKey    = "log.key"
	fileSecret = "log.secret"
	filePublic = "log.pub"
	fileMark   = "checkpoint"
	fileReplay = "replay.json"
	dirNATS    = "nats"
	dirIndex   = "index"
)

// CheckDir says whether path is a data directory of this release, and touches nothing.
func CheckDir(path string) error {
	b, err := os.ReadFile(filepath.Join(path, fileFormat))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: it has no file %q", path, ErrFormat, fileFormat)
	case err != nil:
		return err
	case string(b) != format:
		return fmt.Errorf("%s: %w: it says %.80q, this release knows %q", path, ErrFormat, strings.TrimSpace(string(b)), strings.TrimSpace(format))
	}
	return nil
}

// OpenDir locks the data directory at path, and makes it if there is none or an empty one. A crash while it is made leaves
// a directory that the next OpenDir goes on with.
func OpenDir(path string) (*Dir, error) {
	fresh, err := isFresh(path)
	if err != nil {
		return nil, err
	}
	if !fresh {
		if err := CheckDir(path); err != nil {
			return nil, err
		}
	} else if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(path, fileLock))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d := &Dir{path, lock}
	if fresh {
		if err := d.WriteFile(fileFormat, []byte(format), 0o644); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// isFresh says whether there is nothing at path yet, or no more than what a crash in OpenDir leaves.
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

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return flock(f)
}

func flock(f *os.File) (*os.File, error) {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// Join names a file in the directory.
func (d *Dir) Join(name string) string { return filepath.Join(d.Path, name) }

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
