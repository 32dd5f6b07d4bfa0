package sink

import (
	"iter"

	"github.com/sealstream/sealstream/pkg/entry"
)

// VerifyRecords checks the records that a sink returns, from index 0 on: that each leaf has the
// hash of its entry, that each leaf names the hash of the one before, and that data opens its
// commitment. A sink's Verify must check at least this. It does not show that the leaves are those
// of the signed log.
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

// CheckRecord checks one record that should continue a cursor. The error is an *InvalidError, whose
// Where is where.
func CheckRecord(c Cursor, r Record, where string) error {
	e, err := entry.ParseEntry(r.Entry.Leaf)
	switch {
	case err != nil:
		return Invalid(c.Next, where, "leaf: %v", err)
	case e.EntryHash != r.Entry.EntryHash:
		return Invalid(c.Next, where, "the leaf has the hash %s, not %s", e.EntryHash, r.Entry.EntryHash)
	case e.Index != c.Next:
		return Invalid(c.Next, where, "index %d is at its place", e.Index)
	case e.PreviousHash.String() != c.previous():
		return Invalid(e.Index, where, "its previous_hash is %s, but the entry before it is %s", e.PreviousHash, c.previous())
	case r.Payload != nil && !r.Payload.Opens(e):
		return Invalid(e.Index, where, "the data does not open what the leaf commits to")
	}
	return nil
}
