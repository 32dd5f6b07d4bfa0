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
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/api"
)

// maxAnswer bounds what is read of an answer: 256 receipts, or an entry with 256 KiB of data in
// several forms.
const maxAnswer = 8 << 20

// tryTimeout bounds one try, so that a server that hangs does not hold a caller whose context has
// no end.
const tryTimeout = 60 * time.Second

// httpAPI speaks HTTP to a sealstream server.
type httpAPI struct {
	http   *http.Client
	log    string
	token  string // bearer token; "": none
	logger *slog.Logger

	failFast bool // reading is not tried again

	silence time.Duration // that ends an answer which has begun

	trouble atomic.Pointer[error] // what the newest try failed with; nil: it did not fail
}

// cause is what a caller is told whose context ended while others' requests were tried again.
func (a *httpAPI) cause(end error) error {
	if last := a.trouble.Load(); last != nil {
		return fmt.Errorf("%w; last: %w", end, *last)
	}
	return end
}

// statusError is an answer other than 2xx.
type statusError struct {
	status     int
	problem    api.Problem // empty if the answer is none
	retryAfter time.Duration
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("status %d", e.status)
	for _, t := range []string{e.problem.Title, e.problem.Detail} {
		if t != "" {
			s += ": " + t
		}
	}
	return s
}

// refuses reports whether the log itself refuses events, so that sending them again is no use.
func (e *statusError) refuses() bool {
	return e.problem.Own() && e.problem.Type != api.ProblemType+"cut-off" && !e.passing()
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

// final says that reading again is no use: it never was, or the log has found that it does not
// verify.
func (e *statusError) final() bool {
	found := e.problem.Own() || e.problem.Index != nil
	return !e.passing() || e.status == http.StatusInternalServerError && found
}

// authorize adds the token to a request.
func (a *httpAPI) authorize(req *http.Request) {
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
}

// try makes one request and reads its whole answer.
func (a *httpAPI) try(
	ctx context.Context,
	method, base, path string,
	query url.Values,
	contentType string,
	body []byte,
	most int,
) ([]byte, error) {
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
	a.authorize(req)
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("answer cut off: %w", err)
	case len(answer) > most:
		return nil, fmt.Errorf("%w: more than %d bytes", errLong, most)
	case resp.StatusCode/100 != 2:
		return nil, asStatus(resp, answer)
	}
	return answer, nil
}

var (
	errTry  = errors.New("no answer in time")
	errLong = errors.New("the answer is too long")
)

