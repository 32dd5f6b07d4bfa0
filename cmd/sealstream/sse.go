package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	streamSilence = time.Minute // after which a stream is given up: the server beats four times as often
	streamWait    = 5 * time.Second
	maxStreamLine = 4 << 20 // an entry with its data, and far more
)

// errOver says that a stream cannot be continued by coming again.
type errOver struct{ error }

func (e errOver) Unwrap() error { return e.error }

// follow calls each with every entry that the filters match, from an index on, once and in order, and goes on without end. A stream that
// breaks off is taken up again behind the last entry.
func (a *app) follow(q url.Values, next uint64, each func(raw []byte) error) error {
	q.Set("log", a.log)
	q.Set("from_index", strconv.FormatUint(next, 10))
	f := &following{app: a, query: q, next: next, each: each}
	for wait, told := time.Duration(0), false; ; {
		before := f.next
		err := f.once()
		if over, ok := errors.AsType[errOver](err); ok {
			return over.error
		}
		if a.ctx.Err() != nil {
			return nil
		}
		if f.next > before {
			wait, told = 0, false
		}
		if !told {
			fmt.Fprintf(a.err, "sealstream: the stream broke off, trying again: %v\n", err)
			told = true
		}
		wait = min(max(2*wait, 100*time.Millisecond), streamWait)
		select {
		case <-a.ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

type following struct {
	*app
	query url.Values
	next  uint64 // index behind the last entry
	seen  bool   // an entry has come
	each  func([]byte) error
}

// once reads one stream to its end, which is always an error.
func (f *following) once() error {
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(f.server, "/")+"/v1/stream?"+f.query.Encode(), nil)
	if err != nil {
		return errOver{fmt.Errorf("--server: %w", err)}
	}
	req.Header.Set("Accept", "text/event-stream")
	if f.seen {
		req.Header.Set("Last-Event-ID", strconv.FormatUint(f.next-1, 10))
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		return errOver{f.problem(resp)}
	default:
		return f.problem(resp)
	}
	silent := time.AfterFunc(streamSilence, func() { cancel(errors.New("the server is silent")) })
	defer silent.Stop()
	err = f.read(resp.Body, func() { silent.Reset(streamSilence) })
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read takes a stream apart; alive is called with each line.
func (f *following) read(body io.Reader, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxStreamLine)
	var id, name string
	var data []byte
	for lines.Scan() {
		alive()
		field, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			id = string(value)
		case "event":
			name = string(value)
		case "data":
			data = append(append(data, value...), '\n')
		case "": // a comment, or the end of an event
			if len(lines.Bytes()) > 0 || data == nil {
				continue
			}
			if err := f.event(id, name, bytes.TrimSuffix(data, []byte("\n"))); err != nil {
				return err
			}
			id, name, data = "", "", nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

func (f *following) event(id, name string, data []byte) error {
	if name == "problem" {
		var p struct {
			Status int
			Detail string
		}
		json.Unmarshal(data, &p)
		if p.Status == http.StatusInternalServerError {
			return errOver{failed("%s", p.Detail)}
		}
		return errors.New(p.Detail)
	}
	index, err := strconv.ParseUint(id, 10, 64)
	if err != nil || name != "" {
		return nil // of a newer server
	}
	if f.seen && index < f.next {
		return nil // nothing is shown twice
	}
	if err := f.each(data); err != nil {
		return errOver{err}
	}
	f.next, f.seen = index+1, true
	return nil
}
