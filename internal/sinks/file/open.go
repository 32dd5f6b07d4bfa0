package filesink

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Open opens the files at a path, or creates them, and repairs what a crash has left: it cuts off
// half a line, and completes a rotation. If the active file, its head or the manifest was removed,
// cut or overwritten, Open sets aside what is left and starts again, and the log fills the new
// file. Mended then returns what was lost. Open returns an *sink.InvalidError, and changes nothing,
// for a file that is not of this sink or whose key is not in the ring.
func Open(ctx context.Context, cfg Config) (*File, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Keys) == 0 {
		return nil, errors.New("file sink: a key is required")
	}
	s := &File{
		cfg:   cfg,
		place: newPlace(cfg.Path),
		signs: cfg.Keys[0].signer(),
		zip:   make(chan string, 64),
		lost:  make(chan struct{}),
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o750); err != nil {
		return nil, fmt.Errorf("file sink: %w", err)
	}
	var err error
	if s.lock, err = lockFile(s.place.lock()); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Path, err)
	}
	if err := s.recover(ctx); err != nil {
		if s.f != nil {
			s.f.Close()
		}
		s.lock.Close()
		return nil, fmt.Errorf("%s: %w", cfg.Path, err)
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.parts.Go(func() { s.compressAll(context.WithoutCancel(ctx)) })
	s.parts.Go(func() { s.tick(ctx) })
	for _, row := range s.manifest.Files {
		path := filepath.Join(filepath.Dir(cfg.Path), row.Name)
		if _, err := os.Lstat(path); cfg.Gzip && err == nil {
			s.compressLater(path)
		}
	}
	return s, nil
}

func lockFile(path string) (*flock.Lock, error) {
	l, err := flock.Create(path)
	if errors.Is(err, flock.ErrLocked) {
		return nil, sink.ErrLocked
	}
	return l, err
}

func (s *File) recover(ctx context.Context) (err error) {
	if s.manifest, _, err = readManifest(s.place, s.cfg.Keys); errors.Is(err, errUnsigned) {
		s.manifest, err = manifest{}, s.putAside(s.place.manifest(), err)
	} else if err != nil {
		return sink.Invalid(0, "", "%v", err)
	}
	if err == nil {
		err = s.unnamed(ctx)
	}
	if err != nil {
		return err
	}
	s.first = s.manifest.end()
	h, there, err := s.readHead()
	if err != nil {
		return err
	}
	if s.begun, err = time.Parse(time.RFC3339Nano, h.Begun); err != nil {
		s.begun = time.Now()
	}
	s.f, err = os.OpenFile(s.place.active, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.At.Size > 0:
		return s.anew(fmt.Errorf("%w: it is missing", sink.ErrLost))
	case errors.Is(err, fs.ErrNotExist):
		return s.create()
	case err != nil:
		return err
	}
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return sink.Invalid(s.first.Next, s.place.active, "not a regular file")
	}
	if err := s.isCut(info.Size(), h.At); errors.Is(err, sink.ErrLost) {
		return s.anew(err)
	} else if err != nil {
		return err
	}
	return s.resume(ctx, info.Size(), h.At, there || len(s.manifest.Files) > 0)
}

// readHead reads the head of the active file. A head with an invalid MAC is set aside, and the file
// is then read from its start.
func (s *File) readHead() (h head, there bool, err error) {
	h, there, err = readHead(s.place, s.cfg.Keys)
	if errors.Is(err, errUnsigned) {
		h, err = head{First: s.first, At: mark{Cursor: s.first}}, s.putAside(s.place.head(), err)
	} else if err != nil {
		err = sink.Invalid(s.first.Next, "", "%v", err)
	}
	if err != nil {
		return h, there, err
	}
	if there && h.First.Next > s.first.Next { // a crash leaves the manifest ahead of the head, never behind it
		why := fmt.Errorf("%w: the manifest of the files before index %d is missing", sink.ErrLost, h.First.Next)
		if err := s.putAside(s.place.active, why); err != nil {
			return h, there, err
		}
	}
	if !there || h.First != s.first || h.At.Closed { // the head is of a file that has been closed
		h = head{First: s.first, At: mark{Cursor: s.first}}
	}
	return h, there, nil
}

