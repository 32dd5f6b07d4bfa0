package accessfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/internal/retry"
)

// newFile is the content of a file that AddToken makes.
const newFile = `# Who is who, and who may do what. Servers read this file again when it changes.
# sealstream access schema prints its JSON Schema, and sealstream access check explains decisions.
`

// Load reads and parses a file.
func Load(path string) (*access.Version, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, text)
}

// lockTimeout is how long Update waits for another program that changes the file.
const lockTimeout = 5 * time.Second

// Update changes a file. If there is none, change gets the content of a new one, and the file can
// be read by its owner alone. Programs that use Update do not lose each other's changes. After a
// crash the file has all of the old or all of the new content.
func Update(ctx context.Context, path string, change func(name string, text []byte) ([]byte, error)) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // replaces the file, not the link
	}
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	lock, made, err := take(ctx, path)
	if err != nil {
		return err
	}
	defer lock.Close()
	err = replace(path, change)
	if err != nil && made {
		os.Remove(path)
	}
	return err
}

func replace(path string, change func(name string, text []byte) ([]byte, error)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		text = []byte(newFile)
	}
	after, err := change(path, text)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, after, info.Mode().Perm()); err != nil {
		return err
	}
	// The servers may run as another user than who edits the file. After a crash before this line
	// they cannot read it, say so, and keep the rules in force.
	return keepOwner(path, info)
}

// take locks the file, and makes it if it is not there. A file that another program has just
// replaced is locked again.
func take(ctx context.Context, path string) (lock *flock.Lock, made bool, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		made = true
		f.Close()
	} else if !errors.Is(err, fs.ErrExist) {
		return nil, false, err
	}
	for pauses := retry.New(5*time.Millisecond, 100*time.Millisecond); ; {
		lock, err := flock.Open(path, flock.Exclusive)
		if !errors.Is(err, flock.ErrLocked) {
			return lock, made, err
		}
		if pauses.Wait(ctx, 0) != nil {
			return nil, made, fmt.Errorf("%s: %w", path, err)
		}
	}
}
