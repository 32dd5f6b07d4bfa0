package main

import (
	"fmt"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/node"
)

type adminCmd struct {
	Apply adminApplyCmd `cmd:"" help:"Make the streams and buckets of a log, and change those that are not as they are declared."`
	Write adminWriteCmd `cmd:"" name:"config" help:"Write the configuration of a NATS cluster: settings, users, and the key of each."`
}

func (*adminCmd) Help() string {
	return "Examples:\n  sealstream admin config --out deploy --node nats-1 --node nats-2 --node nats-3\n  sealstream admin apply --nats nats://127.0.0.1:4222 --nkey deploy/admin.nkey --replicas 3 --dry-run"
}

type adminWriteCmd struct {
	Out      string     `help:"Folder to write to. What is there is kept: called again, it adds agents." required:"" type:"path" placeholder:"DIR"`
	Host     string     `help:"First part of the origin of the log's keys, if they are made now." default:"sealstream.local"`
	Node     []string   `help:"Host name of a server, as the others see it; none or one: a server alone." placeholder:"NAME"`
	Store    string     `help:"JetStream's folder on each server." default:"/data" placeholder:"DIR"`
	Listen   string     `help:"Where clients connect." default:"0.0.0.0:4222" placeholder:"ADDR"`
	Monitor  string     `help:"Where the server's monitoring listens. It has no authentication." default:"127.0.0.1:8222" placeholder:"ADDR"`
	MaxStore node.Bytes `help:"What JetStream may take on a disk; 0: three quarters of what is free." default:"0" placeholder:"SIZE"`
	Apart    string     `help:"Give each role a copy of its own files, and of nobody else's, in a folder of its name here: for containers." type:"path" placeholder:"DIR"`
	Agent    []string   `help:"DID of an agent that publishes over NATS." sep:"none" placeholder:"DID"`
}

// Run writes the files.
func (c *adminWriteCmd) Run(a *app) error {
	err := node.WriteClusterConfig(node.ClusterConfig{Out: c.Out, Log: a.log, Host: c.Host, Nodes: c.Node, Store: c.Store, Listen: c.Listen, Monitor: c.Monitor,
		MaxStore: c.MaxStore, Agents: c.Agent})
	if err != nil {
		return err
	}
	if c.Apart != "" {
		if err := node.HandOut(c.Out, c.Apart, a.log); err != nil {
			return err
		}
	}
	if a.json {
		return a.print(map[string]string{"config": filepath.Join(c.Out, "nats.conf")})
	}
	_, err = fmt.Fprintf(a.out, "wrote %s: start each node with SERVER_NAME=<its name> nats-server -c nats.conf\n", filepath.Join(c.Out, "nats.conf"))
	return err
}

type adminApplyCmd struct {
	node.ConfigFlags
	node.ConnFlags
	node.StreamFlags
	Replicas int  `help:"Copies of each stream; 0: as many as there are, and 1 of what is made now." default:"0" env:"SEALSTREAM_REPLICAS"`
	DryRun   bool `help:"Say what would change, and change nothing."`
}

// Run applies, and prints one line a change.
func (c *adminApplyCmd) Run(a *app) error {
	changes, err := node.Apply(a.ctx, c.ConnFlags, c.StreamFlags, a.log, c.Replicas, c.DryRun)
	if a.json {
		if changes == nil {
			changes = []string{}
		}
		if printed := a.print(map[string]any{"changes": changes, "dry_run": c.DryRun}); err == nil {
			err = printed
		}
		return err
	}
	for _, line := range changes {
		fmt.Fprintln(a.out, line)
	}
	if err == nil && len(changes) == 0 {
		fmt.Fprintln(a.out, "nothing to change")
	}
	return err
}
