package query

import (
	"context"
	"errors"
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// filesChunk is how many entries of a part's files are read at a time, and filesBytes how much
// they may take together: as much as a batch.
const (
	filesChunk = 64
	filesBytes = 1 << 20
)

// inFiles returns the part of an index, if its entries are in files.
func (r reader) inFiles(index uint64) *frozen {
	r.mu.RLock()
	f := r.indexed.parts[index/r.indexed.rows].frozen
	r.mu.RUnlock()
	if f == nil || f.files.Load() == nil {
		return nil
	}
	return f
}

// together returns how many of some ascending indexes are read at a time.
func (r reader) together(indexes []uint64) int {
	f := r.inFiles(indexes[0])
	var files *partFiles
	if f != nil {
		files = f.files.Load()
	}
	if files == nil {
		_, n := r.sameBatch(indexes)
		return n
	}
	return files.within(filesBytes, func(i int) (row int, ok bool) {
		if i == min(len(indexes), filesChunk) || indexes[i] >= f.about.Size {
			return 0, false
		}
		return int(indexes[i] - f.about.First), true
	})
}

// some reads entries from files if they are there, and otherwise from the log. Entries of a batch
// that spans parts are read from the log, even if their files have appeared since together was
// called.
func (r reader) some(ctx context.Context, indexes []uint64) ([]Found, error) {
	list, err := r.found(ctx, indexes)
	if err == nil && r.sight != nil {
		err = r.hide(ctx, list)
	}
	return list, err
}

func (r reader) found(ctx context.Context, indexes []uint64) ([]Found, error) {
	if leaves := r.leavesOf(indexes[0]); leaves != nil && indexes[len(indexes)-1] < leaves.in.about.Size {
		list, err := r.fromFiles(ctx, leaves, indexes)
		if !errors.Is(err, errFiles) {
			return list, err
		}
		r.distrust(leaves.in, leaves.files, err)
	}
	list := make([]Found, 0, len(indexes))
	for rest := indexes; len(rest) > 0; {
		ref, n := r.sameBatch(rest)
		found, err := r.batch(ctx, ref, rest[:n])
		if err != nil {
			return nil, err
		}
		list, rest = append(list, found...), rest[n:]
	}
	return list, nil
}

// fromFiles reads entries of one part from its files.
func (r reader) fromFiles(ctx context.Context, leaves *leafFile, indexes []uint64) ([]Found, error) {
	list, err := r.match(indexes, leaves.entry)
	if err == nil {
		err = r.dataFromFiles(ctx, leaves, r.withData(list))
	}
	if err == nil {
		err = r.repeats(ctx, list)
	}
	return list, err
}

// entry reads the entry with an index.
func (l *leafFile) entry(index uint64) (entry.Entry, error) {
	leaf, err := l.leaf(int(index - l.in.about.First))
	if err != nil {
		return entry.Entry{}, err
	}
	return entry.ParseEntry(leaf)
}

// dataFromFiles finds the payloads of entries of one part. What the file lacks, or has altered, is
// read from the log: that says whether it was erased, and what it is.
func (r reader) dataFromFiles(ctx context.Context, leaves *leafFile, wanted []*Found) error {
	rows := make([]int, len(wanted))
	for i, w := range wanted {
		rows[i] = int(w.Entry.Index - leaves.in.about.First)
	}
	records, err := leaves.files.records(rows)
	if err != nil {
		return err
	}
	for i, w := range wanted {
		if p, err := entry.ParsePayload(records[i]); err == nil && p.Opens(w.Entry) {
			w.Payload = &p
		} else if !r.isErased(&w.Entry) {
			ref, _ := r.batchOf(w.Entry.Index)
			if err := r.payloads(ctx, ref, []*Found{w}); err != nil {
				return err
			}
			if w.Payload != nil && !r.isErased(&w.Entry) {
				r.distrust(leaves.in, leaves.files, fmt.Errorf("%w: data of row %d", errFiles, rows[i]))
			}
		}
		if r.isErased(&w.Entry) { // since it was looked for
			w.Payload = nil
		}
	}
	return nil
}

// leavesOf returns a reader of the leaves of the part that an index is in, or nil if they are in no
// file.
func (r reader) leavesOf(index uint64) *leafFile {
	if f := r.inFiles(index); f != nil {
		return r.leafFile(f)
	}
	return nil
}

// hashesInFiles returns the hashes of the leaves from first to before end, if all of them are in
// files.
func (r reader) hashesInFiles(first, end uint64) []entry.Hash {
	hashes, leaves := make([]entry.Hash, 0, end-first), (*leafFile)(nil)
	for x := first; x < end; x++ {
		if leaves == nil || x >= leaves.in.about.Size {
			if leaves = r.leavesOf(x); leaves == nil {
				return nil
			}
		}
		h, err := leaves.hash(int(x - leaves.in.about.First))
		if err != nil {
			r.distrust(leaves.in, leaves.files, err)
			return nil
		}
		hashes = append(hashes, h)
	}
	return hashes
}

// leavesInFiles returns the leaves from first on to before end that are in the files of one part.
func (r reader) leavesInFiles(first, end uint64) (list [][]byte) {
	leaves := r.leavesOf(first)
	for x := first; leaves != nil && x < min(end, leaves.in.about.Size); x++ {
		leaf, err := leaves.leaf(int(x - leaves.in.about.First))
		if err != nil {
			r.distrust(leaves.in, leaves.files, err)
			return list
		}
		list = append(list, leaf)
	}
	return list
}
