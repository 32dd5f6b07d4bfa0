package main

import (
	"fmt"
	"path/filepath"

	"github.com/sealstream/sealstream/pkg/node"
)

type keygenCmd struct {
	Host string `help:"First part of the log's origin: a host name of yours." default:"sealstream.local"`
	Out  string `help:"Folder to write log.key, log.secret and log.pub to." default:"." type:"path" placeholder:"DIR"`
}

func (*keygenCmd) Help() string {
	return "Example:\n  sealstream keygen --host audit.example.com --log default --out /etc/sealstream"
}

// Run makes keys, and never writes over any.
func (c *keygenCmd) Run(a *app) error {
	k, err := node.GenerateKeys(c.Out, c.Host, a.log)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"origin": k.Signer.Origin(), "key": k.Signer.VerifierKey(), "folder": c.Out})
	}
	fmt.Fprintf(a.out, "%s\n", k.Signer.VerifierKey())
	fmt.Fprintf(a.err, "wrote %s and %s (secret: the sealer's alone) and %s (for everyone)\n",
		filepath.Join(c.Out, "log.key"), filepath.Join(c.Out, "log.secret"), filepath.Join(c.Out, "log.pub"))
	return nil
}
