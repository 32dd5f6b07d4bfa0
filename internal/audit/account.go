package audit

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/pkg/entry"
)

// accounting follows the input positions of entries (SPEC 10, item 3): every EVENTS message, and
// every event in it, has become an entry, in order, and nothing came twice.
type accounting struct {
	epoch, seq uint64
	started    bool   // index 0 was seen, or the walk began behind a batch
	any        bool   // the next message may have any sequence: an epoch has just begun
	partial    bool   // the walk began inside this message: its first positions are not known
	next       uint64 // position expected next in this message
	holes      []uint64
	closed     bool // nothing more may come of this message
	made       int  // entries made of the message itself
	before     int  // gap and epoch entries in front of it; or, while made is 0, of the message to come
}

// entry takes the next entry of the log. root is that of the tree before it.
func (a *accounting) entry(e *entry.Entry, root entry.Hash) error {
	switch d := e.Detail.(type) {
	case *entry.Gap:
		return a.gap(e, d)
	case *entry.Epoch:
		if e.EventType == entry.TypeEpoch {
			return a.newEpoch(e, d, root)
		}
	case *entry.Duplicate:
		return a.duplicate(e, d)
	}
	if err := a.message(e); err != nil {
		return err
	}
	if a.closed {
		return fmt.Errorf("an entry of EVENTS sequence %d after its last", e.InputSeq)
	}
	if e.Position < a.next {
		return fmt.Errorf("position %d of EVENTS sequence %d comes after %d", e.Position, e.InputSeq, a.next-1)
	}
	a.fill(e.Position)
	a.next = e.Position + 1
	return nil
}

// fill notes the positions from next up to end that have no entry of their own. A duplicate entry
// must name them.
func (a *accounting) fill(end uint64) {
	for p := a.next; p < end && len(a.holes) <= ruleset.MaxMessageEvents; p++ {
		a.holes = append(a.holes, p)
	}
}

// message moves to the message of an entry, if that is a new one.
func (a *accounting) message(e *entry.Entry) error {
	if e.InputEpoch != a.epoch && a.started {
		return fmt.Errorf("input epoch %d after %d, without an epoch entry", e.InputEpoch, a.epoch)
	}
	if a.started && !a.any && e.InputSeq == a.seq && a.made > 0 {
		a.made++
		return nil
	}
	if err := a.end(); err != nil {
		return err
	}
	if a.started && !a.any && e.InputSeq != a.seq+1 {
		return fmt.Errorf("EVENTS sequence %d after %d, without a gap entry", e.InputSeq, a.seq)
	}
	before := a.before
	if a.made > 0 {
		before = 0 // they were those of the message that ends here
	}
	a.begin(e.InputEpoch, e.InputSeq)
	a.made, a.before = 1, before
	return nil
}

func (a *accounting) begin(epoch, seq uint64) {
	*a = accounting{epoch: epoch, seq: seq, started: true}
}

// end closes a message. No event of it may be left out.
func (a *accounting) end() error {
	if len(a.holes) > 0 && !a.closed && !a.partial {
		return fmt.Errorf(
			"position %d of EVENTS sequence %d has neither an entry nor a duplicate's mention",
			a.holes[0],
			a.seq,
		)
	}
	return nil
}

func (a *accounting) gap(e *entry.Entry, d *entry.Gap) error {
	if err := a.end(); err != nil {
		return err
	}
	if !a.started || a.any || e.InputEpoch != a.epoch || d.From != a.seq+1 || d.To < d.From || e.InputSeq != d.To ||
		e.Position != 0 {
		return fmt.Errorf("gap from %d to %d after EVENTS sequence %d", d.From, d.To, a.seq)
	}
	a.begin(e.InputEpoch, d.To)
	a.closed, a.before = true, 1
	return nil
}

// newEpoch begins an epoch. The message before it may have been lost while it was sealed: what it
// lacks is lost with it.
func (a *accounting) newEpoch(e *entry.Entry, d *entry.Epoch, root entry.Hash) error {
	after := entry.After{InputEpoch: a.epoch, InputSeq: a.seq, Size: e.Index, Root: root.String()}
	if a.partial {
		after.InputSeq = d.After.InputSeq
	}
	if !a.started || d.Epoch != a.epoch+1 || e.InputEpoch != d.Epoch || e.InputSeq != 0 || e.Position != 0 ||
		d.After != after {
		return fmt.Errorf("epoch %d does not continue epoch %d at EVENTS sequence %d", d.Epoch, a.epoch, a.seq)
	}
	a.begin(d.Epoch, 0)
	a.any, a.closed, a.before = true, true, 1
	return nil
}

func (a *accounting) duplicate(e *entry.Entry, d *entry.Duplicate) error {
	if err := a.message(e); err != nil {
		return err
	}
	if a.closed || e.Position < a.next {
		return fmt.Errorf("duplicate entry of EVENTS sequence %d out of place", e.InputSeq)
	}
	a.fill(e.Position)
	if !a.partial && len(d.Originals) != len(a.holes) {
		return fmt.Errorf(
			"duplicate entry names %d events of EVENTS sequence %d, %d have no entry",
			len(d.Originals),
			e.InputSeq,
			len(a.holes),
		)
	}
	for i, o := range d.Originals {
		if !a.partial && o.Position != a.holes[i] || o.Index >= e.Index || o.Position >= e.Position {
			return fmt.Errorf(
				"duplicate entry of EVENTS sequence %d names position %d, index %d",
				e.InputSeq,
				o.Position,
				o.Index,
			)
		}
	}
	if len(d.Originals) == 0 {
		return fmt.Errorf("duplicate entry of EVENTS sequence %d names nothing", e.InputSeq)
	}
	a.next, a.closed, a.holes = e.Position+1, true, nil
	return nil
}

// resume begins after a batch.
func (a *accounting) resume(p sealedlog.Position) {
	a.begin(p.Epoch, p.Seq)
	a.made = max(p.Place, 1)
	a.closed = p.Place == sealedlog.PlaceEnd
	a.partial = !a.closed
}

// reaches returns an error if a batch's input position does not fit the entries up to its end.
func (a *accounting) reaches(p sealedlog.Position, last *entry.Entry) error {
	own := a.seq == p.Seq && !a.any && a.made > 0
	switch {
	case p.Epoch != a.epoch:
		return fmt.Errorf("input position names epoch %d, the entries are of %d", p.Epoch, a.epoch)
	case own && last.ReceivedAt != canonical.FormatReceived(p.Time):
		return fmt.Errorf(
			"input position names a message of %s, the entries one of %s",
			canonical.FormatReceived(p.Time),
			last.ReceivedAt,
		)
	case !own && (p.Place == sealedlog.PlaceEnd || !a.any && p.Seq != a.seq+1):
		return fmt.Errorf("input position names EVENTS sequence %d, the entries reach %d", p.Seq, a.seq)
	case p.Place != sealedlog.PlaceEnd && p.Place != a.before+a.made:
		return fmt.Errorf(
			"input position counts %d entries of EVENTS sequence %d, there are %d",
			p.Place,
			p.Seq,
			a.before+a.made,
		)
	}
	if own && p.Place == sealedlog.PlaceEnd {
		if err := a.end(); err != nil {
			return err
		}
		a.closed = true // this message is done: an entry of it in a later batch would be one too many
	}
	return nil
}
