package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/sealstream/sealstream/internal/sse"
	"github.com/sealstream/sealstream/pkg/api"
)

// open begins a request without an end of its own, and returns its answer, whose body is given up
// when the server is silent. The header may take as long as begin, or, if that is 0, as long as the
// HTTP client and ctx allow.
func (a *httpAPI) open(
	ctx context.Context,
	base, path string,
	query url.Values,
	accept string,
	begin time.Duration,
) (*http.Response, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("log", a.log)
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path+"?"+query.Encode(), nil)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	a.authorize(req)
	watch := time.AfterFunc(cmp.Or(begin, math.MaxInt64), func() { cancel(errSilent) })
	resp, err := a.http.Do(req)
	watch.Stop()
	if err != nil {
		err = because(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &heard{resp.Body, ctx, cancel, watch, a.silence}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("answer cut off: %w", err)
	}
	status := asStatus(resp, answer)
	if s, ok := errors.AsType[*statusError](status); ok && s.final() {
		return nil, fmt.Errorf("%w: %w", ErrRefused, status)
	}
	return nil, status
}

// stream gives each event of one stream to each. Its error is never nil: no stream has an end.
func (a *httpAPI) stream(ctx context.Context, base, path string, query url.Values, each func(sse.Event) error) error {
	resp, err := a.open(ctx, base, path, query, "text/event-stream", a.silence)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for e, err := range sse.Events(resp.Body) {
		if err == nil && e.Name == "problem" {
			err = asProblem(e.Data)
		} else if err == nil {
			err = each(e)
		}
		if err != nil {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

// asProblem is the error with which a server ends a stream. One of the log itself is final.
func asProblem(data []byte) error {
	var p api.Problem
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("problem of a stream: %w", err)
	}
	err := &statusError{status: p.Status, problem: p}
	if p.Status == http.StatusInternalServerError || !err.passing() {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

// errStop says that the caller wants no more.
var errStop = errors.New("stopped")

// keepOn reads a stream again whenever it breaks off. progress reports whether the last one has
// brought anything. It ends with an error that another try would not change.
func (c *Client) keepOn(ctx context.Context, what string, once func() (progress bool, err error)) error {
	var behindSince time.Time
	told := false // of the trouble, since the last progress
	for pause := pauses(trouble); ; {
		progress, err := once()
		if progress {
			behindSince, told = time.Time{}, false
			pause.Reset()
		}
		switch {
		case errors.Is(err, errStop):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrRefused), errors.Is(err, ErrProof), errors.Is(err, ErrFork), errors.Is(err, ErrGap):
			return err
		case errors.Is(err, bufio.ErrTooLong):
			return fmt.Errorf("%w: %w", ErrProof, err)
		case errors.Is(err, errBehind) && behindSince.IsZero():
			behindSince = time.Now()
		case errors.Is(err, errBehind) && time.Since(behindSince) > c.head.rollBackAfter:
			return fmt.Errorf("%w: %w", ErrFork, err)
		}
		if !errors.Is(err, errBehind) {
			behindSince = time.Time{}
		}
		c.cfg.Logger.WarnContext(ctx, "sealstream client takes up a stream again", "stream", what, "cause", err)
		if c.cfg.Interrupted != nil && !told {
			c.cfg.Interrupted(err)
		}
		told = true
		if end := pause.Wait(ctx, 0); end != nil {
			return end
		}
	}
}
