package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Finding is one thing that CheckUp looked at.
type Finding struct {
	State string `json:"state"` // Good, Note or Wrong
	What  string `json:"what"`
	Text  string `json:"text"`
}

// States of a finding.
const (
	Good  = "ok"
	Note  = "note"
	Wrong = "WRONG"
)

// lowSpace is the share of a disk below which it counts as nearly full: JetStream does not recover from a full one by itself.
const lowSpace = 0.15

// CheckUp looks at a data directory, and changes nothing. It may be in use.
func CheckUp(dir string) []Finding {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return append([]Finding{{Note, "data", dir + " does not exist yet; `sealstream up` makes it"}}, disk(filepath.Dir(dir)))
	}
	list := []Finding{check("format", CheckDir(dir), "a data directory of this release")}
	_, err := LoadKeys(filepath.Join(dir, fileKey), filepath.Join(dir, fileSecret))
	list = append(list, check("keys", err, "signing key and log secret are there, and only their owner can read them"))
	list = append(list, lockState(dir), disk(dir))
	return list
}

func check(what string, err error, good string) Finding {
	if err != nil {
		return Finding{Wrong, what, err.Error()}
	}
	return Finding{Good, what, good}
}

func lockState(dir string) Finding {
	lock, err := lockExisting(filepath.Join(dir, fileLock))
	switch {
	case errors.Is(err, ErrLocked):
		return Finding{Good, "lock", "a process has it"}
	case errors.Is(err, fs.ErrNotExist):
		return Finding{Note, "lock", "never used"}
	case err != nil:
		return Finding{Wrong, "lock", err.Error()}
	}
	lock.Close()
	return Finding{Good, "lock", "free: the log is not running"}
}

func disk(dir string) Finding {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Finding{Note, "disk", fmt.Sprintf("cannot be looked at: %v", err)}
	}
	free, all := float64(s.Bavail)*float64(s.Bsize), float64(s.Blocks)*float64(s.Bsize)
	f := Finding{Good, "disk", fmt.Sprintf("%.1f GiB free of %.1f GiB", free/(1<<30), all/(1<<30))}
	if all > 0 && free/all < lowSpace {
		f.State, f.Text = Wrong, f.Text+": nearly full"
	}
	return f
}

// lockExisting takes the lock of a directory that exists, without making the file.
func lockExisting(path string) (*os.File, error) {
	f, err := os.Open(path) // reading is enough for a lock, and all that a medium may allow
	if err != nil {
		return nil, err
	}
	return flock(f)
}
