//go:build unix

package datadir

import (
	"io/fs"
	"syscall"
)

// fileID returns what tells a file or directory from all others of the machine, or zeros.
func fileID(info fs.FileInfo) (device, inode uint64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Dev), s.Ino
	}
	return 0, 0
}
