package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/sealstream/sealstream/internal/datadir"
)

type keyCmd struct {
	Rotate keyRotateCmd `cmd:"" help:"Add a new signing key. From the next start on, both keys sign."`
	Retire keyRetireCmd `cmd:"" help:"Retire the older signing key. From the next start on, only the new key signs."`
	List   keyListCmd   `cmd:"" help:"List the log's public keys, past and present, newest first."`
}

func (*keyCmd) Help() string {
	return `The log records each rotation: its configs name the active keys, and the older key signs the change.
Between the two steps both keys sign every checkpoint. Give the new log.pub to all auditors before
you retire the older key.

Example:
  sealstream key rotate --data sealstream-data
  sealstream up --data sealstream-data    # both keys sign: publish log.pub
  sealstream key retire --data sealstream-data
  sealstream up --data sealstream-data    # only the new key signs`
}

func (*keyRotateCmd) Help() string {
	return "Example:\n  sealstream key rotate --data sealstream-data"
}

func (*keyRetireCmd) Help() string {
	return "Example:\n  sealstream key retire --data sealstream-data"
}

func (*keyListCmd) Help() string {
	return "Example:\n  sealstream key list --data sealstream-data"
}

// keyFolder names the folder of the keys.
type keyFolder struct {
	Data string `help:"Data directory of a stopped log, or the folder of a stopped sealer's keys." default:"sealstream-data" type:"path" env:"SEALSTREAM_DATA" placeholder:"DIR"`
}

type keyRotateCmd struct{ keyFolder }

// Run creates the new key.
func (c *keyRotateCmd) Run(a *app) error {
	vkey, err := datadir.RotateKey(c.Data)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"key": vkey})
	}
	fmt.Fprintln(a.out, vkey)
	fmt.Fprintln(a.err, "added as the first key of log.key and log.pub; the next start announces it in the log")
	return nil
}

type keyRetireCmd struct{ keyFolder }

// Run marks the older key as retired.
func (c *keyRetireCmd) Run(a *app) error {
	retired, err := datadir.RetireKey(c.Data)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string][]string{"retired": retired})
	}
	for _, vkey := range retired {
		fmt.Fprintln(a.out, vkey)
	}
	fmt.Fprintln(a.err,
		"the next start announces it in the log; the start after that removes its private part from log.key")
	return nil
}

type keyListCmd struct{ keyFolder }

// Run lists the keys of log.pub.
func (c *keyListCmd) Run(a *app) error {
	keys, err := datadir.PublicKeys(c.Data)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no log.pub in %s; --data names the data directory", c.Data)
	} else if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string][]string{"keys": keys})
	}
	for _, vkey := range keys {
		fmt.Fprintln(a.out, vkey)
	}
	return nil
}
