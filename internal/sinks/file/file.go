package filesink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/flock"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Config is the configuration of a file sink. Path and Keys are required.
type Config struct {
	// Path is the path of the active file, such as /var/log/audit.jsonl.
	Path string
	// Keys are the HMAC keys. The first one signs.
	Keys Ring
	// Sync is the longest time from a write to its fsync. 0 syncs in each write.
	Sync time.Duration
	// MaxSize is the size in bytes from which on a file is closed. 0 is no limit.
	MaxSize int64
	// MaxAge is the age from which on a file is closed, at the next write. 0 is no limit.
	MaxAge time.Duration
	// Gzip compresses closed files.
	Gzip bool
	// NoData leaves out the events' data, so that an erasure in the log needs no erasure here.
	NoData bool
	// Logger is where the sink logs. nil discards the log.
	Logger *slog.Logger
}

// headEvery is the shortest time between two writes of the head.
const headEvery = time.Second

// File is the sink. Create it with Open.
type File struct {
	cfg   Config
	place place
	lock  *flock.Lock
	signs *signer

	mu       sync.Mutex
	closed   bool
	broken   error         // why the sink must be opened again, or nil
	lost     chan struct{} // closed when broken is set
	mended   string        // what was lost when the sink was opened, or ""
	tail     []byte        // the last tailSize bytes of the active file
	f        *os.File      // the active file
	manifest manifest
	first    sink.Cursor // at the start of f
	begun    time.Time   // when f was created
	at       mark        // end of what was written
	synced   mark        // end of what is durable
	headAt   time.Time   // when the head was written
	headed   mark        // position in the head
	buf      []byte      // lines to write

	stop  context.CancelFunc // ends tick
	parts sync.WaitGroup     // tick and compressAll
	zip   chan string        // closed files that wait to be compressed
}

// Cursor implements sink.Sink. It returns the cursor of what is durable.
func (s *File) Cursor(ctx context.Context) (sink.Cursor, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced.Cursor, s.usable()
}

func (s *File) usable() error {
	if s.closed {
		return sink.ErrClosed
	}
	if s.broken == nil {
		if err := s.lock.Held(); err != nil { // another writer may have opened the files
			return s.hurt("lock", fmt.Errorf("%w: %w", sink.ErrLost, err))
		}
	}
	return s.broken
}

// Write implements sink.Sink. It writes the entries of one call in one piece per file.
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

// appendRecord appends the line of a record to buf and returns its end.
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
	return mark{
		Size:    at.Size + int64(len(s.buf)-before),
		Lines:   at.Lines + 1,
		Cursor:  sink.Of(&r.Entry),
		Content: l.content,
		Key:     s.cfg.Keys[0].ID,
	}, nil
}

// flush writes buf, whose end is a mark. After an error it truncates the file to the last whole
// write, so that no line follows half a line. A crash before that leaves half a line, which Open
// cuts off.
func (s *File) flush(to mark) error {
	if len(s.buf) == 0 {
		return nil
	}
	if err := s.look(); err != nil {
		return err
	}
	_, err := s.f.Write(s.buf)
	if err == nil {
		s.tail = append(s.tail[:0], s.buf[max(0, len(s.buf)-tailSize):]...)
		err = s.joins(s.at.Size)
		s.at = to
		s.buf = s.buf[:0]
		return err
	}
	s.buf = s.buf[:0]
	return s.back(s.at, err)
}

// back truncates the file to a mark after an error, and returns that error.
func (s *File) back(to mark, cause error) error {
	err := s.f.Truncate(to.Size)
	if err == nil {
		_, err = s.f.Seek(to.Size, 0)
	}
	if err == nil {
		err = s.readTail(to.Size)
	}
	if err != nil {
		return s.hurt("truncate after an error", errors.Join(cause, err))
	}
	s.at = to
	return cause
}

// hurt marks the sink as broken and returns the error.
func (s *File) hurt(doing string, err error) error {
	if s.broken == nil {
		close(s.lost)
	}
	s.broken = fmt.Errorf("%s: %s: %w", s.cfg.Path, doing, err)
	return s.broken
}

// sync makes durable what was written. After a failed fsync, the kernel may treat pages as clean
// that are not on disk. So sync truncates the file to what was durable, and the log sends the rest
// again.
func (s *File) sync() error {
	if err := s.look(); err != nil {
		return err
	}
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

// syncInBackground makes durable what was written so far, and does not block writes meanwhile.
func (s *File) syncInBackground() error {
	s.mu.Lock()
	f, to, err := s.f, s.at, s.usable()
	if err == nil {
		err = s.look()
	}
	if err != nil {
		s.mu.Unlock()
		return err
	}
	idle := to == s.synced
	s.mu.Unlock()
	if !idle {
		err = f.Sync()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.usable() != nil:
		return s.usable()
	case s.f != f: // rotate closed and synced it meanwhile
		return nil
	case err != nil: // as in sync
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

// tick syncs the file and checks that nobody has changed it, at each interval. After an error, the
// next Write tries again or returns that the sink is broken.
func (s *File) tick(ctx context.Context) {
	every := time.NewTicker(max(cmp.Or(s.cfg.Sync, DefaultSync), time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		err := s.syncInBackground()
		if err != nil && !errors.Is(err, sink.ErrClosed) {
			s.cfg.Logger.WarnContext(ctx, "file sink: sync failed", "file", s.cfg.Path, "cause", err)
		}
		if s.isBroken() { // the next Write returns the cause, and the Runner opens the sink again
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
	if s.usable() == nil {
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

// closeLine returns the closing record of a file that ends at a mark, and the mark after it.
func (s *File) closeLine(at mark) ([]byte, mark, error) {
	l, err := closingLine(at, agt.ISOTime(time.Now()))
	if err != nil {
		return nil, at, err
	}
	k := s.cfg.Keys.find(at.Key) // one key per file if possible, because the toolkit's verifier takes one
	if k == nil {
		k = &s.cfg.Keys[0]
	}
	text := l.append(nil, k.signer())
	at.Size, at.Lines, at.Content, at.Closed = at.Size+int64(len(text)), at.Lines+1, l.content, true
	at.Key = k.ID
	return text, at, nil
}
