package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type verifyCmd struct {
	Target     []string `arg:"" optional:"" help:"Proof file, export, checkpoint, directory of tiles or of data, or URL of a log or of its tiles." placeholder:"FILE|DIR|URL"`
	Data       string   `help:"Data directory of a log that is not running." type:"path" placeholder:"DIR"`
	Key        string   `help:"The log's public key, or its file. Without it, a log proves to be one, but not whose." placeholder:"KEY|FILE"`
	Checkpoint []string `help:"A checkpoint that was saved earlier: the log must still begin with it." type:"path" placeholder:"FILE"`
	Policy     string   `help:"Witness policy (c2sp.org/tlog-policy): the checkpoint must be cosigned as it asks." type:"path" placeholder:"FILE"`
	Witness    []string `help:"Key of a witness that must have cosigned, or its file." placeholder:"KEY|FILE"`
	State      string   `help:"File that remembers what was seen of each log, so that one that was cut or rewritten since is found out; none: seen.json in the user's configuration." type:"path" placeholder:"FILE"`
	NoState    bool     `help:"Remember nothing, and compare with nothing that was seen."`
	Leaf       string   `help:"File with the leaf that a c2sp proof is of." type:"path" placeholder:"FILE"`

	EntryHash string `help:"Bare check: this entry hash …" placeholder:"HEX"`
	Proof     string `help:"… and the steps [[hash, left|right], …] in this file …" type:"path" placeholder:"FILE"`
	Root      string `help:"… lead to this root." placeholder:"HEX"`
}

func (*verifyCmd) Help() string {
	return `What a target is shows from what it is made of. Nothing that the server or the file says of itself is trusted.

Each verdict is proved, failed, only if (so under the condition that is named), or cannot say (what could is named). Exit status 1: one has failed.

Examples:
  sealstream verify log.jsonl --key log.pub
  sealstream verify --data sealstream-data --checkpoint monday.checkpoint
  sealstream verify http://127.0.0.1:8420 --key log.pub
  sealstream verify tiles/ --key log.pub --policy witnesses.policy
  sealstream verify --entry-hash H --proof steps.json --root R`
}

// Run finds out what the target is, checks it, and prints verdicts.
func (c *verifyCmd) Run(a *app) error {
	if c.EntryHash != "" || c.Proof != "" || c.Root != "" {
		return c.bare(a)
	}
	target := c.Data
	switch {
	case target == "" && len(c.Target) == 1:
		target = c.Target[0]
	case target == "" || len(c.Target) > 0:
		return errors.New("verify: one file, one --data directory or one URL is required (see --help)")
	}
	keys, err := readKeys(c.Key)
	if err != nil {
		return err
	}
	key := ""
	if len(keys) > 0 {
		key = keys[0]
	}
	known, err := readCheckpoints(c.Checkpoint)
	if err != nil {
		return err
	}
	v := &verification{app: a, key: key, vkeys: keys, known: known, leaf: c.Leaf, target: target}
	if err := c.remembered(v); err != nil {
		return err
	}
	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		return v.url()
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case info.IsDir() && c.Data == "" && isTiles(target):
		return v.tiles(tileFiles(target))
	case info.IsDir():
		return v.dir()
	}
	return v.file()
}

// remembered reads what is known beside the target: whom its witnesses are, and what was seen of its log before.
func (c *verifyCmd) remembered(v *verification) (err error) {
	if v.policy, err = readWitnesses(c.Policy, c.Witness); err != nil {
		return err
	}
	if v.key == "" {
		v.key = policyKey(v.policy)
	}
	path := c.State
	switch {
	case c.NoState && path != "":
		return errors.New("--state and --no-state contradict each other")
	case c.NoState:
	case path == "":
		if path, err = seenPath(); err != nil {
			v.warn(err)
			path, err = "", nil
		}
	}
	if v.seen, err = openSeen(path); err != nil {
		return err
	}
	return v.recall(v.key)
}

// bare is the check of nothing but hashes: it says that an entry hash leads to a root, not whose root that is.
func (c *verifyCmd) bare(a *app) error {
	if c.EntryHash == "" || c.Proof == "" || c.Root == "" {
		return errors.New("verify: --entry-hash, --proof and --root belong together")
	}
	h, err := entry.ParseHash(c.EntryHash)
	if err != nil {
		return fmt.Errorf("--entry-hash: %w", err)
	}
	root, err := entry.ParseHash(c.Root)
	if err != nil {
		return fmt.Errorf("--root: %w", err)
	}
	raw, err := os.ReadFile(c.Proof)
	if err != nil {
		return fmt.Errorf("--proof: %w", err)
	}
	steps, err := readSteps(raw)
	if err != nil {
		return fmt.Errorf("--proof: %w", err)
	}
	v := &verification{app: a, target: c.Proof}
	v.add("the entry hash leads to the root", proof.CheckPath(h, steps, root), "")
	v.onlyIf("the entry is in the log", "the root is one that the log has signed; give the whole proof and --key to know")
	return v.finish(proof.Report{}, nil)
}

// readSteps takes the steps alone, or a JSON proof that holds them.
func readSteps(raw []byte) (proof.Path, error) {
	var whole struct {
		Steps *proof.Path `json:"merkle_proof"`
	}
	if json.Unmarshal(raw, &whole) == nil && whole.Steps != nil {
		return *whole.Steps, nil
	}
	var steps proof.Path
	err := json.Unmarshal(raw, &steps)
	return steps, err
}

func readCheckpoints(files []string) ([]proof.Checkpoint, error) {
	var list []proof.Checkpoint
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("--checkpoint: %w", err)
		}
		cp, err := proof.ParseCheckpointUnverified(raw)
		if err != nil {
			return nil, fmt.Errorf("--checkpoint %s: %w", f, err)
		}
		list = append(list, cp)
	}
	return list, nil
}

// kindOf tells from the first bytes what a file is.
func kindOf(head []byte) string {
	head = bytes.TrimLeft(head, " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("c2sp.org/tlog-proof@")):
		return "proof file"
	case bytes.HasPrefix(head, []byte("{")):
		return kindOfJSON(head)
	case bytes.Contains(head, []byte("\n\n\u2014 ")):
		return "checkpoint"
	}
	return ""
}

// kindOfJSON tells an export by its manifest, which is its first line, from a proof.
func kindOfJSON(head []byte) string {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	var manifest struct {
		Export *int `json:"sealstream_export"`
	}
	if json.Unmarshal(line, &manifest) == nil && manifest.Export != nil {
		return "export"
	}
	return "proof"
}

func (v *verification) file() error {
	f, err := os.Open(v.target)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 64<<10) // a manifest fits
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	kind := kindOf(head[:n])
	if len(v.known) > 0 && kind != "export" {
		return errors.New("--checkpoint is for a log or an export of one; a proof has a checkpoint of its own")
	}
	switch kind {
	case "proof file":
		return v.proofFile(f)
	case "proof":
		return v.jsonProof(f)
	case "checkpoint":
		return v.checkpoint(f)
	case "export":
		size := uint64(0)
		if info, err := f.Stat(); err == nil {
			size = uint64(info.Size())
		}
		return v.export(f, size)
	}
	return fmt.Errorf("%s is neither a proof, an export nor a checkpoint of sealstream", v.target)
}

func dirOf(path string) string { return filepath.Dir(path) }

func hexHash(h entry.Hash) string { return entry.FormatHash(h) }
