package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/sealstream/sealstream/internal/outward"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/pkg/api"
)

// httpTarget posts CloudEvents in structured mode, or in batches.
type httpTarget struct {
	url   string
	batch int
	c     *replayCmd
}

// httpAttempts is how often a request is sent before replay fails. With backoff this takes about
// six seconds.
const httpAttempts = 6

func (t *httpTarget) maxBatch() int { return t.batch }
func (t *httpTarget) close()        {}

func (t *httpTarget) send(ctx context.Context, group []replayed) error {
	var events [][]byte
	for _, e := range group {
		b, err := e.entry.Replay(e.payload, t.c.Name)
		if err != nil {
			return err
		}
		events = append(events, b)
	}
	kind, body := "application/cloudevents+json", events[0]
	if t.batch > 1 {
		kind = "application/cloudevents-batch+json"
		body = slices.Concat([]byte("["), bytes.Join(events, []byte(",")), []byte("]"))
	}
	backoff := retry.Exact(200*time.Millisecond, 10*time.Second)
	for attempt := 1; ; attempt++ {
		again, err := t.post(ctx, kind, body)
		if err == nil || !again || attempt == httpAttempts || ctx.Err() != nil {
			return err
		}
		if backoff.Wait(ctx, 0) != nil {
			return ctx.Err()
		}
	}
}

// post sends one request. again means that a retry may succeed.
func (t *httpTarget) post(ctx context.Context, kind string, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("--dest is not a valid URL") // err would repeat the URL, which may contain secrets
	}
	req.Header.Set("Content-Type", kind)
	resp, err := webClient.Do(req)
	if err != nil {
		return true, fmt.Errorf("no answer from %s: %w", place(t.url), cause(err))
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return false, refusedAny(answer)
	case resp.StatusCode >= 500,
		resp.StatusCode == http.StatusTooManyRequests,
		resp.StatusCode == http.StatusRequestTimeout:
		return true, fmt.Errorf("%s: %s", place(t.url), resp.Status)
	}
	var p api.Problem
	json.Unmarshal(answer, &p)
	return false, failed("%s refused the events: %s %s",
		place(t.url), resp.Status, cell(outward.Hide(p.Detail, t.url), 500))
}

// refusedAny returns an error if the answer is receipts of an ingest and one of them is a refusal.
func refusedAny(answer []byte) error {
	var out api.Receipts
	if json.Unmarshal(answer, &out) != nil {
		return nil // the receiver is not an ingest
	}
	for _, r := range out.Receipts {
		if r.Status == api.Rejected {
			return failed("ingest refused an event: %s", cell(reason(r), 500))
		}
	}
	return nil
}
