package sealer

import (
	"fmt"

	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

// The model says what a log must be, from what publishers said, without a line of the sealer's
// code: SPEC 5 by scanning.

// model is a log in the making.
type model struct {
	window uint64
	open   bool    // events.open is accepted
	config int     // index of the newest config
	claims []claim // by index; empty where no event stands
	lines  []string
}

func (m *model) add(c claim, format string, args ...any) {
	m.claims = append(m.claims, c)
	m.lines = append(m.lines, fmt.Sprintf(format, args...))
}

// find is the newest index in the window with such a claim, or −1.
func (m *model) find(match func(claim) bool) int {
	for i := len(m.claims) - 1; i >= 0 && uint64(len(m.claims)-i) <= m.window; i-- {
		if m.claims[i].content != "" && match(m.claims[i]) {
			return i
		}
	}
	return -1
}

func (m *model) message(seq uint64, s *said) {
	if c := s.config; c != nil && *c.Previous == uint64(m.config) {
		m.open, m.config = c.EventsOpen, len(m.claims)
		m.add(claim{}, "config %d/0", seq)
		return
	}
	if s.claims == nil || s.open && !m.open {
		m.add(claim{}, "rejected %d/0", seq)
		return
	}
	repeats := ""
	for i, c := range s.claims {
		if c.content == "" {
			m.add(claim{}, "rejected %d/%d", seq, i)
		} else if at := m.find(func(o claim) bool { return o == c }); at >= 0 {
			repeats += fmt.Sprintf(" %d=#%d", i, at)
		} else if at := m.find(func(o claim) bool { return o.source == c.source && o.id == c.id }); at >= 0 {
			m.add(c, "equivocation %d/%d %s of #%d", seq, i, c.id, at)
		} else {
			m.add(c, "tool_invocation %d/%d %s", seq, i, c.id)
		}
	}
	if repeats != "" {
		m.add(claim{}, "duplicate %d/%d%s", seq, len(s.claims), repeats)
	}
}

// checkModel compares the log with the model. Where EVENTS was lost there is none: what of it was
// sealed before depends on the moment.
func (w *world) checkModel(entries []entry.Entry) error {
	if w.interrupted(entries) {
		return nil
	}
	m := &model{window: w.plan.window, open: true}
	if m.window == 0 {
		m.window = ruleset.WindowSize
	}
	gaps := map[uint64]bool{}
	for _, e := range entries {
		if d, ok := e.Detail.(*entry.Gap); ok {
			for seq := d.From; seq <= d.To; seq++ {
				if !w.vanished[seq] {
					return fmt.Errorf("index %d: a gap at EVENTS sequence %d, which was always there", e.Index, seq)
				}
				gaps[seq] = true
			}
		}
	}
	from := uint64(0)
	for _, l := range w.events {
		switch seq := l.m.Seq; {
		case gaps[seq] && from == 0:
			from = seq
		case gaps[seq]:
		default:
			if from > 0 {
				m.add(claim{}, "gap %d/0 %d-%d", seq-1, from, seq-1)
				from = 0
			}
			if l.said == nil {
				m.add(claim{}, "config %d/0", seq)
				continue
			}
			m.message(seq, l.said)
		}
	}
	for i, e := range entries {
		got := line(e)
		if _, ok := e.Detail.(*entry.Rejected); ok {
			got = fmt.Sprintf("rejected %d/%d", e.InputSeq, e.Position)
		}
		if i >= len(m.lines) || got != m.lines[i] || e.IsEvent() && contentOf(e) != m.claims[i] {
			return fmt.Errorf("index %d is %q, want %q", i, got, append(m.lines, "nothing")[min(i, len(m.lines))])
		}
	}
	if len(entries) != len(m.lines) {
		return fmt.Errorf("%d entries, want %d: %q", len(entries), len(m.lines), m.lines[len(entries)])
	}
	return nil
}
