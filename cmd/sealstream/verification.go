package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"

	"github.com/sealstream/sealstream/pkg/node"
	"github.com/sealstream/sealstream/pkg/proof"
)

// verification checks one target and collects what it can say of it.
type verification struct {
	*app
	target   string
	key      string   // newest verifier key given, or ""
	vkeys    []string // all that were given
	known    []proof.Checkpoint
	leaf     string // file of a leaf
	own      bool   // the target brought a checkpoint of its own
	whole    bool   // only the export of a whole log will do
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
	return proof.AuditConfig{Keys: v.keys(), Known: v.known, Progress: bar.at}
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
		v.add("the log is whole and unchanged", err, "")
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
	return v.finish(r, nil)
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
	if len(v.known) > 0 {
		v.add("nothing was cut off or rewritten since the saved checkpoints", nil, fmt.Sprintf("%d of them", len(v.known)))
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

// dir audits the data directory of a log that is not running, on a copy: opening a store writes to it.
func (v *verification) dir() error {
	bar := v.progress("entries", 0)
	r, own, err := node.AuditDir(v.ctx, v.target, v.config(bar))
	bar.done()
	v.own = own
	return v.audited(r, err, false)
}

// url audits a running log twice: as it says of itself, batch by batch, and here, from its export.
func (v *verification) url() error {
	v.server = v.target
	var own struct {
		Valid         bool    `json:"valid"`
		Error         *string `json:"error"`
		FirstBadIndex *uint64 `json:"first_bad_index"`
	}
	if err := v.get("/v1/verify", nil, &own); err != nil {
		return err
	}
	if !own.Valid {
		text := "it gives no reason"
		if own.Error != nil {
			text = *own.Error
		}
		var err error = errors.New(text)
		v.add("the log verifies by its own account", err, "")
		if own.FirstBadIndex != nil {
			err = &proof.MismatchError{Index: *own.FirstBadIndex, What: "log", Why: text}
		}
		return v.finish(proof.Report{}, err)
	}
	body, err := v.open("/v1/export", nil, "")
	if err != nil {
		return err
	}
	defer body.Close()
	v.whole = true // a part that proves itself is no log, whatever its manifest says
	return v.export(body, 0)
}

// export audits an export. bytes is its length, or 0.
func (v *verification) export(r io.Reader, bytes uint64) error {
	bar := v.progress("bytes", bytes)
	read := &countingReader{r, 0, bar}
	filtered := false
	cfg := v.config(bar)
	cfg.Progress = nil // the reader moves the bar
	report, err := proof.AuditExport(cfg, lines(read, &filtered))
	bar.done()
	if err == nil && filtered && v.whole {
		err = &proof.MismatchError{Index: 0, What: "cut", Why: "the server gives only a part of its log"}
		v.add("the log is whole and unchanged", err, "")
		return v.finish(report, err)
	}
	return v.audited(report, err, filtered)
}

// lines yields the lines of an export, and notes whether its manifest has filters.
func lines(r io.Reader, filtered *bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b := bufio.NewReaderSize(r, 1<<20)
		for first := true; ; first = false {
			line, err := b.ReadBytes('\n')
			if err == io.EOF && len(line) == 0 {
				return
			}
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			line = bytes.TrimSuffix(line, []byte("\n"))
			if m, err := proof.ParseManifest(line); first && err == nil {
				*filtered = !m.Whole()
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}

func (v *verification) jsonProof(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	p, err := proof.ParseEntryProof(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", v.target, err)
	}
	if v.key == "" {
		return errors.New("a proof is checked with the log's key: give --key")
	}
	e, cp, err := p.Check(v.vkeys...)
	report := proof.Report{Size: cp.Size, Root: cp.Root}
	if v.add(fmt.Sprintf("the entry is index %d of the log of the given key", p.LeafIndex), err, cp.Origin) {
		v.onlyIf("it happened as the entry says", fmt.Sprintf("%s told the truth; the log proves that it was said, when it was received, and that nobody changed it since", e.AgentDID))
	}
	return v.finish(report, nil)
}

func (v *verification) proofFile(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	f, err := proof.ParseFile(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", v.target, err)
	}
	if v.key == "" || v.leaf == "" {
		return errors.New("a c2sp proof is checked with the log's key and the leaf: give --key and --leaf")
	}
	leaf, err := os.ReadFile(v.leaf)
	if err != nil {
		return err
	}
	cp, err := f.Check(leaf, v.vkeys...)
	v.add(fmt.Sprintf("the leaf is index %d of the log of the given key", f.Index), err, cp.Origin)
	return v.finish(proof.Report{Size: cp.Size, Root: cp.Root}, nil)
}

func (v *verification) checkpoint(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if v.key == "" {
		return errors.New("a checkpoint is checked with the log's key: give --key")
	}
	cp, err := proof.OpenCheckpoint(raw, v.vkeys...)
	v.add("the checkpoint is signed by the given key", err, cp.Origin)
	return v.finish(proof.Report{Size: cp.Size, Root: cp.Root}, nil)
}
