//go:build !linux && !darwin

package disk

import (
	"errors"
	"os"
)

// look only checks that the folder exists: on other systems, disks are watched by canaries alone.
func look(folder string) (Space, error) {
	if _, err := os.Stat(folder); err != nil {
		return Space{}, err
	}
	return Space{}, errors.ErrUnsupported
}