// unnamed adds a closed file to the manifest, if a crash came between its renaming and the
// manifest.
func (s *File) unnamed(ctx context.Context) error {
	list, err := s.place.list()
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.next <= s.manifest.end().Next {
			continue
		}
		if f.first != s.manifest.end().Next { // the manifest, and files before this one, are missing
			if err := s.strayFile(f); err != nil {
				return err
			}
			continue
		}
		w := walk{ring: s.cfg.Keys, at: mark{Cursor: s.manifest.end()}}
		if err := w.file(ctx, f.path, nil); err != nil {
			return err
		}
		s.first = s.manifest.end()
		if err := s.enter(f, w.at); err != nil {
			return err
		}
	}
	return nil
}

// strayFile sets aside a closed file that the manifest does not name and that does not continue it.
// The log sends its entries again.
func (s *File) strayFile(f closedFile) error {
	for _, path := range []string{f.path, f.path + zipped} {
		if _, err := os.Lstat(path); err == nil {
			why := fmt.Errorf("%w: files before index %d are missing, and the manifest does not name %s",
				sink.ErrLost, f.first, filepath.Base(path))
			if err := s.putAside(path, why); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume reads the active file after what is known to be durable, and cuts off what a crash has
// spoiled. It never cuts off what a crash cannot have left: lines under a key that is not in the
// ring, and a file that is not of this sink, because it starts differently and has no head or
// manifest.
func (s *File) resume(ctx context.Context, size int64, durable mark, ours bool) error {
	w := walk{ring: s.cfg.Keys, at: durable}
	lines := bufio.NewReaderSize(io.NewSectionReader(s.f, durable.Size, size-durable.Size), 64<<10)
	var bad error
	for bad == nil {
		text, err := lines.ReadBytes('\n')
		if len(text) == 0 && err == io.EOF {
			break
		} else if err != nil && err != io.EOF {
			return err
		}
		if err == io.EOF {
			bad = errTorn
		} else {
			_, bad = w.take(bytes.TrimSuffix(text, []byte("\n")))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if bad != nil && (!ours && w.at.Lines == 0 || errors.Is(bad, errKeyID)) {
		return sink.Invalid(w.at.Cursor.Next, fmt.Sprintf("%s: line %d", filepath.Base(s.place.active), w.at.Lines+1),
			"%v; the file stays as it is", bad)
	}
	if bad != nil && w.at.Lines == 0 && !errors.Is(bad, errTorn) {
		if first, err := s.byteAt(0); err != nil || first != 0 { // a crash leaves half a line, or zeros
			return errors.Join(err, s.anew(fmt.Errorf("%w: its first line is not of this sink: %w", sink.ErrLost, bad)))
		}
	}
	s.at = w.at
	if bad != nil {
		s.cfg.Logger.WarnContext(ctx, "file sink: cut off what a crash has left; the log sends it again",
			"file", s.cfg.Path, "at", w.at.Size, "bytes", size-w.at.Size, "cause", bad)
		if err := s.back(w.at, nil); err != nil {
			return err
		}
	}
	if _, err := s.f.Seek(w.at.Size, io.SeekStart); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil { // what was read may be only in the page cache
		return err
	}
	s.synced = w.at
	if !w.at.Closed {
		return s.readTail(w.at.Size)
	}
	if err := s.f.Close(); err != nil {
		return err
	}
	if err := s.retire(w.at); err != nil {
		return err
	}
	return s.create()
}

var errTorn = errors.New("the last line does not end")

func (s *File) byteAt(offset int64) (byte, error) {
	var b [1]byte
	_, err := s.f.ReadAt(b[:], offset)
	return b[0], err
}
