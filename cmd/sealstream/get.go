package main

import (
	"encoding/json"
)

type getCmd struct {
	Entry string `arg:"" help:"Index or id."`
	Agent string `help:"The agent whose id it is, where several agents have used it."`
	Raw   bool   `help:"With the leaf, the data bytes and the salt, as the log has them."`
}

func (*getCmd) Help() string {
	return "Examples:\n  sealstream get 17\n  sealstream get 161b202a-7282-5949-a904-d82a3094902e --raw"
}

// Run prints the entry, which is JSON in any case.
func (c *getCmd) Run(a *app) error {
	q := entryQuery(c.Agent)
	if c.Raw {
		q.Set("raw", "1")
	}
	var e json.RawMessage
	if err := a.get(entryPath(c.Entry), q, &e); err != nil {
		return err
	}
	return a.encode(e, !a.json || isTerminal(a.out))
}
