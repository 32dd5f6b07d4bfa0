package datadir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/store/natsstore"
	"github.com/sealstream/sealstream/streams"
)

// ErrRoom reports that the folder for temporary files has no room for a copy of the streams.
var ErrRoom = errors.New("no room for the copy")

// Copy is a server, listening nowhere, on a copy of the streams of a data directory: opening a
// store writes to it. The copy holds what the log holds, so that it must not outlive its use.
type Copy struct {
	Conn *nats.Conn
	Log  string // its name

	server *natsd.Server
	path   string
	lock   *flock.Lock // held while the copy is in use; a copy without is what a kill has left
}

const copyPrefix = "sealstream-verify-"

// notes says in a sentence each what is damaged beside the log itself.
func (c *Copy) notes(ctx context.Context, dir string) ([]string, error) {
	from, scratch := filepath.Join(dir, DirNATS), filepath.Join(c.path, "buckets")
	if err := copyTree(ctx, from, scratch, natsd.NoBucket); err != nil {
		return nil, fmt.Errorf("copy of %s: %w", dir, err)
	}
	damaged, err := natsd.DamagedBuckets(ctx, from, scratch, c.Log)
	return append(c.server.Repaired(), damaged...), err
}

// openCopy opens the log in a data directory, on a copy. keys say which log it is if the directory
// has no key of its own. done removes the copy, and is nil after an error.
func openCopy(ctx context.Context, dir string, keys []string) (log *store.Log, done func(), err error) {
	c, err := OpenCopy(ctx, dir, keys)
	if err != nil {
		return nil, nil, err
	}
	if log, err = c.OpenLog(ctx); err != nil {
		c.Close()
		return nil, nil, err
	}
	return log, c.Close, nil
}

func (c *Copy) OpenLog(ctx context.Context) (*store.Log, error) {
	return natsstore.Open(ctx, c.Conn, streams.Config{Log: c.Log})
}

// OpenCopy copies the streams of a data directory and starts a server on the copy. After an error
// nothing is left of it.
func OpenCopy(ctx context.Context, dir string, keys []string) (*Copy, error) {
	c := &Copy{}
	if err := c.open(ctx, dir, keys); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Copy) open(ctx context.Context, dir string, keys []string) (err error) {
	if key, err := PublicKey(dir); err == nil && LogOfKey(key) != "" {
		c.Log = LogOfKey(key)
	} else if len(keys) > 0 {
		c.Log = LogOfKey(keys[0])
	}
	if c.Log == "" {
		return fmt.Errorf("%w: %s names no log; give the log's key", ErrKeys, filepath.Join(dir, FilePublic))
	}
	sweepCopies(os.TempDir())
	if err := roomFor(filepath.Join(dir, DirNATS), os.TempDir()); err != nil {
		return err
	}
	if c.path, err = os.MkdirTemp("", copyPrefix+"*"); err != nil {
		return err
	}
	if c.lock, err = flock.Open(c.path, flock.Exclusive); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := copyTree(ctx, filepath.Join(dir, DirNATS), c.path, nil); err != nil {
		return fmt.Errorf("copy of %s: %w", dir, err)
	}
	if c.server, err = natsd.Start(ctx, natsd.Config{StoreDir: c.path, InProcess: true, Log: c.Log}); err != nil {
		return err
	}
	c.Conn, err = c.server.Connect(nats.Name("sealstream verify"))
	return err
}

// Close stops the server and removes the copy.
func (c *Copy) Close() {
	if c.Conn != nil {
		c.Conn.Close()
	}
	if c.server != nil {
		c.server.Shutdown()
	}
	if c.path != "" {
		os.RemoveAll(c.path)
	}
	if c.lock != nil {
		c.lock.Close()
	}
}

// sweepCopies removes what a kill or a crash has left: copies that nobody has locked.
func sweepCopies(folder string) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range list {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), copyPrefix) || time.Since(info.ModTime()) < time.Minute {
			continue // not one, or one that is being made and has no lock yet
		}
		path := filepath.Join(folder, e.Name())
		if lock, err := flock.Open(path, flock.Exclusive); err == nil {
			os.RemoveAll(path)
			lock.Close()
		}
	}
}

// roomFor returns ErrRoom if a folder has no room for a copy of a tree, and some to spare.
func roomFor(tree, folder string) error {
	const spare = 4 << 20
	need, files := uint64(spare), uint64(16)
	err := filepath.WalkDir(tree, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if d.Type().IsRegular() {
			need += uint64(info.Size())
		}
		return nil
	})
	if err != nil {
		return err
	}
	space, err := disk.Look(folder)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s: %w", ErrRoom, folder, err)
	case space.Free < need:
		return fmt.Errorf(
			"%w: %s needs %d MiB, and %s has %d MiB free; set TMPDIR to a folder with more",
			ErrRoom,
			tree,
			need>>20,
			folder,
			space.Free>>20,
		)
	case space.AllInodes > 0 && space.Inodes < files:
		return fmt.Errorf(
			"%w: %s needs %d files, and %s has room for %d; set TMPDIR to another folder",
			ErrRoom,
			tree,
			files,
			folder,
			space.Inodes,
		)
	}
	return nil
}

// copyTree copies folders and files, but for the folders that skip names; nil: all.
func copyTree(ctx context.Context, from, to string, skip func(path string) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, rel); {
		case d.IsDir() && skip != nil && skip(rel):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Type().IsRegular():
			return copyFile(ctx, path, target)
		}
		return nil
	})
}

func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for err == nil { // in parts, so that an interrupt ends it
		if _, err = io.CopyN(out, in, 64<<20); err == nil {
			err = ctx.Err()
		}
	}
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, out.Close())
}
