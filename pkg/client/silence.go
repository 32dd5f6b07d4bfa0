package client

import (
	"context"
	"errors"
	"io"
	"time"
)

// streamSilence is how long a server may send nothing of an answer that it has begun. Streams beat
// four times as often.
const streamSilence = time.Minute

var errSilent = errors.New("the server is silent")

// heard is the body of an answer whose server must not fall silent. How long the reader takes
// between two reads does not count.
type heard struct {
	io.ReadCloser
	ctx     context.Context // of the request
	cancel  context.CancelCauseFunc
	watch   *time.Timer // cancels ctx with errSilent
	silence time.Duration
}

// Read reads the body. Its error is errSilent if nothing has come in time.
func (h *heard) Read(p []byte) (int, error) {
	h.watch.Reset(h.silence)
	n, err := h.ReadCloser.Read(p)
	h.watch.Stop()
	if err != nil && err != io.EOF {
		err = because(h.ctx, err)
	}
	return n, err
}

// Close ends the request.
func (h *heard) Close() error {
	h.cancel(nil)
	return h.ReadCloser.Close()
}

// because is why the context of a request has ended, or else the error of the request.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
