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

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/parallel"
	"github.com/sealstream/sealstream/pkg/proof"
)

// dir audits the data directory of a stopped log. It audits a copy, because opening a store writes
// to it.
func (v *verification) dir() error {
	if key, err := datadir.PublicKey(v.target); err == nil && v.key == "" && proof.CheckKey(key) == nil {
		if err := v.recall(key); err != nil {
			return err
		}
	}
	bar := v.progress("entries", 0)
	r, own, err := datadir.AuditDir(v.ctx, v.target, v.config(bar))
	bar.done()
	v.own = own
	for _, note := range r.Notes {
		v.notChecked("the files beside the log are undamaged", note+"; the log does not depend on it")
	}
	return v.audited(r, err, false)
}

// url audits a running log twice: the server audits itself batch by batch, and this program audits
// the server's export.
func (v *verification) url() error {
	v.server = v.target
	var own struct {
		Valid         bool    `json:"valid"`
		Error         *string `json:"error"`
		FirstBadIndex *uint64 `json:"first_bad_index"`
	}
	err := v.get("/v1/verify", nil, &own)
	other, isOther := errors.AsType[foreign](err)
	switch {
	case (isOther || errors.Is(err, errFailed)) && v.logName == "default":
		// The server has no such page. It may be a file server with tiles.
		err := v.tiles(tileServer{v.ctx, v.plainClient(), v.target})
		if isOther && errors.Is(err, audit.ErrTiles) {
			return fmt.Errorf("%w; nor are there the tiles of a log", other)
		}
		return err
	case err != nil:
		return err
	}
	cosigned, err := v.servedCheckpoint()
	if err != nil {
		if v.laterKey(err, v.exportAgain) {
			return v.finish(audit.Report{}, nil)
		}
		mismatch, _ := errors.AsType[*audit.MismatchError](err)
		if mismatch == nil {
			return err
		}
		v.add(v.claim(mismatch), err, "")
		return v.finish(audit.Report{}, err)
	}
	if !own.Valid {
		return v.invalidByItself(own.Error, own.FirstBadIndex)
	}
	resp, err := v.open("/v1/export", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	v.whole = true // a filtered export proves its entries, but says nothing of the rest
	v.cosigned = cosigned
	return v.export(resp.Body, 0)
}

// invalidByItself ends the check of a running log that reports itself as invalid.
func (v *verification) invalidByItself(reason *string, firstBad *uint64) error {
	text := "the server gives no reason"
	if reason != nil {
		text = *reason
	}
	var err error = errors.New(text)
	v.kind = audit.KindAltered
	v.add("the log verifies by its own account", err, "")
	if firstBad != nil {
		err = &audit.MismatchError{Index: *firstBad, What: "log", Why: text}
	}
	return v.finish(audit.Report{}, err)
}

// servedCheckpoint returns the note of the checkpoint that a running log serves to everyone. The
// audit of the export compares it with the tree.
func (v *verification) servedCheckpoint() ([]byte, error) {
	note, err := v.bytes("/checkpoint", maxNote)
	if err != nil {
		return nil, err
	}
	cp, err := proof.ParseCheckpointUnverified(note)
	if v.key != "" {
		cp, err = proof.OpenCheckpoint(note, v.vkeys...)
	}
	if err != nil {
		return nil, &audit.MismatchError{What: "signature", Why: fmt.Sprintf("the served checkpoint: %v", err)}
	}
	v.served = append(v.served, cp)
	return note, nil
}

// export audits an export. bytes is its length, or 0 if that is not known.
func (v *verification) export(r io.Reader, bytes uint64) error {
	bar := v.progress(inBytes, bytes)
	read := &countingReader{r, 0, bar}
	filtered := false
	cfg := v.config(bar)
	cfg.Progress = nil // the reader moves the bar
	report, err := auditExport(cfg, read, &filtered)
	bar.done()
	report.Cosigned = v.cosigned
	if v.laterKey(err, v.exportAgain) {
		return v.finish(audit.Report{}, nil)
	}
	if err == nil && filtered && v.whole {
		err = &audit.MismatchError{Index: 0, What: "cut", Why: "the server exports only a part of its log"}
		v.add(claimWhole, err, "")
		return v.finish(report, err)
	}
	return v.audited(report, err, filtered)
}

// exportAgain audits the target's export again, without a key.
func (v *verification) exportAgain() (r audit.Report, err error) {
	var body io.Reader
	if v.server != "" && v.server == v.target {
		resp, err := v.open("/v1/export", nil)
		if err != nil {
			return r, err
		}
		defer resp.Body.Close()
		body = resp.Body
	} else {
		file, err := os.Open(v.target)
		if err != nil {
			return r, err
		}
		defer file.Close()
		body = file
	}
	filtered := false
	return auditExport(audit.Config{}, body, &filtered)
}

// laterKey reports whether an audit failed only because a successor of the given key signed the
// newest checkpoint: the log's configs name the given key. This proves nothing, because anybody can
// make a log whose configs name a key. So the verdict is "not checked", and no entry is called bad.
func (v *verification) laterKey(err error, again func() (audit.Report, error)) bool {
	bad, ok := errors.AsType[*audit.MismatchError](err)
	if !ok || bad.What != "signature" || bad.Known != nil || v.key == "" {
		return false
	}
	r, err := again()
	if err != nil || !slices.ContainsFunc(v.vkeys, func(k string) bool { return slices.Contains(r.Named, k) }) {
		return false
	}
	v.kind = audit.KindNotSigned
	v.add("the newest checkpoint is signed by the given key",
		errors.New("it is signed by another key, which the log's config names as a successor"), "")
	v.notChecked(claimGivenKey,
		"its configs name that key and its successors, but the target does not contain the signatures of the succession; "+
			"give --key with the newest key from the log's owner, or verify the log's data directory")
	return true
}

// auditExport audits an export. It sets filtered if the export's manifest has filters.
func auditExport(cfg audit.Config, r io.Reader, filtered *bool) (audit.Report, error) {
	return audit.ParsedExport(cfg, parallel.Map(audit.Blocks(lines(r, filtered)), parallel.Ahead(), audit.ParseLines))
}

// lines yields the lines of an export. It sets filtered if the export's manifest has filters. A
// line is valid until the next one.
func lines(r io.Reader, filtered *bool) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b := bufio.NewReaderSize(r, 1<<20)
		for first := true; ; first = false {
			line, err := b.ReadSlice('\n')
			if err == bufio.ErrBufferFull {
				var rest []byte
				line = bytes.Clone(line)
				rest, err = b.ReadBytes('\n')
				line = append(line, rest...)
			}
			if err == io.EOF && len(line) == 0 {
				return
			}
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			line = bytes.TrimSuffix(line, []byte("\n"))
			if first {
				if m, err := proof.ParseManifest(line); err == nil {
					*filtered = !m.Whole()
				}
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
		v.add("it is a proof", err, "")
		return v.finish(audit.Report{}, err)
	}
	if v.key == "" {
		return errors.New("verify: a proof is checked with the log's key; give --key")
	}
	e, cp, err := p.Check(v.vkeys...)
	report := audit.Report{Size: cp.Size, Root: cp.Root}
	if v.add(fmt.Sprintf("the entry is index %d of the log of the given key", p.LeafIndex), err, cp.Origin) {
		v.single(cp)
		v.onlyIf("it happened as the entry says", fmt.Sprintf("%s told the truth; the log proves only that it was said, "+
			"in which order, and that nobody changed it since", e.AgentDID))
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
		v.add("it is a proof file", err, "")
		return v.finish(audit.Report{}, err)
	}
	if v.key == "" || v.leaf == "" {
		return errors.New("verify: a c2sp proof is checked with the log's key and the leaf; give --key and --leaf")
	}
	leaf, err := os.ReadFile(v.leaf)
	if err != nil {
		return err
	}
	cp, err := f.Check(leaf, v.vkeys...)
	if v.add(fmt.Sprintf("the leaf is index %d of the log of the given key", f.Index), err, cp.Origin) {
		v.single(cp)
	}
	return v.finish(audit.Report{Size: cp.Size, Root: cp.Root}, nil)
}

func (v *verification) checkpoint(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if v.key == "" {
		return errors.New("verify: a checkpoint is checked with the log's key; give --key")
	}
	cp, err := proof.OpenCheckpoint(trimNote(raw), v.vkeys...)
	if v.add("the checkpoint is signed by the given key", err, cp.Origin) {
		v.single(cp)
	}
	return v.finish(audit.Report{Size: cp.Size, Root: cp.Root}, nil)
}

// single adds the verdicts on a checkpoint that comes without its log.
func (v *verification) single(cp proof.Checkpoint) {
	apart, err := compareSeen(cp, v.recalled)
	if err != nil {
		v.kind = audit.KindRewritten
		v.add(claimConsistent, err, "")
		return
	}
	if apart > 0 {
		v.notChecked(claimConsistent,
			fmt.Sprintf("%d checkpoints of other sizes were seen; an audit of the whole log compares them", apart))
	}
	v.witnessed(cp.Note, 0)
	v.remember(v.key, cp.Note, false)
}
