package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/streams/subject"
)

// Raw is one event to submit.
type Raw struct {
	Event     []byte // a CloudEvent in the JSON format; must not change until Submit returns
	Publisher string // identity that it was authenticated as; optional

	token string // required agent token of its source; "" accepts any
}

// Wait is the status that events must reach before Submit returns.
type Wait int

const (
	WaitStored    Wait = iota // acknowledged by EVENTS
	WaitSealed                // entries of the log under a signed checkpoint
	WaitWitnessed             // sealed, and covered by a checkpoint with enough cosignatures
)

// want is what a request asks for.
type want struct {
	wait  Wait
	proof bool // with proofs of the sealed entries
}

// errProof is the answer to a request for proofs of what need not be sealed yet.
var errProof = api.Problem{
	Status: http.StatusBadRequest,
	Field:  "proof",
	Detail: "proofs come only with receipts of status sealed; add wait=sealed",
}

// check returns an error if the parts of a request contradict each other.
func (w want) check() error {
	if w.proof && w.wait == WaitStored {
		return errProof
	}
	return nil
}

// Submit stores events in order and returns a receipt for each. A rejected event has a receipt with
// the reason, and does not affect the others. An error concerns all events; see the errors of this
// package. If ctx is done first, events may be stored or not.
func (in *Ingest) Submit(ctx context.Context, events []Raw, wait Wait) ([]api.Receipt, error) {
	size := int64(len(events)) * in.eventCost(want{wait: wait})
	for _, r := range events {
		size += int64(len(r.Event))
	}
	release, err := in.Reserve(size)
	if err != nil {
		return nil, err
	}
	defer release()
	answer, err := in.submit(ctx, events, want{wait: wait})
	return answer.Receipts, err
}

// submit is Submit for events that the budget has counted already.
func (in *Ingest) submit(ctx context.Context, events []Raw, w want) (api.Receipts, error) {
	var p *proofs
	if w.proof && w.wait == WaitSealed && in.mayProve(ctx) {
		p = &proofs{log: in.cfg.Log, list: []proof.BatchProof{}}
	}
	receipts, err := in.answer(ctx, events, w.wait, p)
	in.cfg.Observe.answered(receipts, len(events), err)
	answer := api.Receipts{Receipts: receipts}
	if p != nil {
		answer.Proofs = p.list
	} else if w.proof {
		answer.Proofs = []proof.BatchProof{}
	}
	return answer, err
}

// mayProve reports whether proofs may be sent to whoever makes a request. They have hashes of other
// agents' entries, without blind in a log before rules 4. Without proofs, the receipts say the
// same. Over NATS nobody says what a caller may see; there all may see all without rules of access.
func (in *Ingest) mayProve(ctx context.Context) bool {
	if caller, asked := access.Lookup(ctx); asked {
		return caller.SeesHash(false)
	}
	return !in.cfg.Vouched
}

// answer makes a receipt for each event. Unless p is nil, it gets the proofs of sealed ones.
func (in *Ingest) answer(ctx context.Context, events []Raw, wait Wait, p *proofs) ([]api.Receipt, error) {
	if wait == WaitWitnessed && in.cfg.Policy == nil {
		return nil, ErrWitnessed
	}
	receipts := make([]api.Receipt, len(events))
	caller, asked := access.Lookup(ctx)
	s := &submission{room: &in.ledger, items: make([]item, 0, len(events)), done: make(chan struct{})}
	for i, r := range events {
		if r.Publisher != "" && !ruleset.ValidPublisher(r.Publisher) ||
			strings.HasPrefix(r.Publisher, subject.Publisher("")) {
			return nil, fmt.Errorf("ingest: %.80q cannot be a publisher", r.Publisher)
		}
		it, ok := in.check(r, &receipts[i])
		if ok && asked && !caller.MayPublish(receipts[i].AgentDID) {
			receipts[i], ok = refused(r.Event, errPublish), false
		}
		if ok {
			it.sub = s
			s.items = append(s.items, it)
		}
	}
	if s.pending = len(s.items); s.pending == 0 {
		return receipts, nil
	}
	if err := in.reserve(ctx, s.cost()); err != nil {
		return nil, err
	}
	if wait != WaitStored {
		in.watch.addCaller()
		defer in.watch.removeCaller()
	}
	if err := in.await(ctx, s); err != nil {
		return nil, err
	}
	next := 0
	for i := range receipts {
		if r := &receipts[i]; r.Status == api.Stored {
			r.InputSeq, r.Position, r.Durability = s.items[next].seq, s.items[next].position, in.Durability()
			next++
		}
	}
	if wait == WaitStored {
		return receipts, nil
	}
	ctx, cancel := context.WithTimeout(ctx, in.cfg.SealTimeout)
	defer cancel()
	in.awaitSeal(ctx, receipts, p)
	if wait == WaitWitnessed {
		in.awaitWitnesses(ctx, receipts)
	}
	return receipts, nil
}

