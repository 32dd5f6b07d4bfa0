package main

import (
	"fmt"
	"os"

	"github.com/sealstream/sealstream/pkg/proof"
)

type proveCmd struct {
	Entry  string `arg:"" help:"Index or id."`
	ID     bool   `help:"Take a name of digits as an id, and not as an index." name:"id"`
	Agent  string `help:"DID of the agent, if several agents have used the id."`
	Format string `help:"json, or c2sp: a c2sp.org/tlog-proof file, which other tools read." enum:"json,c2sp" default:"json"`
	Key    string `help:"The log's public key, or its file. The proof is checked with it before it is printed." placeholder:"KEY|FILE"`
	Out    string `help:"File to write the proof to. Default: standard output." short:"o" type:"path" placeholder:"FILE"`
	Leaf   string `help:"File to write the leaf to. A c2sp proof does not contain it." type:"path" placeholder:"FILE"`
}

func (*proveCmd) Help() string {
	return `Examples:
  sealstream prove 17 --key sealstream-data/log.pub -o 17.proof.json
  sealstream verify 17.proof.json --key log.pub`
}

// Run requests the proof, checks it with --key, and writes it.
func (c *proveCmd) Run(a *app) error {
	keys, err := a.keys(c.Key)
	if err != nil {
		return err
	}
	path, err := entryPath(c.Entry, c.ID)
	if err != nil {
		return err
	}
	var raw []byte
	if err := a.get(path+"/proof", entryQuery(c.Agent), &raw); err != nil {
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
		raw = p.FormatFile()
	}
	if c.Out == "" {
		_, err = a.out.Write(raw)
		return err
	}
	if err := os.WriteFile(c.Out, raw, 0o644); err != nil {
		return err
	}
	if a.json {
		return a.print(map[string]any{"file": c.Out, "index": p.LeafIndex, "tree_size": p.TreeSize})
	}
	fmt.Fprintf(a.err, "proof of index %d in the tree of size %d: %s\n", p.LeafIndex, p.TreeSize, c.Out)
	return nil
}
