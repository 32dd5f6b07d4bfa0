package sink

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Cursor is how far a sink has come. The zero value is that of an empty one.
type Cursor struct {
	Next uint64 `json:"next"`           // index of the first entry that it does not hold
	Hash string `json:"hash,omitempty"` // entry_hash of the one before; "" at the log's begin
}

// Of is the cursor behind an entry.
func Of(e *entry.Entry) Cursor { return Cursor{e.Index + 1, e.EntryHash} }

func (c Cursor) previous() string {
	if c.Next == 0 {
		return entry.ZeroHash
	}
	return c.Hash
}

// Rest checks that records continue each other and what a sink holds, and returns those that it does not hold yet. It compares hashes from the
// newest entry on that is held; of older ones nothing is known here, and they are passed over.
func (c Cursor) Rest(records []Record) ([]Record, error) {
	for i := 1; i < len(records); i++ {
		if err := Of(&records[i-1].Entry).continues(&records[i].Entry); err != nil {
			return nil, err
		}
	}
	held := 0
	for held < len(records) && records[held].Entry.Index < c.Next {
		e := &records[held].Entry
		if e.Index == c.Next-1 && e.EntryHash != c.Hash {
			return nil, fmt.Errorf("%w: index %d is %s there and %s here", ErrOther, e.Index, c.Hash, e.EntryHash)
		}
		held++
	}
	rest := records[held:]
	if len(rest) == 0 {
		return nil, nil
	}
	return rest, c.continues(&rest[0].Entry)
}

func (c Cursor) continues(e *entry.Entry) error {
	if e.Index != c.Next {
		return fmt.Errorf("%w: index %d where %d is due", ErrGap, e.Index, c.Next)
	}
	if e.PreviousHash != c.previous() {
		return fmt.Errorf("%w: index %d follows %s, and here is %s", ErrOther, e.Index, e.PreviousHash, c.previous())
	}
	return nil
}
