package query

import (
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// The columns of a segment.
const (
	timestampColumn = iota // in nanoseconds since 1970
	receivedColumn
	offsetColumn // offset of the leaf in its SEALED message
)

// facts is what the index keeps of a batch. It is computed in parallel with the verification of the
// batch, and used once that has succeeded.
type facts struct {
	rows   []segment.Row
	hashes []entry.Hash
	long   []longTime // by position in the batch
	err    error
}

// factsOf computes the facts of a batch. It is a pure function of the leaves. A batch with a leaf
// that could not be parsed has fewer entries, and fails to verify anyway.
func factsOf(key segment.Key, b sealedlog.Batch, entries []entry.Entry) *facts {
	f := &facts{rows: make([]segment.Row, len(entries)), hashes: make([]entry.Hash, len(entries))}
	offset := 0
	for i := range entries {
		e := &entries[i]
		f.hashes[i] = e.EntryHash
		r := &f.rows[i]
		for field, v := range api.FilterMembers(e) {
			if field < segment.TextFields {
				r.Text[field] = v
			} else {
				r.Hashed[field-segment.TextFields] = key.Hash(v)
			}
		}
		r.ID = key.Hash(e.EntryID)
		for column, text := range [2]string{e.Timestamp, e.ReceivedAt} {
			n, all := nanosOf(text)
			if r.Values[column] = n; !all {
				f.long = append(f.long, longTime{i, column, text})
			}
		}
		r.Values[offsetColumn] = int64(offset)
		offset += len(b.Leaves[i]) + 1
	}
	return f
}
