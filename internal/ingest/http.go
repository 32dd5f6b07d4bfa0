package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/pkg/api"
)

// Handler serves POST /v1/events: the CloudEvents HTTP binding in its structured, batched and
// binary modes. No page of another site can make a browser send such a request without a preflight,
// since neither the media types nor the ce- headers are CORS-safelisted.
func (in *Ingest) Handler() http.Handler {
	return http.HandlerFunc(in.events)
}

// readyTimeout limits the wait for EVENTS in a readiness check.
const readyTimeout = 2 * time.Second

// Reachable checks that EVENTS answers within readyTimeout, and then returns Ready.
func (in *Ingest) Reachable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := in.cfg.Log.Events.Info(ctx); err != nil {
		return fmt.Errorf("%w: EVENTS does not answer", ErrUnavailable)
	}
	return in.Ready()
}

func (in *Ingest) events(w http.ResponseWriter, r *http.Request) {
	answer, single, err := in.accept(w, r)
	switch {
	case errors.Is(err, ErrBusy):
		// A client that is answered before it has sent its body sees a reset connection instead of
		// the answer.
		io.Copy(io.Discard, io.LimitReader(r.Body, in.cfg.MaxBody))
		WriteError(w, err)
	case err != nil:
		WriteError(w, err)
	case single && answer.Receipts[0].Status == api.Rejected:
		WriteError(w, refusedProblem(answer.Receipts[0]))
	default:
		answerReceipts(w, answer)
	}
}

// accept reads a request and submits its events. single reports that it is no batch, so that a
// rejected event fails the request.
func (in *Ingest) accept(w http.ResponseWriter, r *http.Request) (answer api.Receipts, single bool, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return answer, false, api.Problem{Status: http.StatusMethodNotAllowed, Detail: "events are sent with POST"}
	}
	asked, err := in.parameters(r.URL.RawQuery)
	if err != nil {
		return answer, false, err
	}
	mode, err := modeOf(r.Header)
	if err != nil {
		return answer, false, err
	}
	endTurn, err := in.awaitTurn(r)
	if err != nil {
		return answer, false, err
	}
	defer endTurn()
	body, size, err := in.readBody(r)
	done := false // nothing refers to body any more
	defer func() {
		if done {
			freeBuffer(body)
		}
		in.budget.release(size)
	}()
	if err != nil {
		done = true
		return answer, false, err
	}
	charges, err := in.newCharges(asked, size)
	defer charges.release()
	if err != nil {
		return answer, false, err
	}
	raws, err := split(mode, r.Header, body, in.Publisher(r), charges.charge)
	if err != nil {
		return answer, false, err
	}
	endTurn()
	answer, err = in.submit(r.Context(), raws, asked)
	done = err == nil // otherwise its events may still be in the queue
	return answer, mode != inbox.Batched, err
}

// Publisher returns the identity that a request was authenticated as, or "". It is stored with the
// events of the request.
func (in *Ingest) Publisher(r *http.Request) string { return access.From(r.Context()).ID() }

// parameters reads ?wait=, ?proof= and ?log=.
func (in *Ingest) parameters(query string) (w want, err error) {
	switch query { // the usual ones
	case "":
		return want{wait: WaitStored}, nil
	case "wait=sealed":
		return want{wait: WaitSealed}, nil
	}
	p := httpapi.ParseQuery(query)
	name, given := p.One("log")
	wait := p.All("wait")
	w.proof = p.Flag("proof")
	if len(wait) > 1 {
		p.Fail("wait", "given more than once")
	}
	if err, wrong := errors.AsType[*api.ParamError](p.End()); wrong {
		return w, api.Problem{Status: http.StatusBadRequest, Field: err.Param, Detail: err.Reason}
	}
	if given && name != in.cfg.Log.Name {
		return w, api.Problem{
			Status: http.StatusNotFound,
			Field:  "log",
			Detail: fmt.Sprintf("there is no log %.40q here", name),
		}
	}
	if w.wait, err = in.waitOf(strings.Join(wait, "")); err != nil {
		return w, err
	}
	return w, w.check()
}

// The media types of the structured and of the batched mode.
const (
	structuredType = "application/cloudevents+json"
	batchedType    = "application/cloudevents-batch+json"
)

