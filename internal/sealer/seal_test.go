package sealer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// everything publishes a message of every kind: 24 entries with the config.
func everything(f *fixture) []string {
	did, own := "did:a", tokenSubject("did:a")
	f.publish(own, event("1", `{"n":1}`))
	f.publish(own, "["+event("2", `2`)+","+event("3", `"x"`)+"]")
	f.publish(own, "\xff\x00 bytes", "ce-specversion", "1.0", "ce-id", "4", "ce-source", did, "ce-type", "t",
		"Content-Type", "application/octet-stream")
	f.publish("batch.ingest1",
		`[{"event":`+eventOf("did:b", "5", `[]`)+`,"publisher":"alice"},{"event":`+event("6", `null`)+
			`},{"nothing":1}]`)
	f.publish("events.open", eventOf("did:c", "7", `{}`))
	f.publish(own, event("1", `{"n":1}`))
	f.publish(own, event("1", `{"n":2}`))
	f.publish(own, "["+event("8", `1`)+","+event("8", `1`)+","+event("2", `2`)+","+event("8", `2`)+","+event("8", `1`)+
		"]")
	f.publish(own, "{")
	f.publish(own, "", "Status", "408")
	f.publish(own, eventOf("did:b", "9", `1`))
	f.publish(own, `{"specversion":"1.0","id":"r","source":"did:a","type":"sealstream.config"}`)
	f.publish("batch.ingest1", "[]")
	f.publish("elsewhere", event("e", `1`))
	f.publish("control", event("c", `1`))
	f.publish(own, event("last", `"`+strings.Repeat("p", 5000)+`"`))
	return []string{
		"config 1/0",
		"tool_invocation 2/0 1",
		"tool_invocation 3/0 2",
		"tool_invocation 3/1 3",
		"t 4/0 4",
		"tool_invocation 5/0 5",
		"tool_invocation 5/1 6",
		"rejected 5/2 [nothing] no member of a record",
		"tool_invocation 6/0 7",
		"duplicate 7/1 0=#1",
		"equivocation 8/0 1 of #1",
		"tool_invocation 9/0 8",
		"equivocation 9/3 8 of #11",
		"duplicate 9/5 1=#11 2=#2 4=#11",
		`rejected 10/0 [] unexpected end`,
		`rejected 11/0 [] unexpected end`,
		"rejected 12/0 [source] its agent token is not the one of the subject it was published on",
		`rejected 13/0 [type] "sealstream.config" is reserved for the log itself`,
		"rejected 14/0 [] an empty batch",
		"rejected 15/0 [] not a subject of this log's EVENTS",
		`rejected 16/0 [type] "ai.agentmesh.tool.invoked" is no control event`,
		"tool_invocation 17/0 last",
	}
}

// TestEveryMessage: every kind of message becomes the entries that SPEC 5 says, whatever a batch holds.
func TestEveryMessage(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 4, 5, 6, 7, 256} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			onLog(t, func(t *testing.T, f *fixture) {
				want := everything(f)
				f.mustSeal(entriesOf(limit))
				list := f.entries()
				for i, w := range want { // the text of a syntax error is not fixed
					if strings.HasSuffix(w, "unexpected end") && i < len(list) &&
						strings.HasPrefix(line(list[i]), w[:len("rejected 10/0 []")]) {
						want[i] = line(list[i])
					}
				}
				f.expect(want...)
				if r := f.audit(); r.Payloads != 22-1-2 || len(r.Void) > 0 {
					t.Errorf("%d payloads opened", r.Payloads)
				}
				f.again(3)
				f.again(256)
			})
		})
	}
}

