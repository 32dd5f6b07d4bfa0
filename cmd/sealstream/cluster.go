package main

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/node"
)

type clusterCmd struct {
	Out  string   `help:"Folder to write to: one folder a role." default:"cluster" type:"path" placeholder:"DIR"`
	Host string   `help:"First part of the log's origin: a host name of yours." default:"sealstream.local" env:"SEALSTREAM_HOST"`
	Node []string `help:"Host names of the NATS nodes." default:"nats-1,nats-2,nats-3"`
}

func (*clusterCmd) Help() string {
	return "Makes the log's keys, NATS users and the configuration of the NATS nodes, each role's secrets in a folder of its own. What is there stays.\n\nExample:\n  sealstream cluster --out /etc/sealstream --host audit.example.com"
}

// Run makes them once; compose runs it at every start.
func (c *clusterCmd) Run(a *app) error {
	made, err := node.InitCluster(node.ClusterConfig{Dir: c.Out, Host: c.Host, Log: a.log, Nodes: c.Node})
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"folder": c.Out, "made": made})
	}
	if made {
		fmt.Fprintf(a.err, "made keys and users in %s\n", c.Out)
	} else {
		fmt.Fprintf(a.err, "keys and users are in %s already\n", c.Out)
	}
	return nil
}
