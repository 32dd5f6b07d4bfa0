package sink

import (
	"fmt"

	"github.com/sealstream/sealstream/pkg/entry"
)

// Cursor is the position up to which a sink holds a log. The zero Cursor is that of an empty sink.
type Cursor struct {
	Next uint64 `json:"next"`           // index of the first entry that the sink does not hold
	Hash string `json:"hash,omitempty"` // entry_hash of the entry before it; "" if Next is 0
}

// Of returns the cursor after an entry.
func Of(e *entry.Entry) Cursor { return Cursor{e.Index + 1, e.EntryHash.String()} }

func (c Cursor) previous() string {
	if c.Next == 0 {
		return entry.Hash{}.String()
	}
	return c.Hash
}

// Rest checks that records continue each other and the cursor, and returns those after the cursor.
// A gap is ErrGap, and a record of another log or history is ErrOther. Rest compares hashes from
// the newest held entry on. It skips older records without a check, as the cursor does not know
// them.
func (c Cursor) Rest(records []Record) ([]Record, error) {
	for i := 1; i < len(records); i++ {
		if err := Of(&records[i-1].Entry).continues(&records[i].Entry); err != nil {
			return nil, err
		}
	}
	held := 0
	for held < len(records) && records[held].Entry.Index < c.Next {
		e := &records[held].Entry
		if e.Index == c.Next-1 && e.EntryHash.String() != c.Hash {
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
	if e.PreviousHash.String() != c.previous() {
		return fmt.Errorf("%w: index %d follows %s, and here is %s", ErrOther, e.Index, e.PreviousHash, c.previous())
	}
	return nil
}
