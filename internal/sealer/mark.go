package sealer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealstream/sealstream/internal/durable"
	"github.com/sealstream/sealstream/pkg/proof"
)

// mark holds the newest checkpoint that this host has seen committed. It is written after the
// commit, so it lags a little. It distinguishes a SEALED that was rolled back from one that is
// merely short.
type mark interface {
	read() ([]byte, error) // fs.ErrNotExist if there is none yet
	write(note []byte) error
}

// markFile keeps the mark in the file of that path.
type markFile string

func (path markFile) read() ([]byte, error) { return os.ReadFile(string(path)) }

// write replaces the mark durably. A crash here leaves the old or the new one.
func (path markFile) write(note []byte) error { return durable.WriteFile(string(path), note, 0o600) }

// putMark writes the mark, unless it already holds a checkpoint of at least that size: another
// sealer of this host may be ahead.
func (s *Sealer) putMark(note []byte, size uint64) error {
	if old, err := s.mark.read(); err == nil && s.covers(old, size) {
		return nil
	}
	if err := s.mark.write(note); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}

// readMark makes the tail require the checkpoint that the mark holds.
func (s *Sealer) readMark(t *tail) error {
	if s.mark == nil {
		return nil
	}
	note, err := s.mark.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	c, err := proof.OpenCheckpoint(note, s.keys...)
	if err != nil {
		return fmt.Errorf("%w: mark: %w", ErrRefused, err)
	}
	t.rememberCheckpoint(c)
	return nil
}
