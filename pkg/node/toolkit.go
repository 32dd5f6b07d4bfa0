package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/agt"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/ingest"
)

// toolkitPath is where the agent-governance-toolkit's collector has its routes. Clients of the collector can point here: what they send is sealed like any
// other event, and what they ask is answered from the log.
const toolkitPath = "/api/v1/audit/"

// toolkitWriting are the collector's routes that record. shown waits, for a while, until an index can be queried; nil: that is another process' matter.
func toolkitWriting(log string, in *ingest.Ingest, shown func(ctx context.Context, index uint64)) map[string]http.Handler {
	t := toolkitWriter{in, shown}
	return map[string]http.Handler{
		toolkitPath + "log":   strict(log, toolkitLimited(t.log)),
		toolkitPath + "batch": strict(log, toolkitLimited(t.batch)),
	}
}

// toolkitBody is the largest request of the collector's that is read, and toolkitBodies what all that are under way may have together: read, their JSON takes
// many times as much.
const (
	toolkitBody   = 8 << 20
	toolkitBodies = 16 << 20
)

// toolkitInFlight are the bytes of bodies under way in this process.
var toolkitInFlight atomic.Int64

// toolkitLimited gives each request its share of toolkitBodies, or tells it to come again.
func toolkitLimited(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := r.ContentLength
		if size < 0 || size > toolkitBody {
			size = toolkitBody
		}
		defer toolkitInFlight.Add(-size)
		if toolkitInFlight.Add(size) > toolkitBodies {
			ingest.WriteError(w, ingest.ErrBusy)
			return
		}
		next(w, r)
	})
}

type toolkitWriter struct {
	in    *ingest.Ingest
	shown func(ctx context.Context, index uint64)
}

// toolkitReceipt is the answer for one entry. EntryHash is null if it was stored but not sealed in time, and Timestamp if the log will give it one.
type toolkitReceipt struct {
	EntryID   string  `json:"entry_id"`
	EntryHash *string `json:"entry_hash"`
	Timestamp *string `json:"timestamp,omitempty"`
	Index     *uint64 `json:"index"`
	Status    string  `json:"status"`
}

// log records one entry. It answers once the entry is sealed.
func (t toolkitWriter) log(w http.ResponseWriter, r *http.Request) {
	v, ok := toolkitRequest(w, r)
	if !ok {
		return
	}
	e, err := toolkitEvent(v)
	if err != nil {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	list, err := t.submit(r, []entry.Event{e})
	if err != nil {
		toolkitRefuse(w, err)
		return
	}
	answer(w, toolkitStatus(list), "application/json", list[0])
}

// batch records entries in their order. They are all checked before the first is stored, so that a request that is refused has stored nothing.
func (t toolkitWriter) batch(w http.ResponseWriter, r *http.Request) {
	v, ok := toolkitRequest(w, r)
	if !ok {
		return
	}
	entries := v.Get("entries")
	if entries == nil || entries.Kind != agt.Array || len(v.Members) != 1 {
		problem(w, http.StatusUnprocessableEntity, `the body must be {"entries": […]}`)
		return
	}
	events := make([]entry.Event, len(entries.Items))
	for i, x := range entries.Items {
		var err error
		if events[i], err = toolkitEvent(x); err != nil {
			problem(w, http.StatusUnprocessableEntity, fmt.Sprintf("entries[%d]: %v; nothing of the batch was stored", i, err))
			return
		}
	}
	list := []toolkitReceipt{}
	if len(events) > 0 {
		var err error
		if list, err = t.submit(r, events); err != nil {
			toolkitRefuse(w, err)
			return
		}
	}
	answer(w, toolkitStatus(list), "application/json", map[string]any{"logged": len(list), "entries": list})
}

// toolkitStatus is 202 if something is stored but not sealed yet: it will be, and to send it again would make it twice.
func toolkitStatus(list []toolkitReceipt) int {
	for _, r := range list {
		if r.EntryHash == nil {
			return http.StatusAccepted
		}
	}
	return http.StatusOK
}

// toolkitEvent makes an event of what the collector is sent. A caller that brings an id of its own can send the entry again: it is then the same one, unless
// the caller gives it another time. Else the time is now, as it is in the collector.
func toolkitEvent(v agt.Value) (entry.Event, error) {
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

// errToolkitRefused: ingest takes all that entry.Event.Check takes, so that this cannot be but for a difference between the two.
var errToolkitRefused = errors.New("the entry is refused")

func (t toolkitWriter) submit(r *http.Request, events []entry.Event) ([]toolkitReceipt, error) {
	raws := make([]ingest.Raw, len(events))
	for i := range events {
		raws[i] = ingest.Raw{Event: events[i].AppendJSON(nil), Publisher: t.in.Publisher(r)}
	}
	receipts, err := t.in.Submit(r.Context(), raws, ingest.WaitSealed)
	if err != nil {
		return nil, err
	}
	list := make([]toolkitReceipt, len(receipts))
	for i, got := range receipts {
		list[i] = toolkitReceipt{EntryID: got.EntryID, Status: got.Status}
		if events[i].Time != "" {
			at := agt.ISO(events[i].Time)
			list[i].Timestamp = &at
		}
		switch got.Status {
		case ingest.Sealed, ingest.Duplicate:
			list[i].EntryHash, list[i].Index = &got.EntryHash, &got.Index
		case ingest.Rejected:
			return nil, fmt.Errorf("%w: %s %s", errToolkitRefused, got.Error.Field, got.Error.Reason)
		}
	}
	if last := receipts[len(receipts)-1]; t.shown != nil && last.EntryHash != "" {
		t.shown(r.Context(), last.Index) // the collector's clients ask for what they have just sent
	}
	return list, nil
}

func toolkitRefuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errToolkitRefused) {
		problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	ingest.WriteError(w, err)
}

// toolkitRequest reads a request's body as Python would, or answers what is wrong with it.
func toolkitRequest(w http.ResponseWriter, r *http.Request) (v agt.Value, ok bool) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		problem(w, http.StatusMethodNotAllowed, "this path takes POST")
		return v, false
	}
	// A browser may send other types from any site without asking.
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		problem(w, http.StatusUnsupportedMediaType, "send application/json")
		return v, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, toolkitBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		problem(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", toolkitBody))
		return v, false
	} else if err != nil {
		problem(w, http.StatusBadRequest, "the body was cut off")
		return v, false
	}
	if v, err = agt.Parse(body); err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return v, false
	}
	return v, true
}
