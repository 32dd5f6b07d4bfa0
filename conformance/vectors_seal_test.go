package conformance_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/merkle"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// sealing is a sealer in a few lines: one message after the other, no batches, the window found by
// looking at every entry again. The vectors' leaves come from it; the sealer proper must make the
// same ones.
type sealing struct {
	log, origin string
	secret      []byte
	config      *entry.Config
	configIndex uint64
	epoch, next uint64
	entries     []entry.Entry
	records     []blob // payload records
	ends        []int  // entries after each message
}

func (s *sealing) source(m entry.Message) draft.Source {
	return draft.Source{
		Log: s.log, Origin: s.origin, Secret: s.secret, Epoch: s.epoch, Seq: m.Seq,
		ReceivedAt: canonical.FormatReceived(m.Time),
	}
}

func (s *sealing) seal(d draft.Draft) {
	var previous entry.Hash
	if n := len(s.entries); n > 0 {
		previous = s.entries[n-1].EntryHash
	}
	e, p := d.Seal(uint64(len(s.entries)), previous)
	s.entries = append(s.entries, e)
	if p != nil {
		s.records = append(s.records, p.AppendRecord(nil))
	}
}

// newest looks through the window for an entry with the draft's source and id, and with its fingerprint if same is set.
func (s *sealing) newest(d *draft.Draft, same bool) (uint64, bool) {
	source, id := d.Claim()
	for i := len(s.entries) - 1; i >= 0 && len(s.entries)-i <= ruleset.WindowSize; i-- {
		e := &s.entries[i]
		if a, b := e.Claim(); e.IsEvent() && a == source && b == id && (!same || e.Fingerprint() == d.Fingerprint()) {
			return uint64(i), true
		}
	}
	return 0, false
}

// message seals one message of EVENTS. later are those behind it, among which a new epoch finds its control message.
func (s *sealing) message(t *testing.T, m entry.Message, newEvents bool, later []entry.Message) {
	t.Helper()
	defer func() { s.ends = append(s.ends, len(s.entries)) }()
	if newEvents {
		s.openEpoch(t, later)
	}
	src := s.source(m)
	if s.next != 0 && m.Seq > s.next {
		gap := src
		gap.Seq = m.Seq - 1
		s.seal(draft.Own(gap, entry.TypeGap, &entry.Gap{From: s.next, To: m.Seq - 1}))
	}
	s.next = m.Seq + 1
	place := strings.TrimPrefix(m.Subject, "audit."+s.log+".")
	token, agents := strings.CutPrefix(place, "events.")
	switch {
	case place == m.Subject:
		s.seal(draft.RejectedMessage(src, errors.New("not a subject of this log's EVENTS"), m))
	case len(m.Data) > ruleset.MaxMessageBytes:
		s.seal(draft.RejectedMessage(src, errors.New("more than 921600 bytes in one message"), m))
	case place == "control":
		s.control(src, m)
	case strings.HasPrefix(place, "batch.") && place != "batch.":
		s.batch(src, m, "", true)
	case !agents || token == "":
		s.seal(draft.RejectedMessage(src, errors.New("not a subject of this log's EVENTS"), m))
	case token == "open" && !s.config.EventsOpen:
		s.seal(draft.RejectedMessage(src, errors.New("events.open is not accepted by this log"), m))
	case inbox.ModeOf(m, s.config.Rules) == inbox.Batched:
		s.batch(src, m, token, false)
	default:
		s.single(src, m, token)
	}
}

var errToken = &entry.FieldError{
	Field: "source", Reason: "its agent token is not the one of the subject it was published on",
}

func (s *sealing) single(src draft.Source, m entry.Message, token string) {
	parse := func() (entry.Event, error) { return entry.ParseEvent(m.Data) }
	if inbox.ModeOf(m, s.config.Rules) == inbox.Binary {
		parse = func() (entry.Event, error) { return inbox.ParseBinary(m, s.config.Rules) }
	}
	ev, err := parse()
	if err == nil {
		err = ev.By(s.config.Rules)
	}
	if err == nil && token != "open" && subject.AgentToken(ev.Source) != token {
		err = errToken
	}
	if err != nil {
		s.seal(draft.RejectedMessage(src, err, m))
		return
	}
	s.duplicate(src, s.event(src, ev, nil), 1)
}

