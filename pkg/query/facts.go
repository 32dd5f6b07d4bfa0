package query

import (
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query/segment"
)

// The columns of a segment.
const (
	timestampColumn = iota // nanoseconds since 1970
	receivedColumn
	offsetColumn // where the leaf begins in its SEALED message
)

// facts is what the index keeps of a batch. They are worked out beside the verification, of many batches at a time, and taken once it has passed.
type facts struct {
	rows   []segment.Row
	hashes []entry.Hash
	long   []longTime // by place in the batch
	err    error
}

// factsOf is a pure function of the leaves. A batch in which a leaf could not be parsed has fewer entries, and is never taken.
func factsOf(key segment.Key, b proof.Batch, entries []entry.Entry) *facts {
	f := &facts{rows: make([]segment.Row, len(entries)), hashes: make([]entry.Hash, len(entries))}
	offset := 0
	for i := range entries {
		e := &entries[i]
		h, err := entry.ParseHash(e.EntryHash)
		if err != nil {
			f.err = err
			return f
		}
		f.hashes[i] = h
		r := &f.rows[i]
		for field, v := range fieldsOf(e) {
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
