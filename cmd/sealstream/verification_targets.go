package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/sealstream/sealstream/pkg/node"
	"github.com/sealstream/sealstream/pkg/proof"
)

// dir audits the data directory of a log that is not running, on a copy: opening a store writes to it.
func (v *verification) dir() error {
	if key, err := node.PublicKey(v.target); err == nil && v.key == "" && proof.CheckKey(key) == nil {
		if err := v.recall(key); err != nil {
			return err
		}
	}
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
	switch err := v.get("/v1/verify", nil, &own); {
	case errors.Is(err, errFailed) && v.log == "default": // nothing of the kind is there: a file server with tiles, perhaps
		return v.tiles(tileServer{v.ctx, v.target})
	case err != nil:
		return err
	}
	cosigned, err := v.served()
	if err != nil {
		if v.laterKey(err, v.exportAgain) {
			return v.finish(proof.Report{}, nil)
		}
		v.add("the checkpoint that it serves is its own", err, "")
		return v.finish(proof.Report{}, err)
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
	v.cosigned = cosigned
	return v.export(body, 0)
}

// served is the checkpoint that a running log shows to others; it must be of the log that is audited here.
func (v *verification) served() ([]byte, error) {
	body, err := v.open("/checkpoint", nil, "")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	note, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil {
		return nil, err
	}
	cp, err := proof.ParseCheckpointUnverified(note)
	if v.key != "" {
		cp, err = proof.OpenCheckpoint(note, v.vkeys...)
	}
	if err != nil {
		return nil, &proof.MismatchError{What: "signature", Why: fmt.Sprintf("the checkpoint that it serves: %v", err)}
	}
	v.shown = append(v.shown, cp)
	return note, nil
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
	report.Cosigned = v.cosigned
	if v.laterKey(err, v.exportAgain) {
		return v.finish(proof.Report{}, nil)
	}
	if err == nil && filtered && v.whole {
		err = &proof.MismatchError{Index: 0, What: "cut", Why: "the server gives only a part of its log"}
		v.add("the log is whole and unchanged", err, "")
		return v.finish(report, err)
	}
	return v.audited(report, err, filtered)
}

// exportAgain audits the target's export as it says of itself, by no key.
func (v *verification) exportAgain() (r proof.Report, err error) {
	var body io.ReadCloser
	if v.server != "" && v.server == v.target {
		body, err = v.open("/v1/export", nil, "")
	} else {
		body, err = os.Open(v.target)
	}
	if err != nil {
		return r, err
	}
	defer body.Close()
	filtered := false
	return proof.AuditExport(proof.AuditConfig{}, lines(body, &filtered))
}

// laterKey tells a log whose newest checkpoint only a successor of the given key has signed from one that is not the given key's. It is no
// proof: anybody can make a log whose configs name a key. So nothing is proved, and no entry is accused either.
func (v *verification) laterKey(err error, again func() (proof.Report, error)) bool {
	bad, ok := errors.AsType[*proof.MismatchError](err)
	if !ok || bad.What != "signature" || v.key == "" {
		return false
	}
	r, err := again()
	if err != nil || !slices.ContainsFunc(v.vkeys, func(k string) bool { return slices.Contains(r.Named, k) }) {
		return false
	}
	v.add("the newest checkpoint is signed by the given key", errors.New("it is signed by another, which the log's config names in its place"), "")
	v.cannotSay("it is the log of the given key", "its configs name that key and its successors, but what the given key has signed of that is not here; the keys of today can, from its owner, or the log's data directory, where the succession is signed")
	return true
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
		v.single(cp)
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
	if v.add(fmt.Sprintf("the leaf is index %d of the log of the given key", f.Index), err, cp.Origin) {
		v.single(cp)
	}
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
	if v.add("the checkpoint is signed by the given key", err, cp.Origin) {
		v.single(cp)
	}
	return v.finish(proof.Report{Size: cp.Size, Root: cp.Root}, nil)
}

// single says what is known of a checkpoint that comes without its log.
func (v *verification) single(cp proof.Checkpoint) {
	apart, err := compareSeen(cp, v.recalled)
	if err != nil {
		v.add("it is one log with what was seen here before", err, "")
		return
	}
	if apart > 0 {
		v.cannotSay("it is one log with what was seen here before", fmt.Sprintf("%d checkpoints of other sizes; the log itself can", apart))
	}
	v.witnessed(cp.Note, 0)
	v.remember(v.key, cp.Note, false)
}
