package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Raw is one event on its way in.
type Raw struct {
	Event     []byte // a CloudEvent in the JSON format; must not change until Submit returns
	Publisher string // the identity that it was authenticated as; "": none

	token string // its source must have this agent token; "": any
}

// Wait is how far events must have come before Submit returns.
type Wait int

const (
	WaitStored    Wait = iota // acknowledged by EVENTS
	WaitSealed                // entries of the log, under a signed checkpoint
	WaitWitnessed             // and covered by a checkpoint that enough witnesses have cosigned
)

// The states of a receipt.
const (
	Stored    = "stored"
	Sealed    = "sealed"
	Witnessed = "witnessed" // sealed, and Checkpoint has the cosignatures that the log's policy asks for
	Duplicate = "duplicate" // Index and EntryHash are those of the original
	Rejected  = "rejected"
)

// Receipt says what became of one event.
type Receipt struct {
	EntryID    string `json:"entry_id,omitempty"` // of a rejected event, as far as it could be read
	AgentDID   string `json:"agent_did,omitempty"`
	Status     string `json:"status"`
	Index      uint64 `json:"index,omitempty"` // index 0 is the log's own config, never an event
	EntryHash  string `json:"entry_hash,omitempty"`
	InputSeq   uint64 `json:"input_seq,omitempty"` // the EVENTS message that holds the event
	Position   uint64 `json:"position"`            // and its place in it
	Durability string `json:"durability,omitempty"`
	// EquivocationOf is the index of an entry with the same agent and id but other content; the event is sealed as sealstream.equivocation.
	EquivocationOf uint64   `json:"equivocation_of,omitempty"`
	Checkpoint     string   `json:"checkpoint,omitempty"` // the signed note that covers the entry
	Wait           string   `json:"wait,omitempty"`       // "timeout": it was not sealed, or not cosigned, in time, or that could not be seen
	Error          *Refusal `json:"error,omitempty"`
}

// Refusal says which attribute of a rejected event is at fault, and why; Field is empty where it is the whole.
type Refusal struct {
	Field  string `json:"field,omitempty"`
	Reason string `json:"reason"`
}

// Submit takes events in, in their order, and returns a receipt for each. An event that is refused has one that says why, and does not
// hold the others up. An error concerns them all: see the errors of this package. When ctx is done first, events may be stored or not.
func (in *Ingest) Submit(ctx context.Context, events []Raw, wait Wait) ([]Receipt, error) {
	size := int64(0)
	for _, r := range events {
		size += int64(len(r.Event))
	}
	if !in.budget.take(size) {
		return nil, ErrBusy
	}
	defer in.budget.give(size)
	return in.submit(ctx, events, wait)
}

// submit is Submit for events that are in the budget already.
func (in *Ingest) submit(ctx context.Context, events []Raw, wait Wait) ([]Receipt, error) {
	receipts, err := in.answer(ctx, events, wait)
	in.cfg.Observe.answered(receipts, len(events), err)
	return receipts, err
}

// answer makes a receipt for each event.
func (in *Ingest) answer(ctx context.Context, events []Raw, wait Wait) ([]Receipt, error) {
	if wait == WaitWitnessed && in.cfg.Policy == nil {
		return nil, ErrWitnessed
	}
	receipts := make([]Receipt, len(events))
	s := &submission{items: make([]item, 0, len(events)), done: make(chan struct{})}
	for i, r := range events {
		if r.Publisher != "" && !entry.ValidPublisher(r.Publisher) {
			return nil, fmt.Errorf("ingest: %.80q cannot be a publisher", r.Publisher)
		}
		if it, ok := in.check(r, &receipts[i]); ok {
			it.sub = s
			s.items = append(s.items, it)
		}
	}
	if s.left = len(s.items); s.left == 0 {
		return receipts, nil
	}
	if wait != WaitStored {
		in.watch.begin()
		defer in.watch.end()
	}
	if err := in.await(ctx, s); err != nil {
		return nil, err
	}
	next := 0
	for i := range receipts {
		if r := &receipts[i]; r.Status == Stored {
			r.InputSeq, r.Position, r.Durability = s.items[next].seq, s.items[next].position, in.Durability()
			next++
		}
	}
	if wait == WaitStored {
		return receipts, nil
	}
	ctx, cancel := context.WithTimeout(ctx, in.cfg.SealTimeout)
	defer cancel()
	in.awaitSeal(ctx, receipts)
	if wait == WaitWitnessed {
		in.awaitWitnesses(ctx, receipts)
	}
	return receipts, nil
}

func (in *Ingest) await(ctx context.Context, s *submission) error {
	if err := in.queue.put(s); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		s.gone.Store(true)
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

// check parses an event as the sealer will. The bytes that are stored are the caller's own, or, where white space or escapes make them too
// long for a message, the shortest form of the same event.
func (in *Ingest) check(r Raw, receipt *Receipt) (item, bool) {
	ev, err := entry.ParseEvent(r.Event)
	if err == nil && r.token != "" && entry.AgentToken(ev.Source) != r.token {
		err = errToken
	}
	if err != nil {
		*receipt = refused(r.Event, err)
		return item{}, false
	}
	it := item{event: r.Event, publisher: r.Publisher}
	if err := in.redact(&ev, &it); err != nil {
		*receipt = refused(it.event, err)
		return item{}, false
	}
	if it.recordSize()+len("[]") > entry.MaxMessageBytes {
		it.event = ev.AppendJSON(nil)
	}
	*receipt = Receipt{EntryID: ev.ID, AgentDID: ev.Source, Status: Stored}
	return it, true
}

// refused tells of an event that is not taken; its id and source are shown as far as they can be read at all.
func refused(raw []byte, err error) Receipt {
	var shown struct{ ID, Source string }
	if json.Unmarshal(raw, &shown) != nil || len(shown.ID) > entry.MaxAttributeBytes || len(shown.Source) > entry.MaxAttributeBytes {
		shown.ID, shown.Source = "", ""
	}
	return Receipt{EntryID: shown.ID, AgentDID: shown.Source, Status: Rejected, Error: refusal(err)}
}

func refusal(err error) *Refusal {
	if fe, ok := errors.AsType[*entry.FieldError](err); ok {
		return &Refusal{fe.Field, fe.Reason}
	}
	return &Refusal{Reason: err.Error()}
}
