//go:build unix

package accessfile

import (
	"fmt"
	"os"
	"syscall"
)

// keepOwner gives a file the owner that it had before it was replaced.
func keepOwner(path string, was os.FileInfo) error {
	owner, ok := was.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() && int(owner.Gid) == os.Getegid() {
		return nil
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("the file was changed, but its owner was not kept, so servers may not read it: %w", err)
	}
	return nil
}
