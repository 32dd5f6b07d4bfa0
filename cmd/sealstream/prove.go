package main

import (
	"fmt"
	"io"
	"os"

	"github.com/sealstream/sealstream/pkg/proof"
)

type proveCmd struct {
	Entry  string `arg:"" help:"Index or id."`
	Agent  string `help:"The agent whose id it is, where several agents have used it."`
	Format string `help:"json, or c2sp: a c2sp.org/tlog-proof file, which other tools read." enum:"json,c2sp" default:"json"`
	Key    string `help:"The log's public key, or its file; the proof is checked with it before it is printed." placeholder:"KEY|FILE"`
	Out    string `help:"File to write the proof to; none: the terminal." short:"o" type:"path" placeholder:"FILE"`
	Leaf   string `help:"File to write the leaf to, which a c2sp proof does not hold." type:"path" placeholder:"FILE"`
}

func (*proveCmd) Help() string {
	return "Examples:\n  sealstream prove 17 --key sealstream-data/log.pub -o 17.proof.json\n  sealstream verify 17.proof.json --key log.pub"
}

// Run fetches the proof, checks it, and writes it.
func (c *proveCmd) Run(a *app) error {
	keys, err := readKeys(c.Key)
	if err != nil {
		return err
	}
	body, err := a.open(entryPath(c.Entry)+"/proof", entryQuery(c.Agent), "")
	if err != nil {
		return err
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	p, err := proof.ParseEntryProof(raw)
	if err != nil {
		return failed("the server's proof: %v", err)
	}
	if len(keys) > 0 {
		if _, _, err := p.Check(keys...); err != nil {
			return failed("the server's proof: %v", err)
		}
	}
	if c.Leaf != "" {
		if err := os.WriteFile(c.Leaf, []byte(p.Leaf), 0o644); err != nil {
			return err
		}
	}
	if c.Format == "c2sp" {
		raw = proof.FormatFile(p.LeafIndex, p.MerkleProof, []byte(p.Checkpoint))
	}
	if c.Out == "" {
		_, err = a.out.Write(raw)
		return err
	}
	if err := os.WriteFile(c.Out, raw, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "proof of index %d in the tree of size %d: %s\n", p.LeafIndex, p.TreeSize, c.Out)
	return nil
}
