package main

import (
	"fmt"
	"path/filepath"

	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/natsconn"
	"github.com/sealstream/sealstream/internal/program"
	"github.com/sealstream/sealstream/internal/settings"
)

type adminCmd struct {
	Apply adminApplyCmd `cmd:"" help:"Create the streams and buckets of a log, and change those that differ from their declaration."`
	Write adminWriteCmd `cmd:"" name:"config" help:"Write the configuration of a NATS cluster: settings, users and their keys."`
}

func (*adminCmd) Help() string {
	return `Examples:
  sealstream admin config --out deploy --node nats-1 --node nats-2
  sealstream admin apply --nats nats://127.0.0.1:4222 --nkey deploy/admin.nkey`
}

func (*adminWriteCmd) Help() string {
	return `Examples:
  sealstream admin config --out deploy --node nats-1 --node nats-2
  sealstream admin config --out deploy --agent did:web:agent.example.com
  sealstream admin config --out deploy --node nats-1 --node nats-2 --tls`
}

func (*adminApplyCmd) Help() string {
	return `Example:
  sealstream admin apply --nats nats://127.0.0.1:4222 \
    --nkey deploy/admin.nkey --replicas 3 --dry-run`
}

type adminWriteCmd struct {
	Out      string         `help:"Folder to write to. Existing keys are kept: run it again to add agents." required:"" type:"path" placeholder:"DIR"`
	Host     string         `help:"First part of the log's origin, if its keys are created now." default:"sealstream.local"`
	Node     []string       `help:"Host name of a server, as the others see it. Repeat it for each server of a cluster." placeholder:"NAME"`
	Store    string         `help:"JetStream's folder on each server." default:"/data" placeholder:"DIR"`
	Listen   string         `help:"Address that clients connect to." default:"0.0.0.0:4222" placeholder:"ADDR"`
	Monitor  string         `help:"Address of the server's monitoring, which has no authentication." default:"127.0.0.1:8222" placeholder:"ADDR"`
	MaxStore settings.Bytes `help:"Disk space that JetStream may use. 0 allows three quarters of the free space." default:"0" placeholder:"SIZE"`
	TLS      bool           `help:"Let clients and servers use TLS, with certificates of a private authority that is created with them. Give ca.pem to every client (--tlsca)." name:"tls"`
	TLSDir   string         `help:"Folder of nats.pem, nats.key and ca.pem on each server. Default: that of --out." name:"tls-dir" placeholder:"DIR"`
	Apart    string         `help:"Folder for a subfolder per role, with copies of that role's files only. Use it for containers." type:"path" placeholder:"DIR"`
	Agent    []string       `help:"DID of an agent that publishes over NATS." sep:"none" placeholder:"DID"`
	AgentMax int            `help:"Connections that each agent may have at a time." name:"agent-connections" default:"256"`
}

// Run writes the files.
func (c *adminWriteCmd) Run(a *app) error {
	err := cluster.WriteConfig(cluster.Config{
		Out:      c.Out,
		Log:      a.logName,
		Host:     c.Host,
		Nodes:    c.Node,
		Store:    c.Store,
		Listen:   c.Listen,
		Monitor:  c.Monitor,
		MaxStore: c.MaxStore,
		Agents:   c.Agent,
		AgentMax: c.AgentMax,

		TLS:       c.TLS,
		TLSFolder: c.TLSDir,
	})
	if err != nil {
		return err
	}
	if c.Apart != "" {
		if err := cluster.Distribute(c.Out, c.Apart, a.logName); err != nil {
			return err
		}
	}
	if a.json {
		return a.print(map[string]string{"config": filepath.Join(c.Out, "nats.conf")})
	}
	_, err = fmt.Fprintf(a.out, "wrote %s: start each node with SERVER_NAME=<its name> nats-server -c nats.conf\n",
		filepath.Join(c.Out, "nats.conf"))
	return err
}

type adminApplyCmd struct {
	program.ConfigFlags
	natsconn.ConnFlags
	cluster.StreamFlags
	Replicas int  `help:"Replicas per stream. 0 keeps existing streams as they are and creates new ones with 1." default:"0" env:"SEALSTREAM_REPLICAS"`
	DryRun   bool `help:"Print what would change, and change nothing."`
}

// Run creates and changes streams, and prints one line per change.
func (c *adminApplyCmd) Run(a *app) error {
	changes, err := cluster.Apply(a.ctx, c.ConnFlags, c.StreamFlags, a.logName, c.Replicas, c.DryRun)
	var unused []string
	if err == nil {
		unused, err = cluster.Unused(a.ctx, c.ConnFlags)
	}
	if a.json {
		if changes == nil {
			changes = []string{}
		}
		answer := map[string]any{"changes": changes, "dry_run": c.DryRun}
		if len(unused) > 0 {
			answer["unused"] = unused
		}
		if printed := a.print(answer); err == nil {
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
	for _, name := range unused {
		fmt.Fprintf(a.err, "note: this release does not use %s; once all logs of the account are upgraded, delete it: "+
			"nats stream rm %s\n", name, name)
	}
	return err
}
