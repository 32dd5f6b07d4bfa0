package filesink

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// full reports whether the next line belongs into a new file.
func (s *File) full(at mark) bool {
	if at.Lines == 0 {
		return false
	}
	return s.cfg.MaxSize > 0 && at.Size >= s.cfg.MaxSize || s.cfg.MaxAge > 0 && time.Since(s.begun) >= s.cfg.MaxAge ||
		at.Key != s.cfg.Keys[0].ID
}

// rotate closes the active file and creates another. A crash between its steps leaves one of three
// states, which Open completes: a closing record in the active file; a renamed file that the
// manifest does not name; no active file.
func (s *File) rotate() error {
	if err := s.look(); err != nil {
		return err
	}
	text, end, err := s.closeLine(s.at)
	if err != nil {
		return err
	}
	if _, err := s.f.Write(text); err != nil {
		return s.back(s.at, err)
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	if err := s.f.Close(); err != nil {
		return err
	}
	s.at = end
	if err := s.retire(end); err != nil {
		return err
	}
	return s.create()
}

// retire renames the closed file and adds it to the manifest.
func (s *File) retire(end mark) error {
	name := s.place.closed(s.first.Next, end.Cursor.Next)
	for _, taken := range []string{name, name + zipped} { // nobody else writes here while the lock is held
		if _, err := os.Lstat(taken); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already: %w", taken, errors.Join(fs.ErrExist, err))
		}
	}
	if err := os.Rename(s.place.active, name); err != nil {
		return err
	}
	if err := syncDir(name); err != nil {
		return err
	}
	return s.enter(closedFile{name, s.first.Next, end.Cursor.Next}, end)
}

func (s *File) enter(f closedFile, end mark) error {
	s.manifest.Version = 1
	s.manifest.Files = append(s.manifest.Files, manifestRow{Name: filepath.Base(f.path), First: s.first, End: end})
	if err := writeSigned(s.place.manifest(), "manifest", s.manifest, s.cfg.Keys[0]); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	s.compressLater(f.path)
	return nil
}

// create creates the active file after the closed ones. It writes the head first. So a file that a
// crash has spoiled differs from one that was never of this sink, and a file whose end was cut off
// cannot be passed off with the head of an earlier file.
func (s *File) create() error {
	s.first, s.begun = s.manifest.end(), time.Now()
	s.at = mark{Cursor: s.first}
	s.synced, s.tail = s.at, nil
	if err := s.writeHead(); err != nil {
		return err
	}
	s.headAt = time.Time{} // the first sync writes the head at once
	f, err := os.OpenFile(s.place.active, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	if err := syncDir(s.place.active); err != nil {
		f.Close()
		return err
	}
	s.f = f
	return nil
}

const zipped = ".gz"

// compressLater queues a file for compression. If the queue is full, the next Open compresses it.
func (s *File) compressLater(path string) {
	if !s.cfg.Gzip {
		return
	}
	select {
	case s.zip <- path:
	default:
	}
}

func (s *File) compressAll(ctx context.Context) {
	for path := range s.zip {
		if ctx.Err() != nil {
			continue
		}
		if err := compress(path); err != nil {
			s.cfg.Logger.WarnContext(ctx, "file sink: a closed file was not compressed", "file", path, "cause", err)
		}
	}
}

// compress replaces a file with its compressed form. A crash leaves the plain file, or both. The
// next Open compresses it again.
func compress(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path+zipped+".tmp", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(path + zipped + ".tmp")
		}
	}()
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = out.Sync()
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(path+zipped+".tmp", path+zipped)
	}
	if err == nil {
		err = syncDir(path)
	}
	if err == nil {
		err = os.Remove(path)
	}
	return err
}

// openPlain opens a file for reading, compressed or not.
func openPlain(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err == nil {
		return f, nil
	}
	z, errZ := os.Open(path + zipped)
	if errZ != nil {
		if f, again := os.Open(path); again == nil {
			return f, nil
		}
		return nil, err
	}
	r, err := gzip.NewReader(z)
	if err != nil {
		z.Close()
		return nil, fmt.Errorf("%s: %w", path+zipped, err)
	}
	return unzipped{r, z}, nil
}

type unzipped struct {
	*gzip.Reader
	f *os.File
}

func (u unzipped) Close() error { return errors.Join(u.Reader.Close(), u.f.Close()) }
