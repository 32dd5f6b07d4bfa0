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

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

type verifyCmd struct {
	Target     []string `arg:"" optional:"" help:"Proof, export or checkpoint file, directory of tiles, data directory, or URL of a log or of its tiles." placeholder:"FILE|DIR|URL"`
	Data       string   `help:"Data directory of a stopped log." type:"path" placeholder:"DIR"`
	Key        string   `help:"The log's public key, or its file. Without it, nothing proves whose log it is." placeholder:"KEY|FILE"`
	Checkpoint []string `help:"File of a checkpoint that was saved earlier. The log must still contain it as a prefix. Its signature is checked first." type:"path" placeholder:"FILE"`
	Policy     string   `help:"File of a witness policy (c2sp.org/tlog-policy) that the cosignatures must satisfy." type:"path" placeholder:"FILE"`
	Witness    []string `help:"Public key of a witness that must have cosigned, or its file." placeholder:"KEY|FILE"`
	State      string   `help:"File that stores what was seen of each log, in order to detect one that was cut or rewritten since. Older exports and tiles are compared with it and pass if they agree. Default: seen.json in the user's configuration folder." type:"path" placeholder:"FILE"`
	NoState    bool     `help:"Neither read nor write that file."`
	Leaf       string   `help:"File with the leaf that a c2sp proof proves." type:"path" placeholder:"FILE"`

	EntryHash string `help:"Check without a log: hash of the entry, in hex. Give --proof and --root, too." placeholder:"HEX"`
	Proof     string `help:"With --entry-hash: file of the path to the root, [[HASH, \"left\" or \"right\"], …]." type:"path" placeholder:"FILE"`
	Root      string `help:"With --entry-hash: root that the path must lead to, in hex." placeholder:"HEX"`
}

func (*verifyCmd) Help() string {
	return `The kind of a target is recognized by its content. Nothing that the server or the file states about
itself is trusted.

Each verdict is "proved", "failed", "only if" with the condition, or "not checked" with what would
decide it. The exit status is 1 if one of them is "failed".

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
	if c.Data == "" {
		target = a.urlOf(target)
	}
	keys, err := c.keysFor(a, target)
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
	if isURL(target) {
		return v.url()
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case info.IsDir() && c.Data == "" && isTiles(target):
		v.copy = true
		return v.tiles(tileFiles(target))
	case info.IsDir():
		return v.dir()
	}
	return v.file()
}

// remembered loads what is known beside the target: the policy of its witnesses, and what this
// machine has seen of its log.
func (c *verifyCmd) remembered(v *verification) (err error) {
	if v.policy, err = readWitnesses(c.Policy, c.Witness); err != nil {
		return err
	}
	if v.key == "" {
		if v.key = policyKey(v.policy); v.key != "" {
			v.vkeys = []string{v.key}
		}
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

// bare checks hashes alone: that an entry hash leads to a root, but not whose root it is.
func (c *verifyCmd) bare(a *app) error {
	if c.EntryHash == "" || c.Proof == "" || c.Root == "" {
		return errors.New("verify: --entry-hash, --proof and --root require each other")
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
	v.add("the entry hash leads to the root", steps.Check(h, root), "")
	v.onlyIf("the entry is in the log", "the log has signed this root; give the whole proof and --key to check that")
	return v.finish(audit.Report{}, nil)
}

// readSteps parses a path alone, or takes it out of a JSON proof.
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
		cp, err := proof.ParseCheckpointUnverified(trimNote(raw))
		if err != nil {
			return nil, fmt.Errorf("--checkpoint %s: %w", f, err)
		}
		list = append(list, cp)
	}
	return list, nil
}

// trimNote removes the empty lines that editors and shells add at the end of a file.
func trimNote(raw []byte) []byte {
	if end := len(bytes.TrimRight(raw, " \t\r\n")); end < len(raw) && raw[end] == '\n' {
		return raw[:end+1]
	}
	return raw
}

// kindOf returns the kind of a file by its first bytes: "proof file" (c2sp.org/tlog-proof),
// "export", "proof", "checkpoint", or "" for another file.
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

// kindOfJSON distinguishes an export, whose first line is its manifest, from a proof.
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
	head := make([]byte, 64<<10) // longer than any manifest
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	kind := kindOf(head[:n])
	if len(v.known) > 0 && kind != "export" {
		return errors.New("--checkpoint is for a log or an export; a proof contains its own checkpoint")
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
		table, sidecar := strings.CutSuffix(v.target, ".manifest.json")
		if sidecar && bytes.Count(head[:n], []byte("\n")) == 1 {
			return fmt.Errorf("verify: %s is the manifest of %s, which has no leaves to check; "+
				"export the same entries with --format jsonl", v.target, filepath.Base(table))
		}
		v.copy = true
		return v.export(f, size)
	}
	if bytes.HasPrefix(head, []byte("index,entry_id,")) {
		return fmt.Errorf("verify: %s is CSV, which has no leaves to check; "+
			"export the same entries with --format jsonl", v.target)
	}
	return fmt.Errorf("verify: %s is neither a proof, an export nor a checkpoint of sealstream", v.target)
}
