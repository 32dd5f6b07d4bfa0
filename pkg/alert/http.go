package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

const (
	defaultLimit  = 100
	maxLimit      = 1000
	answerTimeout = 30 * time.Second
	streamBeat    = 15 * time.Second // between comments on a stream on which nothing happens
	maxStreams    = 1024             // open at once: each has a consumer of its own on ALERTS
	streamStall   = 10 * time.Second // after which a client that does not read is dropped
)

// Routes are what an alerter serves:
//
//	GET  /v1/alerts?type&rule&agent&after&limit   alerts in the order of the stream; without after the newest
//	GET  /v1/alerts/stream?type&rule&agent&after  the same as Server-Sent Events, live, with Last-Event-ID
//	GET  /v1/alerts/status                        how the follower and the webhooks fare
//	GET  /v1/alerts/dead                          dead letters
//	POST /v1/alerts/redeliver?webhook&seq         sends dead letters again
func (a *Alerter) Routes() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /v1/alerts":            a.serve(a.list, "type", "rule", "agent", "after", "limit"),
		"GET /v1/alerts/stream":     http.HandlerFunc(a.stream),
		"GET /v1/alerts/status":     a.serve(func(*http.Request) (any, error) { return a.Status(), nil }),
		"GET /v1/alerts/dead":       a.serve(func(*http.Request) (any, error) { return map[string]any{"dead": a.Dead()}, nil }),
		"POST /v1/alerts/redeliver": a.serve(a.redeliver, "webhook", "seq"),
	}
}

// Handler serves the routes.
func (a *Alerter) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range a.Routes() {
		mux.Handle(pattern, h)
	}
	return mux
}

// EndStreams ends all streams, for good: a server that is to stop would wait for them.
func (a *Alerter) EndStreams() { a.drain.Do(func() { close(a.drained) }) }

// badRequest is an error that names a parameter.
type badRequest struct{ field, why string }

func (e *badRequest) Error() string {
	if e.field == "" {
		return e.why
	}
	return e.field + ": " + e.why
}

func (a *Alerter) serve(answer func(*http.Request) (any, error), params ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTimeout)
		defer cancel()
		v, err := any(nil), a.check(r, params)
		if err == nil {
			v, err = answer(r.WithContext(ctx))
		}
		if err != nil {
			problem(w, err)
			return
		}
		write(w, http.StatusOK, "application/json", v)
	}
}

func write(w http.ResponseWriter, code int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v)
}

// problem answers with RFC 9457.
func problem(w http.ResponseWriter, err error) {
	code, field := http.StatusInternalServerError, ""
	if b, ok := errors.AsType[*badRequest](err); ok {
		code, field = http.StatusBadRequest, b.field
	} else if errors.Is(err, store.ErrNotFound) {
		code = http.StatusNotFound
	} else if errors.Is(err, errDraining) || errors.Is(err, errCrowded) {
		code = http.StatusServiceUnavailable
	}
	p := map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": err.Error()}
	if field != "" {
		p["field"] = field
	}
	write(w, code, "application/problem+json", p)
}

// check refuses another log, and parameters that nobody would look at: what is misspelt must not widen an answer.
func (a *Alerter) check(r *http.Request, params []string) error {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &badRequest{"", "the query string is malformed"}
	}
	for name, values := range q {
		switch {
		case name != "log" && !slices.Contains(params, name):
			return &badRequest{name, "no such parameter"}
		case slices.Contains(values, ""):
			return &badRequest{name, "empty"}
		case len(values) > 1 && !slices.Contains(repeatable, name):
			return &badRequest{name, "given more than once"}
		}
	}
	if name := q.Get("log"); name != "" && name != a.cfg.Log.Name {
		return fmt.Errorf("log %.40q: %w", name, store.ErrNotFound)
	}
	return nil
}

// repeatable are the parameters of which any value will do.
var repeatable = []string{"type", "rule", "agent"}

