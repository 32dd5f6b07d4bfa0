package alert_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// fixture is a log with its sealer.
type fixture struct {
	*logtest.Fixture
	n int // events published
}

func newFixture(t testing.TB, log *store.Log) *fixture {
	t.Helper()
	f := &fixture{Fixture: logtest.New(t, log, nil)}
	f.Seal()
	return f
}

// publish appends events, up to 256 a message: one in three is a policy violation, the others are tool calls.
func (f *fixture) publish(n int) {
	f.Helper()
	for n > 0 {
		var body [][]byte
		for ; n > 0 && len(body) < 256; n-- {
			typ := "ai.agentmesh.tool.invoked"
			if f.n%3 == 0 {
				typ = "ai.agentmesh.policy.violation"
			}
			body = append(body,
				fmt.Appendf(nil,
					`{"specversion":"1.0","id":"e%d","source":"did:web:agent-%d","type":%q,"subject":"/crm/%d"}`, f.n,
					f.n%7, typ, f.n%11))
			f.n++
		}
		m := entry.Message{
			Subject: "audit." + f.Store.Name + ".events.open",
			Data:    append(append([]byte("["), bytes.Join(body, []byte(","))...), ']'),
		}
		if _, err := f.Store.Events.Append(f.Context(), m, nil); err != nil {
			f.Fatal(err)
		}
	}
}

// alerter makes an alerter over a log, the fixture's own or that log seen otherwise.
func (f *fixture) alerter(log *store.Log, cfg alert.Config) *alert.Alerter {
	f.Helper()
	cfg.Log, cfg.Keys = log, []string{f.Key}
	a, err := alert.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// told reads ALERTS.
func (f *fixture) told() []alert.Alert {
	f.Helper()
	end, gone, err := store.End(f.Context(), f.Store.Alerts)
	if err != nil || gone > 0 {
		f.Fatal(gone, err)
	}
	var list []alert.Alert
	if end == 0 {
		return nil
	}
	for m, err := range store.Ahead(f.Context(), f.Store.Alerts, 1, end, func(m entry.Message) entry.Message {
		return m
	}) {
		if err != nil {
			f.Fatal(err)
		}
		a, err := alert.Parse(m)
		if err != nil {
			f.Fatal(err)
		}
		if m.Subject != a.Subject(f.Store.Name) {
			f.Fatalf("%s on %s", a.ID, m.Subject)
		}
		list = append(list, a)
	}
	return list
}

// entries reads the log.
func (f *fixture) entries() []entry.Entry {
	f.Helper()
	var list []entry.Entry
	for s, err := range (store.Follower{Log: f.Store, Keys: []string{f.Key}, Stop: true}).Batches(f.Context()) {
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, s.Entries...)
	}
	return list
}

// rules of the tests that count: each of their alerts follows from the log.
var rules = []alert.Rule{
	{Name: "crm-1", Match: []alert.Condition{{Field: "resource", Values: []string{"/crm/1", "/crm/2"}}}},
	{Name: "often", Match: []alert.Condition{{Field: "event_type", Values: []string{"tool_invocation"}}}, Rate: &alert.Rate{Count: 5, Window: time.Hour, Per: "agent"}},
}

// check compares ALERTS with what the log asks for, in number and place, each once. It returns how many there are.
func (f *fixture) check() int {
	f.Helper()
	return f.checkWithout("")
}

// checkWithout leaves out the alerts of a kind.
func (f *fixture) checkWithout(kind alert.Kind) int {
	f.Helper()
	want := map[string]int{}
	calls := map[string]int{}
	for _, e := range f.entries() {
		if e.EventType == "policy_violation" {
			want[fmt.Sprint("entry policy_violation ", e.Index)]++
		}
		if e.Resource == "/crm/1" || e.Resource == "/crm/2" {
			want[fmt.Sprint("match crm-1 ", e.Index)]++
		}
		if e.EventType == "tool_invocation" {
			if calls[e.AgentDID]++; calls[e.AgentDID] == 5 { // once, as all is received within the hour
				want[fmt.Sprint("rate often ", e.Index)]++
			}
		}
	}
	list, ids := slices.DeleteFunc(f.told(), func(a alert.Alert) bool { return a.Kind == kind }), map[string]bool{}
	for _, a := range list {
		if ids[a.ID] {
			f.Fatalf("alert %s stands on ALERTS twice", a.ID)
		}
		ids[a.ID] = true
		key := fmt.Sprint(a.Kind, " ", a.Rule, " ", a.Index)
		if want[key]--; want[key] < 0 {
			f.Fatalf("%s is not asked for, or stands there twice", key)
		}
	}
	for key, n := range want {
		if n != 0 {
			f.Fatalf("%s is missing", key)
		}
	}
	if !slices.IsSortedFunc(list, func(a, b alert.Alert) int { return int(a.Index) - int(b.Index) }) {
		f.Fatal("alerts do not stand in the order of the log")
	}
	return len(list)
}