// TestMembersOfEntries looks into a few entries, where line does not.
func TestMembersOfEntries(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		everything(f)
		f.mustSeal()
		list := f.entries()
		if list[5].Publisher != "alice" || list[6].Publisher != "" || list[5].AgentDID != "did:b" {
			t.Errorf("records: publishers %q and %q", list[5].Publisher, list[6].Publisher)
		}
		equivocation := list[10]
		if equivocation.AgentDID != "did:a" || equivocation.CloudEventType != "ai.agentmesh.tool.invoked" ||
			equivocation.DataHash == nil || equivocation.DataHash == list[1].DataHash {
			t.Errorf("an equivocation has not the members of its event: %+v", equivocation)
		}
		if list[1].AgentDID != "did:a" || list[9].AgentDID != testSigner.Origin() {
			t.Errorf("entries of agents are of %q, the log's own of %q", list[1].AgentDID, list[9].AgentDID)
		}
		for i, e := range list {
			if m, err := f.log.Events.Get(t.Context(), e.InputSeq); err != nil ||
				e.ReceivedAt != canonical.FormatReceived(m.Time) {
				t.Errorf("index %d: received at %s, %v", i, e.ReceivedAt, err)
			}
		}
		at, err := store.FindBatch(t.Context(), f.log, 4)
		if err != nil {
			t.Fatal(err)
		}
		p, err := store.Payloads(t.Context(), f.log, at.Batch.Payloads)
		if err != nil || string(p[4].Data) != "\xff\x00 bytes" ||
			p[4].Salt != draft.DeriveSalt(testSecret, "did:a", "4", p[4].Data) {
			t.Errorf("payload of the binary event: %q, %v", p[4].Data, err)
		}
	})
}

// TestOpenSubject: events.open is taken only while the newest config says so, from the next index on.
func TestOpenSubject(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.publish("events.open", event("1", "1"))
		f.mustSeal()
		first := *f.entries()[0].Detail.(*entry.Config)
		first.EventsOpen = false
		zero := uint64(0)
		first.Previous = &zero
		f.control(entry.TypeConfig, &first)
		f.publish("events.open", event("2", "1"))
		f.publish(tokenSubject("did:a"), event("2", "1"))
		f.control(entry.TypeConfig, &first) // names index 0, which is not the newest any more
		f.mustSeal(entriesOf(1))
		two := uint64(2)
		first.Previous, first.EventsOpen = &two, true
		f.control(entry.TypeConfig, &first)
		f.publish("events.open", event("3", "1"))
		f.mustSeal()
		first.Previous = new(uint64)
		*first.Previous = 6
		first.Rules = ruleset.Known + 1
		f.control(entry.TypeConfig, &first)
		f.mustSeal()
		f.expect("config 1/0", "tool_invocation 2/0 1", "config 3/0",
			"rejected 4/0 [] events.open is not accepted by this log",
			"tool_invocation 5/0 2", "rejected 6/0 [previous] is not the newest config, index 2", "config 7/0",
			"tool_invocation 8/0 3", fmt.Sprintf("rejected 9/0 [rules] %d, but this sealer knows 1", ruleset.Known+1))
		f.audit()
		f.again(1)
	})
}

// TestErasureAndStrayControl: an erasure names entries that stand; an epoch event that opens nothing is accounted for.
func TestErasureAndStrayControl(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.publish(tokenSubject("did:a"), event("1", `"secret"`))
		f.control(entry.TypeErasure, &entry.Erasure{Indexes: []uint64{1}, Reason: "asked", Authority: "GDPR 17"})
		f.control(entry.TypeErasure, &entry.Erasure{Indexes: []uint64{1, 3}, Reason: "asked", Authority: "GDPR 17"})
		epoch := entry.Epoch{
			Epoch: 1, EventsCreated: "2000-01-01T00:00:00.000000000Z", Reason: "x",
			After: entry.After{Root: entry.Hash{}.String()},
		}
		f.control(entry.TypeEpoch, &epoch)
		epoch.Epoch = 7
		f.control(entry.TypeEpoch, &epoch)
		f.mustSeal()
		f.expect("config 1/0", "tool_invocation 2/0 1", "erasure 3/0",
			"rejected 4/0 [indexes] index 3 is not sealed yet",
			"control 5/0 epoch 1", "rejected 6/0 [epoch] 7, but the log is in input epoch 1")
		if err := f.log.Payloads.(store.Purger).SecureDelete(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		r, err := store.Audit(t.Context(), f.log, audit.Config{})
		if err == nil { // the message holds the data of three entries, one of which is erased
			t.Fatalf("audit passes with %d payloads missing", r.Erased)
		}
	})
}

