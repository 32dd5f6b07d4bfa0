package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// BallastBytes is the size of a ballast file.
const BallastBytes = 1 << 20

// ballast is the path of a file that only takes space. It is removed when almost no space is left,
// so that an alert about that can still be written, and created again when there is space. An empty
// path means no ballast.
type ballast string

// keep creates the file if it is missing. A crash here leaves a part of it, which counts as the
// whole file.
func (b ballast) create() error {
	if b == "" {
		return nil
	}
	f, err := os.OpenFile(string(b), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("ballast: %w", err)
	}
	_, err = f.Write(make([]byte, BallastBytes))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("ballast: %w", errors.Join(err, os.Remove(string(b))))
	}
	return nil
}

// drop removes the file when less space is free than it takes.
func (b ballast) removeIfFull() {
	if b == "" {
		return
	}
	if s, err := Look(filepath.Dir(string(b))); err == nil && s.Free < BallastBytes {
		os.Remove(string(b)) // a failure is retried a second later
	}
}
