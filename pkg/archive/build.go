package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// builder is the segment that is being filled.
type builder struct {
	segment  Segment // number and begin
	full     uint64  // tree size at which it is complete
	sealed   *framer
	payloads []named         // PAYLOADS messages of its batches, ascending
	erased   map[uint64]bool // indexes of this segment that erasure entries name
}

// named is a PAYLOADS message, and the first index of the batch that names it.
type named struct{ seq, index uint64 }

// newBuilder begins the n-th segment behind the one before, which is the zero Segment before the first.
func (x *Archiver) newBuilder(before Segment, n int) (*builder, error) {
	f, err := newFramer(x.encoder)
	if err != nil {
		return nil, err
	}
	return &builder{
		segment: Segment{Version: 1, Log: x.a.name, Segment: uint64(n), First: before.Size, FirstSeq: before.LastSeq + 1},
		full:    uint64(n+1) * x.cfg.SegmentLeaves, sealed: f, erased: map[uint64]bool{},
	}, nil
}

func (b *builder) close() { b.sealed.close() }

// add takes a message; entries are those of its batch, none if it is void. size is that of the tree behind it.
func (b *builder) add(k kept, entries []entry.Entry, size uint64) error {
	index := size - uint64(len(entries))
	if slices.ContainsFunc(entries, func(e entry.Entry) bool { return e.DataHash != "" }) {
		b.payloads = append(b.payloads, named{k.Batch.Payloads, index})
	}
	return b.sealed.add(k.message, index)
}

// erasures takes erased data out of the archive. That of the segment that is being filled is left out when that is finished: its data is read
// then. After a crash the entries come again, and find nothing to do.
func (x *Archiver) erasures(ctx context.Context, entries []entry.Entry, b *builder) error {
	for i := range entries {
		d, ok := entries[i].Detail.(*entry.Erasure)
		if !ok {
			continue
		}
		old := map[uint64]bool{}
		for _, index := range d.Indexes {
			if index >= b.segment.First {
				b.erased[index] = true
			} else {
				old[index] = true
			}
		}
		if len(old) > 0 {
			if err := x.erase(ctx, old); err != nil {
				return fmt.Errorf("erasure at index %d: %w", entries[i].Index, err)
			}
		}
	}
	return nil
}

// finish writes the objects of a full segment, whose last batch and its sequence are given: the manifest last, so that a crash leaves
// objects that nothing names, and that the next run writes again with the same content. What it wrote it reads back.
func (x *Archiver) finish(ctx context.Context, b *builder, last proof.Batch, seq uint64) (Segment, error) {
	s := b.segment
	s.Size, s.LastSeq, s.Payloads, s.Checkpoint = last.Size, seq, last.Payloads, string(last.Checkpoint)
	s.Input = Input{last.Input.Epoch, last.Input.Seq, last.Input.Place}
	var err error
	if s.Part, err = b.sealed.end(); err != nil {
		return s, err
	}
	switch there, err := x.there(ctx, s); {
	case err != nil:
		return s, err
	case !there:
		if err := x.put(ctx, s, sealedName, b.sealed); err != nil {
			return s, err
		}
		if err := x.putPayloads(ctx, s, b.payloads, b.erased); err != nil {
			return s, err
		}
		if err := x.a.objects.Put(ctx, objectName(x.a.name, s.Segment, manifestName), bytes.NewReader(s.Format())); err != nil {
			return s, err
		}
	}
	segments, err := x.a.Segments(ctx)
	if err != nil {
		return s, err
	}
	if err := x.compare(ctx, segments, s.Segment, s.FirstSeq); err != nil {
		return s, err
	}
	x.log.InfoContext(ctx, "a segment is archived", "log", x.a.name, "segment", s.Segment, "size", s.Size, "bytes", s.Object.Bytes)
	if err := x.trim(ctx, segments); err != nil {
		return s, err
	}
	x.wrote(segments)
	return s, nil
}

// there says whether the archive has the segment already: another archiver was faster. One that is not the same is an alarm.
func (x *Archiver) there(ctx context.Context, s Segment) (bool, error) {
	object := objectName(x.a.name, s.Segment, manifestName)
	raw, err := x.a.small(ctx, object, s.First)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	old, err := ParseSegment(raw)
	if err != nil || !old.same(s) {
		return false, fmt.Errorf("%w: object %s", ErrDiffers, object)
	}
	return true, nil
}

// put writes an object of messages. One that a crash has left must be of the same content; one that is damaged is written again.
func (x *Archiver) put(ctx context.Context, s Segment, name string, f *framer) error {
	object := objectName(x.a.name, s.Segment, name)
	part := Part{Content: f.content.digest(), Object: f.object.digest(), Frames: f.frames}
	switch have, err := x.a.content(ctx, object); {
	case errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged):
	case err != nil:
		return err
	case have.Content != part.Content && name == sealedName:
		return fmt.Errorf("%w: object %s", ErrDiffers, object)
	case have.Object == part.Object:
		return nil
	case name != sealedName: // Put leaves the bytes of what it replaces, and some of them may be erased by now
		if err := x.a.objects.Delete(ctx, object); err != nil {
			return err
		}
	}
	return x.a.objects.Put(ctx, object, f.file)
}

