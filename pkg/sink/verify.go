package sink

import (
	"iter"

	"github.com/sealstream/sealstream/pkg/entry"
)

// VerifyRecords checks what a sink gives back, from index 0 on: that leaves have the hashes that they say, that each names the one before, and that data
// opens its commitment. It is what a sink's Verify does at least. That the leaves are those of the signed log it does not show.
func VerifyRecords(records iter.Seq2[Record, error]) error {
	var c Cursor
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := CheckRecord(c, r, ""); err != nil {
			return err
		}
		c = Of(&r.Entry)
	}
	return nil
}

// CheckRecord checks one record that should continue a cursor. where names its place in errors.
func CheckRecord(c Cursor, r Record, where string) error {
	e, err := entry.ParseEntry(r.Entry.Leaf)
	switch {
	case err != nil:
		return Invalid(c.Next, where, "leaf: %v", err)
	case e.EntryHash != r.Entry.EntryHash:
		return Invalid(c.Next, where, "the leaf has the hash %s, not %s", e.EntryHash, r.Entry.EntryHash)
	case e.Index != c.Next:
		return Invalid(c.Next, where, "here stands index %d", e.Index)
	case e.PreviousHash != c.previous():
		return Invalid(e.Index, where, "it follows %s, and before it stands %s", e.PreviousHash, c.previous())
	case r.Payload != nil && (e.DataHash == "" || !r.Payload.Opens(e)):
		return Invalid(e.Index, where, "the data does not open data_hash")
	}
	return nil
}
