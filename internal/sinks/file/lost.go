package filesink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sealstream/sealstream/pkg/sink"
)

// tailSize is the number of bytes at the end of the file that are compared. They contain the MAC of
// a line and a part of its signature.
const tailSize = 128

// look checks that nobody has changed the file: the path leads to the open file, which has its size
// and its end, and the path of the lock leads to the lock that is held. It costs three stats and a
// read of a few bytes. If the check fails, the sink is broken.
func (s *File) look() error {
	if err := s.changed(); err != nil {
		return s.hurt("watch", err)
	}
	return nil
}

func (s *File) changed() error {
	ours, err := s.f.Stat()
	if err != nil {
		return err
	}
	if err := samePath(s.place.active, ours); err != nil {
		return err
	}
	if ours.Size() != s.at.Size {
		return fmt.Errorf("%w: it has %d bytes, but %d were written", sink.ErrLost, ours.Size(), s.at.Size)
	}
	if err := s.lock.Held(); err != nil {
		return fmt.Errorf("%w: %w", sink.ErrLost, err)
	}
	if s.at.Size == 0 {
		return nil
	}
	var end [tailSize]byte
	n, err := s.f.ReadAt(end[:len(s.tail)], s.at.Size-int64(len(s.tail)))
	if err != nil && err != io.EOF { // EOF means that the file was cut since Stat
		return err
	}
	if !bytes.Equal(end[:n], s.tail) {
		return fmt.Errorf("%w: its last line is different", sink.ErrLost)
	}
	return nil
}

// samePath checks that a path leads to an open file.
func samePath(path string, open fs.FileInfo) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", sink.ErrLost, filepath.Base(path))
	} else if err != nil {
		return err
	}
	if !os.SameFile(info, open) {
		return fmt.Errorf("%w: %s is another file", sink.ErrLost, filepath.Base(path))
	}
	return nil
}

// joins checks that the last write follows the end of a line. If the file was cut just before the
// write, zeros are there.
func (s *File) joins(before int64) error {
	if before == 0 {
		return nil
	}
	if b, err := s.byteAt(before - 1); err != nil || b != '\n' {
		return s.hurt("watch", errors.Join(fmt.Errorf("%w: it was cut while it was written", sink.ErrLost), err))
	}
	return nil
}

// readTail remembers the end of the file.
func (s *File) readTail(size int64) error {
	s.tail = make([]byte, min(size, tailSize), tailSize)
	if len(s.tail) == 0 {
		return nil
	}
	_, err := s.f.ReadAt(s.tail, size-int64(len(s.tail)))
	if err == io.EOF || err == nil && s.tail[len(s.tail)-1] != '\n' {
		return fmt.Errorf("%w: the line that ended there does not end there now", sink.ErrLost)
	}
	return err
}

// Lost implements sink.Watcher.
func (s *File) Lost() <-chan struct{} { return s.lost }

// Mended implements sink.Mender.
func (s *File) Mended() string { return s.mended }

// anew creates the active file again after durable data in it was lost. The log fills it. A file at
// its path is set aside unless it is empty, because it may be evidence or belong to somebody else.
func (s *File) anew(why error) error {
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
	if err := s.putAside(s.place.active, why); err != nil {
		return err
	}
	return s.create()
}

// putAside renames a file and records why.
func (s *File) putAside(path string, why error) error {
	if s.mended != "" {
		s.mended += "; "
	}
	s.mended += why.Error()
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if info.Mode().IsRegular() && info.Size() == 0 {
		return os.Remove(path)
	}
	aside := path + lostInfix + time.Now().UTC().Format("20060102T150405.000000000Z")
	s.mended += "; the old file is kept as " + filepath.Base(aside)
	return os.Rename(path, aside)
}

// lostInfix separates the name of a file that was set aside from the time.
const lostInfix = ".lost-"

// isCut returns a sink.ErrLost if the file no longer contains what was durable.
func (s *File) isCut(size int64, durable mark) error {
	if size < durable.Size {
		return fmt.Errorf("%w: its end was cut off: it has %d bytes, but had %d", sink.ErrLost, size, durable.Size)
	}
	if durable.Size == 0 {
		return nil
	}
	line, err := s.lineBefore(durable.Size)
	if err != nil {
		return err
	}
	if line == nil || !bytes.Contains(line, []byte(`"content_hash": "`+durable.Content+`"`)) {
		return fmt.Errorf("%w: the line of index %d no longer ends at byte %d", sink.ErrLost,
			durable.Cursor.Next-1, durable.Size)
	}
	return nil
}

// lineBefore returns the line that ends at an offset, or nil if none does.
func (s *File) lineBefore(end int64) ([]byte, error) {
	for n := int64(4 << 10); ; n *= 4 {
		text := make([]byte, min(n, end))
		if _, err := s.f.ReadAt(text, end-int64(len(text))); err == io.EOF {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		body, whole := bytes.CutSuffix(text, []byte("\n"))
		if !whole {
			return nil, nil
		}
		if i := bytes.LastIndexByte(body, '\n'); i >= 0 || int64(len(text)) == end {
			return body[i+1:], nil
		}
		if n > maxLine {
			return nil, nil
		}
	}
}
