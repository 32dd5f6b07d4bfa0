package httpapi

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"time"
)

// maxStream is about the size of one write, and so of what a Stream buffers for its client.
const maxStream = 64 << 10

// Stream writes server-sent events. A client that does not read in time breaks it, and can
// reconnect and resume after the last event.
type Stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	buf     []byte
	stalled bool
	broken  bool
}

// NewStream starts an answer of server-sent events. stall limits the time of one write. Call Close
// when the stream ends, except for a HEAD request, whose answer is then complete.
func NewStream(w http.ResponseWriter, stall time.Duration) *Stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // prevents buffering by proxies
	return &Stream{w: w, control: http.NewResponseController(w), stall: stall}
}

// Close prepares the connection for another request.
func (s *Stream) Close() { s.control.SetWriteDeadline(time.Time{}) }

// Stalled reports whether the client did not read in time.
func (s *Stream) Stalled() bool { return s.stalled }

// Broken reports whether a write has failed.
func (s *Stream) Broken() bool { return s.broken }

// Retry tells a browser how long to wait before it reconnects.
func (s *Stream) Retry() error { return s.write([]byte("retry: 1000\n\n")) }

// Idle sends a comment as a heartbeat.
func (s *Stream) Idle() error { return s.write([]byte(":\n\n")) }

// Send sends events made by AppendEvent.
func (s *Stream) Send(events [][]byte) error {
	for _, e := range events {
		if s.buf = append(s.buf, e...); len(s.buf) >= maxStream {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

// AppendEvent appends an event. id and name are optional. A line break in data, CR or LF, starts
// another line of data, which the client joins with LF. In JSON both are white space.
func AppendEvent(dst []byte, id, name string, data []byte) []byte {
	if id != "" {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	if name != "" {
		dst = append(append(append(dst, "event: "...), name...), '\n')
	}
	for {
		i := bytes.IndexAny(data, "\r\n")
		if i < 0 {
			break
		}
		dst = append(append(append(dst, "data: "...), data[:i]...), '\n')
		data = data[i+1:]
	}
	return append(append(append(dst, "data: "...), data...), "\n\n"...)
}

func (s *Stream) flush() error {
	err := s.write(s.buf)
	if s.buf = s.buf[:0]; cap(s.buf) > 2*maxStream {
		s.buf = nil
	}
	return err
}

func (s *Stream) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.stall))
	_, err := s.w.Write(b)
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.broken, s.stalled = true, errors.Is(err, os.ErrDeadlineExceeded)
	}
	return err
}
