package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/pkg/entry"
)

// receipt is what the server answers for one event.
type receipt struct {
	EntryID   string          `json:"entry_id"`
	Status    string          `json:"status"`
	Index     *uint64         `json:"index"`
	EntryHash string          `json:"entry_hash"`
	Error     json.RawMessage `json:"error"`

	EquivocationOf *uint64 `json:"equivocation_of"`
}

// reason is the text of a refused event's error, whichever form it has.
func (r receipt) reason() string {
	var text string
	if json.Unmarshal(r.Error, &text) == nil {
		return text
	}
	var parts struct{ Field, Reason string }
	if json.Unmarshal(r.Error, &parts) == nil && parts.Reason != "" {
		if parts.Field != "" {
			return parts.Field + ": " + parts.Reason
		}
		return parts.Reason
	}
	return string(r.Error)
}

// record posts events and returns their receipts, in the order sent.
func (a *app) record(contentType string, body []byte, wait string) ([]receipt, error) {
	q := url.Values{"log": {a.log}, "wait": {wait}}
	req, err := http.NewRequestWithContext(a.ctx, http.MethodPost, strings.TrimRight(a.server, "/")+"/v1/events?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	answer, err := a.do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var out struct{ Receipts []receipt }
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return nil, fmt.Errorf("answer to the events: %w", err)
	}
	return out.Receipts, nil
}

type recordCmd struct {
	Agent    string   `help:"The agent's DID." required:"" placeholder:"DID"`
	Type     string   `help:"Event type, such as tool_invocation, policy_violation or one of your own." required:""`
	Action   string   `help:"allow, deny, audit, quarantine, warning."`
	Outcome  string   `help:"success, failure, denied, error."`
	Resource string   `help:"What it was done to."`
	Target   string   `help:"The agent it was handed to." placeholder:"DID"`
	Decision string   `help:"What the policy decided."`
	Rule     string   `help:"The rule that matched."`
	Trace    string   `help:"Trace id."`
	Session  string   `help:"Session id."`
	Time     string   `help:"When it happened, RFC 3339; none: when it is received." placeholder:"TIME"`
	ID       string   `help:"Id of the event; none: a new UUIDv7."`
	Data     string   `help:"Data: JSON, @FILE or - for standard input." placeholder:"JSON"`
	Wait     string   `help:"stored: on disk; sealed: in the log, under a signed checkpoint; witnessed: and cosigned by enough witnesses." enum:"stored,sealed,witnessed" default:"sealed"`
	Ext      []string `help:"Further attribute, NAME=VALUE." sep:"none" placeholder:"NAME=VALUE"`
}

func (*recordCmd) Help() string {
	return "Example:\n  sealstream log --agent did:web:agent.example.com --type tool_invocation --action allow --outcome success \\\n    --resource /crm/contacts --data '{\"query\":\"acme\"}'"
}

// Run records one event and prints its receipt.
func (c *recordCmd) Run(a *app) error {
	ev, err := c.event(a)
	if err != nil {
		return err
	}
	receipts, err := a.record("application/cloudevents+json", ev.AppendJSON(nil), c.Wait)
	if err != nil {
		return err
	}
	if len(receipts) != 1 {
		return errors.New("the server answered for another number of events")
	}
	r := receipts[0]
	switch {
	case r.Status == "rejected":
		return failed("refused: %s", r.reason())
	case c.Wait == "witnessed" && r.Status == "sealed":
		return failed("id %s is sealed as index %d, but was not cosigned in time; /healthz says which witnesses are missing", r.EntryID, *r.Index)
	case c.Wait != "stored" && r.Status == "stored":
		return failed("id %s is stored, but was not sealed in time; does a sealer run? It will be sealed, and recording it again is safe", r.EntryID)
	case a.json:
		return a.print(r)
	case r.Index != nil:
		_, err = fmt.Fprintf(a.out, "%s  index %d  id %s  hash %s\n", r.Status, *r.Index, r.EntryID, r.EntryHash)
	default:
		_, err = fmt.Fprintf(a.out, "%s  id %s\n", r.Status, r.EntryID)
	}
	return err
}

func (c *recordCmd) event(a *app) (entry.Event, error) {
	ev := entry.Event{
		ID: c.ID, Source: c.Agent, Type: entry.CloudEventType(c.Type), Subject: c.Resource, Time: c.Time, Action: c.Action, Outcome: c.Outcome,
		PolicyDecision: c.Decision, MatchedRule: c.Rule, TraceID: c.Trace, SessionID: c.Session, TargetDID: c.Target, Extensions: map[string]string{},
	}
	if ev.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return ev, err
		}
		ev.ID = id.String()
	}
	for _, x := range c.Ext {
		name, value, ok := strings.Cut(x, "=")
		if !ok {
			return ev, fmt.Errorf("--ext %q is not NAME=VALUE", x)
		}
		ev.Extensions[name] = value
	}
	data, err := c.data(a)
	if err == nil && data != nil {
		err = ev.SetJSON(data)
	}
	if err == nil {
		err = ev.Check()
	}
	if err != nil {
		return ev, fmt.Errorf("log: %w", err)
	}
	return ev, nil
}

func (c *recordCmd) data(a *app) ([]byte, error) {
	switch {
	case c.Data == "":
		return nil, nil
	case c.Data == "-":
		return io.ReadAll(io.LimitReader(a.in, entry.MaxDataBytes+1))
	case c.Data[0] == '@':
		return os.ReadFile(c.Data[1:])
	}
	return []byte(c.Data), nil
}