func (in *Ingest) await(ctx context.Context, s *submission) error {
	if err := in.queue.put(s); err != nil {
		in.ledger.release(s.cost())
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		s.abandoned.Store(true)
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

// check parses an event as the sealer will. The stored bytes are the caller's own. If white space
// or escapes make them too long for a message, the shortest form of the same event is stored.
func (in *Ingest) check(r Raw, receipt *api.Receipt) (item, bool) {
	ev, err := entry.ParseEvent(r.Event)
	if err == nil && in.sealing.Load() < ruleset.Blinding {
		older := ev // rules before ruleset.Blinding measure an event as it came
		err = older.By(ruleset.First)
	}
	if err == nil && r.token != "" && subject.AgentToken(ev.Source) != r.token {
		err = errToken
	}
	if err != nil {
		*receipt = refused(r.Event, err)
		return item{}, false
	}
	it := item{event: r.Event, publisher: r.Publisher}
	err = in.redact(&ev, &it)
	if err == nil {
		err = in.fits(ev, it.event)
	}
	if err != nil {
		*receipt = refused(it.event, err)
		return item{}, false
	}
	it.data = len(ev.Data)
	if it.recordSize()+len("[]") > ruleset.MaxMessageBytes {
		it.event, it.parsed = ev.AppendJSON(nil), nil
	}
	*receipt = api.Receipt{EntryID: ev.ID, AgentDID: ev.Source, Status: api.Stored}
	return it, true
}

// fits checks that the sealer will find room for an event in a leaf. It measures what the sealer
// will make of the event. Until ruleset.Blinding is known to apply, the event must fit under the
// oldest rules, too.
func (in *Ingest) fits(ev entry.Event, raw []byte) error {
	rules := uint64(ruleset.First)
	if in.sealing.Load() >= ruleset.Blinding {
		rules = ruleset.Blinding
	}
	if ev.Binds() || ev.Extensions["redactions"] != "" { // what follows would change them
		ev.Extensions = maps.Clone(ev.Extensions)
	}
	if err := ev.By(rules); err != nil {
		return err
	}
	if set := in.rules.Load(); set != nil && ev.Binds() { // in.redact has left it as it is
		if err := ev.Redact(set, raw); err != nil {
			return err
		}
	}
	if rules == ruleset.Blinding {
		return ev.Fits(rules)
	}
	return nil
}

// refused returns the receipt of a rejected event. It shows the id and source if they can be read.
func refused(raw []byte, err error) api.Receipt {
	var shown struct{ ID, Source string }
	if json.Unmarshal(raw, &shown) != nil || len(shown.ID) > ruleset.MaxAttributeBytes ||
		len(shown.Source) > ruleset.MaxAttributeBytes {
		shown.ID, shown.Source = "", ""
	}
	return api.Receipt{EntryID: shown.ID, AgentDID: shown.Source, Status: api.Rejected, Error: refusal(err)}
}

// errPublish is the reason of an event whose sender may not send events of its agent.
var errPublish = &entry.FieldError{
	Field:  "source",
	Reason: "the credential of the request does not allow events of this agent",
}

func refusal(err error) *api.Refusal {
	if fe, ok := errors.AsType[*entry.FieldError](err); ok {
		return &api.Refusal{Field: fe.Field, Reason: fe.Reason}
	}
	return &api.Refusal{Reason: err.Error()}
}
