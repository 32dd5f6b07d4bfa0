//go:build !unix

package flock

import (
	"errors"
	"fmt"
	"os"
)

func lock(f *os.File, k Kind) error {
	if k == None {
		return nil
	}
	return fmt.Errorf("lock %s: %w: it needs Unix", f.Name(), errors.ErrUnsupported)
}
