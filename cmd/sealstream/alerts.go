package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type alertsCmd struct {
	Type      []string `help:"Event type, or alert type: agent-silence, sealer-lag, log-failure, void-message; repeat it for any of several." sep:"none"`
	Rule      []string `help:"Name of the rule." sep:"none"`
	Agent     []string `help:"DID of the agent." sep:"none"`
	Limit     int      `help:"How many, the newest ones (default 100)." default:"100"`
	Follow    bool     `help:"Go on with the alerts to come." short:"f" xor:"what"`
	Dead      bool     `help:"Show what webhooks did not take." xor:"what"`
	Redeliver bool     `help:"Send dead letters again, all or those of --webhook and --seq." xor:"what"`
	Webhook   string   `help:"Of this webhook alone." placeholder:"NAME"`
	Seq       uint64   `help:"This one alone: the number in the first column." placeholder:"N"`
	Status    bool     `help:"Show how the follower and the webhooks fare." xor:"what"`
}

func (*alertsCmd) Help() string {
	return `Examples:
  sealstream alerts --type policy_violation
  sealstream alerts -f --agent did:web:agent.example.com
  sealstream alerts --dead
  sealstream alerts --redeliver --webhook pager`
}

// shownAlert is an alert as the API lists it.
type shownAlert struct {
	Seq     uint64          `json:"seq"`
	Subject string          `json:"subject"`
	Event   json.RawMessage `json:"event"`
}

// Run lists alerts in the order in which they were told.
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
	q := url.Values{"type": c.Type, "rule": c.Rule, "agent": c.Agent}
	list := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for name, values := range q {
		list[name] = values
	}
	var page struct {
		Alerts []shownAlert `json:"alerts"`
		Last   uint64       `json:"last"`
	}
	if err := a.get("/v1/alerts", list, &page); err != nil {
		return err
	}
	if a.json && !c.Follow {
		return a.print(page)
	}
	for _, s := range page.Alerts {
		if err := c.show(a, s.Seq, s.Event); err != nil {
			return err
		}
	}
	if c.Follow {
		return c.follow(a, q, page.Last)
	}
	return nil
}

// check refuses what would otherwise be passed over in silence.
func (c *alertsCmd) check() error {
	switch {
	case c.Seq != 0 && !c.Redeliver:
		return errors.New("--seq goes with --redeliver")
	case c.Webhook != "" && !c.Redeliver && !c.Dead:
		return errors.New("--webhook goes with --dead and --redeliver")
	case (c.Redeliver || c.Dead || c.Status) && len(c.Type)+len(c.Rule)+len(c.Agent) > 0:
		return errors.New("--type, --rule and --agent pick alerts; they do not go with --dead, --redeliver and --status")
	}
	return nil
}

// show prints one alert: a line for a person, the CloudEvent in a line with --json.
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
	if len(e.Time) > 19 {
		e.Time = e.Time[:19] + "Z"
	}
	_, err := fmt.Fprintf(a.out, "%-6d %s  index %-8d %-20s %s\n", seq, cell(e.Time, 20), e.Data.Index, cell(e.Data.Rule, 20), cell(e.Data.Text, 200))
	return err
}

// follow prints alerts as they come, until the user stops it. After a broken connection it goes on behind the last one that was shown.
func (c *alertsCmd) follow(a *app, q url.Values, last uint64) error {
	told := false
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		q.Set("after", strconv.FormatUint(last, 10))
		body, err := a.open("/v1/alerts/stream", q, "text/event-stream")
		if err == nil {
			before := last
			err = c.events(a, body, &last)
			body.Close()
			if last > before {
				wait, told = 100*time.Millisecond, false
			}
		}
		if a.ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errRefused) || errors.Is(err, errShow) {
			return err
		}
		if !told {
			fmt.Fprintf(a.err, "sealstream: the stream broke off, trying again: %v\n", err)
			told = true
		}
		select {
		case <-a.ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

var errShow = errors.New("cannot show")

// events reads Server-Sent Events.
func (c *alertsCmd) events(a *app, body io.Reader, last *uint64) error {
	lines := bufio.NewReaderSize(body, 64<<10)
	id := uint64(0)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if v, ok := strings.CutPrefix(line, "id: "); ok {
			if id, err = strconv.ParseUint(strings.TrimSpace(v), 10, 63); err != nil {
				return fmt.Errorf("%w: id %.40q", errShow, v)
			}
		} else if v, ok := strings.CutPrefix(line, "data: "); ok {
			if err := c.show(a, id, json.RawMessage(strings.TrimSpace(v))); err != nil {
				return fmt.Errorf("%w: %w", errShow, err)
			}
			*last = id
		}
	}
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
		fmt.Fprintf(a.out, "%-6d %s  %-12s %-20s after %s: %s\n", l.Seq, l.At.Format(time.RFC3339), cell(l.Webhook, 64), cell(l.Type, 20),
			plural(uint64(l.Attempts), "attempt", "attempts"), cell(l.Why, 200))
	}
	return nil
}

// redeliver asks for dead letters to be sent again. Letters that are left are a no.
func (c *alertsCmd) redeliver(a *app) error {
	q := url.Values{"log": {a.log}}
	if c.Webhook != "" {
		q.Set("webhook", c.Webhook)
	}
	if c.Seq != 0 {
		q.Set("seq", strconv.FormatUint(c.Seq, 10))
	}
	req, err := http.NewRequestWithContext(a.ctx, http.MethodPost, strings.TrimRight(a.server, "/")+"/v1/alerts/redeliver?"+q.Encode(), nil)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	body, err := a.do(req)
	if err != nil {
		return err
	}
	defer body.Body.Close()
	var r struct {
		Delivered int    `json:"delivered"`
		Failed    int    `json:"failed"`
		Left      int    `json:"left"`
		Why       string `json:"why,omitempty"`
	}
	if err := json.NewDecoder(body.Body).Decode(&r); err != nil {
		return fmt.Errorf("answer to /v1/alerts/redeliver: %w", err)
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
