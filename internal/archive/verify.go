package archive

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Report is the result of Verify.
type Report struct {
	Segments uint64   // segments in the archive
	Archived uint64   // entries in these segments
	Damaged  []string // damaged objects, each with the reason
	Audit    audit.Report
}

// Verify verifies the whole archive: every object against its digests and, if they all match, the
// log that they make (proof.Audit), each segment's checkpoint, and the rest of the log in SEALED.
// It uses no cache, and no other source for what should be in the archive. The error is a
// *proof.MismatchError if the log fails to verify, and also a *DamagedError if an object is
// damaged. cfg.Payloads is ignored.
func Verify(ctx context.Context, log *store.Log, cfg audit.Config) (Report, error) {
	a := New(log) // with empty caches
	segments, err := a.Segments(ctx)
	r := Report{Segments: uint64(len(segments))}
	if n := len(segments); n > 0 {
		r.Archived = segments[n-1].Size
	}
	if err == nil {
		err = a.checkReaches(ctx, segments)
	}
	first := r.addDamage(err)
	if err != nil && !isDamage(err) {
		return r, err
	}
	for _, s := range segments {
		// a damaged index is reported, but the log verifies without it
		if err := r.addDamage(a.checkIndex(ctx, s)); err != nil && !isDamage(err) {
			return r, err
		}
		for _, check := range []func(context.Context, Segment) error{a.checkSealed, a.checkPayloads} {
			if err := check(ctx, s); err != nil {
				if err := r.addDamage(err); first == nil {
					first = err
				}
				if !isDamage(err) {
					return r, err
				}
			}
		}
	}
	if first != nil {
		return r, first
	}
	r.Audit, err = a.audit(ctx, segments, cfg)
	return r, r.addDamage(err)
}

func isDamage(err error) bool {
	_, ok := errors.AsType[*DamagedError](err)
	return ok
}

// checkReaches checks that the archive reaches the start of SEALED.
func (a *Archive) checkReaches(ctx context.Context, segments []Segment) error {
	info, err := a.log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	end := uint64(0)
	if n := len(segments); n > 0 {
		end = segments[n-1].LastSeq
	}
	if info.First > end+1 {
		return a.lostSegment(segments, info.First-1)
	}
	return nil
}

// addDamage records a damaged object, and returns err.
func (r *Report) addDamage(err error) error {
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
		return damaged(b.object, s.First, "it is complete, but not the content that %s names", payloadsName)
	}
	return nil
}

// audit audits the log: its archived part from the archive alone, and the rest from SEALED and
// PAYLOADS.
func (a *Archive) audit(ctx context.Context, segments []Segment, cfg audit.Config) (audit.Report, error) {
	alone, err := a.Alone(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	end, err := alone.Sealed.Info(ctx)
	if err != nil {
		return audit.Report{}, err
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
		return audit.Report{}, fmt.Errorf("sealed stream: %w", err)
	}
	report, err := audit.ParsedLog(cfg, func(yield func(audit.Parsed, error) bool) {
		checks := segmentChecks{a, segments}
		for p, err := range a.messages(ctx, alone, end.Last, last, cfg) {
			if err == nil {
				err = checks.check(p)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	})
	if from := max(last, end.Last) + 1; err == nil && from <= last+gone {
		err = audit.Missing(report.Size, from, last+gone)
	}
	if n := len(segments); err == nil && n > 0 && report.Size < segments[n-1].Size {
		err = &audit.MismatchError{
			Index: report.Size,
			What:  "archive",
			Why:   fmt.Sprintf("the archive says it has %d entries", segments[n-1].Size),
		}
	}
	return report, err
}

// messages yields those of the archive up to a sequence, then those of SEALED.
func (a *Archive) messages(
	ctx context.Context,
	alone *store.Log,
	archived, last uint64,
	cfg audit.Config,
) iter.Seq2[audit.Parsed, error] {
	type work struct {
		audit.Parsed
		err error // error of the store while reading the data
	}
	parse := func(m entry.Message) (w work) {
		if w.Parsed = audit.Parse(m); w.HasData() {
			var body []byte
			var there bool
			if body, there, w.err = cfg.Payloads(w.Batch.Payloads); w.err == nil {
				w.CheckData(body, there)
			}
		}
		return w
	}
	return func(yield func(audit.Parsed, error) bool) {
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

// segmentChecks compares the manifests with the batches.
type segmentChecks struct {
	a        *Archive
	segments []Segment // segments not yet reached
}

func (c *segmentChecks) check(p audit.Parsed) error {
	if len(c.segments) == 0 || p.Seq != c.segments[0].LastSeq {
		return nil
	}
	s, b := c.segments[0], p.Batch
	c.segments = c.segments[1:]
	if want := s.last(); b.Size != s.Size || string(b.Checkpoint) != s.Checkpoint || b.Payloads != s.Payloads ||
		b.Input.Epoch != want.Input.Epoch || b.Input.Seq != want.Input.Seq || b.Input.Place != want.Input.Place {
		return damaged(objectName(c.a.name, s.Segment, manifestName), s.First,
			"it differs from the batch at sequence %d", s.LastSeq)
	}
	return nil
}
