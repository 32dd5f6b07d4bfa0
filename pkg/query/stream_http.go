package query

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
)

// getStream answers with server-sent events: the entries that the filters match, from Last-Event-ID or from_index on, else those to come.
func (q *Query) getStream(w http.ResponseWriter, r *http.Request, p *params) error {
	filter, from := p.filter(), p.index("from_index")
	if id := r.Header.Get("Last-Event-ID"); id != "" { // a browser that comes again sends it with the address of the first time
		last, err := strconv.ParseUint(id, 10, 53)
		if err != nil || strconv.FormatUint(last, 10) != id {
			return &RequestError{"Last-Event-ID", "is not the id of an event"}
		}
		from = new(last + 1)
	}
	if err := p.end(); err != nil {
		return err
	}
	filter, err := filter.normal()
	if err != nil {
		return err
	}
	snap, _, err := q.view(Filter{})
	if err != nil {
		return err
	}
	if from == nil {
		from = &snap.size
	}
	leave, err := q.enter()
	if err != nil {
		return err
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies would hold it back
	if r.Method == http.MethodHead {
		return nil
	}
	s := newSSE(w, q.cfg.StreamStall)
	defer s.control.SetWriteDeadline(time.Time{}) // another request may come on the connection
	if err := s.write([]byte("retry: 1000\n\n")); err == nil {
		err = q.stream(r.Context(), filter, *from, s.send, s.idle)
		q.endOfStream(r, s, err)
	}
	return nil
}

// endOfStream tells the reader, where it still can, why there is no more: a log that does not verify must not look like a quiet one.
func (q *Query) endOfStream(r *http.Request, s *sse, err error) {
	switch {
	case s.stalled:
		q.streams.dropped.Add(1)
		q.log.InfoContext(r.Context(), "a stream is dropped: its reader does not take what is sent to it", "path", r.URL.Path)
	case s.broken, errors.Is(err, errEnded), errors.Is(err, context.Canceled):
	default:
		p := problemOf(err)
		if m, ok := errors.AsType[*proof.MismatchError](err); ok && p.Status != http.StatusInternalServerError {
			p = newProblem(http.StatusInternalServerError, "the log does not verify: "+m.Error())
			p.Index = &m.Index
		}
		if p.Status >= 500 && !comeAgain(err) {
			q.log.ErrorContext(r.Context(), "stream broken off", "path", r.URL.Path, "status", p.Status, "cause", err)
		}
		b, _ := json.Marshal(p) // strings and numbers
		s.write(append(appendFields([]byte("event: problem\n"), b), '\n'))
	}
}

// sse writes server-sent events. What its reader does not take in time breaks it, and the reader can come again.
type sse struct {
	w               http.ResponseWriter
	control         *http.ResponseController
	stall           time.Duration
	buf             []byte
	stalled, broken bool
}

// maxSSE is about how much a stream hands to the connection at a time, and so what it holds for its reader.
const maxSSE = 64 << 10

func newSSE(w http.ResponseWriter, stall time.Duration) *sse {
	return &sse{w: w, control: http.NewResponseController(w), stall: stall}
}

func (s *sse) send(events [][]byte) error {
	for _, e := range events {
		if s.buf = append(s.buf, e...); len(s.buf) >= maxSSE {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

func (s *sse) idle() error { return s.write([]byte(":\n\n")) }

func (s *sse) flush() error {
	err := s.write(s.buf)
	if s.buf = s.buf[:0]; cap(s.buf) > 2*maxSSE {
		s.buf = nil
	}
	return err
}

func (s *sse) write(b []byte) error {
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
