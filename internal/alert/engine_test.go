package alert

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/pkg/entry"
)

const origin = "test.example/default/00000000"

// history makes n sealed entries, received at times that mostly rise.
func history(r *rand.Rand, seed uint64, n int) []entry.Entry {
	gen := eventgen.New(seed, eventgen.Options{Agents: 5, Resources: 4})
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var prev entry.Hash
	list := make([]entry.Entry, n)
	for i := range list {
		step := time.Duration(r.Int64N(int64(4 * time.Second)))
		switch r.IntN(40) {
		case 0:
			step = time.Duration(r.Int64N(int64(3 * time.Minute)))
		case 1:
			step = -time.Duration(r.Int64N(int64(20 * time.Second))) // a broker whose clock was set back
		case 2, 3, 4:
			step = 0
		}
		now = now.Add(step)
		d := draft.Event(draft.Source{Log: "default", Secret: make([]byte, 32), Seq: uint64(i + 1),
			ReceivedAt: canonical.FormatReceived(now)}, gen.Event())
		if r.IntN(30) == 0 {
			d = d.Equivocation(0)
		}
		e, _ := d.Seal(uint64(i), prev)
		list[i] = e
		prev = e.EntryHash
	}
	return list
}

// randomRules makes rules whose values occur in the history.
func randomRules(r *rand.Rand, list []entry.Entry) []Rule {
	names := []string{"agent_did", "event_type", "action", "outcome", "resource", "target_did", "policy_decision",
		"matched_rule", "trace_id",
		"session_id", "cloudevent_type", "extensions.datacontenttype", "extensions.nosuch"}
	var rules []Rule
	for i := range 1 + r.IntN(6) {
		rule := Rule{Name: fmt.Sprintf("r%d", i)}
		for range r.IntN(3) {
			c := Condition{Field: names[r.IntN(len(names))]}
			for range 1 + r.IntN(4) {
				v := value(&list[r.IntN(len(list))], c.Field)
				switch {
				case v == "":
				case r.IntN(2) == 0:
					c.Prefixes = append(c.Prefixes, v[:1+r.IntN(len(v))])
				default:
					c.Values = append(c.Values, v)
				}
			}
			if len(c.Values)+len(c.Prefixes) == 0 {
				c.Values = []string{"nothing"}
			}
			rule.Match = append(rule.Match, c)
		}
		switch r.IntN(3) {
		case 0:
			rule.Rate = &Rate{
				Count: 1 + r.IntN(6), Window: time.Duration(1+r.IntN(60)) * time.Second,
				Per: []string{"agent", "resource"}[r.IntN(2)],
			}
		case 1:
			rule.Silence = time.Duration(1+r.IntN(120)) * time.Second
		}
		rules = append(rules, rule)
	}
	return rules
}