func asStatus(resp *http.Response, answer []byte) error {
	e := &statusError{status: resp.StatusCode}
	if p := (api.Problem{}); json.Unmarshal(answer, &p) == nil {
		p.Title, p.Detail = fmt.Sprintf("%.200s", p.Title), fmt.Sprintf("%.1000s", p.Detail)
		e.problem = p
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

// persist reads path again and again until the answer is 2xx, a refusal, or ctx is done.
func (a *httpAPI) persist(ctx context.Context, base, path string, query url.Values) ([]byte, error) {
	return a.persistUpTo(ctx, base, path, query, maxAnswer)
}

// persistUpTo is persist for an answer of that many bytes at most, or errLong.
func (a *httpAPI) persistUpTo(ctx context.Context, base, path string, query url.Values, most int) ([]byte, error) {
	var answer []byte
	once := func() (err error) {
		answer, err = a.try(ctx, http.MethodGet, base, path, query, "", nil, most)
		if status, ok := errors.AsType[*statusError](err); ok && status.final() {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return err
	}
	if a.failFast {
		if err := once(); err != nil {
			return nil, fmt.Errorf("GET %s: %w", path, err)
		}
		return answer, nil
	}
	err := a.retry(ctx, "GET "+path, once)
	return answer, err
}

// retry calls try until it succeeds, fails with ErrRefused, ErrProof, errSplit or errLong, or ctx
// is done. request names it in errors and logs.
func (a *httpAPI) retry(ctx context.Context, request string, try func() error) error {
	var last error // of an earlier try, for a caller whose time is up
	for pause := pauses(trouble); ; {
		err := try()
		if err == nil {
			a.trouble.Store(nil)
			return nil
		}
		a.trouble.Store(&err)
		if ctx.Err() != nil {
			return gaveUp(request, context.Cause(ctx), last)
		}
		if errors.Is(err, ErrRefused) || errors.Is(err, ErrProof) || errors.Is(err, errSplit) || errors.Is(err, errLong) {
			return fmt.Errorf("%s: %w", request, err)
		}
		last = err
		status, ok := errors.AsType[*statusError](err)
		var atLeast time.Duration
		if ok {
			atLeast = status.retryAfter
		}
		a.logger.WarnContext(ctx, "sealstream client tries again", "request", request, "cause", err)
		if end := pause.Wait(ctx, atLeast); end != nil {
			return gaveUp(request, end, err)
		}
	}
}

// httpSender posts events as CloudEvents batches.
type httpSender struct {
	*httpAPI
	base  string
	older atomic.Bool // the server gives no proofs with its receipts
}

// errSplit says that a request is too large for what stands before the log, and that a smaller one
// may pass.
var errSplit = errors.New("the request is too large")

// send posts events until the log has stored or refused them. Only the log's own word is final: any
// other answer, a 200 from a login page or a 400 from a proxy, is tried again, and what is too
// large for a proxy goes in halves.
func (s *httpSender) send(ctx context.Context, events []outgoing, wait Wait) ([]answer, error) {
	var answers []answer
	err := s.retry(ctx, "POST /v1/events", func() (err error) {
		query := s.query(wait)
		answers, err = s.post(ctx, events, query)
		status, ok := errors.AsType[*statusError](err)
		if ok && status.refuses() && status.problem.Field == "proof" && query.Has("proof") {
			s.older.Store(true)
			answers, err = s.post(ctx, events, s.query(wait))
			status, ok = errors.AsType[*statusError](err)
		}
		switch {
		case ok && status.status == http.StatusRequestEntityTooLarge && len(events) > 1:
			return fmt.Errorf("%w: %w", errSplit, err)
		case ok && status.refuses():
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return err
	})
	if !errors.Is(err, errSplit) {
		return answers, err
	}
	half := len(events) / 2
	first, err := s.send(ctx, events[:half], wait)
	if err != nil {
		return nil, err
	}
	second, err := s.send(ctx, events[half:], wait)
	return append(first, second...), err
}

// query is the parameters of a request. Cosignatures are looked for afterwards: what a server says
// of them is not believed. Servers before SPEC 8.1 had receipts refuse the parameter proof.
func (s *httpSender) query(wait Wait) url.Values {
	switch {
	case !wait.sealed():
		return url.Values{"wait": {"stored"}}
	case s.older.Load():
		return url.Values{"wait": {"sealed"}}
	}
	return url.Values{"wait": {"sealed"}, "proof": {"1"}}
}

// post makes one request, and returns an answer for each event.
func (s *httpSender) post(ctx context.Context, events []outgoing, query url.Values) ([]answer, error) {
	raw, err := s.try(
		ctx,
		http.MethodPost,
		s.base,
		"/v1/events",
		query,
		"application/cloudevents-batch+json",
		batchBody(events),
		maxAnswer,
	)
	if err != nil {
		return nil, err
	}
	var got struct {
		Receipts []api.Receipt
		Proofs   []json.RawMessage
	}
	if err := json.Unmarshal(raw, &got); err != nil || got.Receipts == nil {
		return nil, fmt.Errorf("the answer has no receipts: %.80q", raw)
	}
	if len(got.Receipts) != len(events) {
		return nil, fmt.Errorf("%w: %d receipts for %d events", ErrProof, len(got.Receipts), len(events))
	}
	answers := make([]answer, len(events))
	for i, r := range got.Receipts {
		if answers[i].Receipt, err = accept(r, events[i]); err != nil {
			return nil, fmt.Errorf("%w: receipt %d: %w", ErrProof, i, err)
		}
	}
	take(got.Receipts, got.Proofs, answers)
	return answers, nil
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
func accept(got api.Receipt, of outgoing) (Receipt, error) {
	if got.Status == Rejected && got.EntryID == "" { // it could not be read
		got.EntryID, got.AgentDID = of.event.ID, of.event.Source
	}
	if got.EntryID != of.event.ID || got.AgentDID != of.event.Source {
		return Receipt{}, fmt.Errorf("it is of event %.80q of %.80q", got.EntryID, got.AgentDID)
	}
	refusal := got.Error
	got.Checkpoint, got.Wait, got.Error = "", "", nil
	got.ProofAt, got.Leaf, got.Salt = nil, "", ""
	r := Receipt{Receipt: got}
	switch got.Status {
	case Stored, Sealed, Duplicate:
		return r, nil
	case Rejected:
		if refusal == nil {
			refusal = &api.Refusal{Reason: "no reason given"}
		}
		r.Error = &RejectedError{got.EntryID, *refusal}
		return r, nil
	}
	return Receipt{}, fmt.Errorf("status %.40q", got.Status)
}
