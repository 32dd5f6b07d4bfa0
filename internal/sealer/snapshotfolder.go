package sealer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/internal/durable"
)

// snapshotFiles holds the files of a snapshot. A file that was written is durable and whole.
type snapshotFiles interface {
	read(name string) ([]byte, error) // fs.ErrNotExist if there is none
	write(name string, content []byte) error
	list() ([]string, error)
	remove(name string) error
}

const (
	headFile  = "head"
	pieceFile = "piece-" // then the number and a part of the MAC
	// mostSnapshotFile limits what a start reads. A head with the leaves of a large message has some
	// megabytes.
	mostSnapshotFile = 64 << 20
)

// snapshotFolder keeps the files in the folder of that path.
type snapshotFolder string

func (dir snapshotFolder) path(name string) string { return filepath.Join(string(dir), name) }

func (dir snapshotFolder) read(name string) ([]byte, error) {
	f, err := os.Open(dir.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > mostSnapshotFile {
		return nil, fmt.Errorf("%s has %d bytes", f.Name(), info.Size())
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

func (dir snapshotFolder) write(name string, content []byte) error {
	err := durable.WriteFile(dir.path(name), content, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(dir.path(name), content, 0o600)
}

func (dir snapshotFolder) list() (names []string, err error) {
	list, err := os.ReadDir(string(dir))
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names, err
}

func (dir snapshotFolder) remove(name string) error { return os.Remove(dir.path(name)) }
