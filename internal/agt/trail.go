package agt

import (
	"errors"
	"fmt"
)

// ErrBroken reports a line that does not continue the one before it: a line between them was
// removed or added. The line itself may be unchanged, which Check decides.
var ErrBroken = errors.New("chain broken")

// Trail follows the chain of a trail, line by line. The zero Trail is at its start.
type Trail struct {
	Key []byte // HMAC key; nil checks no signatures

	chain
}

// Next parses and checks the next line. err is set if the toolkit cannot have written it. broken is
// an ErrBroken for a line that is valid alone. restarts means that a new chain begins, as at the
// start of each file of the toolkit. Nothing in the trail shows whether whole files are missing
// before it.
func (t *Trail) Next(raw []byte) (l Line, restarts bool, broken, err error) {
	if l, err = ParseLine(raw); err != nil {
		t.lose()
		return Line{}, false, nil, err
	}
	restarts, broken = t.link(l.PreviousHash, l.ContentHash, true)
	if err = l.Check(t.Key); err != nil {
		return Line{}, false, nil, err
	}
	return l, restarts, broken, nil
}

// Export follows the chain of an export, event by event. The zero Export is at its start, which may
// be anywhere in the toolkit's log: the toolkit exports only the newest 10,000 entries.
type Export struct{ chain }

// Next parses the next event. broken is an ErrBroken if it does not continue the one before it.
func (x *Export) Next(raw []byte) (e Exported, broken, err error) {
	if e, err = ParseExported(raw); err != nil {
		x.lose()
		return Exported{}, nil, err
	}
	restarts, broken := x.link(e.Previous, e.EntryHash, false)
	if restarts && broken == nil {
		broken = fmt.Errorf("%w: it begins anew", ErrBroken)
	}
	return e, broken, nil
}

// chain is the hash that the next line must name.
type chain struct {
	last    string
	begun   bool
	unknown bool // the line before could not be read, so nothing is known of its hash
}

func (c *chain) lose() { c.begun, c.unknown = true, true }

// link takes a line's two hashes. whole says that a chain begins with "".
func (c *chain) link(previous, hash string, whole bool) (restarts bool, broken error) {
	begun, unknown, last := c.begun, c.unknown, c.last
	*c = chain{last: hash, begun: true}
	switch {
	case unknown || begun && previous == last || !begun && (previous == "" || !whole):
		return false, nil
	case begun && previous == "":
		return true, nil
	case !begun:
		return false, fmt.Errorf("%w: the first line follows %.12q…, so lines are missing before it", ErrBroken, previous)
	}
	return false, fmt.Errorf("%w: it follows %.12q…, the line before it is %.12q…", ErrBroken, previous, last)
}