// putPayloads writes the data of a segment, but for records of erased indexes, and then what names it.
func (x *Archiver) putPayloads(ctx context.Context, s Segment, list []named, erased map[uint64]bool) error {
	f, err := newFramer(x.encoder)
	if err != nil {
		return err
	}
	defer f.close()
	p := Payloads{Version: 1, Log: x.a.name, Segment: s.Segment, Erased: []uint64{}}
	for _, n := range list {
		body, err := store.PayloadMessage(ctx, x.through, n.seq)
		if errors.Is(err, store.ErrNotFound) {
			continue // whether it may be missing, reading back tells
		} else if err != nil {
			return err
		}
		body, left := without(body, erased)
		p.Erased = append(p.Erased, left...)
		if err := f.add(entry.Message{Seq: n.seq, Data: body}, n.index); err != nil {
			return err
		}
	}
	slices.Sort(p.Erased)
	return x.putData(ctx, s, p, f)
}

// without leaves out the records of some indexes, and says which there were.
func without(body []byte, erased map[uint64]bool) (rest []byte, left []uint64) {
	if len(erased) == 0 {
		return body, nil
	}
	for line := range bytes.Lines(body) {
		p, err := entry.ParsePayload(bytes.TrimSuffix(line, []byte("\n")))
		if err == nil && erased[p.Index] {
			left = append(left, p.Index)
			continue
		}
		rest = append(rest, line...)
	}
	return rest, left
}

// erase writes the data of segments anew without the records of some indexes, and removes what held them.
func (x *Archiver) erase(ctx context.Context, indexes map[uint64]bool) error {
	for _, s := range x.a.known() {
		mine := map[uint64]bool{}
		for i := range indexes {
			if i >= s.First && i < s.Size {
				mine[i] = true
			}
		}
		if len(mine) == 0 {
			continue
		}
		if err := x.eraseIn(ctx, s, mine); err != nil {
			return err
		}
	}
	return nil
}

// eraseIn erases in one segment: the data without the records first, then what names it, and the object that held them last. Erased before,
// what a crash may have left of that is removed.
func (x *Archiver) eraseIn(ctx context.Context, s Segment, indexes map[uint64]bool) error {
	old, err := x.a.loadPayloads(ctx, s)
	if err != nil {
		return err
	}
	f, err := newFramer(x.encoder)
	if err != nil {
		return err
	}
	defer f.close()
	left, err := x.copyWithout(ctx, s, old, indexes, f)
	if err != nil {
		return err
	}
	before := old.Revision
	switch {
	case len(left) > 0:
		next := Payloads{Version: 1, Log: x.a.name, Segment: s.Segment, Revision: old.Revision + 1, Erased: append(old.Erased, left...)}
		slices.Sort(next.Erased)
		if err := x.putData(ctx, s, next, f); err != nil {
			return err
		}
		if err := x.readBack(ctx, s, next.Revision); err != nil {
			return err
		}
	case old.Revision == 0:
		return nil // there was no data
	default:
		before--
	}
	x.a.forget(s.Segment)
	return x.a.objects.Delete(ctx, objectName(x.a.name, s.Segment, dataName(before)))
}

// readBack reads a revision of a segment's data back from the object store: what it replaces is then removed, and may be all that there is.
func (x *Archiver) readBack(ctx context.Context, s Segment, revision uint64) error {
	object := objectName(x.a.name, s.Segment, payloadsName)
	p, err := x.a.loadPayloads(ctx, s)
	if err != nil {
		return err
	}
	if p.Revision != revision {
		return fmt.Errorf("object %s names revision %d, not %d that was written", object, p.Revision, revision)
	}
	return x.a.checkPayloads(ctx, s)
}

// copyWithout copies the data of a segment, but for the records of some indexes, and says which there were.
func (x *Archiver) copyWithout(ctx context.Context, s Segment, p Payloads, indexes map[uint64]bool, to *framer) (left []uint64, err error) {
	object := objectName(x.a.name, s.Segment, dataName(p.Revision))
	data, err := x.a.fetch(ctx, object, s.First, p.Object)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	for i, frame := range p.Frames {
		list, _, err := p.readFrame(x.a.decoder, data, i)
		if err != nil {
			return nil, damaged(object, frame.Index, "%w", err)
		}
		for _, m := range list {
			body, erased := without(m.Data, indexes)
			left = append(left, erased...)
			if err := to.add(entry.Message{Seq: m.Seq, Data: body}, frame.Index); err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}

// putData ends a segment's data and writes it, and then what names it.
func (x *Archiver) putData(ctx context.Context, s Segment, p Payloads, f *framer) (err error) {
	if p.Part, err = f.end(); err != nil {
		return err
	}
	if err := x.put(ctx, s, dataName(p.Revision), f); err != nil {
		return err
	}
	return x.a.objects.Put(ctx, objectName(x.a.name, s.Segment, payloadsName), bytes.NewReader(p.Format()))
}
