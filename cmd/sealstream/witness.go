package main

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/node"
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/internal/witness/server"
)

type witnessCmd struct {
	Logs   string `help:"File that lists the logs to cosign, as lines \"log VKEY\" of a witness policy." required:"" type:"path" placeholder:"FILE"`
	Key    string `help:"File of the witness's private key. It is created if it does not exist." default:"witness.key" type:"path" placeholder:"FILE"`
	Name   string `help:"Name of a new key: a host name that you own and any suffix." placeholder:"NAME"`
	State  string `help:"File that stores what was cosigned. If it is lost, the key must be retired." default:"witness.state" type:"path" placeholder:"FILE"`
	Listen string `help:"Address to listen on." default:"127.0.0.1:8430" placeholder:"ADDR"`
	serviceLog
}

func (*witnessCmd) Help() string {
	return `A checkpoint is cosigned only if it continues the newest one that the witness has cosigned for the
log (c2sp.org/tlog-witness).

Example:
  sealstream witness --name witness.example.com/w1 --logs logs.txt \
    --listen 127.0.0.1:8430`
}

// Run serves until a signal ends it.
func (c *witnessCmd) Run(a *app) (err error) {
	defer a.asService()()
	logger := c.logger(a)
	defer func() { err = c.told(logger, "witness", err) }()
	w, err := server.Open(server.Config{
		Key:    c.Key,
		Name:   c.Name,
		Logs:   c.Logs,
		State:  c.State,
		Listen: c.Listen,
		Logger: logger,
	})
	if err != nil {
		return err
	}
	defer w.Close()
	stopped := node.Began(a.ctx, logger, "witness", "version", program.Version(), "address", w.URL())
	defer func() { stopped(err) }()
	if a.json {
		// A service continues without a reader of its output, so the error is ignored.
		a.print(map[string]any{"key": w.Key, "url": w.URL(), "logs": w.Origins()})
	} else {
		fmt.Fprintf(a.out, "witness of %d logs at %s\n\n  line for a policy file:\n  witness w1 %s %s\n",
			len(w.Origins()), w.URL(), w.Key, w.URL())
	}
	return w.Serve(a.ctx)
}
