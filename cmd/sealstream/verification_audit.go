package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Claims that several checks decide.
const (
	claimSameLog    = "it is the log that was seen here before"
	claimConsistent = "it is consistent with what was seen here before"
	claimWhole      = "the log is whole and unchanged"
	claimGivenKey   = "it is the log of the given key"
	claimData       = "the data is what was sealed"
)

// claimContinues is the claim that the log has a prefix of a size.
func claimContinues(size uint64) string {
	return "the log continues the checkpoint of size " + strconv.FormatUint(size, 10)
}

// audited turns the outcome of an audit into verdicts. filtered means that only some entries were
// audited, each with a proof of its own.
func (v *verification) audited(r audit.Report, err error, filtered bool) error {
	mismatch, ok := errors.AsType[*audit.MismatchError](err)
	notExport := errors.Is(err, proof.ErrExport)
	switch {
	case err != nil && !ok && !notExport || notExport && v.key == "" && filtered:
		return err
	case ok && v.older(r, mismatch):
	case err != nil:
		v.add(v.claim(mismatch), v.hint(err), "")
		return v.finish(r, err)
	}
	if err = v.unconnected(r, filtered); err == nil && !filtered {
		err = v.contradicts(r)
	}
	if err != nil {
		v.add(claimSameLog, err, "")
		return v.finish(r, err)
	}
	v.complete(r, filtered)
	v.data(r)
	v.whose(r)
	for _, k := range v.known {
		if err := v.saved(k, r, filtered); err != nil {
			v.add(claimContinues(k.Size), err, "")
			return v.finish(r, err)
		}
	}
	if len(r.Void) > 0 {
		v.notChecked("who wrote the void messages",
			fmt.Sprintf("SEALED contains %d that do not continue the log: sequences %v", len(r.Void), r.Void))
	}
	if !filtered {
		v.rollback(r)
	}
	v.outside(r, filtered)
	return v.finish(r, nil)
}

// complete adds the verdicts on the entries and on their completeness.
func (v *verification) complete(r audit.Report, filtered bool) {
	if filtered {
		v.add("each entry here is in the log, unchanged", nil,
			fmt.Sprintf("%d entries, each with a proof", r.Events+r.Own))
		v.notChecked("no entry that the filters match is left out", "an export of the whole log would show it")
		return
	}
	v.add("entries, order and tree are whole", nil,
		fmt.Sprintf("%d events and %d entries of the log itself, chained, accounted for and under one root",
			r.Events, r.Own))
}

