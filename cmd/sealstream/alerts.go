package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/client"
)

type alertsCmd struct {
	Type  []string `help:"Event type, or alert type: agent-silence, sealer-lag, log-condition, log-failure, void-message. Repeat it for several." predictor:"alerttype" sep:"none"`
	Rule  []string `help:"Name of the rule." sep:"none"`
	Agent []string `help:"DID of the agent." sep:"none"`
	periodFlags
	Limit     int    `help:"Number of newest alerts to show (default 100)." short:"n" default:"100"`
	Follow    bool   `help:"Follow new alerts." short:"f" xor:"what"`
	Dead      bool   `help:"Show alerts that webhooks did not accept." xor:"what"`
	Redeliver bool   `help:"Send dead letters again, all or those of --webhook and --seq." xor:"what"`
	Webhook   string `help:"Only of this webhook." placeholder:"NAME"`
	Seq       uint64 `help:"Only the alert with this number, shown in the first column." placeholder:"N"`
	Status    bool   `help:"Show the state of the follower and the webhooks." xor:"what"`
}

func (*alertsCmd) Help() string {
	return `Examples:
  sealstream alerts --type policy_violation
  sealstream alerts --since yesterday -n 20
  sealstream alerts -f --agent did:web:agent.example.com
  sealstream alerts --dead
  sealstream alerts --redeliver --webhook pager`
}

// Run lists the newest alerts in the order of publication. On a terminal, the newest comes first.
func (c *alertsCmd) Run(a *app) error {
	if err := c.check(); err != nil {
		return err
	}
	switch {
	case c.Redeliver:
		return c.redeliver(a)
	case c.Dead:
		return c.dead(a)
	case c.Status:
		var status json.RawMessage
		if err := a.get("/v1/alerts/status", nil, &status); err != nil {
			return err
		}
		return a.print(status)
	}
	a.doubtAgents("agent", c.Agent...)
	a.doubtTypes(alertTypes(), c.Type...)
	q := url.Values{"type": c.Type, "rule": c.Rule, "agent": c.Agent, "limit": {strconv.Itoa(c.Limit)}}
	since, until, err := c.times(time.Now())
	if err != nil {
		return err
	}
	for name, at := range map[string]string{"from": since, "to": until} {
		if at != "" {
			q.Set(name, at)
		}
	}
	var page api.Alerts
	if err := a.get("/v1/alerts", q, &page); err != nil {
		return err
	}
	if a.json && !c.Follow {
		return a.print(page)
	}
	switch {
	case !isTerminal(a.out) || c.Follow:
	case len(page.Alerts) == 0:
		fmt.Fprintln(a.err, "no alerts match")
	default: // the newest were asked for
		slices.Reverse(page.Alerts)
	}
	for _, s := range page.Alerts {
		if err := c.show(a, s.Seq, s.Event); err != nil {
			return err
		}
	}
	if c.Follow {
		return c.follow(a, page.Last)
	}
	return nil
}

// check refuses flags that would have no effect.
func (c *alertsCmd) check() error {
	switch {
	case c.Seq != 0 && !c.Redeliver:
		return errors.New("--seq requires --redeliver")
	case c.Webhook != "" && !c.Redeliver && !c.Dead:
		return errors.New("--webhook requires --dead or --redeliver")
	case (c.Redeliver || c.Dead || c.Status) && len(c.Type)+len(c.Rule)+len(c.Agent) > 0:
		return errors.New("--type, --rule and --agent cannot be combined with --dead, --redeliver or --status")
	case (c.Redeliver || c.Dead || c.Status) && c.periodFlags != (periodFlags{}):
		return errors.New("--since and --until cannot be combined with --dead, --redeliver or --status")
	case c.Follow && c.Until != "":
		return errors.New("--until cannot be combined with --follow, which goes on without end")
	}
	return nil
}

