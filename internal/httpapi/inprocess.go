package httpapi

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
)

// InProcess returns a transport that answers requests by a handler, without a network. A body is
// read while it is written, so that streams work.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ handler http.Handler }

// RoundTrip returns when the handler has written the header. The handler ends when it returns, or
// when the request's context is done or the body is closed.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	body, out := io.Pipe()
	w := &pipeResponse{header: http.Header{}, out: out, begun: make(chan struct{})}
	go func() {
		defer cancel()
		defer func() {
			if p := recover(); p != nil { // the caller sees an answer that was cut off
				w.WriteHeader(http.StatusInternalServerError)
				out.CloseWithError(fmt.Errorf("handler: %v", p))
			}
			w.WriteHeader(http.StatusOK)
			out.Close()
		}()
		t.handler.ServeHTTP(w, r.WithContext(ctx))
	}()
	select {
	case <-w.begun:
	case <-r.Context().Done():
		body.Close()
		return nil, r.Context().Err()
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status, Header: w.sent,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1, Body: &pipeBody{body, cancel}, Request: r,
	}, nil
}

// pipeResponse writes an answer into a pipe.
type pipeResponse struct {
	header http.Header
	out    *io.PipeWriter

	once   sync.Once
	begun  chan struct{} // closed when status and sent are known
	status int
	sent   http.Header
}

func (w *pipeResponse) Header() http.Header { return w.header }

func (w *pipeResponse) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, maps.Clone(w.header)
		close(w.begun)
	})
}

func (w *pipeResponse) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.out.Write(b)
}

// Flush does nothing: what is written is read at once.
func (w *pipeResponse) Flush() {}

// pipeBody ends the handler when it is closed.
type pipeBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *pipeBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}