// TestLargeMessages: one message of 256 events of data fills several batches; one of 257 and one
// too large are refused as one.
func TestLargeMessages(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		var events []string
		for i := range 256 {
			events = append(events, event(fmt.Sprint(i), fmt.Sprintf("%q", strings.Repeat("d", 3000))))
		}
		own := tokenSubject("did:a")
		f.publish(own, "["+strings.Join(events, ",")+"]")
		f.publish(own, "["+strings.Join(append(events, event("x", "1")), ",")+"]")
		f.publish(own, event("y", `"`+strings.Repeat("y", 262144-2)+`"`))
		f.publish(own, event("z", `"`+strings.Repeat("z", 262144-1)+`"`))
		f.publish(own, strings.Repeat("[", 921601))
		f.publish(own, "["+strings.Repeat("1,", 300000)+"1]")
		f.mustSeal()
		list := f.entries()
		var got []string
		for _, e := range list[257:] {
			got = append(got, line(e))
		}
		want := []string{"rejected 3/0 [] more than 256 events", "tool_invocation 4/0 y",
			"rejected 5/0 [data] 262145 bytes, more than 262144",
			"rejected 6/0 [] more than 921600 bytes in one message", "rejected 7/0 [] more than 256 events"}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, m := range stored(t, f.log.Payloads) {
			if len(m.Data) > 768<<10 {
				t.Errorf("PAYLOADS sequence %d has %d bytes", m.Seq, len(m.Data))
			}
		}
		if r := f.audit(); r.Batches < 2 {
			t.Errorf("%d batches", r.Batches)
		}
		f.again(7)
	})
}

// TestWindowEnds: a repeat is one while its original stands in the window, and new when that has left it.
func TestWindowEnds(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		own := tokenSubject("did:a")
		small := func(c *Config) { c.window, c.slack = 5, 64 }
		f.publish(own, event("1", "1")) // index 1
		for i := range 3 {
			f.publish(own, event(fmt.Sprint("a", i), "1")) // 2, 3, 4
		}
		f.publish(own, event("1", "1")) // 5: the window of 5 is 0 to 4
		f.publish(own, event("1", "1")) // 6: the window is 1 to 5
		f.publish(own, event("1", "1")) // 7: the window is 2 to 6
		f.publish(own, event("1", "2")) // 8
		f.publish(own, event("1", "1")) // 9: the original is 7
		f.mustSeal(small)
		f.expect("config 1/0", "tool_invocation 2/0 1", "tool_invocation 3/0 a0", "tool_invocation 4/0 a1",
			"tool_invocation 5/0 a2",
			"duplicate 6/1 0=#1", "duplicate 7/1 0=#1", "tool_invocation 8/0 1", "equivocation 9/0 1 of #7",
			"duplicate 10/1 0=#7")
		f.audit()
	})
}

// TestStatusOfParts: a message that is sealed in part does not count as reached, else whoever waits
// for it would stop the sealer too early.
func TestStatusOfParts(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		seq := f.publish("events.open", "["+event("1", "1")+","+event("2", "2")+","+event("3", "3")+"]")
		var s *Sealer
		reached := map[uint64]uint64{} // by size
		f.cfg.MaxEntries = 1
		f.cfg.hooks = &hooks{committed: func(*batch) { st := s.Status(); reached[st.Size] = st.InputSeq }}
		var err error
		if s, err = New(f.cfg); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		time.Sleep(time.Minute) // of the bubble
		st := s.Status()
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if reached[2] != seq-1 || reached[3] != seq-1 || st.Size != 4 || st.InputSeq != seq {
			t.Errorf("while sequence %d is sealed: %v; at the end %+v", seq, reached, st)
		}
	})
}
