package query

import (
	"errors"
	"slices"
	"sync"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/pkg/entry"
)

// An export of the whole log as JSON Lines is what verifiers read, entry after entry. Where a part
// is in files, its lines are put together from the bytes that the files hold. Each leaf and its
// data are checked as for any other answer, but nothing is parsed for its members and written
// again.

// spareRecords holds records with the memory of their data.
var spareRecords = sync.Pool{New: func() any { return new(entry.Payload) }}

// stored appends the lines of a group whose entries are in the files of one part. If it returns
// false, the entries must be read one by one, which also says what is wrong.
func (e *exporter) stored(dst []byte, indexes []uint64) (_ []byte, ok bool) {
	leaves := e.leavesOf(indexes[0])
	if leaves == nil || indexes[len(indexes)-1] >= leaves.in.about.Size {
		return dst, false
	}
	files, p := leaves.files, spareRecords.Get().(*entry.Payload)
	defer spareRecords.Put(p)
	leaves.cursor.Reuse()
	files.mu.RLock()
	defer files.mu.RUnlock()
	data := files.data.Cursor()
	data.Reuse()
	for _, index := range indexes {
		row := int(index - leaves.in.about.First)
		leaf, err := leaves.leaf(row)
		record, failed := data.Row(row)
		if errors.Join(err, failed) != nil {
			return dst, false
		}
		if dst, ok = appendStored(dst, index, leaf, record, p); !ok {
			return dst, false
		}
	}
	return dst, !e.anyErased(indexes) // asked after they were read: an erasure may have come meanwhile
}

// anyErased reports whether one of the entries is erased. Its data may still be in a file for a
// moment, and is not shown.
func (r reader) anyErased(indexes []uint64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.indexed.erased) == 0 {
		return false
	}
	return slices.ContainsFunc(indexes, func(i uint64) bool { return r.indexed.erased[i] })
}

// appendStored appends the line of an entry, if its record opens the commitments in its leaf. p is
// what the record is read into.
func appendStored(dst []byte, index uint64, leaf, record []byte, p *entry.Payload) (_ []byte, ok bool) {
	var e entry.Entry
	if !e.ReadCommitments(leaf) || e.Index != index || e.HasPayload() != (record != nil) {
		return dst, false
	}
	dst = canonical.AppendString(append(dst, `{"leaf":`...), leaf)
	if record != nil {
		if p.Parse(record) != nil || !p.Opens(e) {
			return dst, false
		}
		dst = append(append(dst, ','), record[1:endOfContent(record)]...)
		dst = append(dst, record[len(record)-saltTail:len(record)-1]...)
	}
	return append(dst, "}\n"...), true
}
