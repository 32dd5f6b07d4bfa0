package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// builder builds the next segment.
type builder struct {
	segment  Segment // with its number and start
	fullSize uint64  // tree size at which it is complete
	sealed   *framer
	payloads []named         // PAYLOADS messages of its batches, ascending
	erased   map[uint64]bool // indexes of this segment that erasure entries name
}

// named is a PAYLOADS message, and the first index of the batch that names it.
type named struct{ seq, index uint64 }

// newBuilder starts segment n, which follows another; that is the zero Segment for the first.
func (x *Archiver) newBuilder(before Segment, n int) (*builder, error) {
	f, err := newFramer(x.encoder)
	if err != nil {
		return nil, err
	}
	return &builder{
		segment:  Segment{Version: 1, Log: x.a.name, Segment: uint64(n), First: before.Size, FirstSeq: before.LastSeq + 1},
		fullSize: uint64(n+1) * x.cfg.SegmentLeaves, sealed: f, erased: map[uint64]bool{},
	}, nil
}

func (b *builder) close() { b.sealed.close() }

// add adds a message. entries are those of its batch, or none if it is void. size is the tree size
// after it.
func (b *builder) add(k parsedMessage, entries []entry.Entry, size uint64) error {
	index := size - uint64(len(entries))
	if slices.ContainsFunc(entries, func(e entry.Entry) bool { return e.HasPayload() }) {
		b.payloads = append(b.payloads, named{k.Batch.Payloads, index})
	}
	return b.sealed.add(k.message, index)
}

// erasures removes erased data from the archive. Data of the segment that is being built is read
// only when that is finished, and left out then. After a crash the same erasures come again and
// find nothing to do.
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

// finish writes the objects of a full segment, given its last batch and that batch's sequence, and
// reads them back. It writes the manifest last: a crash before that leaves objects that nothing
// names, and that the next run writes again with the same content.
func (x *Archiver) finish(ctx context.Context, b *builder, last sealedlog.Batch, seq uint64) (Segment, error) {
	s := b.segment
	s.Size, s.LastSeq, s.Payloads, s.Checkpoint = last.Size, seq, last.Payloads, string(last.Checkpoint)
	s.Input = Input{last.Input.Epoch, last.Input.Seq, last.Input.Place}
	var err error
	if s.Part, err = b.sealed.end(); err != nil {
		return s, err
	}
	switch there, err := x.exists(ctx, s); {
	case err != nil:
		return s, err
	case !there:
		if err := x.put(ctx, s, sealedName, b.sealed); err != nil {
			return s, err
		}
		if err := x.putPayloads(ctx, s, b.payloads, b.erased); err != nil {
			return s, err
		}
		if err := x.a.objects.Put(ctx, objectName(x.a.name, s.Segment, manifestName),
			bytes.NewReader(s.Format())); err != nil {
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
	x.logger.InfoContext(ctx, "archiver wrote a segment", "log", x.a.name, "segment", s.Segment, "size", s.Size,
		"bytes", s.Object.Bytes)
	if err := x.trim(ctx, segments); err != nil {
		return s, err
	}
	x.setProgress(segments)
	return s, nil
}

// exists reports whether the archive has the segment already, because another archiver was faster.
// If the two differ, the error wraps ErrDiffers.
func (x *Archiver) exists(ctx context.Context, s Segment) (bool, error) {
	object := objectName(x.a.name, s.Segment, manifestName)
	raw, err := x.a.readSmall(ctx, object, s.First)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	old, err := ParseSegment(raw)
	if err != nil || !old.sameContent(s) {
		return false, fmt.Errorf("%w: object %s", ErrDiffers, object)
	}
	return true, nil
}

// put writes an object of messages. An object that a crash has left must have the same content. A
// damaged one is written again.
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
	// Put keeps the bytes of what it replaces, some of which may be erased by now
	case name != sealedName:
		if err := x.a.objects.Delete(ctx, object); err != nil {
			return err
		}
	}
	return x.a.objects.Put(ctx, object, f.file)
}

// putPayloads writes the data of a segment without the records of erased indexes, and then
// payloads.json.
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
			continue // compare will check whether it may be missing
		} else if err != nil {
			return err
		}
		body, left := removeRecords(body, erased)
		p.Erased = append(p.Erased, left...)
		if err := f.add(entry.Message{Seq: n.seq, Data: body}, n.index); err != nil {
			return err
		}
	}
	slices.Sort(p.Erased)
	return x.putData(ctx, s, p, f)
}

// removeRecords removes the records of some indexes, and returns the indexes it found.
func removeRecords(body []byte, erased map[uint64]bool) (rest []byte, left []uint64) {
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

// erase rewrites the data of segments without the records of some indexes, and deletes the objects
// that held them.
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

// eraseIn erases in one segment. It writes the data without the records first, then payloads.json,
// and then deletes the old object. If the records are erased already, it deletes the object that a
// crash before the last step has left.
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
		next := Payloads{
			Version:  1,
			Log:      x.a.name,
			Segment:  s.Segment,
			Revision: old.Revision + 1,
			Erased:   append(old.Erased, left...),
		}
		slices.Sort(next.Erased)
		if err := x.putData(ctx, s, next, f); err != nil {
			return err
		}
		if err := x.readBack(ctx, s, next.Revision); err != nil {
			return err
		}
	case old.Revision == 0:
		return nil // the segment has had no such data
	default:
		before--
	}
	x.a.forget(s.Segment)
	return x.a.objects.Delete(ctx, objectName(x.a.name, s.Segment, dataName(before)))
}

// readBack reads a revision of a segment's data back before the old one, which may be the only
// copy, is deleted.
func (x *Archiver) readBack(ctx context.Context, s Segment, revision uint64) error {
	object := objectName(x.a.name, s.Segment, payloadsName)
	p, err := x.a.loadPayloads(ctx, s)
	if err != nil {
		return err
	}
	if p.Revision != revision {
		return fmt.Errorf("object %s names revision %d, not the revision %d just written", object, p.Revision, revision)
	}
	return x.a.checkPayloads(ctx, s)
}

// copyWithout copies the data of a segment without the records of some indexes, and returns the
// indexes it found.
func (x *Archiver) copyWithout(
	ctx context.Context,
	s Segment,
	p Payloads,
	indexes map[uint64]bool,
	to *framer,
) (left []uint64, err error) {
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
			body, erased := removeRecords(m.Data, indexes)
			left = append(left, erased...)
			if err := to.add(entry.Message{Seq: m.Seq, Data: body}, frame.Index); err != nil {
				return nil, err
			}
		}
	}
	return left, nil
}

// putData finishes a segment's data and writes it, and then payloads.json.
func (x *Archiver) putData(ctx context.Context, s Segment, p Payloads, f *framer) (err error) {
	if p.Part, err = f.end(); err != nil {
		return err
	}
	if err := x.put(ctx, s, dataName(p.Revision), f); err != nil {
		return err
	}
	return x.a.objects.Put(ctx, objectName(x.a.name, s.Segment, payloadsName), bytes.NewReader(p.Format()))
}
