package main

import (
	"fmt"
	"strconv"
)

type tailCmd struct {
	filterFlags
	Follow bool `help:"Go on with the entries to come, without end." short:"f"`
	Number int  `help:"How many of the newest entries come first, 0 to 1000." short:"n" default:"10"`
}

func (*tailCmd) Help() string {
	return "With --json, one entry a line. A connection that breaks is taken up again behind the last entry that was shown.\n\n" +
		"Examples:\n  sealstream tail -n 20\n  sealstream tail -f -n 0 --type policy_violation --type rogue_detection --json"
}

// Run prints the newest entries, and those to come.
func (c *tailCmd) Run(a *app) error {
	if c.Number < 0 || c.Number > 1000 {
		return fmt.Errorf("-n %d: 0 to 1000 are possible", c.Number)
	}
	q := c.values()
	q.Set("limit", strconv.Itoa(max(c.Number, 1)))
	var p page
	if err := a.get("/v1/entries", q, &p); err != nil {
		return err
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
	q.Del("limit")
	return a.follow(q, p.TreeSize, show)
}
