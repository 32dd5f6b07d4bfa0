package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// httpTarget posts CloudEvents in structured mode, or in batches.
type httpTarget struct {
	url   string
	batch int
	c     *replayCmd
}

// httpTries is how often a request is sent before its failure counts: for about six seconds.
const httpTries = 6

func (t *httpTarget) most() int { return t.batch }
func (t *httpTarget) close()    {}

func (t *httpTarget) send(ctx context.Context, group []replayed) error {
	var events [][]byte
	for _, e := range group {
		b, err := entry.Replay(e.entry, e.payload, t.c.Name)
		if err != nil {
			return err
		}
		events = append(events, b)
	}
	kind, body := "application/cloudevents+json", events[0]
	if t.batch > 1 {
		kind, body = "application/cloudevents-batch+json", append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	}
	for try, wait := 1, 200*time.Millisecond; ; try, wait = try+1, 2*wait {
		again, err := t.post(ctx, kind, body)
		if err == nil || !again || try == httpTries || ctx.Err() != nil {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// post sends one request; again says that a failure may pass.
func (t *httpTarget) post(ctx context.Context, kind string, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("--to: %w", err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := httpClient.Do(req)
	if err != nil {
		return true, fmt.Errorf("no answer from %s: %w", t.url, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		return false, refusedAny(answer)
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		return true, fmt.Errorf("%s: %s", t.url, resp.Status)
	}
	var p struct{ Detail string }
	json.Unmarshal(answer, &p)
	return false, failed("%s refuses it: %s %s", t.url, resp.Status, cell(p.Detail, 500))
}

// refusedAny looks for refusals in the receipts that an ingest answers a batch with.
func refusedAny(answer []byte) error {
	var out struct{ Receipts []receipt }
	if json.Unmarshal(answer, &out) != nil {
		return nil // another kind of receiver
	}
	for _, r := range out.Receipts {
		if r.Status == "rejected" {
			return failed("an ingest refuses it: %s", cell(r.reason(), 500))
		}
	}
	return nil
}
