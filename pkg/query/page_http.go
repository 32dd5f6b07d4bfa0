package query

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
)

// maxHeld bounds what is held of an answer in memory. A thousand entries can have a quarter of a gigabyte of data.
const maxHeld = 4 << 20

// pageBuffers are what pages are written in. Each is at most a little larger than maxHeld, or than the largest batch.
var pageBuffers = sync.Pool{New: func() any { return new([]byte) }}

// answer writes a page, batch by batch. One that is held whole can still become a proper error; what is larger goes out while it is
// read, and is broken off if something does not verify.
func (p plan) answer(w http.ResponseWriter, r *http.Request, raw bool) error {
	return p.answerWith(w, r, raw, func([]Found) {}, func(dst []byte) ([]byte, error) { return appendEnd(dst, p.next, p.size), nil })
}

// answerWith shows each the entries as they are read, and has end write what stands behind them.
func (p plan) answerWith(w http.ResponseWriter, r *http.Request, raw bool, each func([]Found), end func([]byte) ([]byte, error)) error {
	held := pageBuffers.Get().(*[]byte)
	buf, sent, any := append((*held)[:0], `{"entries":[`...), false, false
	defer func() {
		*held = buf // as large as it has become
		pageBuffers.Put(held)
	}()
	for list, err := range p.each(r.Context(), p.indexes) {
		if err == nil {
			each(list)
			buf, err = appendEntries(buf, list, raw, any)
			any = true
		}
		if err != nil && sent {
			p.log.ErrorContext(r.Context(), "answer cut short", "path", r.URL.Path, "cause", err)
			panic(http.ErrAbortHandler)
		} else if err != nil {
			return err
		}
		if len(buf) > maxHeld {
			w.Header().Set("Content-Type", "application/json")
			w.Write(buf) // that a client has gone ends the request's context
			buf, sent = buf[:0], true
		}
	}
	buf, err := end(buf)
	switch {
	case err != nil && sent:
		panic(http.ErrAbortHandler)
	case err != nil:
		return err
	case sent:
		w.Write(buf)
	default:
		write(w, http.StatusOK, "application/json", buf)
	}
	return nil
}

func appendEntries(dst []byte, list []Found, raw, behind bool) (_ []byte, err error) {
	for i, f := range list {
		if i > 0 || behind {
			dst = append(dst, ',')
		}
		if dst, err = f.AppendJSON(dst, raw); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendEnd(dst []byte, cursor string, size uint64) []byte {
	next := []byte("null")
	if cursor != "" {
		next, _ = json.Marshal(cursor)
	}
	dst = append(append(dst, `],"next_cursor":`...), next...)
	return append(strconv.AppendUint(append(dst, `,"tree_size":`...), size, 10), "}\n"...)
}

// MarshalJSON writes the page as the API shows it.
func (l Entries) MarshalJSON() ([]byte, error) {
	dst, err := appendEntries([]byte(`{"entries":[`), l.Entries, false, false)
	if err != nil {
		return nil, err
	}
	return appendEnd(dst, l.NextCursor, l.TreeSize), nil
}
