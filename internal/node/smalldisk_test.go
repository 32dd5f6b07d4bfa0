//go:build linux

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk is a file system of a few MiB that a test may fill.
type smallDisk struct{ path string }

// newSmallDisk mounts one. Where nothing may be mounted it takes /dev/shm, if that is small enough to be filled.
func newSmallDisk(t *testing.T, size, inodes int) *smallDisk {
	t.Helper()
	path := t.TempDir()
	err := unix.Mount("tmpfs", path, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d", size, inodes))
	if err == nil {
		t.Cleanup(func() {
			if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return &smallDisk{path}
	}
	var s unix.Statfs_t
	if shm := unix.Statfs("/dev/shm", &s); shm != nil || uint64(s.Blocks)*uint64(s.Bsize) > 256<<20 {
		t.Fatalf("mount: %v; run this test as root, or with a /dev/shm of up to 256 MiB", err)
	}
	if path, err = os.MkdirTemp("/dev/shm", "sealstream-test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return &smallDisk{path}
}

func (d *smallDisk) join(name string) string { return filepath.Join(d.path, name) }

// fill leaves that many bytes.
func (d *smallDisk) fill(t *testing.T, left uint64) {
	t.Helper()
	f, err := os.OpenFile(d.join("filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for {
		var s unix.Statfs_t
		if err := unix.Statfs(d.path, &s); err != nil {
			t.Fatal(err)
		}
		free := uint64(s.Bavail) * uint64(s.Bsize)
		if free <= left {
			return
		}
		if _, err := f.Write(make([]byte, min(free-left, 1<<20))); err != nil {
			if errors.Is(err, syscall.ENOSPC) { // others write, too
				continue
			}
			t.Fatal(err)
		}
	}
}

// fillInodes leaves none.
func (d *smallDisk) fillInodes(t *testing.T) {
	t.Helper()
	folder := d.join("files")
	if err := os.MkdirAll(folder, 0o700); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		f, err := os.CreateTemp(folder, "")
		switch {
		case errors.Is(err, syscall.ENOSPC), errors.Is(err, fs.ErrNotExist):
			return
		case err != nil:
			t.Fatal(err)
		}
		f.Close()
	}
}

// free removes what fill and fillInodes made.
func (d *smallDisk) free(t *testing.T) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(d.join("files")), os.RemoveAll(d.join("filler"))); err != nil {
		t.Fatal(err)
	}
}
