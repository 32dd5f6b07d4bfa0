package query

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/pkg/internal/durable"
)

// folder keeps segments as files, `<first index, 16 digits>.segment`. A file is there whole or not at all: it is written under another name, fsynced and
// renamed. A crash leaves such another name, which the next open removes. "" is no folder: nothing is kept.
type folder string

const (
	segmentEnd = ".segment"
	partialEnd = ".segment.tmp"
)

func (d folder) path(first uint64) string {
	return filepath.Join(string(d), fmt.Sprintf("%016d%s", first, segmentEnd))
}

// open makes the folder and removes what a crash has left.
func (d folder) open() error {
	if d == "" {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("index folder: %w", err)
	}
	return d.each(partialEnd, func(path string) error { return os.Remove(path) })
}

// each calls f with every file of a kind.
func (d folder) each(end string, f func(path string) error) error {
	list, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("index folder: %w", err)
	}
	for _, e := range list {
		if strings.HasSuffix(e.Name(), end) && e.Type().IsRegular() {
			if err := f(filepath.Join(string(d), e.Name())); err != nil {
				return fmt.Errorf("index folder: %w", err)
			}
		}
	}
	return nil
}

// read reads a segment, or says nil if there is none.
func (d folder) read(first uint64) ([]byte, error) {
	if d == "" {
		return nil, nil
	}
	b, err := os.ReadFile(d.path(first))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// write writes a segment, in place of one that is there.
func (d folder) write(first uint64, data []byte) (err error) {
	if d == "" {
		return nil
	}
	path := d.path(first)
	f, err := os.OpenFile(strings.TrimSuffix(path, segmentEnd)+partialEnd, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return durable.SyncDir(string(d))
}

// remove removes the segments from an index on. Not to remove one does no harm: it will be found to be wrong again.
func (d folder) remove(from uint64) error {
	if d == "" {
		return nil
	}
	least := filepath.Base(d.path(from))
	return d.each(segmentEnd, func(path string) error {
		if filepath.Base(path) < least {
			return nil
		}
		return os.Remove(path)
	})
}