// outside adds the verdict on the cosignatures, and remembers the checkpoint if nothing has failed.
func (v *verification) outside(r audit.Report, filtered bool) {
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

// claim returns the claim that a fault refutes.
func (v *verification) claim(m *audit.MismatchError) string {
	switch {
	case m == nil:
		return "it is an export"
	case m.Known != nil && (m.What == "signature" || m.What == "origin"):
		return "the saved checkpoint is the log's own"
	case m.Known != nil:
		return claimContinues(m.Known.Size)
	case m.What == "signature" && v.key != "":
		return claimGivenKey
	case m.What == "signature":
		return "its checkpoint is signed"
	}
	return claimWhole
}

// older reports whether the only fault is that a copy ends before a checkpoint that this machine
// remembers. The audit looks for every other fault first.
func (v *verification) older(r audit.Report, m *audit.MismatchError) bool {
	given := slices.Concat(v.known, v.served)
	return v.copy && m.What == "cut" && m.Known != nil &&
		!slices.ContainsFunc(given, func(k proof.Checkpoint) bool { return k.Size > r.Size })
}

// hint adds to an error that the contradicting checkpoint is one that this machine remembers.
func (v *verification) hint(err error) error {
	bad, ok := errors.AsType[*audit.MismatchError](err)
	if !ok || bad.Known == nil ||
		!slices.ContainsFunc(v.recalled, func(k proof.Checkpoint) bool { return bytes.Equal(k.Note, bad.Known.Note) }) {
		return err
	}
	return fmt.Errorf("%w (that checkpoint was seen here before; to check an old copy on purpose, give --no-state)", err)
}

// unconnected compares a log with what this machine remembers of it where the audit could not: if
// only some entries were audited, or if the log's key was not known before it was read.
func (v *verification) unconnected(r audit.Report, filtered bool) error {
	if !filtered && v.stateKey == r.Key {
		return nil
	}
	list, err := v.seen.known(r.Key)
	if err != nil {
		return err
	}
	own := proof.Checkpoint{Size: r.Size, Root: r.Root, Note: r.Checkpoint}
	apart, err := compareSeen(own, list)
	if err != nil {
		return &audit.MismatchError{Index: 0, What: "root", Why: err.Error(), Known: &own}
	}
	for _, k := range list {
		switch root, ok := v.outline.root(k.Size); {
		case filtered:
		case k.Size > r.Size && !v.copy:
			return &audit.MismatchError{
				Index: r.Size,
				What:  "cut",
				Why: fmt.Sprintf("it ends at size %d, and size %d was seen here before (for an old copy, give --no-state)",
					r.Size, k.Size),
				Known: &k,
			}
		case ok && k.Size < r.Size && root != k.Root:
			return &audit.MismatchError{
				Index: max(k.Size, 1) - 1,
				What:  "root",
				Why:   fmt.Sprintf("the checkpoint of size %d that was seen here before has another root", k.Size),
				Known: &k,
			}
		case ok && k.Size < r.Size, k.Size > r.Size:
			apart--
		}
	}
	if !filtered && apart == 0 {
		v.stateKey = r.Key // every remembered checkpoint was compared, as if the key had been known
	}
	if apart > 0 {
		v.notChecked(claimConsistent,
			fmt.Sprintf("%d checkpoints of other sizes were seen; an audit of the whole log with --key compares them", apart))
	}
	return nil
}

func (v *verification) data(r audit.Report) {
	switch {
	case !r.DataChecked:
		v.notChecked(claimData, "the target does not contain it")
	case r.Erased > 0:
		v.add(claimData, nil, fmt.Sprintf("%d payloads open their commitment; %d were erased", r.Payloads, r.Erased))
	default:
		v.add(claimData, nil, fmt.Sprintf("%d payloads open their commitment", r.Payloads))
	}
}

func (v *verification) whose(r audit.Report) {
	if v.key != "" {
		v.add(claimGivenKey, nil, r.Origin)
		return
	}
	v.onlyIf("it is the log of "+r.Origin,
		"you trust the key that the log itself names; give --key with the key that you have from its owner")
}

func (v *verification) rollback(r audit.Report) {
	if v.olderCopy(r) {
		return
	}
	newest := uint64(0)
	for _, k := range slices.Concat(v.known, v.recalled) {
		newest = max(newest, k.Size)
	}
	if n := len(v.known) + len(v.recalled); n > 0 {
		v.add("nothing was cut off or rewritten since the saved checkpoints", nil,
			fmt.Sprintf("%d of them, %d seen here before; the newest is of size %d", n, len(v.recalled), newest))
		return
	}
	if at, ok := v.cosignedWhole(r); ok {
		v.add("nothing was cut off at the end that the witnesses had seen by "+at, nil,
			"it is the largest tree that the log had shown them")
		return
	}
	if v.own {
		v.onlyIf("nothing was cut off at the end",
			"nobody replaced the directory's own file `checkpoint` with an older one; "+
				"give a checkpoint that was saved elsewhere by --checkpoint")
		return
	}
	v.notChecked("nothing was cut off at the end, and nobody was shown another log",
		"a checkpoint that was saved elsewhere would show it; give it by --checkpoint")
}

// saved compares a saved checkpoint with some entries of a log: it must be the log's own, and a
// checkpoint of the same size must have the same root. The audit of a whole log has compared it
// already.
func (v *verification) saved(k proof.Checkpoint, r audit.Report, filtered bool) error {
	if !filtered {
		return nil
	}
	_, err := proof.OpenCheckpoint(k.Note, r.Keys...)
	switch {
	case err != nil:
		return &audit.MismatchError{
			Index: 0,
			What:  "signature",
			Why:   fmt.Sprintf("the saved checkpoint of size %d: %v", k.Size, err),
			Known: &k,
		}
	case k.Size == r.Size && k.Root != r.Root:
		return &audit.MismatchError{
			Index: 0,
			What:  "root",
			Why:   "the saved checkpoint has the same size and another root",
			Known: &k,
		}
	case k.Size > r.Size:
		v.notChecked(fmt.Sprintf("the checkpoint of size %d continues this log", k.Size),
			fmt.Sprintf("the entries here are proven at size %d; an export of the whole log at size %d or later would show it",
				r.Size, k.Size))
	case k.Size < r.Size:
		v.notChecked(claimContinues(k.Size), "an export of the whole log would show it")
	}
	return nil
}
