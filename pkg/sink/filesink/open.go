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

	"golang.org/x/sys/unix"

	"github.com/sealstream/sealstream/pkg/sink"
)

// Open opens the files at a path, or begins them, and mends what a crash has left: a line that was half written is cut off, and a rotation that
// was begun is ended. What was durable before and is not there any more is no crash's doing: then it says *sink.InvalidError and touches nothing.
func Open(ctx context.Context, cfg Config) (*File, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Keys) == 0 {
		return nil, errors.New("file sink: a key is required")
	}
	s := &File{cfg: cfg, place: newPlace(cfg.Path), signs: cfg.Keys[0].signer(), zip: make(chan string, 64)}
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
	if cfg.Sync > 0 {
		s.parts.Go(func() { s.tick(ctx) })
	}
	for _, row := range s.manifest.Files {
		path := filepath.Join(filepath.Dir(cfg.Path), row.Name)
		if _, err := os.Lstat(path); cfg.Gzip && err == nil {
			s.compressLater(path)
		}
	}
	return s, nil
}

func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, sink.ErrLocked
		}
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

func (s *File) recover(ctx context.Context) (err error) {
	if s.manifest, _, err = readManifest(s.place, s.cfg.Keys); err != nil {
		return sink.Invalid(0, "", "%v", err)
	}
	if err := s.unnamed(ctx); err != nil {
		return err
	}
	h, there, err := readHead(s.place, s.cfg.Keys)
	if err != nil {
		return sink.Invalid(s.manifest.end().Next, "", "%v", err)
	}
	s.first = s.manifest.end()
	if !there || h.First != s.first || h.At.Closed { // of a file that is closed by now
		h = head{First: s.first, At: mark{Cursor: s.first}}
	}
	if s.begun, err = time.Parse(time.RFC3339Nano, h.Begun); err != nil {
		s.begun = time.Now()
	}
	s.f, err = os.OpenFile(s.place.active, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.At.Size > 0:
		return sink.Invalid(s.first.Next, filepath.Base(s.place.active), "the file is missing")
	case errors.Is(err, fs.ErrNotExist):
		return s.create()
	case err != nil:
		return err
	}
	return s.resume(ctx, h.At, there || len(s.manifest.Files) > 0)
}

// unnamed enters a file that was renamed before a crash kept it out of the manifest.
func (s *File) unnamed(ctx context.Context) error {
	list, err := s.place.list()
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.next <= s.manifest.end().Next {
			continue
		}
		if f.first != s.manifest.end().Next {
			return sink.Invalid(s.manifest.end().Next, "", "the next file is %s, and the manifest does not name it", filepath.Base(f.path))
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

// resume reads the file that grows, from what is known to be durable on, and cuts off what a crash has spoilt behind it. Nothing is cut off that no
// crash can have made: lines under a key that is not in the ring, and a file that is not ours, which begins otherwise and has no head or manifest.
func (s *File) resume(ctx context.Context, durable mark, ours bool) error {
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < durable.Size {
		return sink.Invalid(durable.Cursor.Next, filepath.Base(s.place.active), "its end was cut off: it has %d bytes, and had %d", info.Size(), durable.Size)
	}
	if durable.Size > 0 {
		if last, err := s.byteAt(durable.Size - 1); err != nil || last != '\n' {
			return errors.Join(sink.Invalid(durable.Cursor.Next, filepath.Base(s.place.active), "no line ends at byte %d, where one did", durable.Size), err)
		}
	}
	w := walk{ring: s.cfg.Keys, at: durable}
	lines := bufio.NewReaderSize(io.NewSectionReader(s.f, durable.Size, info.Size()-durable.Size), 64<<10)
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
		return sink.Invalid(w.at.Cursor.Next, fmt.Sprintf("%s: line %d", filepath.Base(s.place.active), w.at.Lines+1), "%v; the file stays as it is", bad)
	}
	s.at = w.at
	if bad != nil {
		s.cfg.Logger.WarnContext(ctx, "file sink: cut off what a crash has left; it comes from the log again", "file", s.cfg.Path,
			"at", w.at.Size, "bytes", info.Size()-w.at.Size, "cause", bad)
		if err := s.back(w.at, nil); err != nil {
			return err
		}
	}
	if _, err := s.f.Seek(w.at.Size, io.SeekStart); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil { // what was read may be in the page cache alone
		return err
	}
	s.synced = w.at
	if !w.at.Closed {
		return nil
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
