//go:build unix

package flock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func lock(f *os.File, k Kind) error {
	how := unix.LOCK_EX
	switch k {
	case None:
		return nil
	case Shared:
		how = unix.LOCK_SH
	}
	for {
		switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return ErrLocked
		// on NFS, an exclusive lock needs a file opened for writing
		case unix.EBADF, unix.EINVAL, unix.ENOTSUP, unix.ENOSYS:
			return fmt.Errorf("lock %s: %w: %w", f.Name(), errors.ErrUnsupported, err)
		default:
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}
