package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sealstream/sealstream/pkg/api"
)

// filterFlags are the filters of GET /v1/entries.
type filterFlags struct {
	fieldFlags
	periodFlags
	Time string `help:"Time that --since and --until filter by: timestamp, as the agent states it, or received, as the log recorded it." enum:"timestamp,received" default:"timestamp"`
}

// wanted returns the filter.
func (f filterFlags) wanted() (filter api.Filter, err error) {
	if err := f.known(); err != nil {
		return filter, err
	}
	filter = f.filter()
	if filter.From, filter.To, err = f.times(time.Now()); err != nil {
		return filter, err
	}
	if f.Time == string(api.Received) {
		filter.Time = api.Received
	}
	return filter, nil
}

// values returns the filter as parameters of the API.
func (f filterFlags) values() (url.Values, error) {
	filter, err := f.wanted()
	return filter.Values(), err
}

// fieldFlags are the filters on fields. A repeated flag matches any of its values.
type fieldFlags struct {
	Agent    []string `help:"Agent's DID." sep:"none"`
	Type     []string `help:"Event type, such as tool_invocation." predictor:"type" sep:"none"`
	Action   []string `help:"allow, deny, audit, quarantine, warning." predictor:"action" sep:"none"`
	Outcome  []string `help:"success, failure, denied, error." predictor:"outcome" sep:"none"`
	Resource []string `help:"Resource. With * at its end it is a prefix, such as '/crm/*'." sep:"none"`
	Target   []string `help:"Target agent's DID." sep:"none"`
	Rule     []string `help:"Matched rule." sep:"none"`
	Trace    []string `help:"Trace id." sep:"none"`
	Session  []string `help:"Session id." sep:"none"`
}

func (f fieldFlags) filter() api.Filter {
	return api.Filter{Agent: f.Agent, Type: f.Type, Action: f.Action, Outcome: f.Outcome, Resource: f.Resource,
		Target: f.Target, Rule: f.Rule, Trace: f.Trace, Session: f.Session}
}

type queryCmd struct {
	filterFlags
	Number int    `help:"Number of entries in all. 0 is one page, or all with --all." short:"n"`
	Limit  int    `help:"Entries per page, 1 to 1000." default:"100"`
	Order  string `help:"desc: newest page first; asc: oldest page first. Within a page, entries are in the order of the log, but on a terminal the newest comes first with desc." enum:"asc,desc" default:"desc"`
	Cursor string `help:"Continue after an earlier page."`
	All    bool   `help:"Print all pages."`
}

func (*queryCmd) Help() string {
	return `Examples:
  sealstream query --agent did:web:agent.example.com --outcome denied
  sealstream query --type policy_violation --type rogue_detection --json
  sealstream query --resource '/crm/*' --since 7d -n 20`
}

// Run prints a page, --number entries, or all pages with --all.
func (c *queryCmd) Run(a *app) error {
	if c.Number < 0 {
		return fmt.Errorf("-n %d is negative", c.Number)
	}
	q, err := c.values()
	if err != nil {
		return err
	}
	c.doubt(a)
	p := c.pages(a, q)
	for {
		page, more, err := p.next()
		if err != nil {
			return err
		}
		if err := p.show(page); err != nil {
			return err
		}
		if !more {
			return p.end(page)
		}
	}
}

// cell makes an agent's text safe for a terminal: it escapes characters that cannot be printed and
// cuts the text to n characters. The empty text is "-".
func cell(s string, n int) string {
	if s == "" {
		return "-"
	}
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	if r := []rune(q); len(r) > n {
		q = string(r[:n-1]) + "…"
	}
	return q
}
