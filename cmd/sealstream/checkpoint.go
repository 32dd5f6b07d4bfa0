package main

import (
	"io"

	"github.com/sealstream/sealstream/pkg/proof"
)

type checkpointCmd struct {
	Key string `help:"The log's public key, or its file; the signature is checked with it." placeholder:"KEY|FILE"`
}

func (*checkpointCmd) Help() string {
	return "Save it: whoever holds a checkpoint can prove later that nothing before it was changed.\n\nExample:\n  sealstream checkpoint --key sealstream-data/log.pub > monday.checkpoint"
}

// Run prints the note as it is served.
func (c *checkpointCmd) Run(a *app) error {
	body, err := a.open("/checkpoint", nil, "")
	if err != nil {
		return err
	}
	defer body.Close()
	signed, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil {
		return err
	}
	keys, err := readKeys(c.Key)
	if err != nil {
		return err
	}
	cp, err := proof.ParseCheckpointUnverified(signed)
	if len(keys) > 0 {
		cp, err = proof.OpenCheckpoint(signed, keys...)
	}
	if err != nil {
		return failed("%v", err)
	}
	if a.json {
		return a.print(map[string]any{"origin": cp.Origin, "tree_size": cp.Size, "root": hexHash(cp.Root), "verified": len(keys) > 0, "checkpoint": string(signed)})
	}
	_, err = a.out.Write(signed)
	return err
}
