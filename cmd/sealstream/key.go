package main

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/node"
)

type keyCmd struct {
	Rotate keyRotateCmd `cmd:"" help:"Add a new signing key; the next start announces it, and then both sign."`
	Retire keyRetireCmd `cmd:"" help:"Retire the older signing key; the next start announces that the new one signs alone."`
	List   keyListCmd   `cmd:"" help:"List the public keys that the log has and had, newest first."`
}

func (*keyCmd) Help() string {
	return `A log changes its signing key while it goes on, in the open: its configs name the keys in force, and each hand-over is signed by the key before.
Between the two steps both keys sign every checkpoint: give the new log.pub to whoever checks the log before you retire the old key.

Example:
  sealstream key rotate --data sealstream-data    # then start the log again, and hand log.pub out
  sealstream key retire --data sealstream-data    # later; then start the log again`
}

// keyFolder is where the keys are. No log may run on it.
type keyFolder struct {
	Data string `help:"Data directory of a stopped log, or the folder of a stopped sealer's keys." required:"" type:"path" placeholder:"DIR"`
}

type keyRotateCmd struct{ keyFolder }

// Run makes the new key.
func (c *keyRotateCmd) Run(a *app) error {
	vkey, err := node.RotateKey(c.Data)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]string{"key": vkey})
	}
	fmt.Fprintln(a.out, vkey)
	fmt.Fprintln(a.err, "added in front of log.key and log.pub; the next start announces it in the log")
	return nil
}

type keyRetireCmd struct{ keyFolder }

// Run marks the older key.
func (c *keyRetireCmd) Run(a *app) error {
	retired, err := node.RetireKey(c.Data)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string][]string{"retired": retired})
	}
	for _, vkey := range retired {
		fmt.Fprintln(a.out, vkey)
	}
	fmt.Fprintln(a.err, "the next start announces it in the log; the start after that takes its private part out of log.key")
	return nil
}

type keyListCmd struct{ keyFolder }

// Run lists what log.pub holds.
func (c *keyListCmd) Run(a *app) error {
	keys, err := node.PublicKeys(c.Data)
	if err != nil {
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
