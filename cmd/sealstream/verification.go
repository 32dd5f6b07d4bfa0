package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sealstream/sealstream/pkg/proof"
)

// verification checks one target and collects what it can say of it.
type verification struct {
	*app
	target   string
	key      string   // newest verifier key given, or ""
	vkeys    []string // all that were given
	known    []proof.Checkpoint
	policy   *proof.Policy      // of the witnesses; nil: none was given
	seen     *seen              // what this machine has seen of logs
	recalled []proof.Checkpoint // of them, those of the log with stateKey
	stateKey string             // "": not known before the log was read
	leaf     string             // file of a leaf
	own      bool               // the target brought a checkpoint of its own
	whole    bool               // only the export of a whole log will do
	shown    []proof.Checkpoint // that a running log serves beside its export
	cosigned []byte             // its note
	verdicts []verdict
}

// verdict is one claim: proved, failed, only if (true under the condition in Why), or cannot say.
type verdict struct {
	Claim string `json:"claim"`
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
}

func (v *verification) add(claim string, err error, proved string) bool {
	if err != nil {
		v.verdicts = append(v.verdicts, verdict{claim, "failed", err.Error()})
		return false
	}
	v.verdicts = append(v.verdicts, verdict{claim, "proved", proved})
	return true
}

func (v *verification) onlyIf(claim, condition string) {
	v.verdicts = append(v.verdicts, verdict{claim, "only if", condition})
}

func (v *verification) cannotSay(claim, why string) {
	v.verdicts = append(v.verdicts, verdict{claim, "cannot say", why})
}

func (v *verification) keys() []string {
	if v.key == "" {
		return nil
	}
	return v.vkeys
}

// config is what Audit needs, with a bar.
func (v *verification) config(bar *progress) proof.AuditConfig {
	return proof.AuditConfig{Keys: v.keys(), Known: slices.Concat(v.known, v.recalled, v.shown), Progress: bar.at}
}

// recall takes what was seen of the log with a key.
func (v *verification) recall(key string) (err error) {
	v.stateKey = key
	v.recalled, err = v.seen.known(key)
	return err
}

// warn tells of trouble that is no verdict.
func (v *verification) warn(err error) { fmt.Fprintf(v.err, "sealstream: note: %v\n", err) }

// remember keeps a checkpoint that was verified with a key. That it cannot be kept changes no verdict.
func (v *verification) remember(key string, note []byte, audited bool) {
	cp, err := proof.OpenCheckpoint(note, key)
	if err == nil {
		err = v.seen.see(key, cp, audited)
	}
	if err != nil {
		v.warn(fmt.Errorf("what was seen could not be remembered: %w", err))
	}
}

// result is what --json prints.
type result struct {
	Valid         bool      `json:"valid"`
	Target        string    `json:"target"`
	Verdicts      []verdict `json:"verdicts"`
	FirstBadIndex *uint64   `json:"first_bad_index"`
	TreeSize      uint64    `json:"tree_size"`
	Root          string    `json:"root,omitempty"`
}

