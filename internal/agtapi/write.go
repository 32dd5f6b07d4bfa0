package agtapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/agt"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Prefix is where the agent-governance-toolkit's collector has its routes. Clients of the collector
// can point here: what they send is sealed like any other event, and what they ask is answered from
// the log.
const Prefix = "/api/v1/audit/"

// Writing serves the collector's routes that record. shown waits for a while until an index can be
// queried. It is nil if another process answers queries.
func Writing(log string, in *ingest.Ingest, shown func(ctx context.Context, index uint64)) map[string]http.Handler {
	t := writer{in, shown}
	return map[string]http.Handler{
		Prefix + "log":   httpapi.ForLog(log, limited(t.log)),
		Prefix + "batch": httpapi.ForLog(log, limited(t.batch)),
	}
}

// MaxBody is the largest body of one request in bytes, and MaxBodies that of all current requests
// together. Parsed JSON takes many times as much memory.
const (
	MaxBody   = 8 << 20
	MaxBodies = 16 << 20
)

// InFlight is the number of bytes in the bodies of current requests.
var InFlight atomic.Int64

// limited gives each request its share of MaxBodies, or tells the client to retry.
func limited(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := r.ContentLength
		if size < 0 || size > MaxBody {
			size = MaxBody
		}
		defer InFlight.Add(-size)
		if InFlight.Add(size) > MaxBodies {
			ingest.WriteError(w, ingest.ErrBusy)
			return
		}
		next(w, r)
	})
}

type writer struct {
	in    *ingest.Ingest
	shown func(ctx context.Context, index uint64)
}

// receipt is the answer for one entry. EntryHash is null if the entry was stored but not sealed in
// time. Timestamp is null if the log will set it.
type receipt struct {
	EntryID   string  `json:"entry_id"`
	EntryHash *string `json:"entry_hash"`
	Timestamp *string `json:"timestamp,omitempty"`
	Index     *uint64 `json:"index"`
	Status    string  `json:"status"`
}

// log records one entry and answers once it is sealed.
func (t writer) log(w http.ResponseWriter, r *http.Request) {
	v, done, ok := readBody(w, r, t.in.Reserve)
	defer done()
	if !ok {
		return
	}
	e, err := eventOf(v)
	if err != nil {
		httpapi.Refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	list, err := t.submit(r, []entry.Event{e})
	if err != nil {
		refuse(w, err)
		return
	}
	httpapi.JSON(w, statusOf(list), list[0])
}

// batch records entries in order. It checks all of them before it stores the first, so that a
// refused request has stored nothing.
func (t writer) batch(w http.ResponseWriter, r *http.Request) {
	v, done, ok := readBody(w, r, t.in.Reserve)
	defer done()
	if !ok {
		return
	}
	entries := v.Get("entries")
	if entries == nil || entries.Kind != agt.Array || len(v.Members) != 1 {
		httpapi.Refuse(w, http.StatusUnprocessableEntity, `the body must be {"entries": […]}`)
		return
	}
	events := make([]entry.Event, len(entries.Items))
	for i, x := range entries.Items {
		var err error
		if events[i], err = eventOf(x); err != nil {
			httpapi.Refuse(w, http.StatusUnprocessableEntity,
				fmt.Sprintf("entries[%d]: %v; nothing of the batch was stored", i, err))
			return
		}
	}
	list := []receipt{}
	if len(events) > 0 {
		var err error
		if list, err = t.submit(r, events); err != nil {
			refuse(w, err)
			return
		}
	}
	httpapi.JSON(w, statusOf(list), map[string]any{"logged": len(list), "entries": list})
}

// statusOf returns 202 if an entry is stored but not sealed yet. It will be sealed, and sending it
// again would record it twice.
func statusOf(list []receipt) int {
	for _, r := range list {
		if r.EntryHash == nil {
			return http.StatusAccepted
		}
	}
	return http.StatusOK
}

// eventOf converts a request to an event. A client that sets an id can send the entry again, and it
// is the same entry unless the client sets another time. Without a time, the time is now, as in the
// collector.
func eventOf(v agt.Value) (entry.Event, error) {
	r, err := agt.ParseRequest(v)
	if err != nil {
		return entry.Event{}, err
	}
	if r.EntryID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return entry.Event{}, err
		}
		r.EntryID = "audit_" + id.String()
		if r.Timestamp == "" {
			r.Timestamp = agt.ISOTime(time.Now())
		}
	}
	return r.Event()
}

