package sealer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// The mark is a file beside the keys that holds the newest checkpoint this host has seen committed. It trails the commits a
// little, since it is written behind them; it is what tells a SEALED that was rolled back from one that is only short.

// writeMark replaces the mark, durably: after a crash there is the old or the new one.
func writeMark(path string, note []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(note)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// checkMark refuses a log that ends before the mark, or that has another root where the mark has its own.
func (s *Sealer) checkMark(t *tail) error {
	if s.cfg.Mark == "" {
		return nil
	}
	note, err := os.ReadFile(s.cfg.Mark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	mark, err := proof.OpenCheckpoint(note, s.keys...)
	if err != nil {
		return fmt.Errorf("%w: mark file %s: %w", ErrRefused, s.cfg.Mark, err)
	}
	if mark.Size > t.chain.Size() {
		return fmt.Errorf("%w: size %d, but %s holds a checkpoint of size %d", ErrRolledBack, t.chain.Size(), s.cfg.Mark, mark.Size)
	}
	if mark.Size == t.chain.Size() && mark.Size > 0 && mark.Root != t.chain.Frontier().Root() {
		return fmt.Errorf("%w: another root of size %d: %s, and %s in %s", ErrRolledBack, mark.Size,
			entry.FormatHash(t.chain.Frontier().Root()), entry.FormatHash(mark.Root), s.cfg.Mark)
	}
	return nil
}
