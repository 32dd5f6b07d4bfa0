package natsd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// NoBucket reports whether a path is the folder of a stream that is no key-value bucket.
func NoBucket(path string) bool {
	return filepath.Base(filepath.Dir(path)) == "streams" && !strings.HasPrefix(filepath.Base(path), bucketPrefix)
}

const bucketPrefix = "KV_"

// DamagedBuckets returns one sentence for each place where a key-value bucket of a store is damaged
// or was truncated by a crash. scratch is a copy of the buckets and their settings, which it
// changes. A server that finds no index there reads every message, and truncates what fails its
// checksum.
func DamagedBuckets(ctx context.Context, storeDir, scratch, log string) (list []string, err error) {
	err = filepath.WalkDir(scratch, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "index.db" {
			return os.Remove(path)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s, err := Start(ctx, Config{StoreDir: scratch, InProcess: true, Log: log})
	if err != nil {
		return nil, err
	}
	s.Shutdown()
	return compareBuckets(storeDir, scratch)
}

func compareBuckets(storeDir, started string) (list []string, err error) {
	buckets := filepath.Join(server.JetStreamStoreDir, accountLog, "streams")
	streams, err := os.ReadDir(filepath.Join(storeDir, buckets))
	if err != nil {
		return nil, err
	}
	for _, s := range streams {
		bucket, ok := strings.CutPrefix(s.Name(), bucketPrefix)
		if !ok {
			continue
		}
		msgs := filepath.Join(buckets, s.Name(), "msgs")
		files, err := os.ReadDir(filepath.Join(storeDir, msgs))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, f := range files {
			if filepath.Ext(f.Name()) != ".blk" {
				continue
			}
			same, size, err := samePrefix(filepath.Join(storeDir, msgs, f.Name()), filepath.Join(started, msgs, f.Name()))
			if err != nil {
				return nil, err
			}
			if same < size {
				list = append(list, fmt.Sprintf("bucket %s is damaged, or was cut off, at byte %d of %d of its file %s",
					bucket, same, size, f.Name()))
			}
		}
	}
	return list, nil
}

// samePrefix returns the length of the common prefix of two files, and the size of the first.
func samePrefix(path, other string) (same, size int64, err error) {
	a, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer a.Close()
	info, err := a.Stat()
	if err != nil {
		return 0, 0, err
	}
	b, err := os.Open(other)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, info.Size(), nil
	} else if err != nil {
		return 0, 0, err
	}
	defer b.Close()
	x, y := bufio.NewReader(a), bufio.NewReader(b)
	for {
		c, err := x.ReadByte()
		if err == io.EOF {
			return same, info.Size(), nil
		} else if err != nil {
			return 0, 0, err
		}
		if d, err := y.ReadByte(); err != nil && err != io.EOF {
			return 0, 0, err
		} else if err == io.EOF || c != d {
			return same, info.Size(), nil
		}
		same++
	}
}
