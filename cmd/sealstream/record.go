package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/when"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// reason returns why an event was refused.
func reason(r api.Receipt) string {
	if r.Error == nil {
		return "no reason given"
	}
	return r.Error.Error()
}

// record sends events and returns their receipts in the same order. wait is stored, sealed or
// witnessed.
func (a *app) record(contentType string, body []byte, wait string) ([]api.Receipt, error) {
	var out api.Receipts
	err := a.post("/v1/events", url.Values{"wait": {wait}}, contentType, body, &out)
	return out.Receipts, err
}

type recordCmd struct {
	Agent    string   `help:"The agent's DID." required:"" placeholder:"DID"`
	Type     string   `help:"Event type, such as tool_invocation, policy_violation or one of your own." predictor:"agenttype" required:""`
	Action   string   `help:"allow, deny, audit, quarantine, warning." predictor:"action"`
	Outcome  string   `help:"success, failure, denied, error." predictor:"outcome"`
	Resource string   `help:"Resource that the action was done to."`
	Target   string   `help:"DID of the agent that the task was handed to." placeholder:"DID"`
	Decision string   `help:"Decision of the policy."`
	Rule     string   `help:"Rule that matched."`
	Trace    string   `help:"Trace id."`
	Session  string   `help:"Session id."`
	Time     string   `help:"Time of the event, in the forms of query --since. Default: the time of receipt." placeholder:"TIME"`
	ID       string   `help:"Id of the event. Default: a new UUIDv7."`
	Data     string   `help:"Data: JSON, @FILE or - for standard input." placeholder:"JSON"`
	Wait     string   `help:"State to wait for. stored: on disk; sealed: in the log, under a signed checkpoint; witnessed: also cosigned by enough witnesses." enum:"stored,sealed,witnessed" default:"sealed"`
	Ext      []string `help:"Further attribute." sep:"none" placeholder:"NAME=VALUE"`
}

func (*recordCmd) Help() string {
	return `Example:
  sealstream log --agent did:web:agent.example.com --type tool_invocation \
    --action allow --resource /crm/contacts --data '{"query":"acme"}'`
}

// Run records one event and prints its receipt.
func (c *recordCmd) Run(a *app) error {
	ev, err := c.event(a)
	if err != nil {
		return err
	}
	a.doubtAgents("agent", c.Agent)
	if c.Target != "" {
		a.doubtAgents("target", c.Target)
	}
	a.doubtTypes(agentTypes(), c.Type)
	receipts, err := a.record("application/cloudevents+json", ev.AppendJSON(nil), c.Wait)
	if err != nil {
		return err
	}
	if len(receipts) != 1 {
		return errors.New("log: the number of receipts differs from the number of events")
	}
	r := receipts[0]
	switch {
	case r.Status == api.Rejected:
		return failed("refused: %s", reason(r))
	case c.Wait == api.Witnessed && r.Status == api.Sealed:
		return failed("id %s is sealed as index %d, but was not cosigned in time; /healthz shows which witnesses are missing",
			r.EntryID, r.Index)
	case c.Wait != api.Stored && r.Status == api.Stored:
		return failed("id %[1]s is stored, but was not sealed in time; is a sealer running? It will be sealed later. "+
			"To record the same event again, add --id %[2]s", r.EntryID, shellWord(r.EntryID))
	case a.json:
		return a.print(r)
	case r.Index != 0 && isTerminal(a.out):
		_, err = fmt.Fprintf(a.out, "%s  index %d  id %s\nhash %s\n"+
			"prove it: sealstream prove %d -o proof.json%s && sealstream verify proof.json --key log.pub\n",
			r.Status, r.Index, r.EntryID, r.EntryHash, r.Index, hintFlags(a.server, a.logName))
	case r.Index != 0:
		_, err = fmt.Fprintf(a.out, "%s  index %d  id %s  hash %s\n", r.Status, r.Index, r.EntryID, r.EntryHash)
	default:
		_, err = fmt.Fprintf(a.out, "%s  id %s\n", r.Status, r.EntryID)
	}
	return err
}

func (c *recordCmd) event(a *app) (entry.Event, error) {
	at, err := apiTime("time", c.Time, time.Now(), when.Start)
	if err != nil {
		return entry.Event{}, err
	}
	ev := entry.Event{
		ID:             c.ID,
		Source:         c.Agent,
		Type:           ruleset.CloudEventType(c.Type),
		Subject:        c.Resource,
		Time:           at,
		Action:         c.Action,
		Outcome:        c.Outcome,
		PolicyDecision: c.Decision,
		MatchedRule:    c.Rule,
		TraceID:        c.Trace,
		SessionID:      c.Session,
		TargetDID:      c.Target,
		Extensions:     map[string]string{},
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
			return ev, fmt.Errorf("--ext %q does not have the form NAME=VALUE", x)
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
		return io.ReadAll(io.LimitReader(a.in, ruleset.MaxDataBytes+1))
	case c.Data[0] == '@':
		return os.ReadFile(c.Data[1:])
	}
	return []byte(c.Data), nil
}