// show prints an alert as one line: as text, or with --json as its CloudEvent.
func (c *alertsCmd) show(a *app, seq uint64, event json.RawMessage) error {
	if a.json {
		return a.encode(event, false)
	}
	var e struct {
		Time, Type string
		Data       struct {
			Rule  string `json:"rule"`
			Index uint64 `json:"index"`
			Text  string `json:"text"`
		}
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return fmt.Errorf("alert %d: %w", seq, err)
	}
	if s := a.style(); isTerminal(a.out) {
		what := cell(e.Data.Text, 200)
		if !strings.HasPrefix(e.Data.Text, e.Data.Rule) { // that of a built-in rule begins with its name
			what = cell(e.Data.Rule, 20) + "  " + what
		}
		text := fmt.Sprintf("%-5d %s  index %-6d %s", seq, a.short(e.Time), e.Data.Index, what)
		_, err := io.WriteString(a.out, s.wrap(text, 6))
		return err
	}
	if len(e.Time) > 19 {
		e.Time = e.Time[:19] + "Z"
	}
	_, err := fmt.Fprintf(a.out, "%-6d %s  index %-8d %-20s %s\n", seq, cell(e.Time, 20), e.Data.Index,
		cell(e.Data.Rule, 20), cell(e.Data.Text, 200))
	return err
}

// follow prints new alerts until the user interrupts it.
func (c *alertsCmd) follow(a *app, last uint64) error {
	reader, err := a.api()
	if err != nil {
		return err
	}
	wanted := client.AlertFilter{Type: c.Type, Rule: c.Rule, Agent: c.Agent}
	for alert, err := range reader.FollowAlerts(a.ctx, wanted, last) {
		if err != nil {
			return a.ended(err)
		}
		if err := c.show(a, alert.Seq, alert.Event); err != nil {
			return err
		}
	}
	return nil
}

func (c *alertsCmd) dead(a *app) error {
	type letter struct {
		Webhook  string    `json:"webhook"`
		Seq      uint64    `json:"seq"`
		ID       string    `json:"id"`
		Type     string    `json:"type"`
		At       time.Time `json:"at"`
		Attempts int       `json:"attempts"`
		Why      string    `json:"why"`
	}
	var answer struct {
		Dead []letter `json:"dead"`
	}
	if err := a.get("/v1/alerts/dead", nil, &answer); err != nil {
		return err
	}
	answer.Dead = slices.DeleteFunc(answer.Dead, func(l letter) bool { return c.Webhook != "" && c.Webhook != l.Webhook })
	if a.json {
		return a.print(answer)
	}
	for _, l := range answer.Dead {
		fmt.Fprintf(a.out, "%-6d %s  %-12s %-20s after %s: %s\n", l.Seq, l.At.Format(time.RFC3339), cell(l.Webhook, 64),
			cell(l.Type, 20), plural(uint64(l.Attempts), "attempt", "attempts"), cell(l.Why, 200))
	}
	return nil
}

// redeliver asks the server to send dead letters again. It fails if any is left.
func (c *alertsCmd) redeliver(a *app) error {
	q := url.Values{}
	if c.Webhook != "" {
		q.Set("webhook", c.Webhook)
	}
	if c.Seq != 0 {
		q.Set("seq", strconv.FormatUint(c.Seq, 10))
	}
	var r struct {
		Delivered int    `json:"delivered"`
		Failed    int    `json:"failed"`
		Left      int    `json:"left"`
		Why       string `json:"why,omitempty"`
	}
	err := a.post("/v1/alerts/redeliver", q, "", nil, &r)
	if err != nil {
		return err
	}
	if a.json {
		err = a.print(r)
	} else {
		_, err = fmt.Fprintf(a.out, "%d delivered, %d left\n", r.Delivered, r.Left)
	}
	if err != nil {
		return err
	}
	if r.Left > 0 {
		return failed("%d dead letters are left: %s", r.Left, r.Why)
	}
	return nil
}
