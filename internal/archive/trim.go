package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// trim removes the archived part from SEALED and PAYLOADS, except the newest entries that
// Config.TrimSealed keeps. Each segment that SEALED still has a part of must have been read back
// and compared by this process.
func (x *Archiver) trim(ctx context.Context, segments []Segment) error {
	if x.cfg.TrimSealed == 0 || len(segments) == 0 {
		return nil
	}
	info, err := x.raw.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	for _, s := range segments {
		if s.LastSeq >= info.First && !x.compared[s.Segment] {
			if err := x.compare(ctx, segments, s.Segment, max(s.FirstSeq, info.First)); err != nil {
				return err
			}
		}
	}
	first, payloads, err := x.trimPoint(ctx, segments[len(segments)-1])
	if err != nil || first <= info.First {
		return err
	}
	return x.purge(ctx, first, payloads)
}

// trimPoint returns the first SEALED and the first PAYLOADS sequence to keep.
func (x *Archiver) trimPoint(ctx context.Context, last Segment) (first, payloads uint64, err error) {
	end, _, err := store.End(ctx, x.through.Sealed)
	if err != nil {
		return 0, 0, fmt.Errorf("sealed stream: %w", err)
	}
	newest, err := x.size(ctx, end)
	if err != nil || newest <= x.cfg.TrimSealed {
		return 0, 0, err
	}
	at, err := store.FindBatch(ctx, x.through, newest-x.cfg.TrimSealed)
	if errors.Is(err, store.ErrNotFound) { // void messages mislead the search; retry later
		return 0, 0, nil
	} else if err != nil {
		return 0, 0, err
	}
	if at.Seq > last.LastSeq {
		// keep last.Payloads: a batch without data may name it again
		return last.LastSeq + 1, last.Payloads, nil
	}
	// the search verifies nothing, and a void message may name any number
	return at.Seq, min(at.Batch.Payloads, last.Payloads), nil
}

// size returns the size of the newest batch, or 0 if the last message is void.
func (x *Archiver) size(ctx context.Context, end uint64) (uint64, error) {
	m, err := x.raw.Sealed.Get(ctx, end)
	if err != nil {
		return 0, fmt.Errorf("SEALED sequence %d: %w", end, err)
	}
	b, err := sealedlog.ParseBatch(m)
	if err != nil {
		return 0, nil
	}
	return b.Size, nil
}

// purge trims PAYLOADS first: a crash in between leaves batches whose data is archived. Rewritten
// messages are trimmed, too, since an erasure also removes data from the archive.
func (x *Archiver) purge(ctx context.Context, sealed, payloads uint64) error {
	for _, s := range []struct {
		name   string
		stream store.Stream
		below  uint64
	}{{"PAYLOADS", x.raw.Payloads, payloads}, {"SEALED", x.raw.Sealed, sealed}} {
		p, ok := s.stream.(store.Purger)
		if !ok {
			return fmt.Errorf("trim %s: this stream cannot be purged", s.name)
		}
		if err := p.PurgeBelow(ctx, s.below); err != nil {
			return fmt.Errorf("trim %s: %w", s.name, err)
		}
	}
	x.logger.InfoContext(ctx, "archiver trimmed SEALED", "log", x.a.name, "first_seq", sealed)
	return nil
}

// compare reads a segment back from the object store, bypassing all caches. It compares its
// messages with SEALED from a sequence on, and verifies its checkpoint and that its data matches
// the leaves.
func (x *Archiver) compare(ctx context.Context, segments []Segment, n, from uint64) error {
	s := segments[n]
	chain := audit.NewChain(x.cfg.Keys...)
	if n > 0 {
		var err error
		if chain, _, err = x.resume(ctx, segments[n-1]); err != nil {
			return err
		}
	}
	data, err := x.a.openBodies(ctx, s)
	if err != nil {
		return err
	}
	defer data.file.Close()
	live, err := x.raw.Sealed.Read(ctx, from)
	if err != nil {
		return err
	}
	defer live.Close()
	next := ahead{r: live}
	err = x.a.each(ctx, s, func(m entry.Message) error {
		if m.Seq >= from {
			l, err := next.message(ctx)
			if err != nil {
				return err
			}
			if !equal(l, m) {
				return fmt.Errorf("%w: SEALED sequence %d", ErrDiffers, m.Seq)
			}
		}
		p := audit.Parse(m)
		if _, err := chain.Take(p); errors.Is(err, sealedlog.ErrVoid) {
			return nil
		} else if err != nil {
			return err
		}
		return data.check(p)
	})
	if err == nil && (chain.Size() != s.Size || string(chain.Batch().Checkpoint) != s.Checkpoint) {
		err = damaged(objectName(x.a.name, n, sealedName), s.First, "it does not lead to the checkpoint of size %d", s.Size)
	}
	if err == nil {
		err = x.checkMissing(ctx, s, data)
	}
	x.compared[n] = err == nil
	return err
}

// checkMissing checks that all data a segment lacks was erased. Data erased before it was archived
// was never left out here, and the entry that names it may follow the segment, so only the log up
// to its present end tells.
func (x *Archiver) checkMissing(ctx context.Context, s Segment, data *payloadReader) error {
	if len(data.missing) == 0 {
		return nil
	}
	erased := map[uint64]bool{}
	for b, err := range (store.Follower{Log: x.through, Keys: x.cfg.Keys, From: s.First, Stop: true}).Batches(ctx) {
		if err != nil {
			return err
		}
		for i := range b.Entries {
			if d, ok := b.Entries[i].Detail.(*entry.Erasure); ok {
				for _, index := range d.Indexes {
					erased[index] = true
				}
			}
		}
	}
	for _, index := range data.missing {
		if !erased[index] {
			return damaged(data.object, index, "it does not hold the data of index %d", index)
		}
	}
	return nil
}

