package main

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/node"
)

type migrateCmd struct {
	node.ConfigFlags
	node.ConnFlags
	node.StreamFlags
	From     string `help:"Data directory of a stopped log. It is only read." required:"" type:"path" placeholder:"DIR"`
	Replicas int    `help:"Copies of each stream at the target; 0: 1." default:"0" env:"SEALSTREAM_REPLICAS"`
	Keys     string `help:"Folder that the sealer's keys are copied to." type:"path" placeholder:"DIR"`
	State    string `help:"Folder for the sealer's newest checkpoint; none: that of the keys." type:"path" placeholder:"DIR"`
}

func (*migrateCmd) Help() string {
	return "Give the administrator's credentials. Called again after it was cut off, it goes on.\n\nExample:\n  sealstream migrate --from sealstream-data --nats nats://127.0.0.1:4222 --nkey deploy/admin.nkey --replicas 3 --keys deploy/moved --state deploy/state"
}

// Run moves the log.
func (c *migrateCmd) Run(a *app) error {
	r, err := node.Migrate(a.ctx, node.MigrateConfig{From: c.From, To: c.ConnFlags, Streams: c.StreamFlags, Replicas: c.Replicas, Keys: c.Keys, State: c.State})
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"tree_size": r.Size, "root": fmt.Sprintf("%x", r.Root[:])})
	}
	_, err = fmt.Fprintf(a.out, "moved and verified: size %d, root %x\n", r.Size, r.Root[:])
	return err
}
