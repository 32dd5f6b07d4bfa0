package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// indexName is the object with the index of a segment's entries, for a query service that has none.
// It is derived: segment.json does not name it, and nothing that verifies the log reads it.
const indexName = "index"

// Indexer makes those indexes from verified batches. Package query has one.
type Indexer interface {
	// Rows is the number of entries of a part. Segments must have as many leaves.
	Rows() uint64
	// Begin begins with a part, under a key.
	Begin(part uint64, key segment.Key)
	// Prepare computes what Take needs of a batch. It may run for several batches at a time.
	Prepare(b sealedlog.Batch, entries []entry.Entry) any
	// Take takes the next batch, and calls full with each part that is full. It skips what lies
	// before the part of Begin.
	Take(s store.Sealed, full func(part uint64, index []byte) error) error
}

// Index reads the index of a part (query.Archived). The error wraps store.ErrNotFound if the
// archive has none.
func (a *Archive) Index(ctx context.Context, part uint64) ([]byte, error) {
	if a.objects == nil {
		return nil, fmt.Errorf("a log without an archive: %w", store.ErrNotFound)
	}
	return a.readSmall(ctx, objectName(a.name, part, indexName), part*SegmentLeaves)
}

// checkIndex checks the index of a segment, if there is one.
func (a *Archive) checkIndex(ctx context.Context, s Segment) error {
	data, err := a.Index(ctx, s.Segment)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := segment.Open(data); err != nil {
		return damaged(objectName(a.name, s.Segment, indexName), s.First, "%w; the log does not depend on it", err)
	}
	return nil
}

// indexing is how far the archive has indexes that this process has checked. All of them have one
// key, or a query service could not use them together.
type indexing struct {
	parts uint64 // number of parts that have one, from part 0 on
	key   segment.Key
}

// indexed checks the indexes of the first n segments, as far as they are there and whole. The
// others are made again. It returns nil if this archiver makes none.
func (x *Archiver) indexed(ctx context.Context, n uint64) (*indexing, error) {
	if x.cfg.Indexer == nil || x.cfg.Indexer.Rows() != x.cfg.SegmentLeaves {
		return nil, nil
	}
	if x.indexing == nil {
		x.indexing = &indexing{}
		rand.Read(x.indexing.key[:]) // never fails
	}
	for in := x.indexing; in.parts < n; in.parts++ {
		data, err := x.a.Index(ctx, in.parts)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrDamaged) {
			break
		} else if err != nil {
			return nil, err
		}
		there, err := segment.Open(data)
		if err == nil && in.parts == 0 {
			in.key = there.HashKey()
		}
		if err != nil || there.HashKey() != in.key {
			break
		}
	}
	return x.indexing, nil
}

// index adds a batch to the index, and writes that of each part that is full, in place of an older
// one. A crash leaves an index without its segment, which is written again. A batch that cannot be
// indexed is a defect, which must not hold up the archive.
func (w *walking) index(ctx context.Context, k parsedMessage, entries []entry.Entry) error {
	if w.indexing == nil {
		return nil
	}
	var unwritten error
	err := w.cfg.Indexer.Take(store.Sealed{Seq: k.Seq, Batch: k.Batch, Entries: entries, Prepared: k.facts},
		func(part uint64, data []byte) error {
			unwritten = w.a.objects.Put(ctx, objectName(w.a.name, part, indexName), bytes.NewReader(data))
			return unwritten
		})
	if unwritten != nil {
		return fmt.Errorf("index of the archive: %w", unwritten)
	}
	if err != nil {
		w.logger.ErrorContext(ctx, "archiver writes no indexes for query any more", "log", w.a.name, "cause", err)
		w.cfg.Indexer, w.indexing = nil, nil
	}
	return nil
}