// naiveMatch looks at the fields of the JSON that the API shows, one condition after the other.
func naiveMatch(rule Rule, e *entry.Entry) bool {
	b, err := e.MarshalJSON()
	if err != nil {
		panic(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	if d, ok := m["detail"].(map[string]any); ok && m["event_type"] == entry.TypeEquivocation {
		m["event_type"] = d["event_type"]
	}
	ext, _ := m["extensions"].(map[string]any)
	for _, c := range rule.Match {
		v, ok := m[c.Field].(string)
		if name, isExt := strings.CutPrefix(c.Field, "extensions."); isExt {
			v, ok = ext[name].(string)
		}
		holds := false
		for _, x := range c.Values {
			holds = holds || ok && v == x
		}
		for _, x := range c.Prefixes {
			holds = holds || ok && len(v) >= len(x) && v[:len(x)] == x
		}
		if !holds {
			return false
		}
	}
	return true
}

// naive makes the alerts of each entry by looking at the whole history before it, and remembers
// nothing but what it told.
func naive(rules []Rule, list []entry.Entry) []string {
	var told []string
	clock := make([]time.Time, len(list))
	for i := range list {
		t, err := canonical.ParseTime(list[i].ReceivedAt)
		if err != nil {
			panic(err)
		}
		if clock[i] = t; i > 0 && clock[i-1].After(t) {
			clock[i] = clock[i-1]
		}
	}
	key := func(rule Rule, e *entry.Entry) string {
		if rule.Rate.Per == "resource" {
			return e.Resource
		}
		return e.AgentDID
	}
	fired := map[string]time.Time{}
	matched := make([][]bool, len(rules))
	for n, rule := range rules {
		matched[n] = make([]bool, len(list))
		for i := range list {
			matched[n][i] = naiveMatch(rule, &list[i])
		}
	}
	for i := range list {
		e := &list[i]
		var silent []string
		for n, rule := range rules {
			if rule.Silence == 0 {
				continue
			}
			for j := range i { // the entries whose deadline fell between the entry before and this one
				if !matched[n][j] {
					continue
				}
				deadline := clock[j].Add(rule.Silence)
				again := false
				for k := j + 1; k < i; k++ {
					again = again || matched[n][k] && list[k].AgentDID == list[j].AgentDID
				}
				if !again && deadline.Before(clock[i]) && !deadline.Before(clock[i-1]) {
					silent = append(silent, fmt.Sprintf("silence %s %d at %d", rule.Name, j, i))
				}
			}
		}
		slices.Sort(silent)
		told = append(told, silent...)
		if t := eventType(e); t == "policy_violation" || t == "rogue_detection" || t == "tool_blocked" {
			told = append(told, fmt.Sprintf("entry %s %d", t, i))
		}
		for n, rule := range rules {
			if !matched[n][i] || rule.Silence > 0 {
				continue
			}
			if rule.Rate == nil {
				told = append(told, fmt.Sprintf("match %s %d", rule.Name, i))
				continue
			}
			k, count := key(rule, e), 0
			for j := 0; j <= i; j++ {
				if matched[n][j] && key(rule, &list[j]) == k && clock[j].After(clock[i].Add(-rule.Rate.Window)) {
					count++
				}
			}
			at, before := fired[rule.Name+k]
			if k != "" && count >= rule.Rate.Count && !(before && at.After(clock[i].Add(-rule.Rate.Window))) {
				fired[rule.Name+k] = clock[i]
				told = append(told, fmt.Sprintf("rate %s %d", rule.Name, i))
			}
		}
	}
	return told
}

func line(a *Alert) string {
	if a.Kind == KindSilence {
		return fmt.Sprintf("silence %s %d at %d", a.Rule, a.Index, a.Cursor)
	}
	return fmt.Sprintf("%s %s %d", a.Kind, a.Rule, a.Index)
}

// TestAgainstNaive: random histories and rules give the alerts that a matcher without memory gives;
// also if the engine is saved and loaded in the middle, again and again.
func TestAgainstNaive(t *testing.T) {
	t.Parallel()
	runs := 150
	if testing.Short() {
		runs = 40
	}
	kinds := map[Kind]int{}
	for run := range runs {
		r := rand.New(rand.NewPCG(uint64(run), 7))
		list := history(r, uint64(run), 160)
		rules := randomRules(r, list)
		if err := CheckRules(rules); err != nil && !strings.Contains(err.Error(), "without conditions") {
			t.Fatal(err)
		}
		restarts := run%2 == 1
		g := newEngine(origin, rules)
		var got []string
		ids := map[string]bool{}
		for i := range list {
			alerts, err := g.take(&list[i], uint64(len(list)))
			if err != nil {
				t.Fatal(err)
			}
			var silent []string
			for _, a := range alerts {
				kinds[a.Kind]++
				if ids[a.ID] {
					t.Fatalf("run %d: id %s twice", run, a.ID)
				}
				ids[a.ID] = true
				if a.Kind == KindSilence {
					silent = append(silent, line(&a))
				}
			}
			slices.Sort(silent)
			got = append(got, silent...)
			for _, a := range alerts {
				if a.Kind != KindSilence {
					got = append(got, line(&a))
				}
			}
			if restarts && r.IntN(10) == 0 {
				b, err := json.Marshal(g.save())
				if err != nil {
					t.Fatal(err)
				}
				var state []savedRule
				if err := json.Unmarshal(b, &state); err != nil {
					t.Fatal(err)
				}
				again := newEngine(origin, rules)
				again.load(state, g.clock)
				g = again
			}
		}
		if want := naive(rules, list); !reflect.DeepEqual(got, want) {
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("run %d, alert %d: got %v, want %v\nrules %+v", run, i,
						got[min(i, len(got)):min(i+3, len(got))], want[min(i, len(want)):min(i+3, len(want))], rules)
				}
			}
		}
	}
	for _, k := range []Kind{KindEntry, KindMatch, KindRate, KindSilence} {
		if kinds[k] < 50 {
			t.Errorf("%d alerts of kind %s: the test is too easy", kinds[k], k)
		}
	}
	t.Logf("%d runs: %v", runs, kinds)
}

// TestRemembersBounded: a rule that sees ever new agents forgets those it has seen least recently, not all it knows.
func TestRemembersBounded(t *testing.T) {
	t.Parallel()
	rule := Rule{Name: "x", Rate: &Rate{Count: 3, Window: time.Hour, Per: "agent"}}
	r := newEngine(origin, []Rule{rule}).rules[0]
	for i := range maxRemembered + 1000 {
		r.count(fmt.Sprint(i), int64(i)+1)
	}
	if r.times > maxRemembered || r.times != len(r.rates.byKey) {
		t.Fatalf("%d times of %d agents", r.times, len(r.rates.byKey))
	}
	now := int64(maxRemembered + 2000)
	if r.count("7", now); r.count(fmt.Sprint(maxRemembered+990), now) || !r.count(fmt.Sprint(maxRemembered+990), now) {
		t.Error("an agent seen lately was forgotten")
	}
}

func BenchmarkEngine(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	list := history(r, 1, 5000)
	rules := []Rule{
		{Name: "a", Match: []Condition{{Field: "resource", Prefixes: []string{"/crm/1"}}, {Field: "outcome", Values: []string{"denied"}}}},
		{Name: "b", Match: []Condition{{Field: "outcome", Values: []string{"denied", "failure"}}}, Rate: &Rate{10, time.Minute, "agent"}},
		{Name: "c", Silence: 10 * time.Minute},
	}
	g := newEngine(origin, rules)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := g.take(&list[i%len(list)], 1); err != nil {
			b.Fatal(err)
		}
	}
}
