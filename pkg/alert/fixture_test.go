package alert_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/alert"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/store"
)

const bound = 30 * time.Second // no test waits longer

// fixture is a log with its sealer.
type fixture struct {
	testing.TB
	log *store.Log
	cfg sealer.Config
	key string
	n   int // events published
}

func newFixture(t testing.TB, log *store.Log) *fixture {
	t.Helper()
	skey, _, err := proof.GenerateKey("alert.example.com", log.Name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return newFixtureOf(t, log, signer)
}

func newFixtureOf(t testing.TB, log *store.Log, signer *proof.Signer) *fixture {
	t.Helper()
	f := &fixture{TB: t, log: log, key: signer.VerifierKey()}
	f.cfg = sealer.Config{Log: log, Signer: signer, Secret: bytes.Repeat([]byte{7}, 32), KeepEvents: true}
	if err := sealer.Create(t.Context(), f.cfg, true); err != nil {
		t.Fatal(err)
	}
	f.seal()
	return f
}

// seal runs a sealer until all of EVENTS is sealed.
func (f *fixture) seal() {
	f.Helper()
	s, err := sealer.New(f.cfg)
	if err != nil {
		f.Fatal(err)
	}
	stop := f.run("sealer", s.Run)
	f.until("the sealer to come to the end", func() bool {
		info, err := f.log.Events.Info(f.Context())
		return err == nil && s.Status().InputSeq >= info.Last && s.Status().Size > 0
	})
	stop()
}

// run runs a part until the returned function, or the end of the test, stops it.
func (f *fixture) run(name string, part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := part(ctx); err != nil {
			f.Errorf("%s: %v", name, err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	f.Cleanup(stop)
	return stop
}

func (f *fixture) until(what string, holds func() bool) {
	f.Helper()
	for deadline := time.Now().Add(bound); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("waiting for %s", what)
		}
	}
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
			body = append(body, fmt.Appendf(nil, `{"specversion":"1.0","id":"e%d","source":"did:web:agent-%d","type":%q,"subject":"/crm/%d"}`, f.n, f.n%7, typ, f.n%11))
			f.n++
		}
		m := entry.Message{Subject: "audit." + f.log.Name + ".events.open", Data: append(append([]byte("["), bytes.Join(body, []byte(","))...), ']')}
		if _, err := f.log.Events.Append(f.Context(), m, nil); err != nil {
			f.Fatal(err)
		}
	}
}

// alerter makes an alerter over a log, the fixture's own or that log seen otherwise.
func (f *fixture) alerter(log *store.Log, cfg alert.Config) *alert.Alerter {
	f.Helper()
	cfg.Log, cfg.Keys = log, []string{f.key}
	a, err := alert.New(cfg)
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// told reads ALERTS.
func (f *fixture) told() []alert.Alert {
	f.Helper()
	end, gone, err := store.End(f.Context(), f.log.Alerts)
	if err != nil || gone > 0 {
		f.Fatal(gone, err)
	}
	var list []alert.Alert
	if end == 0 {
		return nil
	}
	for m, err := range store.Ahead(f.Context(), f.log.Alerts, 1, end, func(m entry.Message) entry.Message { return m }) {
		if err != nil {
			f.Fatal(err)
		}
		a, err := alert.Parse(m)
		if err != nil {
			f.Fatal(err)
		}
		if m.Subject != a.Subject(f.log.Name) {
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
	for s, err := range (store.Follower{Log: f.log, Keys: []string{f.key}, Stop: true}).Batches(f.Context()) {
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