func (s *sealing) batch(src draft.Source, m entry.Message, token string, records bool) {
	parts, err := inbox.Split(m.Data)
	if err != nil {
		s.seal(draft.RejectedMessage(src, err, m))
		return
	}
	var originals []entry.Original
	for i, raw := range parts {
		src.Position, src.Publisher = uint64(i), ""
		if records {
			r, err := inbox.ParseRecord(raw)
			if err != nil {
				s.seal(draft.Rejected(src, err, raw, m.Subject))
				continue
			}
			raw, src.Publisher = r.Event, r.Publisher
		}
		ev, err := entry.ParseEvent(raw)
		if err == nil {
			err = ev.By(s.config.Rules)
		}
		if err == nil && !records && token != "open" && subject.AgentToken(ev.Source) != token {
			err = errToken
		}
		if err != nil {
			s.seal(draft.Rejected(src, err, raw, m.Subject))
			continue
		}
		originals = s.event(src, ev, originals)
	}
	s.duplicate(src, originals, len(parts))
}

func (s *sealing) event(src draft.Source, ev entry.Event, originals []entry.Original) []entry.Original {
	d := draft.Event(src, ev)
	if i, ok := s.newest(&d, true); ok {
		return append(originals, entry.Original{Index: i, Position: src.Position})
	}
	if i, ok := s.newest(&d, false); ok {
		d = d.Equivocation(i)
	}
	s.seal(d)
	return originals
}

func (s *sealing) duplicate(src draft.Source, originals []entry.Original, events int) {
	if originals != nil {
		src.Position, src.Publisher = uint64(events), ""
		s.seal(draft.Own(src, entry.TypeDuplicate, &entry.Duplicate{Originals: originals}))
	}
}

func (s *sealing) control(src draft.Source, m entry.Message) {
	kind, detail, err := m.Control()
	at := uint64(len(s.entries))
	switch d := detail.(type) {
	case *entry.Config:
		switch {
		case err != nil:
		case at == 0:
			s.epoch, src.Epoch = d.Epoch, d.Epoch
			s.config = d
		default:
			if err = d.Follows(s.config, s.configIndex); err == nil {
				s.config, s.configIndex = d, at
			}
		}
	case *entry.Epoch:
		if kind = entry.TypeControl; err == nil && d.Epoch != s.epoch {
			err = &entry.FieldError{
				Field: "epoch", Reason: fmt.Sprintf("%d, but the log is in input epoch %d", d.Epoch, s.epoch),
			}
		}
	case *entry.Erasure:
		if err != nil {
			break
		}
		if last := d.Indexes[len(d.Indexes)-1]; last >= at {
			err = &entry.FieldError{Field: "indexes", Reason: fmt.Sprintf("index %d is not sealed yet", last)}
		}
	}
	if err != nil {
		s.seal(draft.RejectedMessage(src, err, m))
		return
	}
	s.seal(draft.Own(src, kind, detail))
}

// openEpoch seals the epoch entry of an EVENTS that was made anew.
func (s *sealing) openEpoch(t *testing.T, later []entry.Message) {
	t.Helper()
	for _, m := range later {
		if kind, detail, err := m.Control(); err == nil && kind == entry.TypeEpoch &&
			detail.(*entry.Epoch).Epoch == s.epoch+1 {
			s.epoch, s.next = s.epoch+1, 0
			src := s.source(m)
			src.Seq = 0
			s.seal(draft.Own(src, entry.TypeEpoch, detail))
			return
		}
	}
	t.Fatal("no control message opens the epoch")
}

// root is that of the tree of all entries.
func (s *sealing) root() entry.Hash {
	var f merkle.Frontier
	for i := range s.entries {
		f.Append(entry.LeafHash(s.entries[i].Leaf))
	}
	return f.Root()
}
