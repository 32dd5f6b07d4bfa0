package filesink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Config says where a file sink writes, and how.
type Config struct {
	Path    string        // of the file that grows, such as /var/log/audit.jsonl
	Keys    Ring          // the first signs; at least one
	Sync    time.Duration // fsync no later than this after a write; 0: in each write
	MaxSize int64         // bytes from which on a file is closed; 0: never for its size
	MaxAge  time.Duration // since a file was begun, after which it is closed at the next write; 0: never for its age
	Gzip    bool          // compress closed files
	NoData  bool          // leave the events' data out, so that it need not be erased here when it is erased in the log
	Logger  *slog.Logger  // nil: silent
}

// headEvery is how often the head is written, at most.
const headEvery = time.Second

// File is the sink. Use Open.
type File struct {
	cfg   Config
	place place
	lock  *os.File
	signs *signer

	mu       sync.Mutex
	closed   bool
	broken   error // what came between file and memory: only opening anew helps
	f        *os.File
	manifest manifest
	first    sink.Cursor // at the begin of f
	begun    time.Time
	at       mark // written
	synced   mark // durable
	headAt   time.Time
	headed   mark // that the head says
	buf      []byte

	stop  context.CancelFunc
	parts sync.WaitGroup
	zip   chan string // closed files that wait to be compressed
}

// Cursor implements sink.Sink: it is that of what is durable.
func (s *File) Cursor(ctx context.Context) (sink.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced.Cursor, s.usable()
}

func (s *File) usable() error {
	if s.closed {
		return sink.ErrClosed
	}
	return s.broken
}

// Write implements sink.Sink. The entries of one call are written in one piece, or in one for each file that they go into.
func (s *File) Write(ctx context.Context, records []sink.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rest, err := s.at.Cursor.Rest(records)
	if err != nil {
		return err
	}
	s.buf = s.buf[:0]
	at := s.at
	for i := range rest {
		if s.full(at) {
			if err := s.flush(at); err != nil {
				return err
			}
			if err := s.rotate(); err != nil {
				return s.hurt("close a file", err)
			}
			at = s.at
		}
		if at, err = s.appendRecord(at, rest[i]); err != nil {
			return err
		}
	}
	if err := s.flush(at); err != nil {
		return err
	}
	if s.cfg.Sync > 0 {
		return nil
	}
	return s.sync()
}

// appendRecord adds a line to what is to be written.
func (s *File) appendRecord(at mark, r sink.Record) (mark, error) {
	if s.cfg.NoData {
		r.Payload = nil
	}
	l, err := newLine(r, at.Content)
	if err != nil {
		return at, err
	}
	before := len(s.buf)
	s.buf = l.append(s.buf, s.signs)
	return mark{Size: at.Size + int64(len(s.buf)-before), Lines: at.Lines + 1, Cursor: sink.Of(&r.Entry), Content: l.content, Key: s.cfg.Keys[0].ID}, nil
}

// flush writes the lines that lead to a mark. A part that was written is taken back, so that the next line does not stand behind half a line; a crash
// before that leaves it for Open to cut.
func (s *File) flush(to mark) error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.f.Write(s.buf)
	s.buf = s.buf[:0]
	if err == nil {
		s.at = to
		return nil
	}
	return s.back(s.at, err)
}

// back takes a file back to a mark, after an error.
func (s *File) back(to mark, cause error) error {
	err := s.f.Truncate(to.Size)
	if err == nil {
		_, err = s.f.Seek(to.Size, 0)
	}
	if err != nil {
		return s.hurt("take back what was half written", errors.Join(cause, err))
	}
	s.at = to
	return cause
}

func (s *File) hurt(doing string, err error) error {
	s.broken = fmt.Errorf("%s: %s: %w", s.cfg.Path, doing, err)
	return s.broken
}

// sync makes durable what was written. After an fsync that failed the kernel may take pages for clean that are on no disk: what they held
// is taken back, and comes from the log again.
func (s *File) sync() error {
	if s.at == s.synced {
		return nil
	}
	if err := s.f.Sync(); err != nil {
		return s.back(s.synced, fmt.Errorf("fsync: %w", err))
	}
	s.synced = s.at
	if time.Since(s.headAt) >= headEvery {
		return s.writeHead()
	}
	return nil
}

func (s *File) writeHead() error {
	h := head{Version: 1, First: s.first, Begun: s.begun.UTC().Format(time.RFC3339Nano), At: s.synced}
	if err := writeSigned(s.place.head(), "head", h, s.cfg.Keys[0]); err != nil {
		return fmt.Errorf("head: %w", err)
	}
	s.headAt, s.headed = time.Now(), s.synced
	return nil
}

// syncBehind makes durable what was written so far, while more is written.
func (s *File) syncBehind() error {
	s.mu.Lock()
	f, to, err := s.f, s.at, s.usable()
	idle := to == s.synced
	s.mu.Unlock()
	if err == nil && !idle {
		err = f.Sync()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.usable() != nil:
		return s.usable()
	case s.f != f: // it was closed meanwhile, and made durable by that
		return nil
	case err != nil: // see sync
		return s.hurt("fsync", s.back(s.synced, err))
	}
	if s.synced.Size < to.Size {
		s.synced = to
	}
	if s.headed != s.synced && time.Since(s.headAt) >= headEvery {
		return s.writeHead()
	}
	return nil
}

func (s *File) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken != nil
}

// tick makes durable what waits, at each interval. What fails is told by the next Write, which tries again or finds the sink broken.
func (s *File) tick(ctx context.Context) {
	every := time.NewTicker(max(s.cfg.Sync, time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		err := s.syncBehind()
		if err != nil && !errors.Is(err, sink.ErrClosed) {
			s.cfg.Logger.WarnContext(ctx, "file sink", "file", s.cfg.Path, "cause", err)
		}
		if s.isBroken() { // the next Write says so, and whoever wrote opens it anew
			return
		}
	}
}

// Close implements sink.Sink.
func (s *File) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	var err error
	if s.broken == nil {
		if err = s.sync(); err == nil && s.headed != s.synced {
			err = s.writeHead()
		}
	}
	s.closed = true
	err = errors.Join(err, s.f.Close())
	close(s.zip)
	s.mu.Unlock()
	s.stop()
	s.parts.Wait()
	return errors.Join(err, s.lock.Close())
}

// closeLine is the closing record of a file that has come to a mark.
func (s *File) closeLine(at mark) ([]byte, mark, error) {
	l, err := closingLine(at, agt.ISOTime(time.Now()))
	if err != nil {
		return nil, at, err
	}
	k := s.cfg.Keys.find(at.Key) // one key a file, as long as it is there: the toolkit's verifier has but one
	if k == nil {
		k = &s.cfg.Keys[0]
	}
	text := l.append(nil, k.signer())
	at.Size, at.Lines, at.Content, at.Closed = at.Size+int64(len(text)), at.Lines+1, l.content, true
	at.Key = k.ID
	return text, at, nil
}
