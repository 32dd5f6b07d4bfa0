package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Report is what Verify found.
type Report struct {
	Segments uint64   // that are there
	Archived uint64   // entries in them
	Damaged  []string // objects that are not what was written, each with the reason
	Audit    proof.Report
}

// Verify reads the archive anew and checks all of it: every object against its digests, and, if all of them are whole, the log that they make
// like any other (proof.Audit), with each segment's checkpoint, and with what follows the archive in SEALED. It looks nowhere else for
// what should be in the archive. A *proof.MismatchError says that it does not verify, and is a *DamagedError where an object is at
// fault; cfg.Payloads is set here.
func Verify(ctx context.Context, log *store.Log, cfg proof.AuditConfig) (Report, error) {
	a := New(log) // without anything in its caches
	segments, err := a.Segments(ctx)
	r := Report{Segments: uint64(len(segments))}
	if n := len(segments); n > 0 {
		r.Archived = segments[n-1].Size
	}
	if err == nil {
		err = a.reaches(ctx, segments)
	}
	first := r.take(err)
	if _, damage := errors.AsType[*DamagedError](err); err != nil && !damage {
		return r, err
	}
	for _, s := range segments {
		for _, check := range []func(context.Context, Segment) error{a.checkSealed, a.checkPayloads} {
			if err := check(ctx, s); err != nil {
				if err := r.take(err); first == nil {
					first = err
				}
				if _, damage := errors.AsType[*DamagedError](err); !damage {
					return r, err
				}
			}
		}
	}
	if first != nil {
		return r, first
	}
	r.Audit, err = a.audit(ctx, segments, cfg)
	return r, r.take(err)
}

// reaches: the archive must go on up to where SEALED begins.
func (a *Archive) reaches(ctx context.Context, segments []Segment) error {
	info, err := a.log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	end := uint64(0)
	if n := len(segments); n > 0 {
		end = segments[n-1].LastSeq
	}
	if info.First > end+1 {
		return a.lost(segments, info.First-1)
	}
	return nil
}

// take notes a damaged object, and gives err back.
func (r *Report) take(err error) error {
	if d, ok := errors.AsType[*DamagedError](err); ok {
		r.Damaged = append(r.Damaged, d.Error())
	}
	return err
}

func (a *Archive) checkSealed(ctx context.Context, s Segment) error {
	return a.each(ctx, s, func(entry.Message) error { return nil })
}

func (a *Archive) checkPayloads(ctx context.Context, s Segment) error {
	b, err := a.openBodies(ctx, s)
	if err != nil {
		return err
	}
	defer b.file.Close()
	content := newDigester()
	for i := range b.part.Frames {
		_, raw, err := b.part.readFrame(a.decoder, b.file, i)
		if err != nil {
			return damaged(b.object, b.part.Frames[i].Index, "%w", err)
		}
		content.Write(raw)
	}
	if content.digest() != b.part.Content {
		return damaged(b.object, s.First, "it is whole, but not the content that %s names", payloadsName)
	}
	return nil
}

// audit audits the log: its archived part from the archive alone, and the rest from SEALED and PAYLOADS.
func (a *Archive) audit(ctx context.Context, segments []Segment, cfg proof.AuditConfig) (proof.Report, error) {
	alone, err := a.Alone(ctx)
	if err != nil {
		return proof.Report{}, err
	}
	end, err := alone.Sealed.Info(ctx)
	if err != nil {
		return proof.Report{}, err
	}
	newest := uint64(0)
	if n := len(segments); n > 0 {
		newest = segments[n-1].Payloads
	}
	cfg.Payloads = func(seq uint64) ([]byte, bool, error) {
		log := a.log
		if seq <= newest {
			log = alone
		}
		body, err := store.PayloadMessage(ctx, log, seq)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, nil
		}
		return body, err == nil, err
	}
	last, gone, err := store.End(ctx, a.log.Sealed)
	if err != nil {
		return proof.Report{}, fmt.Errorf("sealed stream: %w", err)
	}
	report, err := proof.AuditParsed(cfg, func(yield func(proof.Parsed, error) bool) {
		checks := segmentChecks{a, segments}
		for p, err := range a.messages(ctx, alone, end.Last, last, cfg) {
			if err == nil {
				err = checks.take(p)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	})
	if from := max(last, end.Last) + 1; err == nil && from <= last+gone {
		err = proof.Missing(report.Size, from, last+gone)
	}
	if n := len(segments); err == nil && n > 0 && report.Size < segments[n-1].Size {
		err = &proof.MismatchError{Index: report.Size, What: "archive", Why: fmt.Sprintf("the archive says it has %d entries", segments[n-1].Size)}
	}
	return report, err
}

// messages are those of the archive up to a sequence, and those of SEALED behind it.
func (a *Archive) messages(ctx context.Context, alone *store.Log, archived, last uint64, cfg proof.AuditConfig) iter.Seq2[proof.Parsed, error] {
	type work struct {
		proof.Parsed
		err error // of the store, in reading the data
	}
	parse := func(m entry.Message) (w work) {
		if w.Parsed = proof.Parse(m); w.HasData() {
			var body []byte
			var there bool
			if body, there, w.err = cfg.Payloads(w.Batch.Payloads); w.err == nil {
				w.CheckData(body, there)
			}
		}
		return w
	}
	return func(yield func(proof.Parsed, error) bool) {
		for _, part := range []struct {
			s           store.Stream
			first, last uint64
		}{{alone.Sealed, 1, archived}, {a.log.Sealed, archived + 1, last}} {
			if part.last < part.first {
				continue
			}
			for w, err := range store.Ahead(ctx, part.s, part.first, part.last, parse) {
				if err == nil {
					err = w.err
				}
				if !yield(w.Parsed, err) {
					return
				}
			}
		}
	}
}

// segmentChecks hold what the manifests say to the batches.
type segmentChecks struct {
	a        *Archive
	segments []Segment // still to come
}

func (c *segmentChecks) take(p proof.Parsed) error {
	if len(c.segments) == 0 || p.Seq != c.segments[0].LastSeq {
		return nil
	}
	s, b := c.segments[0], p.Batch
	c.segments = c.segments[1:]
	if want := s.last(); b.Size != s.Size || string(b.Checkpoint) != s.Checkpoint || b.Payloads != s.Payloads ||
		b.Input.Epoch != want.Input.Epoch || b.Input.Seq != want.Input.Seq || b.Input.Place != want.Input.Place {
		return damaged(objectName(c.a.name, s.Segment, manifestName), s.First, "it does not say what the batch at sequence %d says", s.LastSeq)
	}
	return nil
}
