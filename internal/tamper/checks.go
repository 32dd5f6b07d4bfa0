package tamper

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/witness"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// The checks, from what needs nothing to what needs others.
const (
	ChainOnly = "chain only"        // hashes from entry to entry, as in a plain hash-chained file
	Signed    = "signed checkpoint" // the whole audit, with the log's public key
	Saved     = "saved checkpoint"  // and a checkpoint that an auditor saved earlier
	Witnessed = "witness"           // or what a witness has cosigned
)

// Checks is all of them, in that order.
var Checks = []string{ChainOnly, Signed, Saved, Witnessed}

// auditor is who checks, and what he has from outside the log.
type auditor struct {
	key     string
	saved   proof.Checkpoint
	policy  *proof.Policy
	witness *witness.Witness
}

// check holds what is shown to one of the checks; nil: nothing is found.
func (a *auditor) check(name string, v *view) error {
	switch name {
	case ChainOnly:
		return v.chain()
	case Signed:
		return v.audit(a.key)
	case Saved:
		return v.audit(a.key, a.saved)
	case Witnessed:
		return a.witnessed(v)
	}
	return errors.New("no such check")
}

// chain is what a hash-chained file can be checked for.
func (v *view) chain() error {
	var last entry.Hash
	for i, e := range v.entries {
		if e.Index != uint64(i) {
			return fmt.Errorf("index %d where %d is due", e.Index, i)
		}
		if e.PreviousHash != last {
			return fmt.Errorf("index %d is chained to another entry than the one before it", i)
		}
		last = e.EntryHash
	}
	return nil
}

// audit is the audit of an export of what is shown.
func (v *view) audit(key string, known ...proof.Checkpoint) error {
	cfg := audit.Config{Known: known}
	if key != "" {
		cfg.Keys = []string{key}
	}
	_, err := audit.Export(cfg, v.lines())
	return err
}

// lines are those of an export.
func (v *view) lines() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		cp, err := proof.ParseCheckpointUnverified(v.note)
		if err != nil {
			yield(nil, err)
			return
		}
		first, last := uint64(0), uint64(len(v.entries)-1)
		raw, err := json.Marshal(proof.Manifest{
			Export:     1,
			Log:        "default",
			Origin:     cp.Origin,
			Count:      last + 1,
			First:      &first,
			Last:       &last,
			Size:       cp.Size,
			Root:       cp.Root.String(),
			Checkpoint: string(v.note),
			Filters:    map[string][]string{},
		})
		if !yield(raw, err) {
			return
		}
		for _, e := range v.entries {
			l := proof.ExportLine{Leaf: e.Leaf}
			if p, ok := v.data[e.Index]; ok {
				l.Payload = &p
			}
			raw, err := l.Append(nil)
			if !yield(raw, err) {
				return
			}
		}
	}
}

// witnessed asks the witness what it has seen last of this log: what is shown must continue that,
// and the witness must agree to cosign it.
func (a *auditor) witnessed(v *view) error {
	note, ok := a.witness.Newest(nameOf(a.key))
	if !ok {
		return errors.New("the witness has seen nothing of this log")
	}
	last, err := proof.OpenCheckpoint(note, a.key)
	if err != nil {
		return err
	}
	if by, err := a.policy.Cosigned(note); err != nil || !by.Quorum {
		return fmt.Errorf("the witness's own checkpoint is not cosigned: %w", err)
	}
	if err := v.audit(a.key, last); err != nil {
		return err
	}
	return submit(a.witness, v)
}

// submit asks the witness to cosign what is shown, as the log does with each new checkpoint.
func submit(w *witness.Witness, v *view) error {
	var tree merkle.Tree
	for _, e := range v.entries {
		tree.Append(entry.LeafHash(e.Leaf))
	}
	old := uint64(0)
	for {
		hashes, err := proof.Consistency(min(old, tree.Size()), tree.Size(), &tree)
		if err != nil {
			return err
		}
		_, err = w.Add(witness.Submission{Old: old, Proof: hashes, Note: v.note}.Format())
		conflict, ok := errors.AsType[*witness.ConflictError](err)
		if !ok || conflict.Fork || conflict.Size == old {
			return err
		}
		old = conflict.Size
	}
}
