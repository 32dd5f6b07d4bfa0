package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/witness/server"
)

type keygenCmd struct {
	Witness string `help:"Create the key of a witness of this name instead: witness.key and witness.pub." placeholder:"NAME"`
	Host    string `help:"First part of the log's origin: a host name that you own." default:"sealstream.local"`
	Out     string `help:"Folder to write log.key, log.secret and log.pub to." default:"." type:"path" placeholder:"DIR"`
}

func (*keygenCmd) Help() string {
	return "Example:\n  sealstream keygen --host audit.example.com --out /etc/sealstream"
}

// Run creates keys. It never overwrites a key.
func (c *keygenCmd) Run(a *app) error {
	if c.Witness != "" {
		return c.witness(a)
	}
	k, err := datadir.GenerateKeys(c.Out, c.Host, a.logName)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"origin": k.Signer.Origin(), "key": k.Signer.VerifierKey(), "folder": c.Out})
	}
	fmt.Fprintf(a.out, "%s\n", k.Signer.VerifierKey())
	fmt.Fprintf(a.err, "wrote %s and %s (secret, for the sealer only) and %s (public)\n",
		filepath.Join(c.Out, "log.key"), filepath.Join(c.Out, "log.secret"), filepath.Join(c.Out, "log.pub"))
	return nil
}

// witness creates the key of a witness. It fails if the folder has one.
func (c *keygenCmd) witness(a *app) error {
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return err
	}
	file := filepath.Join(c.Out, "witness.key")
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s exists already", file)
	}
	k, err := server.CosignerKey(file, c.Witness)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.Out, "witness.pub"), []byte(k.VerifierKey()+"\n"), 0o644); err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"name": k.Name(), "key": k.VerifierKey(), "folder": c.Out})
	}
	_, err = fmt.Fprintf(a.out, "%s\n", k.VerifierKey())
	return err
}
