package sealer

import (
	"fmt"
	"slices"

	"github.com/sealstream/sealstream/pkg/entry"
)

// state is what a prefix of the log means for the next message: sealing is step, a pure function of state and message.
// It runs ahead of the commits; what is not committed is taken back by opening the log again.
type state struct {
	identity
	keys    []string // all keys of the log that are known here
	own     []string // those that this sealer can sign with
	size    uint64   // index about to be given
	prev    string   // entry hash before it
	epoch   uint64   // input epoch; 0 before index 0
	created string   // when its EVENTS was created, nine digits; "" if that is not known
	next    uint64   // input sequence expected; 0: any, at the begin of an epoch
	window  *window

	config      *entry.Config
	configIndex uint64

	opening *entry.Draft // an epoch entry that goes before the next message's entries
}

// step turns one prepared message into entries, in the order of SPEC 5, and yields each with the draft it was made of, which has
// its data. After an error the state is void; the only errors are those that must stop the sealer before it seals anything.
func (s *state) step(p prepared, yield func(entry.Entry, *entry.Draft)) error {
	seal := func(d *entry.Draft, it *item) {
		e := d.SealEntry(s.size, s.prev)
		if it != nil && d.IsEvent() {
			s.window.add(true, it.key, it.print)
		} else {
			s.window.add(false, windowKey{}, windowKey{})
		}
		s.size, s.prev = s.size+1, e.EntryHash
		yield(e, d)
	}
	if s.size == 0 {
		return s.create(p, seal)
	}
	if p.redact != s.redact { // a config came between its preparing and its turn
		p = s.prepare(p.msg, p.source.Epoch)
	}
	if s.opening != nil {
		d := s.opening
		s.opening = nil
		seal(d, nil)
	}
	if s.next != 0 && p.msg.Seq > s.next {
		src := p.source
		src.Seq = p.msg.Seq - 1
		gap := entry.OwnDraft(src, entry.TypeGap, &entry.Gap{From: s.next, To: p.msg.Seq - 1})
		seal(&gap, nil)
	}
	s.next = p.msg.Seq + 1
	if p.open && !s.config.EventsOpen {
		p.refuse(errOpen)
	}
	if p.control != nil {
		return s.control(p, seal)
	}
	s.events(p, seal)
	return nil
}

// events seals the items of a message, and names its repeats at the end.
func (s *state) events(p prepared, seal func(*entry.Draft, *item)) {
	var originals []entry.Original
	for i := range p.items {
		it := &p.items[i]
		if !it.draft.IsEvent() {
			seal(&it.draft, nil)
		} else if at, ok := s.window.repeat(it.key, it.print); ok {
			originals = append(originals, entry.Original{Index: at, Position: uint64(i)})
		} else if at, ok := s.window.newest(it.key); ok {
			d := it.draft.Equivocation(at)
			seal(&d, it)
		} else {
			seal(&it.draft, it)
		}
	}
	if originals != nil {
		src := p.source
		src.Position, src.Publisher = uint64(len(p.items)), ""
		repeats := entry.OwnDraft(src, entry.TypeDuplicate, &entry.Duplicate{Originals: originals})
		seal(&repeats, nil)
	}
}

// control seals what an administrator asked for, if it fits the log as it stands.
func (s *state) control(p prepared, seal func(*entry.Draft, *item)) error {
	kind := p.controlType
	var err error
	switch d := p.control.(type) {
	case *entry.Config:
		if err = d.Follows(s.config, s.configIndex); err == nil {
			set, err := redaction(d)
			if err != nil {
				return err
			}
			s.config, s.configIndex, s.redact = d, s.size, set
		}
	case *entry.Epoch:
		// Its entry stands at the begin of the epoch already; the message itself is accounted for here.
		if kind = entry.TypeControl; d.Epoch != s.epoch {
			err = &entry.FieldError{Field: "epoch", Reason: fmt.Sprintf("%d, but the log is in input epoch %d", d.Epoch, s.epoch)}
		}
	case *entry.Erasure:
		if last := d.Indexes[len(d.Indexes)-1]; last >= s.size {
			err = &entry.FieldError{Field: "indexes", Reason: fmt.Sprintf("index %d is not sealed yet", last)}
		}
	}
	d := entry.OwnDraft(p.source, kind, p.control)
	if err != nil {
		d = entry.RejectedMessage(p.source, err, p.msg)
	}
	seal(&d, nil)
	return nil
}

// create seals index 0: the config that says whose log this is. Anything else there is not for this sealer to mend.
func (s *state) create(p prepared, seal func(*entry.Draft, *item)) error {
	c, ok := p.control.(*entry.Config)
	if !ok {
		return fmt.Errorf("%w: the first message on EVENTS is sequence %d on %s", ErrNotCreated, p.msg.Seq, p.msg.Subject)
	}
	if err := s.accepts(c); err != nil {
		return err
	}
	if c.Epoch != 1 || c.Previous != nil {
		return fmt.Errorf("%w: the first config on EVENTS is not that of a new log", ErrNotCreated)
	}
	if c.EventsCreated != s.created {
		return fmt.Errorf("%w: the first config is of an EVENTS created %s, this one was created %s", ErrNotCreated, c.EventsCreated, s.created)
	}
	set, err := redaction(c)
	if err != nil {
		return err
	}
	s.config, s.configIndex, s.epoch, s.next, s.redact = c, 0, 1, p.msg.Seq+1, set
	d := entry.OwnDraft(p.source, entry.TypeConfig, c)
	seal(&d, nil)
	return nil
}

// belongs says whether a config is of this sealer's log, and one that it understands (SPEC 5.1).
func (s *state) belongs(c *entry.Config) error {
	switch {
	case c.Rules != entry.Rules && c.Rules != entry.RulesRedacting:
		return fmt.Errorf("%w: the log is sealed by rules %d; this sealer knows those up to %d", ErrRefused, c.Rules, entry.RulesRedacting)
	case c.Origin != s.origin || !slices.ContainsFunc(c.Keys, func(k string) bool { return slices.Contains(s.keys, k) }):
		return fmt.Errorf("%w: the log is %s, signed by another key than this sealer's %s", ErrRefused, c.Origin, s.origin)
	case c.SecretFingerprint != entry.SecretFingerprint(s.secret):
		return fmt.Errorf("%w: the log secret is not the one that the log was made with", ErrRefused)
	}
	return nil
}

// accepts says whether this sealer may seal under the newest config: it must have every key that signs.
func (s *state) accepts(c *entry.Config) error {
	if err := s.belongs(c); err != nil {
		return err
	}
	for _, k := range c.Keys {
		if !slices.Contains(s.own, k) {
			return fmt.Errorf("%w: the log's config names the key %s, and this sealer does not have its private part", ErrRefused, k)
		}
	}
	return nil
}
