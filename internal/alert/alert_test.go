package alert

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// TestCloudEvent: every alert is a valid CloudEvent for another implementation, names its entry,
// comes back as it was, and stands on a subject that NATS takes, whatever agents call themselves
// and their events.
func TestCloudEvent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	list := history(r, 3, 600)
	g := newEngine(origin, []Rule{
		{Name: "all", Match: []Condition{{Field: "agent_did", Prefixes: []string{"d"}}}},
		{Name: "often", Rate: &Rate{3, 60e9, "resource"}}, {Name: "quiet", Silence: 5e9},
	})
	seen := map[Kind]int{}
	for i := range list {
		alerts, err := g.take(&list[i], 1<<33)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			seen[a.Kind]++
			m, err := a.message("default")
			if err != nil {
				t.Fatal(err)
			}
			var ce event.Event
			if err := ce.UnmarshalJSON(m.Data); err != nil {
				t.Fatalf("%v\n%s", err, m.Data)
			}
			if err := ce.Validate(); err != nil {
				t.Fatalf("%v\n%s", err, m.Data)
			}
			if ce.ID() != a.ID || ce.Source() != origin ||
				ce.Extensions()["sealhash"] != list[a.Index].EntryHash.String() ||
				ce.Extensions()["sealsize"] != "8589934592" {
				t.Fatalf("%s", m.Data)
			}
			if ev, err := entry.ParseEvent(m.Data); err == nil {
				t.Fatalf("ingest would take the alert for the event %+v", ev)
			}
			tokens := strings.Split(m.Subject, ".")
			if len(tokens) != 5 || tokens[3] == "" || strings.ContainsAny(m.Subject, "*> \t\r\n") ||
				tokens[4] != subject.AgentToken(list[a.Index].AgentDID) {
				t.Fatalf("subject %q", m.Subject)
			}
			m.Seq = 9
			back, err := Parse(m)
			if a.Seq = 9; err != nil || !reflect.DeepEqual(back, a) {
				t.Fatalf("%v\ngot  %+v\nwant %+v", err, back, a)
			}
		}
	}
	if len(seen) != 4 {
		t.Fatalf("only %v", seen)
	}
}

func TestTypeToken(t *testing.T) {
	for in, want := range map[string]string{
		"policy_violation": "policy_violation", "com.example.*": "com_example__", "a>b c": "a_b_c", TypeLag: "sealer_lag", "Ä": "__",
		strings.Repeat("x", 100): strings.Repeat("x", 64), "sealstream.gap": "sealstream_gap",
	} {
		if got := TypeToken(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

// TestEquivocation: an event under an id that was used before is told as what it is.
func TestEquivocation(t *testing.T) {
	d := draft.Event(draft.Source{Log: "default", Secret: make([]byte, 32), Seq: 1,
		ReceivedAt: "2026-01-01T00:00:00.000000000Z"},
		entry.Event{ID: "1", Source: "did:web:a", Type: "ai.agentmesh.policy.violation", EventType: "policy_violation"})
	d = d.Equivocation(0)
	e, _ := d.Seal(1, entry.Hash{})
	list, err := newEngine(origin, nil).take(&e, 2)
	if err != nil || len(list) != 1 || list[0].Type != "policy_violation" {
		t.Fatalf("%+v, %v", list, err)
	}
}

func FuzzParse(f *testing.F) {
	a := Alert{ID: "1", Source: origin, Type: "x", Kind: KindEntry, Agent: "did:web:a", Time: "2026-01-01T00:00:00Z"}
	m, err := a.message("default")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Data, "7")
	f.Add([]byte(`{"specversion":"1.0","id":"1","type":"sealstream.alert.x","data":{}}`), "")
	f.Fuzz(func(t *testing.T, body []byte, cursor string) {
		m := entry.Message{Data: body, Header: entry.Header{headerCursor: {cursor}}}
		a, err := Parse(m)
		if err != nil {
			return
		}
		again, err := a.message("default")
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse(again)
		if err != nil || b.ID != a.ID || b.Type != a.Type || b.Index != a.Index || b.Cursor != a.Cursor {
			t.Fatalf("%v\n%+v\n%+v", err, a, b)
		}
	})
}
