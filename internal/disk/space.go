// Package disk measures the free space of the disks that a process writes to, and watches them:
// bytes, inodes, and whether a file can be written at all.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Space is the space on the disk of one folder.
type Space struct {
	Free, Size uint64 // free bytes, and bytes of the whole disk
	// Inodes are the free inodes, AllInodes all of them. Both are 0 if the file system has no such
	// limit.
	Inodes, AllInodes uint64
	device            uint64
}

// String describes the space for people.
func (s Space) String() string {
	text := fmt.Sprintf("%s free of %s", formatBytes(s.Free), formatBytes(s.Size))
	if s.AllInodes > 0 {
		text += fmt.Sprintf(", %d inodes free of %d", s.Inodes, s.AllInodes)
	}
	return text
}

// Look returns the space on the disk of a folder, or of its nearest existing parent.
func Look(folder string) (Space, error) {
	for {
		s, err := look(folder)
		if parent := filepath.Dir(folder); errors.Is(err, fs.ErrNotExist) && parent != folder {
			folder = parent
			continue
		}
		if err != nil {
			return s, fmt.Errorf("room on the disk of %s: %w", folder, err)
		}
		return s, nil
	}
}

// Canary writes a small file into a folder, syncs it and removes it. It detects what the figures of
// a disk do not show: quotas, a read-only file system, and device errors.
func Canary(folder string) error {
	path := filepath.Join(folder, canaryName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("canary: %w", err)
	}
	_, err = f.Write(make([]byte, canaryBytes))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), os.Remove(path)); err != nil {
		return fmt.Errorf("canary: %w", err)
	}
	return nil
}

// A crash leaves at most one file of this name in a folder. The next canary replaces and removes
// it.
const (
	canaryName  = "canary.tmp"
	canaryBytes = 64 << 10
)

// Level is an amount of space. If both members are set, the smaller amount counts. The zero value
// is no space.
type Level struct {
	Share float64 // share of the disk, 0 to 1; 0 means that Most alone counts
	Most  uint64  // bytes or inodes; 0 means that Share alone counts
}

// Of returns the level on a disk of that size.
func (l Level) Of(size uint64) uint64 {
	share := uint64(l.Share * float64(size))
	switch {
	case l.Share == 0:
		return l.Most
	case l.Most == 0:
		return share
	}
	return min(share, l.Most)
}

// Limits define when a disk counts as nearly full.
type Limits struct {
	// free bytes: below Warn it is reported, below Reserve nothing new is accepted
	Warn, Reserve             Level
	WarnInodes, ReserveInodes Level // the same for inodes
}

// Defaults are the default limits. The reserve is what a log needs to seal and to index what it has
// accepted. On a small disk it is a share.
var Defaults = Limits{
	Warn: Level{Share: .15, Most: 10 << 30}, Reserve: Level{Share: .05, Most: 1 << 30},
	WarnInodes: Level{Share: .15, Most: 100_000}, ReserveInodes: Level{Share: .05, Most: 10_000},
}
