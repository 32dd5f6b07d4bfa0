package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
)

// The headers of a NATS request and of its answer. The latter are those that NATS' own service clients know.
const (
	headerWait  = "Sealstream-Wait" // stored, the default, or sealed
	headerCode  = "Nats-Service-Error-Code"
	headerError = "Nats-Service-Error"
)

// Request answers a request over NATS on audit.<log>.submit.<agent token>: events in the modes that EVENTS takes, for which the receipts of
// POST /v1/events come back once they are stored, or, with the header Sealstream-Wait: sealed, sealed. Against a publish to EVENTS it has the group:
// requests that come together share one message and one fsync. On the token "open" any source is taken, if Config.Open says so; on another only that agent.
func (in *Ingest) Request(ctx context.Context, m entry.Message) (entry.Header, []byte) {
	receipts, single, err := in.request(ctx, m)
	if err == nil && single && receipts[0].Status == Rejected {
		err = refusedProblem(receipts[0])
	}
	if err != nil {
		return refuse(err)
	}
	return entry.Header{"Content-Type": {"application/json"}}, body(map[string][]Receipt{"receipts": receipts})
}

func body(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // of our own making
	}
	return b
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s))
}

func (in *Ingest) request(ctx context.Context, m entry.Message) (receipts []Receipt, single bool, err error) {
	token, ok := strings.CutPrefix(m.Subject, "audit."+in.cfg.Log.Name+".submit.")
	if !ok || token == "" {
		return nil, false, problem{Status: http.StatusNotFound, Detail: fmt.Sprintf("%.80q is not a subject of log %s", m.Subject, in.cfg.Log.Name)}
	}
	if token == "open" && !in.cfg.Open {
		return nil, false, problem{Status: http.StatusForbidden, Detail: "submit.open is not accepted here; use the subject of the agent"}
	}
	wait, err := in.waitOf(m.Header.Get(headerWait))
	if err != nil {
		return nil, false, err
	}
	raws, single, err := splitMessage(m)
	if err != nil {
		return nil, single, err
	}
	if !in.budget.take(int64(len(m.Data))) {
		return nil, single, ErrBusy
	}
	defer in.budget.give(int64(len(m.Data)))
	if token != "open" {
		for i := range raws {
			raws[i].token = token
		}
	}
	receipts, err = in.submit(ctx, raws, wait)
	return receipts, single, err
}

// waitOf reads how far events must have come.
func (in *Ingest) waitOf(s string) (Wait, error) {
	switch s {
	case "", "stored":
		return WaitStored, nil
	case "sealed":
		return WaitSealed, nil
	case "witnessed":
		if in.cfg.Policy == nil {
			return 0, ErrWitnessed
		}
		return WaitWitnessed, nil
	}
	return 0, problem{Status: http.StatusBadRequest, Field: "wait", Detail: fmt.Sprintf("%.40q is none of stored, sealed, witnessed", s)}
}

// splitMessage is split for a message.
func splitMessage(m entry.Message) (raws []Raw, single bool, err error) {
	switch m.Mode() {
	case entry.Batched:
		raws, err = split(entry.Batched, nil, m.Data, "")
		return raws, false, err
	case entry.Binary:
		ev, err := entry.ParseMessageBinary(m)
		if err != nil {
			r := refused(nil, err)
			r.EntryID = ev.ID
			return nil, true, refusedProblem(r)
		}
		return []Raw{{Event: ev.AppendJSON(nil)}}, true, nil
	}
	return []Raw{{Event: m.Data}}, true, nil
}

// errToken is what the sealer says of the same event on the agent's subject of EVENTS.
var errToken = &entry.FieldError{Field: "source", Reason: "its agent token is not the one of the subject it was published on"}

// RequestBusy is the answer to a request that is not even looked at, because too many are under way.
func RequestBusy() (entry.Header, []byte) { return refuse(ErrBusy) }

func refuse(err error) (entry.Header, []byte) {
	p := asProblem(err).complete()
	return entry.Header{headerCode: {strconv.Itoa(p.Status)}, headerError: {oneLine(p.Detail)}, "Content-Type": {"application/problem+json"}}, body(p)
}
