package sealer

import (
	"bytes"
	"hash/fnv"
	"testing"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
)

// appendRecords makes the body of a message of ingest, and adds what was parsed of each record to
// a group.
func appendRecords(list []inbox.Record, add func(start, end int, body []byte, i int)) []byte {
	body := []byte("[")
	for i, r := range list {
		if i > 0 {
			body = append(body, ',')
		}
		start := len(body)
		if body = inbox.AppendRecord(body, r); add != nil {
			add(start, len(body), body, i)
		}
	}
	return append(body, ']')
}

var defaultSet, _ = redact.Compile(redact.Default())

// offer hands over what ingest has parsed of a message. Now and then it is stale: of another message
// of that length, by other sealing rules, or by other redaction rules.
func (w *world) offer(s *said) (g *inbox.Group) {
	if s.records == nil || w.handover == nil {
		return nil
	}
	sum := fnv.New64a() // so that the schedule does not depend on it, nor the reverse
	sum.Write(s.message.Data)
	kind := (sum.Sum64() ^ w.plan.seed) % 8
	if kind%2 == 1 && w.plan.parsed == 1 {
		return nil
	}
	list, rules, set := s.records, uint64(ruleset.Newest), (*redact.Set)(nil)
	if w.plan.rich {
		set = defaultSet
	}
	switch kind {
	case 0:
		list = otherRecords(list)
	case 2:
		rules = ruleset.First
	case 3:
		if set = nil; !w.plan.rich {
			set = defaultSet
		}
	}
	g = w.handover.NewGroup(len(list))
	g.Rules = rules
	body := appendRecords(list, func(start, end int, _ []byte, i int) {
		g.Add(start, end, list[i], parsedBy(list[i].Event, rules, set, i%3 > 0))
	})
	w.handover.Offer(g, s.message.Subject, body)
	return g
}

// otherRecords says something else, in as many bytes.
func otherRecords(list []inbox.Record) []inbox.Record {
	other := make([]inbox.Record, len(list))
	for i, r := range list {
		other[i] = inbox.Record{Publisher: r.Publisher, Event: bytes.ReplaceAll(r.Event, []byte("/"), []byte("_"))}
	}
	return other
}

// parsedBy parses an event as ingest does.
func parsedBy(text []byte, rules uint64, set *redact.Set, redacted bool) *inbox.Parsed {
	ev, err := entry.ParseEvent(text)
	if err == nil {
		err = ev.By(rules)
	}
	if err == nil && set != nil && redacted {
		err = ev.Redact(set, text)
	}
	if err != nil {
		panic(err)
	}
	return &inbox.Parsed{Event: ev, Set: set, Redacted: redacted || set == nil}
}

// TestSimulationWithHandover: sealing with what ingest has parsed, without it, and with half of it
// makes the same bytes, though some of it is stale.
func TestSimulationWithHandover(t *testing.T) {
	seeds := uint64(15)
	if testing.Short() || raceDetector {
		seeds = 5
	}
	taken := [3]uint64{}
	for seed := uint64(1); seed <= seeds; seed++ {
		p := newPlan(seed)
		handedOver(&p)
		var want [][]byte
		for p.parsed = range 3 {
			w, err := simulate(t, p, false)
			if err != nil {
				t.Fatalf("seed %d, handover %d: %v\n%s", seed, p.parsed, err, explain(t, p))
			}
			got := w.leaves()
			if p.parsed == 0 {
				want = got
			} else if taken[p.parsed] += w.handover.Taken(); !equalLeaves(got, want) {
				t.Fatalf("seed %d: %d leaves with handover %d are not the %d without", seed, len(got), p.parsed, len(want))
			}
		}
	}
	if taken[1] < 2*seeds || 2*taken[2] < 3*taken[1] {
		t.Errorf("%d and %d groups were taken in %d worlds", taken[1], taken[2], seeds)
	}
	t.Logf("%d worlds: %d groups taken, %d where half are handed over", seeds, taken[2], taken[1])
}

// leaves are those of the log, in order.
func (w *world) leaves() (list [][]byte) {
	_, entries, err := w.audit()
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		list = append(list, e.Leaf)
	}
	return list
}

func equalLeaves(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, []byte("\n")), bytes.Join(b, []byte("\n")))
}