func equal(a, b entry.Message) bool {
	return a.Seq == b.Seq && a.Time.Equal(b.Time) && bytes.Equal(a.Data, b.Data) &&
		maps.EqualFunc(a.Header, b.Header, slices.Equal)
}

// ahead returns the messages of a reader one by one.
type ahead struct {
	r    store.Reader
	list []entry.Message
}

func (a *ahead) message(ctx context.Context) (m entry.Message, err error) {
	if len(a.list) == 0 {
		if a.list, err = a.r.Next(ctx, 256); err != nil {
			return m, err
		}
	}
	m, a.list = a.list[0], a.list[1:]
	return m, nil
}

// each reads all messages of a segment from its object, and checks both digests.
func (a *Archive) each(ctx context.Context, s Segment, take func(entry.Message) error) error {
	object := objectName(a.name, s.Segment, sealedName)
	f, err := a.fetch(ctx, object, s.First, s.Object)
	if err != nil {
		return err
	}
	defer f.Close()
	next := s.FirstSeq
	content := newDigester()
	for i := range s.Frames {
		list, raw, err := s.readFrame(a.decoder, f, i)
		if err != nil {
			return damaged(object, s.Frames[i].Index, "%w", err)
		}
		content.Write(raw)
		for _, m := range list {
			if m.Seq != next {
				return damaged(object, s.Frames[i].Index, "sequence %d after %d", m.Seq, next-1)
			}
			if err := take(m); err != nil {
				return err
			}
			next++
		}
	}
	if next != s.LastSeq+1 || content.digest() != s.Content {
		return damaged(object, s.First, "it is complete, but not the content that %s names", manifestName)
	}
	return nil
}

// content returns the digests of an object, whether or not a manifest names it.
func (a *Archive) content(ctx context.Context, object string) (Part, error) {
	r, err := a.objects.Open(ctx, object)
	if err != nil {
		return Part{}, err
	}
	defer r.Close()
	packed, raw := newDigester(), newDigester()
	z, err := newStreamDecoder(io.TeeReader(r, packed))
	if err != nil {
		return Part{}, err
	}
	defer z.Close()
	if _, err = io.Copy(raw, z); err != nil && !errors.Is(err, store.ErrDamaged) && ctx.Err() == nil {
		err = fmt.Errorf("object %s: %w: %w", object, store.ErrDamaged, err)
	}
	return Part{Content: raw.digest(), Object: packed.digest()}, err
}

// payloadReader reads the data of a segment in order.
type payloadReader struct {
	a      *Archive
	erased []uint64
	part   Part
	file   *os.File
	object string
	frame  int // next frame to read
	list   []entry.Message

	missing []uint64 // indexes whose records are missing without an erasure
}

// openBodies fetches the data of a segment. The caller must close the file.
func (a *Archive) openBodies(ctx context.Context, s Segment) (*payloadReader, error) {
	p, err := a.loadPayloads(ctx, s)
	if err != nil {
		return nil, err
	}
	object := objectName(a.name, s.Segment, dataName(p.Revision))
	f, err := a.fetch(ctx, object, s.First, p.Object)
	if err != nil {
		return nil, err
	}
	return &payloadReader{a: a, erased: p.Erased, part: p.Part, file: f, object: object}, nil
}

// message returns the message of a sequence, and skips those before it.
func (b *payloadReader) message(seq uint64) (entry.Message, bool, error) {
	for {
		for len(b.list) > 0 && b.list[0].Seq < seq {
			b.list = b.list[1:]
		}
		if len(b.list) > 0 || b.frame == len(b.part.Frames) {
			break
		}
		var err error
		if b.list, _, err = b.part.readFrame(b.a.decoder, b.file, b.frame); err != nil {
			return entry.Message{}, false, damaged(b.object, b.part.Frames[b.frame].Index, "%w", err)
		}
		b.frame++
	}
	if len(b.list) == 0 || b.list[0].Seq != seq {
		return entry.Message{}, false, nil
	}
	return b.list[0], true, nil
}

// check checks the data of a batch against its leaves, and records what is missing.
func (b *payloadReader) check(p audit.Parsed) error {
	if !p.HasData() {
		return nil
	}
	m, _, err := b.message(p.Batch.Payloads)
	if err != nil {
		return err
	}
	list, err := sealedlog.ParsePayloads(m.Data)
	if err != nil {
		return damaged(b.object, p.Batch.First, "PAYLOADS sequence %d: %w", p.Batch.Payloads, err)
	}
	for i := range p.Entries {
		e := &p.Entries[i]
		at, found := slices.BinarySearchFunc(list, e.Index,
			func(p entry.Payload, index uint64) int { return cmp.Compare(p.Index, index) })
		_, gone := slices.BinarySearch(b.erased, e.Index)
		switch {
		case !e.HasPayload() || gone:
		case !found:
			b.missing = append(b.missing, e.Index)
		case !list[at].Opens(*e):
			return damaged(b.object, e.Index, "it does not hold the data of index %d", e.Index)
		}
	}
	return nil
}
