package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Headers of a NATS request and of its answer. The headers of the answer are those of NATS' own
// service clients.
const (
	headerWait  = "Sealstream-Wait"  // stored (default), sealed or witnessed
	headerProof = "Sealstream-Proof" // 0 (default), or 1: with proofs of what is sealed
	headerCode  = "Nats-Service-Error-Code"
	headerError = "Nats-Service-Error"
)

// Request answers a NATS request on audit.<log>.submit.<agent token>. The request holds events in
// the modes that EVENTS accepts. The answer holds the receipts of POST /v1/events, once the events
// have reached the status in the header Sealstream-Wait, with proofs if the header Sealstream-Proof
// is 1. Unlike publishes to EVENTS, requests that come together share one message and one fsync.
// The token "open" accepts any source if Config.Open is set; any other token accepts only its
// agent.
func (in *Ingest) Request(ctx context.Context, m entry.Message) (entry.Header, []byte) {
	answer, single, err := in.request(ctx, m)
	if err == nil && single && answer.Receipts[0].Status == api.Rejected {
		err = refusedProblem(answer.Receipts[0])
	}
	if err != nil {
		return refuse(err)
	}
	text := formatReceipts(answer)
	if len(answer.Proofs) > 0 && len(text) > ruleset.MaxMessageBytes { // the server would not deliver it
		text = formatReceipts(answer.WithoutProofs())
	}
	return entry.Header{"Content-Type": {"application/json"}}, text
}

func body(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always marshal
	}
	return b
}

// oneLine makes a text valid as a header value.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s))
}

func (in *Ingest) request(ctx context.Context, m entry.Message) (answer api.Receipts, single bool, err error) {
	token, ok := strings.CutPrefix(m.Subject, subject.Submit(in.cfg.Log.Name, ""))
	if !ok || token == "" {
		return answer, false, api.Problem{
			Status: http.StatusNotFound,
			Detail: fmt.Sprintf("%.80q is not a subject of log %s", m.Subject, in.cfg.Log.Name),
		}
	}
	if token == "open" && !in.cfg.Open {
		return answer, false, api.Problem{
			Status: http.StatusForbidden,
			Detail: "submit.open is not accepted here; use the subject of the agent",
		}
	}
	asked, err := in.wanted(m.Header)
	if err != nil {
		return answer, false, err
	}
	size := int64(len(m.Data))
	if !in.budget.take(size) {
		return answer, false, ErrBusy
	}
	defer in.budget.release(size)
	charges, err := in.newCharges(asked, size)
	defer charges.release()
	if err != nil {
		return answer, false, err
	}
	raws, single, err := splitMessage(m, charges.charge)
	if err != nil {
		return answer, single, err
	}
	if token != "open" {
		for i := range raws {
			if raws[i].token = token; in.cfg.Vouched {
				raws[i].Publisher = access.NATSPublisher(token)
			}
		}
	}
	answer, err = in.submit(ctx, raws, asked)
	return answer, single, err
}

// wanted reads what a request asks for from the headers, whose names are case-insensitive.
func (in *Ingest) wanted(h entry.Header) (w want, err error) {
	wait, err := oneHeader(h, headerWait, "wait")
	if err != nil {
		return w, err
	}
	proof, err := oneHeader(h, headerProof, "proof")
	if err != nil {
		return w, err
	}
	if w.wait, err = in.waitOf(wait); err != nil {
		return w, err
	}
	switch proof {
	case "", "0":
	case "1":
		w.proof = true
	default:
		return w, api.Problem{Status: http.StatusBadRequest, Field: "proof", Detail: headerProof + " must be 0 or 1"}
	}
	return w, w.check()
}

// oneHeader returns a header without the white space around it, or "". A header that is given more
// than once is an error of the field.
func oneHeader(h entry.Header, header, field string) (string, error) {
	var all []string
	for name, values := range h {
		if strings.EqualFold(name, header) {
			all = append(all, values...)
		}
	}
	if len(all) > 1 {
		return "", api.Problem{Status: http.StatusBadRequest, Field: field, Detail: header + " is given more than once"}
	}
	return strings.Trim(strings.Join(all, ""), " \t"), nil
}

// waitOf parses the status to wait for.
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
	return 0, api.Problem{
		Status: http.StatusBadRequest,
		Field:  "wait",
		Detail: fmt.Sprintf("%.40q is none of stored, sealed, witnessed", s),
	}
}

// splitMessage returns the events of a NATS message; see split.
func splitMessage(m entry.Message, charge func(events int) error) (raws []Raw, single bool, err error) {
	if inbox.ModeOf(m, ruleset.Newest) != inbox.Batched {
		if err := charge(1); err != nil {
			return nil, true, err
		}
	}
	switch inbox.ModeOf(m, ruleset.Newest) {
	case inbox.Batched:
		raws, err = split(inbox.Batched, nil, m.Data, "", charge)
		return raws, false, err
	case inbox.Binary:
		ev, err := inbox.ParseBinary(m, ruleset.Newest)
		if err != nil {
			r := refused(nil, err)
			r.EntryID = ev.ID
			return nil, true, refusedProblem(r)
		}
		return []Raw{{Event: ev.AppendJSON(nil)}}, true, nil
	}
	return []Raw{{Event: m.Data}}, true, nil
}

// errToken is the reason with which the sealer rejects the same event on the agent's subject of
// EVENTS.
var errToken = &entry.FieldError{
	Field:  "source",
	Reason: "its agent token is not the one of the subject it was published on",
}

// RequestBusy returns the answer to a request that is refused unread, because too many are in
// progress.
func RequestBusy() (entry.Header, []byte) { return refuse(ErrBusy) }

func refuse(err error) (entry.Header, []byte) {
	p := problemOf(err)
	return entry.Header{
		headerCode:     {strconv.Itoa(p.Status)},
		headerError:    {oneLine(p.Detail)},
		"Content-Type": {api.ProblemMediaType},
	}, body(p)
}
