package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
)

// filterFlags are the filters of GET /v1/entries.
type filterFlags struct {
	fieldFlags
	From string `help:"Earliest time, RFC 3339, inclusive." placeholder:"TIME"`
	To   string `help:"Latest time, RFC 3339, inclusive." placeholder:"TIME"`
	Time string `help:"Which time --from and --to are of: timestamp, as the agent claims, or received, when the log got it." enum:"timestamp,received" default:"timestamp"`
}

func (f filterFlags) values() url.Values {
	q := f.fieldFlags.values()
	setTimes(q, f.From, f.To)
	if f.Time == "received" {
		q.Set("time", f.Time)
	}
	return q
}

func setTimes(q url.Values, from, to string) {
	if from != "" {
		q.Set("from", from)
	}
	if to != "" {
		q.Set("to", to)
	}
}

// fieldFlags are the filters on fields. A flag that is repeated means any of the values.
type fieldFlags struct {
	Agent    []string `help:"Agent's DID." sep:"none"`
	Type     []string `help:"Event type, such as tool_invocation." sep:"none"`
	Action   []string `help:"allow, deny, audit, quarantine, warning." sep:"none"`
	Outcome  []string `help:"success, failure, denied, error." sep:"none"`
	Resource []string `help:"Resource; one that ends in * is a prefix, such as '/crm/*'." sep:"none"`
	Target   []string `help:"Target agent's DID." sep:"none"`
	Rule     []string `help:"Matched rule." sep:"none"`
	Trace    []string `help:"Trace id." sep:"none"`
	Session  []string `help:"Session id." sep:"none"`
}

func (f fieldFlags) values() url.Values {
	q := url.Values{}
	for name, list := range map[string][]string{"agent": f.Agent, "type": f.Type, "action": f.Action, "outcome": f.Outcome, "resource": f.Resource,
		"target": f.Target, "rule": f.Rule, "trace": f.Trace, "session": f.Session} {
		for _, v := range list {
			q.Add(name, v)
		}
	}
	return q
}

type queryCmd struct {
	filterFlags
	Limit  int    `help:"Entries in one page, 1 to 1000." default:"100"`
	Order  string `help:"desc: newest page first; asc: oldest page first. A page itself is always in the order of the log." enum:"asc,desc" default:"desc"`
	Cursor string `help:"Go on where a page ended."`
	All    bool   `help:"Follow the cursor to the end."`
}

func (*queryCmd) Help() string {
	return "Examples:\n  sealstream query --agent did:web:agent.example.com --outcome denied\n  sealstream query --type policy_violation --type rogue_detection --json\n" +
		"  sealstream query --resource '/crm/*' --time received --from 2026-11-23T22:00:00Z"
}

// page is the answer of GET /v1/entries.
type page struct {
	Entries    []json.RawMessage `json:"entries"`
	NextCursor *string           `json:"next_cursor"`
	TreeSize   uint64            `json:"tree_size"`
}

// Run prints a page, or all of them.
func (c *queryCmd) Run(a *app) error {
	q := c.values()
	q.Set("limit", strconv.Itoa(c.Limit))
	q.Set("order", c.Order)
	if c.Cursor != "" {
		q.Set("cursor", c.Cursor)
	}
	t := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if !a.json {
		fmt.Fprintln(t, "INDEX\tTIME\tTYPE\tAGENT\tACTION\tOUTCOME\tRESOURCE")
	}
	for {
		var p page
		if err := a.get("/v1/entries", q, &p); err != nil {
			return err
		}
		if a.json {
			if err := a.print(p); err != nil {
				return err
			}
		}
		for _, raw := range p.Entries {
			if !a.json {
				printRow(t, raw)
			}
		}
		if p.NextCursor == nil || !c.All {
			t.Flush()
			if p.NextCursor != nil && !a.json {
				fmt.Fprintf(a.err, "more: --cursor %s\n", *p.NextCursor)
			}
			return nil
		}
		q.Set("cursor", *p.NextCursor)
	}
}

// row is what the table shows of an entry.
type row struct {
	Index                                uint64
	Timestamp, Action, Outcome, Resource string
	EventType                            string `json:"event_type"`
	AgentDID                             string `json:"agent_did"`
}

func printRow(t *tabwriter.Writer, raw json.RawMessage) {
	var r row
	if json.Unmarshal(raw, &r) != nil {
		return
	}
	fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Index, cell(r.Timestamp, 40), cell(r.EventType, 32), cell(r.AgentDID, 48), cell(r.Action, 16), cell(r.Outcome, 16), cell(r.Resource, 60))
}

// cell makes an agent's text safe for a terminal: what is not printable is shown escaped, and what is long is cut.
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
