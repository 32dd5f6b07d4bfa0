package main

import (
	"github.com/sealstream/sealstream/pkg/proof"
)

type checkpointCmd struct {
	Key string `help:"The log's public key, or its file. The signature is checked with it." placeholder:"KEY|FILE"`
}

func (*checkpointCmd) Help() string {
	return `Save it: whoever has a checkpoint can prove later whether anything before it was changed.

Example:
  sealstream checkpoint --key sealstream-data/log.pub > monday.checkpoint`
}

// Run prints the note, byte for byte as it is served.
func (c *checkpointCmd) Run(a *app) error {
	cp, checked, err := a.checkpoint(c.Key)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{
			"origin":     cp.Origin,
			"tree_size":  cp.Size,
			"root":       cp.Root.String(),
			"verified":   checked,
			"checkpoint": string(cp.Note),
		})
	}
	_, err = a.out.Write(cp.Note)
	return err
}

// checkpoint asks the server for its newest checkpoint. checked says that its signature was
// checked, with key or the keys of the context in use.
func (a *app) checkpoint(key string) (cp proof.Checkpoint, checked bool, err error) {
	keys, err := a.keys(key)
	if err != nil {
		return cp, false, err
	}
	note, err := a.bytes("/checkpoint", maxNote)
	if err != nil {
		return cp, false, err
	}
	cp, err = proof.ParseCheckpointUnverified(note)
	if len(keys) > 0 {
		cp, err = proof.OpenCheckpoint(note, keys...)
	}
	if err != nil {
		return cp, false, failed("%v", err)
	}
	return cp, len(keys) > 0, nil
}
