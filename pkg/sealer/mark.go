package sealer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sealstream/sealstream/pkg/internal/durable"
	"github.com/sealstream/sealstream/pkg/proof"
)

// mark holds the newest checkpoint this host has seen committed. It trails the commits a little, since it is written behind them; it is
// what tells a SEALED that was rolled back from one that is only short.
type mark interface {
	read() ([]byte, error) // fs.ErrNotExist: there is none yet
	write(note []byte) error
}

// markFile is the mark as a file beside the keys.
type markFile string

func (path markFile) read() ([]byte, error) { return os.ReadFile(string(path)) }

// write replaces the mark, durably: after a crash there is the old or the new one.
func (path markFile) write(note []byte) error { return durable.WriteFile(string(path), note, 0o600) }

// putMark writes the mark, unless it holds as new a checkpoint already: another sealer of this host may be ahead.
func (s *Sealer) putMark(note []byte, size uint64) error {
	if old, err := s.mark.read(); err == nil && s.covers(old, size) {
		return nil
	}
	if err := s.mark.write(note); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}

// readMark makes what the mark holds a checkpoint that the log must pass through.
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
	t.saw(c)
	return nil
}
