package eventgen

import (
	"reflect"
	"testing"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/entry"
)

func TestSameSeedSameEvents(t *testing.T) {
	a, b, other := New(7, Options{}), New(7, Options{}), New(8, Options{})
	differ := false
	for i := range 2000 {
		x, y, z := a.Event(), b.Event(), other.Event()
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("event %d differs", i)
		}
		differ = differ || x.ID != z.ID
	}
	if !differ {
		t.Fatal("another seed makes the same events")
	}
}

// TestAllKindsAppear: every type, action and outcome, delegations along a trace, and each way of carrying data.
func TestAllKindsAppear(t *testing.T) {
	g := New(1, Options{})
	types, actions, outcomes := map[string]int{}, map[string]int{}, map[string]int{}
	agents := map[string]map[string]bool{}
	var none, binary, salted, delegations int
	for range 20000 {
		ev := g.Event()
		types[ev.EventType]++
		actions[ev.Action]++
		outcomes[ev.Outcome]++
		if agents[ev.TraceID] == nil {
			agents[ev.TraceID] = map[string]bool{}
		}
		agents[ev.TraceID][ev.Source] = true
		if ev.TargetDID != "" {
			delegations++
		}
		switch {
		case !ev.HasData:
			none++
		case !canonical.IsText(ev.Data):
			binary++
		}
		if ev.Salt != nil {
			salted++
		}
	}
	for _, want := range Types {
		if types[want] < 50 {
			t.Errorf("type %s: %d", want, types[want])
		}
	}
	for _, want := range append(ruleset.Actions, "") {
		if actions[want] < 50 {
			t.Errorf("action %q: %d", want, actions[want])
		}
	}
	for _, want := range append(ruleset.Outcomes, "") {
		if outcomes[want] < 50 {
			t.Errorf("outcome %q: %d", want, outcomes[want])
		}
	}
	three := 0
	for _, a := range agents {
		if len(a) == 3 {
			three++
		}
	}
	if none < 50 || binary < 50 || salted < 50 || delegations < 50 || three < 50 {
		t.Errorf("without data %d, binary %d, salted %d, delegations %d, traces over three agents %d", none, binary,
			salted, delegations, three)
	}
}

// TestRaw: what is called valid is, what is called invalid is not, and every way of being invalid appears.
func TestRaw(t *testing.T) {
	g := New(2, Options{})
	seen := map[string]int{}
	for range 20000 {
		raw, valid, why := g.Raw()
		seen[why]++
		if _, err := entry.ParseEvent(raw); (err == nil) != valid {
			t.Fatalf("said to be valid: %v (%s), but: %v\n%s", valid, why, err, raw)
		}
	}
	for _, s := range spoilers {
		if seen[s.why] == 0 {
			t.Errorf("%s never came", s.why)
		}
	}
}

// TestMessages: every mode carries the events that it says.
func TestMessages(t *testing.T) {
	g := New(3, Options{})
	modes := map[inbox.Mode]int{}
	for range 3000 {
		m, n := g.Message("default")
		mode := inbox.ModeOf(m, ruleset.Newest)
		modes[mode]++
		switch mode {
		case inbox.Binary:
			if _, err := inbox.ParseBinary(m, ruleset.Newest); err != nil {
				t.Fatalf("%v\n%v", err, m.Header)
			}
		case inbox.Batched:
			if list, err := inbox.Split(m.Data); err != nil || len(list) != n {
				t.Fatalf("%d events, said to be %d, %v", len(list), n, err)
			}
		default:
			if _, err := entry.ParseEvent(m.Data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(modes) != 3 {
		t.Fatalf("modes %v", modes)
	}
}

func BenchmarkEvent(b *testing.B) {
	g := New(1, Options{})
	for b.Loop() {
		ev := g.Event()
		ev.AppendJSON(nil)
	}
}
