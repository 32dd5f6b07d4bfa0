// Package durable replaces files so that a crash loses nothing: state that says what was seen or signed is worth nothing if it may be forgotten.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces a file: after a crash there is all of the new one, or all of the one before, and once it has returned without an
// error, the new one. An error leaves the one before, unless it was the directory that could not be synced: then either may be there. A
// crash may leave a file of the same name with an ending in the folder, which nobody reads.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*") // of its own name: two writers do not write into one file
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

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
