package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxAnswer bounds what is read of an answer: 256 receipts, or an entry with 256 KiB of data in several forms.
const maxAnswer = 8 << 20

// tryTimeout bounds one try, so that a server that hangs does not hold a caller whose context has no end.
const tryTimeout = 60 * time.Second

// api speaks HTTP to a sealstream server.
type api struct {
	http   *http.Client
	log    string
	logger *slog.Logger
}

// statusError is an answer other than 2xx.
type statusError struct {
	status     int
	title      string // of the problem
	detail     string
	candidates []candidate // 409 of an id that is not unique
	retryAfter time.Duration
}

// candidate is one of several entries with the same id.
type candidate struct {
	Index    uint64 `json:"index"`
	AgentDID string `json:"agent_did"`
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("status %d", e.status)
	for _, t := range []string{e.title, e.detail} {
		if t != "" {
			s += ": " + t
		}
	}
	return s
}

// passing says whether the same request may succeed later.
func (e *statusError) passing() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return e.status >= 500
}

// try makes one request and reads its whole answer.
func (a *api) try(ctx context.Context, method, base, path string, query url.Values, contentType string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tryTimeout, errTry)
	defer cancel()
	if query == nil {
		query = url.Values{}
	}
	query.Set("log", a.log)
	req, err := http.NewRequestWithContext(ctx, method, base+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("answer cut off: %w", err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("answer of more than %d bytes", maxAnswer)
	case resp.StatusCode/100 != 2:
		return nil, asStatus(resp, answer)
	}
	return answer, nil
}

var errTry = errors.New("no answer in time")

func asStatus(resp *http.Response, answer []byte) error {
	e := &statusError{status: resp.StatusCode}
	var problem struct {
		Title, Detail string
		Candidates    []candidate
	}
	if json.Unmarshal(answer, &problem) == nil {
		e.candidates = problem.Candidates
		e.title, e.detail = fmt.Sprintf("%.200s", problem.Title), fmt.Sprintf("%.1000s", problem.Detail)
	}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n >= 0 {
		e.retryAfter = min(time.Duration(n)*time.Second, 10*time.Second)
	}
	return e
}

// gaveUp is the error of who ran out of time, with the trouble that took it.
func gaveUp(what string, end, last error) error {
	if last == nil {
		return fmt.Errorf("%s: %w", what, end)
	}
	return fmt.Errorf("%s: %w; last: %w", what, end, last)
}

// persist makes a request again and again until it is answered with 2xx, refused, or ctx is done.
func (a *api) persist(ctx context.Context, method, base, path string, query url.Values, contentType string, body []byte) ([]byte, error) {
	var last error // what a try before failed with: a caller whose time is up wants to know that
	for pause := (backoff{most: trouble}); ; {
		answer, err := a.try(ctx, method, base, path, query, contentType, body)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, gaveUp(method+" "+path, context.Cause(ctx), last)
		}
		last = err
		status, ok := errors.AsType[*statusError](err)
		if ok && !status.passing() || errors.Is(err, ErrRefused) {
			return nil, fmt.Errorf("%s %s: %w: %w", method, path, ErrRefused, err)
		}
		var atLeast time.Duration
		if ok {
			atLeast = status.retryAfter
		}
		a.logger.WarnContext(ctx, "sealstream client tries again", "request", method+" "+path, "cause", err)
		if end := pause.wait(ctx, atLeast); end != nil {
			return nil, gaveUp(method+" "+path, end, err)
		}
	}
}

// httpSender posts events as CloudEvents batches.
type httpSender struct {
	*api
	base string
}

func (s *httpSender) send(ctx context.Context, events []outgoing, wait Wait) ([]Receipt, error) {
	query := url.Values{"wait": {"stored"}}
	if wait.sealed() { // cosignatures are looked for afterwards: what a server says of them is not believed
		query.Set("wait", "sealed")
	}
	answer, err := s.persist(ctx, http.MethodPost, s.base, "/v1/events", query, "application/cloudevents-batch+json", batchBody(events))
	if err != nil {
		return nil, err
	}
	var got struct{ Receipts []Receipt }
	if err := json.Unmarshal(answer, &got); err != nil {
		return nil, fmt.Errorf("POST /v1/events: answer: %w", err)
	}
	if len(got.Receipts) != len(events) {
		return nil, fmt.Errorf("POST /v1/events: %d receipts for %d events", len(got.Receipts), len(events))
	}
	for i := range got.Receipts {
		if err := accept(&got.Receipts[i], events[i]); err != nil {
			return nil, fmt.Errorf("POST /v1/events: receipt %d: %w", i, err)
		}
	}
	return got.Receipts, nil
}

func batchBody(events []outgoing) []byte {
	size := 2
	for _, e := range events {
		size += len(e.raw) + 1
	}
	body := append(make([]byte, 0, size), '[')
	for i, e := range events {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e.raw...)
	}
	return append(body, ']')
}

// accept checks that a receipt is of the event, and takes out what only this client may say.
func accept(r *Receipt, of outgoing) error {
	if r.Status == Rejected && r.EntryID == "" { // it could not be read
		r.EntryID, r.AgentDID = of.event.ID, of.event.Source
	}
	if r.EntryID != of.event.ID || r.AgentDID != of.event.Source {
		return fmt.Errorf("it is of event %.80q of %.80q", r.EntryID, r.AgentDID)
	}
	r.Checkpoint, r.Proof, r.KeyPinned = "", nil, false
	switch r.Status {
	case Stored, Sealed, Duplicate:
		r.Error = nil
		return nil
	case Rejected:
		if r.Error == nil {
			r.Error = &RejectedError{Reason: "no reason given"}
		}
		r.Error.EntryID = r.EntryID
		return nil
	}
	return fmt.Errorf("status %.40q", r.Status)
}
