package main

import (
	"fmt"
	"log/slog"

	"github.com/sealstream/sealstream/pkg/node"
)

type witnessCmd struct {
	Logs    string `help:"File that lists the logs to cosign for: lines \"log VKEY\", as in a witness policy." required:"" type:"path" placeholder:"FILE"`
	Key     string `help:"File with the witness's signer key; made if there is none." default:"witness.key" type:"path" placeholder:"FILE"`
	Name    string `help:"Name of a key that is made now: a host name of yours, and what you like." placeholder:"NAME"`
	State   string `help:"File that remembers what was cosigned. Whoever loses it must retire the key." default:"witness.state" type:"path" placeholder:"FILE"`
	Listen  string `help:"Where it listens." default:"127.0.0.1:8430" placeholder:"ADDR"`
	Verbose bool   `help:"Log what goes on." short:"v"`
}

func (*witnessCmd) Help() string {
	return "It cosigns the checkpoints of other logs (c2sp.org/tlog-witness), each only if it continues the last one that it has seen.\n\n" +
		"Example:\n  sealstream witness --name witness.example.com/w1 --logs logs.txt --listen 127.0.0.1:8430"
}

// Run serves until a signal ends it.
func (c *witnessCmd) Run(a *app) error {
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelInfo
	}
	w, err := node.OpenWitness(node.WitnessConfig{
		Key: c.Key, Name: c.Name, Logs: c.Logs, State: c.State, Listen: c.Listen, Logger: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return err
	}
	defer w.Close()
	if a.json {
		err = a.print(map[string]any{"key": w.Key, "url": w.URL(), "logs": w.Origins()})
	} else {
		_, err = fmt.Fprintf(a.out, "witness of %d logs at %s\n\n  a policy names it so:\n  witness w1 %s %s\n", len(w.Origins()), w.URL(), w.Key, w.URL())
	}
	if err != nil {
		return err
	}
	return w.Serve(a.ctx)
}
