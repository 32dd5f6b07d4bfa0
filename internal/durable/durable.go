// Package durable replaces files so that a crash loses nothing. State that records what was seen or
// signed is worthless if it can be forgotten.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces a file. After a crash the file has all of the old or all of the new content,
// and once WriteFile has returned nil, the new one. After an error the file has the old content,
// unless only the sync of the directory failed; then it may have either. A crash may leave a
// temporary file, the name with a suffix, which nobody reads.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	// a unique name, so that two writers do not share it
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(dir)
}
