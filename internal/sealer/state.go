package sealer

import (
	"fmt"
	"math"
	"slices"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// state is what the sealer must know of a log's prefix to seal the next message. Sealing is step, a
// pure function of state and message. The state runs ahead of the commits. To take back what is not
// committed, the sealer opens the log again. Whatever is here because of the prefix must also be in
// a snapshot, or be found at a start (snapshot.go).
type state struct {
	identity
	keys     []string   // all verifier keys of the log known here
	signable []string   // keys that this sealer can sign with
	size     uint64     // next index
	prevHash entry.Hash // hash of the entry before it
	epoch    uint64     // input epoch; 0 before index 0
	created  string     // creation time of its EVENTS, nine digits; "" if unknown
	next     uint64     // expected input sequence; 0 accepts any, at the start of an epoch
	window   *window
	service  serviceState

	config      *entry.Config
	configIndex uint64

	opening *draft.Draft // epoch entry to seal before the next message's entries
}

// step turns one prepared message into entries, in the order of SPEC 5. It yields each with its
// draft, which has the data. An error means that the sealer must stop before it seals anything
// more; the state is then invalid.
func (s *state) step(p prepared, yield func(entry.Entry, *draft.Draft)) error {
	seal := func(d *draft.Draft, it *item) {
		e := d.SealEntry(s.size, s.prevHash)
		if it != nil && d.IsEvent() {
			s.window.add(true, it.key, it.fingerprint)
		} else {
			s.window.add(false, windowKey{}, windowKey{})
		}
		s.size, s.prevHash = s.size+1, e.EntryHash
		yield(e, d)
	}
	if s.size == 0 {
		return s.create(p, seal)
	}
	// a config was sealed after the message was prepared
	if p.redact != s.redact || p.rules != s.rules {
		p = s.prepare(p.msg, p.source.Epoch)
	}
	if s.opening != nil {
		d := s.opening
		s.opening = nil
		seal(d, nil)
	}
	if s.next != 0 && p.msg.Seq > s.next {
		src := p.source
		src.Seq, src.Publisher = p.msg.Seq-1, ""
		gap := draft.Own(src, entry.TypeGap, &entry.Gap{From: s.next, To: p.msg.Seq - 1})
		seal(&gap, nil)
	}
	s.next = p.msg.Seq + 1
	if p.open && !s.config.EventsOpen {
		p.refuse(errOpen)
	}
	if p.control != nil {
		return s.control(p, seal)
	}
	s.events(&p, seal)
	return nil
}

// events seals the items of a message, then one entry that lists its repeats.
func (s *state) events(p *prepared, seal func(*draft.Draft, *item)) {
	var originals []entry.Original
	for i := range p.items {
		it := &p.items[i]
		if !it.draft.IsEvent() {
			seal(s.own(p, it), nil)
		} else if at, ok := s.repeat(p, i); ok {
			originals = append(originals, entry.Original{Index: at, Position: uint64(i)})
		} else if it.refused != nil {
			seal(it.refused, nil)
		} else if at, ok := s.window.newest(it.key, math.MaxUint64); ok {
			d := it.draft.Equivocation(at)
			seal(&d, it)
		} else {
			seal(&it.draft, it)
		}
	}
	if originals != nil {
		src := p.source
		src.Position, src.Publisher = uint64(len(p.items)), ""
		repeats := draft.Own(src, entry.TypeDuplicate, &entry.Duplicate{Originals: originals})
		seal(&repeats, nil)
	}
}

// own returns the draft of an item that is no event: it was refused, or a service wrote it.
func (s *state) own(p *prepared, it *item) *draft.Draft {
	if it.service == nil {
		return &it.draft
	}
	d := it.draft.Detail()
	if err := s.service.refuses(d, it.service.source.Publisher, s.size); err != nil {
		refused := draft.Rejected(it.service.source, err, it.service.whole, p.msg.Subject)
		return &refused
	}
	if d, ok := d.(*entry.Access); ok {
		s.service.set(d.Role, &s.size)
	}
	return &it.draft
}

// repeat returns the newest entry that an event of a message repeats. An event has one fingerprint
// among entries that are blinded, and another among older ones: the one that it has if it is read
// and redacted by the rules before (docs/SPEC-rules4.md, 4.2).
func (s *state) repeat(p *prepared, position int) (uint64, bool) {
	it := &p.items[position]
	if p.rules < ruleset.Blinding {
		return s.window.repeat(it.key, it.fingerprint, 0, math.MaxUint64)
	}
	if at, ok := s.window.repeat(it.key, it.fingerprint, s.service.bare, math.MaxUint64); ok {
		return at, true
	}
	if _, ok := s.window.newest(it.key, s.service.bare); !ok {
		return 0, false
	}
	if p.older == nil {
		id := s.identity
		id.rules, id.handed = ruleset.Binding, nil
		p.older = id.prepare(p.msg, p.source.Epoch).items
	}
	if position >= len(p.older) || !p.older[position].draft.IsEvent() {
		return 0, false
	}
	older := &p.older[position]
	return s.window.repeat(older.key, older.fingerprint, 0, s.service.bare)
}

// control seals an administrator's message, if it is valid in the present state of the log.
func (s *state) control(p prepared, seal func(*draft.Draft, *item)) error {
	kind := p.controlType
	var err error
	var config *entry.Config
	var set *redact.Set
	switch d := p.control.(type) {
	case *entry.Config:
		if err = d.Follows(s.config, s.configIndex); err == nil {
			if set, err = redaction(d); err != nil {
				return err
			}
			config = d
		}
	case *entry.Epoch:
		// The epoch entry was sealed at the start of the epoch. This one accounts for the message.
		if kind = entry.TypeControl; d.Epoch != s.epoch {
			err = &entry.FieldError{
				Field: "epoch", Reason: fmt.Sprintf("%d, but the log is in input epoch %d", d.Epoch, s.epoch),
			}
		}
	case *entry.Erasure:
		if last := d.Indexes[len(d.Indexes)-1]; last >= s.size {
			err = &entry.FieldError{Field: "indexes", Reason: fmt.Sprintf("index %d is not sealed yet", last)}
		}
	}
	d := draft.Own(p.source, kind, p.control)
	if n := d.Size(s.size); err == nil && n > ruleset.MaxLeafBytes && s.rules >= ruleset.Blinding {
		err = fmt.Errorf("a leaf of %d bytes, more than %d", n, ruleset.MaxLeafBytes)
	}
	if err != nil {
		d, config = draft.RejectedMessage(p.source, err, p.msg), nil
	}
	if config != nil {
		s.adopt(config, set)
	}
	seal(&d, nil)
	return nil
}

// adopt makes a config that is sealed next the newest one.
func (s *state) adopt(c *entry.Config, set *redact.Set) {
	if c.Rules >= ruleset.Blinding && s.rules < ruleset.Blinding {
		s.service.bare = s.size + 1
	}
	s.config, s.configIndex, s.redact, s.rules = c, s.size, set, c.Rules
}

// create seals index 0: the config that identifies the log. Any other message there stops the
// sealer.
func (s *state) create(p prepared, seal func(*draft.Draft, *item)) error {
	c, ok := p.control.(*entry.Config)
	if !ok {
		return fmt.Errorf("%w: the first message on EVENTS is sequence %d on %s", ErrNotCreated, p.msg.Seq, p.msg.Subject)
	}
	if err := s.checkSignable(c); err != nil {
		return err
	}
	if c.Epoch != 1 || c.Previous != nil {
		return fmt.Errorf("%w: the first config on EVENTS is not that of a new log", ErrNotCreated)
	}
	if c.EventsCreated != s.created {
		return fmt.Errorf("%w: the first config names an EVENTS stream created %s, but this one was created %s",
			ErrNotCreated, c.EventsCreated, s.created)
	}
	set, err := redaction(c)
	if err != nil {
		return err
	}
	s.epoch, s.next = 1, p.msg.Seq+1
	s.adopt(c, set)
	d := draft.Own(p.source, entry.TypeConfig, c)
	seal(&d, nil)
	return nil
}

// checkIdentity checks that a config belongs to this sealer's log, and that this sealer knows its
// rules (SPEC 5.1).
func (s *state) checkIdentity(c *entry.Config) error {
	switch {
	case c.Rules < ruleset.First || c.Rules > ruleset.Known:
		return fmt.Errorf("%w: the log is sealed by rules %d, and this release knows rules up to %d", ErrRefused,
			c.Rules, ruleset.Known)
	case c.Origin != s.origin || !slices.ContainsFunc(c.Keys, func(k string) bool { return slices.Contains(s.keys, k) }):
		return fmt.Errorf("%w: the log is %s, signed by another key than this sealer's %s", ErrRefused, c.Origin, s.origin)
	case c.SecretFingerprint != draft.SecretFingerprint(s.secret):
		return fmt.Errorf("%w: the log was created with another log secret", ErrRefused)
	}
	return nil
}

// checkSignable checks that this sealer may seal under the newest config: it must have every active
// key.
func (s *state) checkSignable(c *entry.Config) error {
	if err := s.checkIdentity(c); err != nil {
		return err
	}
	for _, k := range c.Keys {
		if !slices.Contains(s.signable, k) {
			return fmt.Errorf("%w: the log's config names key %s, and the signer has no private part of it",
				ErrRefused, k)
		}
	}
	return nil
}