// modeOf determines the mode as the CloudEvents HTTP binding does: by the media type first, then by
// the ce- headers.
func modeOf(h http.Header) (inbox.Mode, error) {
	unsupported := func(format string, args ...any) error {
		return api.Problem{
			Status: http.StatusUnsupportedMediaType,
			Field:  "content-type",
			Detail: fmt.Sprintf(format, args...) +
				"; send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers with the data as body",
		}
	}
	types := h["Content-Type"]
	if len(types) == 1 && len(h["Content-Encoding"]) == 0 { // the usual ones
		switch types[0] {
		case structuredType:
			return inbox.Structured, nil
		case batchedType:
			return inbox.Batched, nil
		}
	}
	if err := checkEncoding(h); err != nil {
		return 0, err
	}
	if len(types) > 1 {
		return 0, api.Problem{
			Status: http.StatusBadRequest,
			Field:  "datacontenttype",
			Detail: "content-type is given more than once",
		}
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
		case structuredType:
			return inbox.Structured, nil
		case batchedType:
			return inbox.Batched, nil
		}
		return 0, unsupported("the format %.80q is not read here", media)
	case binary:
		return inbox.Binary, nil
	case media == "":
		return 0, unsupported("there is neither a content-type nor a ce- header")
	}
	return 0, unsupported("%.80q without ce- headers is no CloudEvent", media)
}

// CheckEncoding reports whether a request's body is uncompressed. If it is not, CheckEncoding has
// answered the request with a problem.
func CheckEncoding(w http.ResponseWriter, r *http.Request) bool {
	err := checkEncoding(r.Header)
	if err != nil {
		WriteError(w, err)
	}
	return err == nil
}

// checkEncoding returns a problem if the body is compressed. An empty header means that it is not.
func checkEncoding(h http.Header) error {
	for encoding := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if e := strings.Trim(encoding, " \t"); e != "" && !strings.EqualFold(e, "identity") {
			return api.Problem{
				Status: http.StatusUnsupportedMediaType,
				Field:  "content-encoding",
				Detail: "nothing is decompressed here; send the body as it is",
			}
		}
	}
	return nil
}

// firstRead limits the memory reserved for a body by its Content-Length alone: bytes that never
// arrive must cost nothing.
const firstRead = 64 << 10

// awaitTurn waits for the turn of a large request. The caller must call endTurn once the request's
// events are charged for.
func (in *Ingest) awaitTurn(r *http.Request) (read func(), err error) {
	if r.ContentLength <= firstRead || r.ContentLength > in.cfg.MaxBody {
		return func() {}, nil
	}
	return in.budget.reserveLarge(r.Context(), largeCost*r.ContentLength)
}

// readBody reads the body and charges the budget for its buffer. size is what it took; the caller
// must release it once the request is answered.
func (in *Ingest) readBody(r *http.Request) (body []byte, size int64, err error) {
	limit := in.cfg.MaxBody
	tooLarge := api.Problem{
		Status: http.StatusRequestEntityTooLarge,
		Detail: fmt.Sprintf("the body is larger than %d bytes; send the events in several requests", limit),
	}
	if r.ContentLength > limit {
		return nil, 0, tooLarge
	}
	// and one byte more, to detect the end or an excess
	room := min(max(r.ContentLength+1, leastBuffer), firstRead, limit+1)
	if r.ContentLength >= 0 {
		limit = r.ContentLength // read no further
	}
	for n := 0; ; room = 2 * size {
		if room = bufferSize(room); room > largestReuse { // nothing is gained by its size
			room = min(room, limit+1)
		}
		if !in.budget.take(room) { // both buffers exist until the old one is copied
			return body, size, ErrBusy
		}
		larger := newBuffer(room)
		copy(larger, body[:n])
		freeBuffer(body)
		body = larger
		in.budget.release(size)
		size = room
		more, err := io.ReadFull(r.Body, body[n:min(room, limit+1)])
		n += more
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return body[:n], size, nil
		case err != nil:
			return body, size, api.Problem{
				Type:   api.ProblemType + "cut-off",
				Status: http.StatusBadRequest,
				Detail: "the body was cut off",
			}
		case int64(n) > limit:
			return body, size, tooLarge
		}
	}
}
