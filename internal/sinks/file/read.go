package filesink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/sink"
)

// maxLine is the longest line that is read, in bytes. Written lines are shorter: at most a leaf of
// 64 KiB and data of 256 KiB twice, all escaped.
const maxLine = 8 << 20

var errLong = errors.New("the line is too long")

// eachLine calls take with each line, without its line feed, and with its number from 1. It stops
// at the first error of take. torn is true if the last line has no line feed.
func eachLine(ctx context.Context, r io.Reader, take func(n int, text []byte) error) (torn bool, err error) {
	in := bufio.NewReaderSize(r, 256<<10)
	var long []byte
	for n := 1; ; n++ {
		long = long[:0]
		text, err := in.ReadSlice('\n')
		for err == bufio.ErrBufferFull {
			if long = append(long, text...); len(long) > maxLine {
				return false, errLong
			}
			text, err = in.ReadSlice('\n')
		}
		if len(long) > 0 {
			text = append(long, text...)
			long = text
		}
		switch {
		case err == io.EOF && len(text) == 0:
			return false, nil
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		}
		if err := take(n, bytes.TrimSuffix(text, []byte("\n"))); err != nil {
			return false, err
		}
		if n%256 == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
}

var errStopped = errors.New("the caller has stopped")

// file checks a closed file. A fault is an *sink.InvalidError that names the line.
func (w *walk) file(ctx context.Context, path string, yield func(sink.Record) bool) error {
	f, err := openPlain(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sink.Invalid(w.at.Cursor.Next, filepath.Base(path), "the file is missing")
	} else if err != nil {
		return sink.Invalid(w.at.Cursor.Next, filepath.Base(path), "%v", err)
	}
	defer f.Close()
	w.begin()
	torn, err := w.lines(ctx, f, filepath.Base(path), yield)
	if err == nil && torn {
		err = sink.Invalid(w.at.Cursor.Next, fmt.Sprintf("%s: line %d", filepath.Base(path), w.at.Lines+1), "%v", errTorn)
	}
	return err
}

func (w *walk) lines(ctx context.Context, r io.Reader, name string,
	yield func(sink.Record) bool) (torn bool, err error) {
	next := w.at.Lines + 1
	torn, err = eachLine(ctx, r, func(_ int, text []byte) error {
		r, err := w.take(text)
		if err == nil {
			next++
			if r != nil && yield != nil && !yield(*r) {
				return errStopped
			}
		}
		return err
	})
	if err != nil && err != errStopped && ctx.Err() == nil {
		err = sink.Invalid(w.at.Cursor.Next, fmt.Sprintf("%s: line %d", name, next), "%v", err)
	}
	return torn, err
}

// snapshot is what a reader sees: the closed files, and the active file up to what was written.
type snapshot struct {
	rows   []manifestRow
	active *os.File
	size   int64
	end    sink.Cursor // of the closed ones
}

func (s *File) snapshot() (v snapshot, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return v, err
	}
	v = snapshot{rows: s.manifest.Files[:len(s.manifest.Files):len(s.manifest.Files)], size: s.at.Size, end: s.first}
	v.active, err = os.Open(s.place.active)
	return v, err
}

// Read implements sink.Sink.
func (s *File) Read(ctx context.Context, from uint64) iter.Seq2[sink.Record, error] {
	return func(yield func(sink.Record, error) bool) {
		v, err := s.snapshot()
		if err != nil {
			yield(sink.Record{}, err)
			return
		}
		defer v.active.Close()
		err = s.walkAll(ctx, v, from, func(r sink.Record) bool { return r.Entry.Index < from || yield(r, nil) })
		if err != nil && err != errStopped {
			yield(sink.Record{}, err)
		}
	}
}

// walkAll checks all files with entries from an index on.
func (s *File) walkAll(ctx context.Context, v snapshot, from uint64, yield func(sink.Record) bool) error {
	for i, row := range v.rows {
		if i > 0 && v.rows[i-1].End.Cursor != row.First {
			return sink.Invalid(row.First.Next, row.Name, "the manifest names no file before it that ends there")
		}
		if row.End.Cursor.Next <= from && from > 0 {
			continue
		}
		w := walk{ring: s.cfg.Keys, at: mark{Cursor: row.First}}
		if err := w.file(ctx, filepath.Join(filepath.Dir(s.cfg.Path), row.Name), yield); err != nil {
			return err
		}
		if w.at != row.End {
			return sink.Invalid(w.at.Cursor.Next, row.Name, "it ends otherwise than the manifest says")
		}
	}
	w := walk{ring: s.cfg.Keys, at: mark{Cursor: v.end}}
	torn, err := w.lines(ctx, io.LimitReader(v.active, v.size), filepath.Base(s.cfg.Path), yield)
	if err == nil && (torn || w.at.Size != v.size) {
		err = sink.Invalid(w.at.Cursor.Next, fmt.Sprintf("%s: line %d", filepath.Base(s.cfg.Path), w.at.Lines+1),
			"its end is not there")
	}
	return err
}

// Verify implements sink.Sink.
func (s *File) Verify(ctx context.Context) error {
	v, err := s.snapshot()
	if err != nil {
		return err
	}
	defer v.active.Close()
	return s.walkAll(ctx, v, 0, nil)
}