// errRefused reports that ingest refused what entry.Event.Check accepted. It is a defect of one of
// them.
var errRefused = errors.New("the entry is refused")

func (t writer) submit(r *http.Request, events []entry.Event) ([]receipt, error) {
	raws := make([]ingest.Raw, len(events))
	caller, asked := access.Lookup(r.Context())
	for i := range events {
		if asked && !caller.MayPublish(events[i].Source) {
			return nil, api.Problem{Type: api.ProblemType + "forbidden", Status: http.StatusForbidden, Field: "agent_did",
				Detail: fmt.Sprintf("the credential does not allow events of %q; nothing was stored", events[i].Source)}
		}
		raws[i] = ingest.Raw{Event: events[i].AppendJSON(nil), Publisher: t.in.Publisher(r)}
	}
	receipts, err := t.in.Submit(r.Context(), raws, ingest.WaitSealed)
	if err != nil {
		return nil, err
	}
	list := make([]receipt, len(receipts))
	for i, got := range receipts {
		list[i] = receipt{EntryID: got.EntryID, Status: got.Status}
		if events[i].Time != "" {
			at := agt.ISO(events[i].Time)
			list[i].Timestamp = &at
		}
		switch got.Status {
		case api.Sealed, api.Duplicate:
			list[i].EntryHash, list[i].Index = &got.EntryHash, &got.Index
		case api.Rejected:
			return nil, fmt.Errorf("%w: %s %s", errRefused, got.Error.Field, got.Error.Reason)
		}
	}
	if last := receipts[len(receipts)-1]; t.shown != nil && last.EntryHash != "" {
		t.shown(r.Context(), last.Index) // the collector's clients query what they have just sent
	}
	return list, nil
}

func refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errRefused) {
		httpapi.Refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	ingest.WriteError(w, err)
}

// readBody parses a request's body as Python would, or answers with a problem. It reserves memory
// for the parsed body, which done releases.
func readBody(w http.ResponseWriter, r *http.Request,
	reserve func(int64) (func(), error)) (v agt.Value, done func(), ok bool) {
	done = func() {}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		httpapi.Refuse(w, http.StatusMethodNotAllowed, "this path takes POST")
		return v, done, false
	}
	// A browser may send other content types from any site without a preflight request.
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		httpapi.Refuse(w, http.StatusUnsupportedMediaType, "send application/json")
		return v, done, false
	}
	if !ingest.CheckEncoding(w, r) {
		return v, done, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		httpapi.Refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", MaxBody))
		return v, done, false
	} else if err != nil {
		httpapi.Refuse(w, http.StatusBadRequest, "the body was cut off")
		return v, done, false
	}
	giveBack, err := reserve(cost(body))
	if errors.Is(err, errFilterLarge) {
		httpapi.Refuse(w, http.StatusRequestEntityTooLarge, err.Error())
		return v, done, false
	} else if err != nil {
		ingest.WriteError(w, err)
		return v, done, false
	}
	done = giveBack
	if v, err = agt.Parse(body); err != nil {
		httpapi.Refuse(w, http.StatusBadRequest, err.Error())
		return v, done, false
	}
	return v, done, true
}

// cost estimates the memory of a parsed body, without the body itself, by its values and members.
func cost(body []byte) int64 {
	values := int64(1)
	for _, sep := range []string{",", ":", "[", "{"} {
		values += int64(bytes.Count(body, []byte(sep)))
	}
	return 2*int64(len(body)) + 120*values
}

var errFilterLarge = errors.New("the body is too large for a filter")

// filterOnly reserves nothing for a query, which is short.
func filterOnly(bytes int64) (func(), error) {
	if bytes > 4<<20 {
		return nil, errFilterLarge
	}
	return func() {}, nil
}
