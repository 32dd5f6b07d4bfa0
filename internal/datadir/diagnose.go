package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/streams"
)

// Finding is one thing that Diagnose looked at.
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

// Diagnose looks at a data directory, and changes nothing. It may be in use.
func Diagnose(dir string) []Finding {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return append(
			[]Finding{{Note, "data", dir + " does not exist yet; `sealstream up` makes it"}},
			checkDisk(filepath.Dir(dir)),
		)
	}
	list := []Finding{check("format", Check(dir), "a data directory of this release")}
	_, err := LoadKeys(filepath.Join(dir, FileKey), filepath.Join(dir, FileSecret))
	list = append(list, check("keys", err, "signing key and log secret are there, and only their owner can read them"))
	list = append(list, lockState(dir))
	if last, err := readHome(dir); err == nil && last.moved(homeOf(dir)) != "" {
		list = append(list, Finding{Note, "home", last.moved(homeOf(dir))})
	}
	list = append(list, unused(dir)...)
	return append(list, checkDisk(dir))
}

// unused returns a note if the directory still has a bucket that no release uses any more.
func unused(dir string) []Finding {
	folder := natsd.StreamFolder(filepath.Join(dir, DirNATS), streams.RetiredTiles)
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	return []Finding{{Note, "unused", "the bucket TILES of an earlier release is not used any more; to free its " +
		"space, stop the log and delete " + folder}}
}

func check(what string, err error, good string) Finding {
	if err != nil {
		return Finding{Wrong, what, err.Error()}
	}
	return Finding{Good, what, good}
}

func lockState(dir string) Finding {
	lock, err := lockShared(dir)
	_, statErr := os.Stat(filepath.Join(dir, fileLock))
	gone := errors.Is(statErr, fs.ErrNotExist)
	switch {
	case errors.Is(err, ErrLocked) && gone:
		return Finding{
			Wrong,
			"lock",
			"a process has the directory, but the file `lock` was deleted: it stops, start it again",
		}
	case errors.Is(err, ErrLocked):
		return Finding{Good, "lock", "a process has it"}
	case err != nil:
		return Finding{Wrong, "lock", err.Error()}
	}
	lock.Close()
	if gone {
		return Finding{Note, "lock", "never used"}
	}
	return Finding{Good, "lock", "free: the log is not running"}
}

// checkDisk is the doctor's finding about a disk.
func checkDisk(dir string) Finding {
	s, err := disk.Look(dir)
	if err != nil {
		return Finding{Note, "disk", fmt.Sprintf("cannot be looked at: %v", err)}
	}
	var b health.Board
	w := disk.New(
		disk.Config{
			Folders: []disk.Folder{{Path: dir}, {Path: filepath.Join(dir, DirNATS)}, {Path: filepath.Join(dir, DirIndex)}},
			Limits:  disk.Defaults,
			Board:   &b,
			Advise:  true,
		},
	)
	text := s.String()
	if c := b.Worst(); c.State != health.OK || w.Full() != nil {
		return Finding{Wrong, "disk", text + ": nearly full: " + strings.TrimPrefix(c.Text, disk.ErrNoRoom.Error()+": ")}
	}
	return Finding{Good, "disk", text}
}