// filterOf reads the parameters that list and stream have in common; what else there is belongs to neither.
func filterOf(r *http.Request) (f Filter, after *uint64, limit int, err error) {
	limit = defaultLimit
	for name, values := range r.URL.Query() {
		switch name {
		case "type":
			f.Types = values
		case "rule":
			f.Rules = values
		case "agent":
			f.Agents = values
		case "after":
			n, err := strconv.ParseUint(values[0], 10, 63)
			if err != nil {
				return f, nil, 0, &badRequest{name, "a sequence is wanted"}
			}
			after = &n
		case "limit":
			if limit, err = strconv.Atoi(values[0]); err != nil || limit < 1 || limit > maxLimit {
				return f, nil, 0, &badRequest{name, fmt.Sprintf("1 to %d", maxLimit)}
			}
		}
	}
	return f, after, limit, nil
}

// shown is an alert as it is listed: its place on ALERTS, and the CloudEvent.
type shown struct {
	Seq     uint64 `json:"seq"`
	Subject string `json:"subject"`
	Event   *Alert `json:"event"`
}

func (a *Alerter) list(r *http.Request) (any, error) {
	f, after, limit, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	p, err := a.List(r.Context(), f, after, limit)
	if err != nil {
		return nil, err
	}
	list := make([]shown, len(p.Alerts))
	for i := range p.Alerts {
		list[i] = shown{p.Alerts[i].Seq, p.Alerts[i].Subject(a.cfg.Log.Name), &p.Alerts[i]}
	}
	return map[string]any{"alerts": list, "last": p.Last}, nil
}

func (a *Alerter) redeliver(r *http.Request) (any, error) {
	q := r.URL.Query()
	seq := uint64(0)
	if s := q.Get("seq"); s != "" {
		var err error
		if seq, err = strconv.ParseUint(s, 10, 63); err != nil || seq == 0 {
			return nil, &badRequest{"seq", "a sequence is wanted"}
		}
	}
	return a.Redeliver(r.Context(), q.Get("webhook"), seq)
}

var (
	errDraining = errors.New("the service is being stopped")
	errCrowded  = errors.New("too many streams are open")
)

// stream sends alerts as they come. Each event's id is its ALERTS sequence, so a client that comes back goes on behind the last one it had.
func (a *Alerter) stream(w http.ResponseWriter, r *http.Request) {
	f, after, err := Filter{}, (*uint64)(nil), a.check(r, []string{"type", "rule", "agent", "after"})
	if err == nil {
		f, after, _, err = filterOf(r)
	}
	if last := r.Header.Get("Last-Event-ID"); err == nil && last != "" {
		n, parse := strconv.ParseUint(last, 10, 63)
		if after = &n; parse != nil {
			err = &badRequest{"Last-Event-ID", "a sequence is wanted"}
		}
	}
	select {
	case <-a.drained:
		if err == nil {
			err = errDraining
		}
	default:
	}
	if err == nil {
		if n := a.streams.Add(1); n > maxStreams {
			err = fmt.Errorf("%w: %d", errCrowded, maxStreams)
		}
		defer a.streams.Add(-1)
	}
	if err != nil {
		problem(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-a.drained:
			cancel()
		case <-ctx.Done():
		}
	}()
	from := uint64(1)
	if after != nil {
		from = *after + 1
	} else if info, err := a.cfg.Log.Alerts.Info(ctx); err != nil {
		problem(w, err)
		return
	} else {
		from = info.Last + 1
	}
	reader, err := a.cfg.Log.Alerts.Read(ctx, from)
	if err != nil {
		problem(w, err)
		return
	}
	defer reader.Close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		return // a stream without end and without a body would hold the connection
	}
	a.events(ctx, w, reader, f)
}

// events writes until the client goes or does not read.
func (a *Alerter) events(ctx context.Context, w http.ResponseWriter, reader store.Reader, f Filter) {
	out := http.NewResponseController(w)
	messages := []entry.Message(nil)
	for {
		out.SetWriteDeadline(time.Now().Add(streamStall))
		if len(messages) == 0 {
			fmt.Fprint(w, ":\n\n")
		}
		for _, m := range messages {
			x, err := Parse(m)
			if err != nil || !f.takes(&x) {
				continue
			}
			if body, err := x.MarshalJSON(); err == nil { // marshalled here it has no line breaks
				fmt.Fprintf(w, "id: %d\nevent: alert\ndata: %s\n\n", m.Seq, body)
			}
		}
		if out.Flush() != nil || ctx.Err() != nil {
			return
		}
		wait, cancel := context.WithTimeout(ctx, streamBeat)
		var err error
		messages, err = reader.Next(wait, 64)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return
		}
	}
}
