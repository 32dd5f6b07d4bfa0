package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"text/tabwriter"

	"github.com/sealstream/sealstream/pkg/api"
)

type getCmd struct {
	Entry   string `arg:"" help:"Index or id."`
	ID      bool   `help:"Take a name of digits as an id, and not as an index." name:"id"`
	Agent   string `help:"DID of the agent, if several agents have used the id."`
	Raw     bool   `help:"Show the exact leaf, data and salt, too."`
	Context int    `help:"List the entry among so many before and after it, up to 400." placeholder:"N"`
}

func (*getCmd) Help() string {
	return "Examples:\n  sealstream get 17\n  sealstream get 161b202a-7282-5949-a904-d82a3094902e --raw\n" +
		"  sealstream get 17 --context 3"
}

// Run prints the entry as JSON, also without --json. With --context it prints rows, or an array.
func (c *getCmd) Run(a *app) error {
	if c.Context < 0 || c.Context > 400 {
		return fmt.Errorf("--context %d is not between 0 and 400", c.Context)
	}
	q := entryQuery(c.Agent)
	if c.Raw {
		q.Set("raw", "1")
	}
	var e json.RawMessage
	path, err := entryPath(c.Entry, c.ID)
	if err != nil {
		return err
	}
	if err := a.get(path, q, &e); err != nil {
		return err
	}
	if c.Context > 0 {
		return c.neighbours(a, e)
	}
	return a.encode(e, !a.json || isTerminal(a.out))
}

// neighbours prints the entry among those around it in the log.
func (c *getCmd) neighbours(a *app, e json.RawMessage) error {
	var chosen row
	if err := json.Unmarshal(e, &chosen); err != nil {
		return fmt.Errorf("entry %s: %w", c.Entry, err)
	}
	first := chosen.Index - min(chosen.Index, uint64(c.Context))
	q := url.Values{
		"order":      {"asc"},
		"from_index": {strconv.FormatUint(first, 10)},
		"limit":      {strconv.FormatUint(chosen.Index-first+uint64(c.Context)+1, 10)},
	}
	if c.Raw {
		q.Set("raw", "1")
	}
	var page api.Page
	if err := a.get("/v1/entries", q, &page); err != nil {
		return err
	}
	if a.json {
		return a.print(page.Entries)
	}
	t := a.entryTable()
	pipe := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, raw := range page.Entries {
		var r row
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("an entry of the answer: %w", err)
		}
		if !isTerminal(a.out) {
			r.tabbed(pipe)
			continue
		}
		a.add(t, r)
		if last := len(t.rows) - 1; r.Index == chosen.Index {
			t.rows[last][0], t.colours[last] = ">"+t.rows[last][0], bold
		}
	}
	if !isTerminal(a.out) {
		return pipe.Flush()
	}
	return t.write(a.out)
}
