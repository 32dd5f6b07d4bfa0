package main

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/migrate"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/program"
)

type migrateCmd struct {
	program.ConfigFlags
	natsconn.ConnFlags
	cluster.StreamFlags
	From     string `help:"Data directory of a stopped log. It is only read." required:"" type:"path" placeholder:"DIR"`
	Replicas int    `help:"Replicas per stream at the target. 0 is 1." default:"0" env:"SEALSTREAM_REPLICAS"`
	Keys     string `help:"Folder that the sealer's keys are copied to." type:"path" placeholder:"DIR"`
	State    string `help:"Folder for the sealer's newest checkpoint. Default: the folder of the keys." type:"path" placeholder:"DIR"`
}

func (*migrateCmd) Help() string {
	return `Requires the administrator's credentials. If it is interrupted, run it again.

Example:
  sealstream migrate --from sealstream-data --nats nats://127.0.0.1:4222 \
    --nkey deploy/admin.nkey --replicas 3 \
    --keys deploy/moved --state deploy/state`
}

// Run moves the log.
func (c *migrateCmd) Run(a *app) error {
	r, err := migrate.Run(a.ctx, migrate.Config{
		From:     c.From,
		To:       c.ConnFlags,
		Streams:  c.StreamFlags,
		Replicas: c.Replicas,
		Keys:     c.Keys,
		State:    c.State,
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"tree_size": r.Size, "root": fmt.Sprintf("%x", r.Root[:])})
	}
	_, err = fmt.Fprintf(a.out, "moved and verified: size %d, root %x\n", r.Size, r.Root[:])
	return err
}
