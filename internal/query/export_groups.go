package query

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/sealstream/sealstream/pkg/proof"
)

// An export reads and encodes its entries in groups, exportAhead of them at a time. A group has at
// most groupEntries entries from at most groupBatches batches, or with at most groupBytes of leaves
// and data from files. So an export takes a limited amount of memory, however large its entries
// are.
const (
	exportAhead  = 4
	groupEntries = 256
	groupBatches = 2
	groupBytes   = 384 << 10
)

// walkBytes limits the cache of an export: a batch that two groups share is read once.
const walkBytes = 2 << 20

// exportCost is the memory that an export takes at most, in bytes.
const exportCost = exportAhead*(2<<20) + walkBytes

// group is a part of an export.
type group struct {
	first   bool // of the export
	indexes []uint64
}

// encoded is a group as the export shows it.
type encoded struct {
	entries uint64
	text    []byte
	spare   *[]byte // for exportTexts once text is written; may be nil
	err     error
}

// exportTexts holds buffers of groups that were written.
var exportTexts = sync.Pool{New: func() any { return new([]byte) }}

// groups yields the groups of an export.
func (e *exporter) groups(ctx context.Context, all search) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		first, matches := true, all.start(0, false)
		for chunk := matches.take(matchesChunk); len(chunk) > 0; chunk = matches.take(matchesChunk) {
			for len(chunk) > 0 {
				n := e.group(chunk)
				if !yield(group{first, chunk[:n]}, ctx.Err()) {
					return
				}
				first, chunk = false, chunk[n:]
			}
		}
		if matches.err != nil {
			yield(group{}, matches.err)
		}
	}
}

// group returns how many of some ascending indexes make a group.
func (e *exporter) group(indexes []uint64) (n int) {
	indexes = indexes[:min(len(indexes), groupEntries)]
	if f := e.inFiles(indexes[0]); f != nil {
		if files := f.files.Load(); files != nil {
			return files.within(groupBytes, func(i int) (row int, ok bool) {
				if i == len(indexes) || indexes[i] >= f.about.Size {
					return 0, false
				}
				return int(indexes[i] - f.about.First), true
			})
		}
	}
	for batches := 0; n < len(indexes) && batches < groupBatches; batches++ {
		_, same := e.sameBatch(indexes[n:])
		n += same
	}
	return n
}

// encode reads the entries of a group and encodes them.
func (e *exporter) encode(ctx context.Context, g group) (out encoded) {
	if _, lines := e.out.(jsonlWriter); lines && len(e.filters) == 0 && e.sight == nil {
		buffer := exportTexts.Get().(*[]byte)
		if text, ok := e.stored((*buffer)[:0], g.indexes); ok {
			*buffer = text
			return encoded{entries: uint64(len(g.indexes)), text: text, spare: buffer}
		}
		exportTexts.Put(buffer)
	}
	list, err := e.read(ctx, g.indexes)
	if err != nil {
		return encoded{err: err}
	}
	for i, f := range list {
		var path proof.Path
		if e.proven {
			if path, err = e.path(ctx, f.Entry); err != nil {
				return encoded{err: err}
			}
		}
		if out.text, err = e.out.entry(out.text, f, path, g.first && i == 0); err != nil {
			return encoded{err: fmt.Errorf("entry %d: %w", f.Entry.Index, err)}
		}
	}
	out.entries = uint64(len(list))
	return out
}
