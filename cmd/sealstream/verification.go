package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/proof"
)

// verification checks one target and collects the verdicts on it.
type verification struct {
	*app
	target string // file, directory or URL

	// What the user gave.

	key    string             // newest verifier key, or ""
	vkeys  []string           // all verifier keys
	known  []proof.Checkpoint // checkpoints of --checkpoint; their signatures are not checked yet
	policy *proof.Policy      // which cosignatures are required; nil requires none
	leaf   string             // file of the leaf that a c2sp proof proves, or ""

	// What this machine remembers.

	seen     *seen              // of all logs
	recalled []proof.Checkpoint // of the log with stateKey
	stateKey string             // "" while the log's key is not known

	// What is known of the target.

	own      bool               // it contains a checkpoint of its own
	whole    bool               // it is a running log, which must export all of its entries
	copy     bool               // it is a copy, which may be older than the log
	served   []proof.Checkpoint // checkpoints that a running log serves beside its export
	cosigned []byte             // the served checkpoint's note, with cosignatures
	outline  *outline           // outline of the log that is audited

	kind     audit.Kind // kind of the first fault (SPEC 10.1), or ""
	verdicts []verdict
}

// verdict is the result for one claim.
type verdict struct {
	Claim string `json:"claim"`
	// State is "proved", "failed", "only if" (true under the condition in Why) or "not checked".
	State string `json:"state"`
	// Why is the evidence, the fault, the condition, or what would decide the claim.
	Why string `json:"why,omitempty"`
}

// add adds a proved claim, or a failed one if err is not nil. It reports whether the claim is
// proved.
func (v *verification) add(claim string, err error, proved string) bool {
	if err != nil {
		if v.kind == "" {
			v.kind = audit.KindOf(err)
		}
		v.verdicts = append(v.verdicts, verdict{claim, "failed", err.Error()})
		return false
	}
	v.verdicts = append(v.verdicts, verdict{claim, "proved", proved})
	return true
}

func (v *verification) onlyIf(claim, condition string) {
	v.verdicts = append(v.verdicts, verdict{claim, "only if", condition})
}

func (v *verification) notChecked(claim, why string) {
	v.verdicts = append(v.verdicts, verdict{claim, "not checked", why})
}

func (v *verification) keys() []string {
	if v.key == "" {
		return nil
	}
	return v.vkeys
}

// config returns the configuration of an audit, which moves the bar.
func (v *verification) config(bar *progress) audit.Config {
	v.outline = &outline{}
	return audit.Config{
		Keys:     v.keys(),
		Known:    slices.Concat(v.known, v.recalled, v.served),
		Leaf:     v.outline.append,
		Progress: bar.at,
	}
}

// recall loads the checkpoints that this machine remembers of the log with a key.
func (v *verification) recall(key string) (err error) {
	v.stateKey = key
	v.recalled, err = v.seen.known(key)
	return err
}

// warn prints trouble that changes no verdict.
func (v *verification) warn(err error) { fmt.Fprintf(v.err, "sealstream: note: %v\n", err) }

// remember stores a checkpoint that was verified with a key. A failure to store it is a warning and
// changes no verdict.
func (v *verification) remember(key string, note []byte, audited bool) {
	cp, err := proof.OpenCheckpoint(note, key)
	if err == nil {
		err = v.seen.see(key, cp, audited, v.outline)
	}
	if err != nil {
		v.warn(fmt.Errorf("remember the checkpoint: %w", err))
	}
}

// Kinds of a result beside the faults of SPEC 10.1.
const (
	kindValid       = "valid"
	kindOlder       = "older"        // valid, and shorter than what was seen of its log
	kindNotCosigned = "not-cosigned" // the policy is not satisfied
)

// result is what --json prints.
type result struct {
	Valid         bool       `json:"valid"`
	Kind          audit.Kind `json:"kind"` // valid, older, not-cosigned, or a fault of SPEC 10.1
	Target        string     `json:"target"`
	Verdicts      []verdict  `json:"verdicts"`
	FirstBadIndex *uint64    `json:"first_bad_index"` // nil if no entry is known to be bad
	TreeSize      uint64     `json:"tree_size"`
	Root          string     `json:"root,omitempty"` // hex
}

// finish prints the verdicts. err is the failure that ended the check, or nil. The error that
// finish returns has been printed already.
func (v *verification) finish(r audit.Report, err error) error {
	out := result{Valid: err == nil, Target: v.target, Verdicts: v.verdicts, TreeSize: r.Size}
	for _, d := range v.verdicts {
		out.Valid = out.Valid && d.State != "failed"
	}
	switch {
	case !out.Valid:
		out.Kind = cmp.Or(v.kind, audit.KindOf(err), audit.KindAltered)
	case v.kind != "":
		out.Kind = v.kind
	default:
		out.Kind = kindValid
	}
	if r.Size > 0 {
		out.Root = r.Root.String()
	}
	if bad, ok := errors.AsType[*audit.MismatchError](err); ok {
		out.FirstBadIndex = &bad.Index
	}
	if v.json {
		if err := v.print(out); err != nil {
			return err
		}
	} else {
		v.show(out)
	}
	if !out.Valid {
		return shown{failed("%s does not verify", v.target)}
	}
	return nil
}

func (v *verification) show(out result) {
	s := v.style()
	for _, d := range out.Verdicts {
		text := fmt.Sprintf("%-11s %s", d.State, d.Claim)
		if d.Why != "" {
			text += ": " + d.Why
		}
		io.WriteString(v.out, s.wrap(text, 12))
	}
	text := "OK"
	switch {
	case !out.Valid && out.FirstBadIndex != nil:
		text = fmt.Sprintf("FAILED: %s does not verify; first bad index %d", out.Target, *out.FirstBadIndex)
	case !out.Valid:
		text = fmt.Sprintf("FAILED: %s does not verify", out.Target)
	case out.TreeSize > 0:
		text = fmt.Sprintf("OK: size %d, root %s", out.TreeSize, out.Root)
	}
	io.WriteString(v.out, s.wrap(text, 4))
}
