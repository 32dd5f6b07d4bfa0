package main

import (
	"fmt"
	"strconv"

	"github.com/sealstream/sealstream/pkg/api"
)

type tailCmd struct {
	filterFlags
	Follow bool `help:"Follow new entries until interrupted." short:"f"`
	Number int  `help:"Number of newest entries to show first, 0 to 1000." short:"n" default:"10"`
}

func (*tailCmd) Help() string {
	return `With --json, each entry is one line. After a broken connection, tail continues with the entry after
the last one.

Examples:
  sealstream tail -n 20
  sealstream tail -f -n 0 --type policy_violation --type rogue_detection`
}

// Run prints the newest entries, and with --follow those that are sealed later.
func (c *tailCmd) Run(a *app) error {
	if c.Number < 0 || c.Number > 1000 {
		return fmt.Errorf("-n %d is not between 0 and 1000", c.Number)
	}
	filter, err := c.wanted()
	if err != nil {
		return err
	}
	q := filter.Values()
	q.Set("limit", strconv.Itoa(max(c.Number, 1)))
	var p api.Page
	if err := a.get("/v1/entries", q, &p); err != nil {
		return err
	}
	c.doubt(a)
	if len(p.Entries) == 0 && !a.json && !c.Follow && isTerminal(a.out) {
		fmt.Fprintln(a.err, "no entries match")
	}
	show := a.printer()
	if c.Number > 0 {
		for _, raw := range p.Entries {
			if err := show(raw); err != nil {
				return err
			}
		}
	}
	if !c.Follow {
		return nil
	}
	return a.follow(filter, p.TreeSize, show)
}