// finish prints the verdicts. err is the failure that ended the check, if one did.
func (v *verification) finish(r proof.Report, err error) error {
	out := result{Valid: err == nil, Target: v.target, Verdicts: v.verdicts, TreeSize: r.Size}
	for _, d := range v.verdicts {
		out.Valid = out.Valid && d.State != "failed"
	}
	if r.Size > 0 {
		out.Root = hexHash(r.Root)
	}
	if bad, ok := errors.AsType[*proof.MismatchError](err); ok {
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
	for _, d := range out.Verdicts {
		fmt.Fprintf(v.out, "%-11s %s", d.State, d.Claim)
		if d.Why != "" {
			fmt.Fprintf(v.out, ": %s", d.Why)
		}
		fmt.Fprintln(v.out)
	}
	switch {
	case !out.Valid && out.FirstBadIndex != nil:
		fmt.Fprintf(v.out, "FAILED: %s does not verify; first bad index %d\n", out.Target, *out.FirstBadIndex)
	case !out.Valid:
		fmt.Fprintf(v.out, "FAILED: %s does not verify\n", out.Target)
	case out.TreeSize > 0:
		fmt.Fprintf(v.out, "OK: size %d, root %s\n", out.TreeSize, out.Root)
	default:
		fmt.Fprintln(v.out, "OK")
	}
}

// audited turns the outcome of an audit of a whole log or an export into verdicts.
func (v *verification) audited(r proof.Report, err error, filtered bool) error {
	_, mismatch := errors.AsType[*proof.MismatchError](err)
	if err != nil && !mismatch {
		return err
	}
	if err != nil {
		v.add("the log is whole and unchanged", v.hint(err), "")
		return v.finish(r, err)
	}
	if err := v.unconnected(r, filtered); err != nil {
		v.add("it is the log that was seen here before", err, "")
		return v.finish(r, err)
	}
	if filtered {
		v.add("each entry here is in the log, unchanged", nil, fmt.Sprintf("%d entries, each with a proof", r.Events+r.Own))
		v.cannotSay("no entry that the filters match is left out", "an export of the whole log can")
	} else {
		v.add("entries, order and tree are whole", nil, fmt.Sprintf("%d events and %d entries of the log itself, chained, accounted for and under one root", r.Events, r.Own))
	}
	v.data(r)
	v.whose(r)
	for _, k := range v.known {
		if err := v.saved(k, r, filtered); err != nil {
			v.add("the log goes on from the checkpoint of size "+strconv.FormatUint(k.Size, 10), err, "")
			return v.finish(r, err)
		}
	}
	if len(r.Void) > 0 {
		v.cannotSay("who wrote the void messages", fmt.Sprintf("SEALED holds %d that do not continue the log: sequences %v", len(r.Void), r.Void))
	}
	if !filtered {
		v.rollback(r)
	}
	v.outside(r, filtered)
	return v.finish(r, nil)
}

// outside: what witnesses say, and what this machine remembers from now on.
func (v *verification) outside(r proof.Report, filtered bool) {
	note := r.Checkpoint
	if v.policy != nil && r.Cosigned != nil {
		if by, err := v.policy.Cosigned(note); err == nil && !by.Quorum {
			note = r.Cosigned
		}
	} else if r.Cosigned != nil {
		note = r.Cosigned
	}
	v.witnessed(note, r.Size)
	for _, d := range v.verdicts {
		if d.State == "failed" {
			return
		}
	}
	v.remember(r.Key, r.Checkpoint, !filtered && v.stateKey == r.Key)
}

// hint says where a checkpoint that contradicts a log came from.
func (v *verification) hint(err error) error {
	bad, ok := errors.AsType[*proof.MismatchError](err)
	if !ok || len(v.recalled) == 0 || len(v.known) > 0 || bad.What != "cut" && bad.What != "root" {
		return err
	}
	return fmt.Errorf("%w (that checkpoint was seen here before; for an old copy that is meant to be old, give --no-state)", err)
}

// unconnected holds a log to what was seen of it, where the audit could not: some entries alone, or a log whose key was not known before it was read.
func (v *verification) unconnected(r proof.Report, filtered bool) error {
	if !filtered && v.stateKey == r.Key {
		return nil
	}
	list, err := v.seen.known(r.Key)
	if err != nil {
		return err
	}
	apart, err := compareSeen(proof.Checkpoint{Size: r.Size, Root: r.Root}, list)
	if err != nil {
		return &proof.MismatchError{Index: 0, What: "root", Why: err.Error()}
	}
	for _, k := range list {
		if !filtered && k.Size > r.Size {
			return &proof.MismatchError{Index: r.Size, What: "cut", Why: fmt.Sprintf("it ends at size %d, and size %d was seen here before (for an old copy, give --no-state)", r.Size, k.Size)}
		}
	}
	if apart > 0 {
		v.cannotSay("it is one log with what was seen here before", fmt.Sprintf("%d checkpoints of other sizes; the whole log can, with --key", apart))
	}
	return nil
}

func (v *verification) data(r proof.Report) {
	switch {
	case !r.DataChecked:
		v.cannotSay("the data is what was sealed", "it is not here")
	case r.Erased > 0:
		v.add("the data is what was sealed", nil, fmt.Sprintf("%d payloads open their commitment; %d were erased", r.Payloads, r.Erased))
	default:
		v.add("the data is what was sealed", nil, fmt.Sprintf("%d payloads open their commitment", r.Payloads))
	}
}

func (v *verification) whose(r proof.Report) {
	if v.key != "" {
		v.add("it is the log of the given key", nil, r.Origin)
		return
	}
	v.onlyIf("it is the log of "+r.Origin, "you trust the key that it names itself; give --key with the one that you have from its owner")
}

func (v *verification) rollback(r proof.Report) {
	newest := uint64(0)
	for _, k := range slices.Concat(v.known, v.recalled) {
		newest = max(newest, k.Size)
	}
	if n := len(v.known) + len(v.recalled); n > 0 {
		v.add("nothing was cut off or rewritten since the saved checkpoints", nil, fmt.Sprintf("%d of them, %d seen here before; the newest is of size %d", n, len(v.recalled), newest))
		return
	}
	if at, ok := v.cosignedWhole(r); ok {
		v.add("nothing was cut off at the end that the witnesses had seen by "+at, nil, "it is the largest that the log had shown them")
		return
	}
	if v.own {
		v.onlyIf("nothing was cut off at the end", "nobody replaced the directory's own file `checkpoint` with an older one; give one from outside by --checkpoint")
		return
	}
	v.cannotSay("nothing was cut off at the end, and nobody was shown another log", "a checkpoint that was saved outside can; give it by --checkpoint")
}

// saved holds a checkpoint that was saved to the log: it must be the log's own, and, where only some entries are here, must not be of another root or
// of a longer log.
func (v *verification) saved(k proof.Checkpoint, r proof.Report, filtered bool) error {
	if _, err := proof.OpenCheckpoint(k.Note, r.Keys...); err != nil {
		return &proof.MismatchError{Index: 0, What: "signature", Why: fmt.Sprintf("the saved checkpoint of size %d: %v", k.Size, err)}
	}
	switch {
	case !filtered:
		return nil // compared with the tree already
	case k.Size > r.Size:
		return &proof.MismatchError{Index: r.Size, What: "cut", Why: fmt.Sprintf("the export is of size %d, a checkpoint of size %d was saved", r.Size, k.Size)}
	case k.Size == r.Size && k.Root != r.Root:
		return &proof.MismatchError{Index: 0, What: "root", Why: "the saved checkpoint is of the same size and another root"}
	case k.Size < r.Size:
		v.cannotSay(fmt.Sprintf("the log goes on from the checkpoint of size %d", k.Size), "an export of the whole log can")
	}
	return nil
}
