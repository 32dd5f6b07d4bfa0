package query

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/proof"
)

// maxHeld limits what is held of an answer in memory, in bytes. A thousand entries can have 256 MiB
// of data.
const maxHeld = 4 << 20

// pageBuffers are buffers for pages, of at most maxSpare bytes.
var pageBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxSpare limits a buffer that is kept for another page.
const maxSpare = 256 << 10

// answer writes a page, batch by batch. While the page fits into maxHeld, an error can still become
// a problem response. A larger page is sent while it is read, like an export, and the connection is
// broken if an entry fails to verify.
func (p plan) answer(w http.ResponseWriter, r *http.Request, form form) error {
	return p.answerWith(w, r, form, func([]Found) {},
		func(dst []byte) ([]byte, error) { return appendEnd(dst, p.next, p.size, p.unchecked, nil), nil })
}

// answerWith calls each with the entries as they are read, and end to append the rest of the
// object.
func (p plan) answerWith(
	w http.ResponseWriter,
	r *http.Request,
	form form,
	each func([]Found),
	end func([]byte) ([]byte, error),
) error {
	held := pageBuffers.Get().(*[]byte)
	buf, any := append((*held)[:0], `{"entries":[`...), false
	var large *largeAnswer // nil while nothing is sent
	defer func() {
		large.end()
		if cap(buf) <= maxSpare {
			*held = buf // keep the grown buffer
			pageBuffers.Put(held)
		}
	}()
	for list, err := range p.each(r.Context(), p.indexes) {
		if err == nil {
			each(list)
			buf, err = appendEntries(buf, list, form, any)
			any = true
		}
		if err == nil && len(buf) > maxHeld && large == nil {
			large, err = p.beginLarge(w)
		}
		if err == nil && len(buf) > maxHeld {
			_, err = large.Write(buf)
			buf = buf[:0]
		}
		if err != nil && large != nil {
			p.logger.ErrorContext(r.Context(), "query cuts an answer short", "path", r.URL.Path, "cause", err)
			panic(http.ErrAbortHandler)
		} else if err != nil {
			return err
		}
	}
	buf, err := end(buf)
	switch {
	case err == nil && large != nil:
		if _, err = large.Write(buf); err == nil {
			return nil
		}
		panic(http.ErrAbortHandler)
	case large != nil:
		panic(http.ErrAbortHandler)
	case err != nil:
		return err
	}
	write(w, http.StatusOK, "application/json", buf)
	return nil
}

// maxLarge limits the large answers that are sent at the same time.
const maxLarge = 4

// largeAnswer is an answer that is sent while it is read. Its client must read as fast as that of
// an export.
type largeAnswer struct {
	pacedWriter
}

// beginLarge begins a large answer. The error is ErrLarge if there are too many.
func (q *Query) beginLarge(w http.ResponseWriter) (*largeAnswer, error) {
	if r, ok := w.(*reply); ok { // which sets other deadlines
		w = r.ResponseWriter
	}
	control := http.NewResponseController(w)
	place, err := q.large.enter("", func() { _ = control.SetWriteDeadline(time.Now()) })
	if err != nil {
		return nil, err
	}
	w.Header().Set("Content-Type", "application/json")
	return &largeAnswer{pacedWriter{w: w, control: control, place: place, credit: q.large.credit}}, nil
}

func (l *largeAnswer) end() {
	if l != nil {
		l.place.leave()
		_ = l.control.SetWriteDeadline(time.Time{})
	}
}

// form is how an entry is written.
type form func(f Found, dst []byte) ([]byte, error)

// The forms of entries in answers.
func bare(f Found, dst []byte) ([]byte, error) { return f.AppendJSON(dst, false) }
func raw(f Found, dst []byte) ([]byte, error)  { return f.AppendJSON(dst, true) }

// proofLine is the form that a proof goes with (SPEC 8.1): nothing in it is said twice.
func proofLine(f Found, dst []byte) ([]byte, error) {
	if f.Hidden {
		return nil, errGuess
	}
	return proof.AppendPageLine(dst, f.line())
}

func appendEntries(dst []byte, list []Found, form form, behind bool) (_ []byte, err error) {
	for i, f := range list {
		if i > 0 || behind {
			dst = append(dst, ',')
		}
		if dst, err = form(f, dst); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendEnd(dst []byte, cursor string, size, rechecking uint64, proved []byte) []byte {
	next := []byte("null")
	if cursor != "" {
		next, _ = json.Marshal(cursor)
	}
	dst = append(append(dst, `],"next_cursor":`...), next...)
	dst = strconv.AppendUint(append(dst, `,"tree_size":`...), size, 10)
	if rechecking > 0 {
		dst = strconv.AppendUint(append(dst, `,"rechecking":`...), rechecking, 10)
	}
	if proved != nil {
		dst = append(append(dst, `,"proof":`...), proved...)
	}
	return append(dst, "}\n"...)
}

// MarshalJSON writes the page as the API shows it.
func (l Entries) MarshalJSON() ([]byte, error) {
	dst, err := appendEntries([]byte(`{"entries":[`), l.Entries, bare, false)
	if err != nil {
		return nil, err
	}
	return appendEnd(dst, l.NextCursor, l.TreeSize, l.Rechecking, nil), nil
}
