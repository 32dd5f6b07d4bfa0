package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Handler serves POST /v1/events: the CloudEvents HTTP binding in its structured, batched and binary modes. A browser cannot be made
// to send any of these from another site without asking first: neither the media types nor the ce- headers are simple ones.
func (in *Ingest) Handler() http.Handler {
	return http.HandlerFunc(in.events)
}

// readyTimeout is how long EVENTS may take to answer whoever asks whether events are accepted.
const readyTimeout = 2 * time.Second

// ServiceHandler serves Handler, /healthz and /readyz, for an ingest that stands alone.
func (in *Ingest) ServiceHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/v1/events", in.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok", "durability": in.Durability()})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if _, err := in.cfg.Log.Events.Info(ctx); err != nil {
			asProblem(fmt.Errorf("%w: EVENTS does not answer", ErrUnavailable)).write(w)
			return
		}
		if err := in.Ready(); err != nil {
			asProblem(err).write(w)
			return
		}
		answer(w, http.StatusOK, map[string]string{"status": "ready", "durability": in.Durability()})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem{Status: http.StatusNotFound, Detail: "this is sealstream ingest: POST /v1/events, GET /healthz, GET /readyz"}.write(w)
	})
	return mux
}

func (in *Ingest) events(w http.ResponseWriter, r *http.Request) {
	receipts, single, err := in.accept(w, r)
	switch {
	case err != nil:
		asProblem(err).write(w)
	case single && receipts[0].Status == Rejected:
		refusedProblem(receipts[0]).write(w)
	default:
		answer(w, http.StatusOK, map[string][]Receipt{"receipts": receipts})
	}
}

// accept reads a request and submits its events. single says that it is not a batch, so that a refusal is the request's.
func (in *Ingest) accept(w http.ResponseWriter, r *http.Request) (receipts []Receipt, single bool, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, false, problem{Status: http.StatusMethodNotAllowed, Detail: "events are sent with POST"}
	}
	wait, err := in.parameters(r.URL.RawQuery)
	if err != nil {
		return nil, false, err
	}
	mode, err := modeOf(r.Header)
	if err != nil {
		return nil, false, err
	}
	body, size, err := in.readBody(r)
	defer in.budget.give(size)
	if err != nil {
		return nil, false, err
	}
	raws, err := split(mode, r.Header, body, in.Publisher(r))
	if err != nil {
		return nil, false, err
	}
	receipts, err = in.submit(r.Context(), raws, wait)
	return receipts, mode != entry.Batched, err
}

// Publisher is the identity that a request was authenticated as; "": none. It goes with the events that the request brings.
func (in *Ingest) Publisher(r *http.Request) string {
	if in.cfg.Publisher == nil {
		return ""
	}
	return in.cfg.Publisher(r)
}

// parameters reads ?wait= and ?log=.
func (in *Ingest) parameters(query string) (Wait, error) {
	q, err := url.ParseQuery(query)
	if err != nil {
		return 0, problem{Status: http.StatusBadRequest, Detail: "the query is malformed"}
	}
	for name, values := range q {
		if name != "wait" && name != "log" {
			return 0, problem{Status: http.StatusBadRequest, Field: name, Detail: fmt.Sprintf("unknown parameter %.80q", name)}
		}
		if len(values) != 1 {
			return 0, problem{Status: http.StatusBadRequest, Field: name, Detail: "given more than once"}
		}
	}
	if q.Has("log") && q.Get("log") != in.cfg.Log.Name {
		return 0, problem{Status: http.StatusNotFound, Field: "log", Detail: fmt.Sprintf("there is no log %.40q here", q.Get("log"))}
	}
	return in.waitOf(q.Get("wait"))
}

// modeOf tells the mode as the CloudEvents HTTP binding does: by the media type first, then by the ce- headers.
func modeOf(h http.Header) (entry.Mode, error) {
	unsupported := func(format string, args ...any) error {
		return problem{Status: http.StatusUnsupportedMediaType, Field: "content-type", Detail: fmt.Sprintf(format, args...) +
			"; send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers with the data as body"}
	}
	if encoding := h.Values("Content-Encoding"); len(encoding) > 0 && !strings.EqualFold(strings.Join(encoding, ","), "identity") {
		return 0, problem{Status: http.StatusUnsupportedMediaType, Field: "content-encoding", Detail: "nothing is decompressed here"}
	}
	types := h.Values("Content-Type")
	if len(types) > 1 {
		return 0, problem{Status: http.StatusBadRequest, Field: "datacontenttype", Detail: "content-type is given more than once"}
	}
	media, params := "", map[string]string{}
	if len(types) == 1 {
		var err error
		if media, params, err = mime.ParseMediaType(types[0]); err != nil && media == "" {
			media = strings.ToLower(types[0])
		}
	}
	binary := false
	for name := range h {
		binary = binary || strings.HasPrefix(strings.ToLower(name), "ce-")
	}
	switch {
	case strings.HasPrefix(media, "application/cloudevents"):
		if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") {
			return 0, unsupported("the charset %.40q is not UTF-8", cs)
		}
		switch media {
		case "application/cloudevents+json":
			return entry.Structured, nil
		case "application/cloudevents-batch+json":
			return entry.Batched, nil
		}
		return 0, unsupported("the format %.80q is not read here", media)
	case binary:
		return entry.Binary, nil
	case media == "":
		return 0, unsupported("there is neither a content-type nor a ce- header")
	}
	return 0, unsupported("%.80q without ce- headers is no CloudEvent", media)
}

// readBody reads the body into the budget; size is what it took of it, to be given back once the request is answered.
func (in *Ingest) readBody(r *http.Request) (body []byte, size int64, err error) {
	limit := in.cfg.MaxBody
	tooLarge := problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body is larger than %d bytes; send the events in several requests", limit)}
	if r.ContentLength > limit {
		return nil, 0, tooLarge
	}
	const first = 64 << 10                                    // what a request says of its length is taken at its word no further: bytes that do not come must cost nothing
	room := min(max(r.ContentLength, 4096), first, limit) + 1 // and one, to see the end, or that there is more
	for body = nil; ; room = min(2*room, limit+1) {
		if !in.budget.take(room - size) {
			return nil, size, ErrBusy
		}
		size = room
		body = slices.Grow(body, int(room)-len(body))
		n, err := io.ReadFull(r.Body, body[len(body):room])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return body, size, nil
		case err != nil:
			return nil, size, problem{Status: http.StatusBadRequest, Detail: "the body was cut off"}
		case int64(len(body)) > limit:
			return nil, size, tooLarge
		}
	}
}
