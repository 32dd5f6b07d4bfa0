package sealer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// upgrade publishes the config that raises the log to rules 4.
func (f *fixture) upgrade() {
	f.t.Helper()
	c, index, err := store.NewestConfig(f.t.Context(), f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	c.Rules, c.Previous = ruleset.Blinding, &index
	f.control(entry.TypeConfig, c)
}

// attributed is an event with attributes that rules 3 and 4 keep in different places.
func attributed(id, data string) string {
	return strings.Replace(event(id, data), `"data":`, `"authid":"ann","actionsalt":"s","dssematerial":"e30=",`+
		`"agentkey":"k","redactions":"email:/data/to","data":`, 1)
}

// TestRetryAcrossUpgrade: an event that comes again after the rules were raised is the same event,
// wherever a sealer starts, and another content under its id is not.
func TestRetryAcrossUpgrade(t *testing.T) {
	for _, entries := range []int{1, 3, 256} {
		onLog(t, func(t *testing.T, f *fixture) {
			batch := "[" + attributed("1", `{"a":1}`) + "," + attributed("2", `"x"`) + "]"
			f.publish(tokenSubject("did:a"), batch)
			f.publish(tokenSubject("did:a"), attributed("1", `{"a":2}`))
			f.mustSeal(entriesOf(entries))
			f.upgrade()
			f.publish(tokenSubject("did:a"), batch)
			f.mustSeal(entriesOf(entries))
			f.publish(tokenSubject("did:a"), attributed("1", `{"a":2}`))
			f.publish(tokenSubject("did:a"), attributed("3", `3`))
			f.publish(tokenSubject("did:a"), attributed("1", `{"a":3}`))
			f.mustSeal(entriesOf(entries))
			f.publish(tokenSubject("did:a"), "["+attributed("3", `3`)+","+attributed("1", `{"a":3}`)+","+batch[1:])
			f.mustSeal(entriesOf(entries))
			list := f.expect("config 1/0", "tool_invocation 2/0 1", "tool_invocation 2/1 2", "equivocation 3/0 1 of #1",
				"config 4/0", "duplicate 5/2 0=#1 1=#2", "duplicate 6/1 0=#3", "tool_invocation 7/0 3", "equivocation 8/0 1 of #3",
				"duplicate 9/4 0=#7 1=#8 2=#1 3=#2")
			if e := list[7]; e.Principal != "ann" || e.Blind == "" || e.RecordHash == nil || len(e.Redactions) != 1 ||
				e.Publisher != subject.Publisher(subject.AgentToken("did:a")) || list[1].Blind != "" {
				t.Errorf("%s", list[7].Leaf)
			}
			f.audit()
			f.again(2)
		})
	}
}

// TestRulesAreRaisedOnce: a config cannot lower the rules again, nor have members or rules that this
// release does not know.
func TestRulesAreRaisedOnce(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.mustSeal()
		f.upgrade()
		f.mustSeal()
		c, index, err := store.NewestConfig(t.Context(), f.log)
		if err != nil {
			t.Fatal(err)
		}
		c.Previous = &index
		for _, change := range []func(*entry.Config){
			func(c *entry.Config) { c.Rules = ruleset.Binding },
			func(c *entry.Config) { c.Rules = ruleset.Known + 1 },
		} {
			next := *c
			change(&next)
			f.control(entry.TypeConfig, &next)
		}
		text := strings.TrimSuffix(string(c.AppendJSON(nil)), "}") + `,"verdicts":true}`
		f.publish("control", string(inbox.FormatControl("c", testSigner.Origin(), entry.TypeConfig, []byte(text))))
		f.mustSeal()
		list := f.entries()
		if len(list) != 5 {
			t.Fatalf("%d entries", len(list))
		}
		for i, why := range []string{"already", "rules", "newer release"} {
			d, ok := list[2+i].Detail.(*entry.Rejected)
			if !ok || !strings.Contains(d.Field+d.Reason, why) {
				t.Errorf("%s", list[2+i].Leaf)
			}
		}
	})
}

// withSealer runs a sealer while test does something.
func (f *fixture) withSealer(test func(), change ...func(*Config)) {
	f.t.Helper()
	cfg := f.cfg
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	test()
	cancel()
	if err := <-done; err != nil {
		f.t.Fatalf("seal: %v", err)
	}
}

// TestServices: services record rules of access and reads, through store.Service.
func TestServices(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		query := store.Service{Log: f.log, Role: "query"}
		f.mustSeal()
		if _, err := query.Access(ctx, "q1", []byte("a")); !errors.Is(err, store.ErrServiceRules) {
			t.Fatalf("under rules 3: %v", err)
		}
		f.upgrade()
		f.mustSeal()
		f.withSealer(func() {
			access := func(s store.Service, process, text string, want uint64) {
				t.Helper()
				if got, err := s.Access(ctx, process, []byte(text)); err != nil || got != want {
					t.Fatalf("access of %s by %s: %d, %v; want %d", process, s.Role, got, err, want)
				}
			}
			access(query, "q1", "a", 2)
			time.Sleep(time.Second) // of the bubble: HEAD names it
			access(query, "q2", "a", 2)
			hint, _, err := f.log.Head.Get(ctx, subject.Access(f.log.Name))
			if err != nil {
				t.Fatal(err)
			}
			access(query, "q2", "b", 3)
			time.Sleep(time.Second)
			if err := f.log.Head.Put(ctx, subject.Access(f.log.Name), hint); err != nil {
				t.Fatal(err)
			}
			access(query, "q2", "a", 4) // though HEAD names index 2 again, which has this text
			access(store.Service{Log: f.log, Role: "alert"}, "a1", "a", 5)
			newest := uint64(4)
			index, err := query.Seal(ctx, "ann", &entry.Read{
				Role: "query", Access: &newest, Call: "c", Kind: "export", Route: "GET /v1/export",
			}, []byte("agent=x"))
			if err != nil || index != 6 {
				t.Fatalf("read: %d, %v", index, err)
			}
			_, err = query.Seal(ctx, "", &entry.Read{Role: "query", Call: "c", Kind: "admin", Route: "r"}, nil)
			fe, ok := errors.AsType[*entry.FieldError](err)
			if !errors.Is(err, store.ErrRefused) || !ok || fe.Field != "publisher" {
				t.Errorf("a read by nobody: %v", err)
			}
			if _, err = query.Append(ctx, "ann", &entry.Read{Role: "alert"}, nil); err == nil {
				t.Error("a read of another role was published")
			}
		})
		list := f.entries()
		if e := list[3]; e.EventType != ruleset.TypeAccess || *e.Detail.(*entry.Access).Previous != 2 || e.DataHash == nil {
			t.Errorf("%s", e.Leaf)
		}
		f.audit()
		f.again(1)
	})
}

// TestServicesAfterRestart: whichever way a sealer finds its state, it knows the newest access entry
// of each role, though that left the window long ago.
func TestServicesAfterRestart(t *testing.T) {
	small := func(c *Config) { c.window, c.slack, c.MaxEntries, c.pieceSize = 10, 20, 3, 8 }
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprintf("snapshot %t", kept), func(t *testing.T) {
			onLog(t, func(t *testing.T, f *fixture) {
				said := &linesSaid{}
				f.cfg.Logger = slog.New(said)
				if dir := t.TempDir(); kept {
					f.cfg.Mark, f.cfg.Snapshot = filepath.Join(dir, "checkpoint"), filepath.Join(dir, "snapshot")
				}
				f.mustSeal(small)
				f.upgrade()
				f.mustSeal(small)
				ctx := t.Context()
				seal := func(role, text string) (index uint64) {
					t.Helper()
					f.withSealer(func() {
						var err error
						if index, err = (store.Service{Log: f.log, Role: role}).Access(ctx, "p", []byte(text)); err != nil {
							t.Fatal(err)
						}
						time.Sleep(time.Second)
					}, small)
					return index
				}
				alert, query := seal("alert", "a"), seal("query", "a")
				for i := range 80 {
					f.publish(tokenSubject("did:a"), event(fmt.Sprint(i), "1"))
				}
				f.mustSeal(small)
				if seal("query", "a") != query {
					t.Error("the rules in force were sealed again")
				}
				again := seal("query", "b")
				list := f.entries()
				if d := list[again].Detail.(*entry.Access); d.Previous == nil || *d.Previous != query {
					t.Errorf("%s", list[again].Leaf)
				}
				next := seal("alert", "b")
				if d := f.entries()[next].Detail.(*entry.Access); d.Previous == nil || *d.Previous != alert {
					t.Errorf("%+v", d)
				}
				if restored := said.count(saysRestored) > 0; restored != kept {
					t.Errorf("restored from a snapshot: %t", restored)
				}
				f.audit()
			})
		})
	}
}

// TestGuess: who sees the hash of a withheld entry, and knows all of it but its id and its data,
// cannot confirm a guess of them under rules 4. Before, the same guess is confirmed.
func TestGuess(t *testing.T) {
	for _, rules := range []uint64{ruleset.Binding, ruleset.Blinding} {
		onLog(t, func(t *testing.T, f *fixture) {
			f.mustSeal()
			if rules == ruleset.Blinding {
				f.upgrade()
				f.mustSeal()
			}
			f.publish(tokenSubject("did:a"), strings.Replace(event("17", "0"), `,"data":0`, "", 1))
			f.mustSeal()
			list := f.entries()
			withheld := list[len(list)-1]
			confirmed := 0
			for id := range 1000 {
				guess := draft.Event(draft.Source{
					Log: testLog, Origin: testSigner.Origin(), Secret: make([]byte, 32), Epoch: withheld.InputEpoch,
					Seq: withheld.InputSeq, ReceivedAt: withheld.ReceivedAt, Publisher: withheld.Publisher, Rules: rules,
				}, entry.Event{
					ID: fmt.Sprint(id), Source: "did:a", Type: withheld.CloudEventType, EventType: withheld.EventType,
				})
				if e := guess.SealEntry(withheld.Index, withheld.PreviousHash); e.EntryHash == withheld.EntryHash {
					confirmed++
				}
			}
			if want := map[uint64]int{ruleset.Binding: 1, ruleset.Blinding: 0}[rules]; confirmed != want {
				t.Errorf("rules %d: %d of 1000 guesses were confirmed, want %d", rules, confirmed, want)
			}
		})
	}
}

// TestServicesCutOff: a message of a service of which only a part is sealed goes on where it was cut
// off.
func TestServicesCutOff(t *testing.T) {
	onLog(t, func(t *testing.T, f *fixture) {
		f.mustSeal()
		f.upgrade()
		f.mustSeal()
		record := func(previous string) string {
			return `{"event":{"specversion":"1.0","id":"1","source":"s","type":"sealstream.access","data":{"detail":{` +
				previous + `"process":"p","role":"query"},"text":"x"}}}`
		}
		f.publish("service.query", "["+record("")+","+record(`"previous":2,`)+","+record(`"previous":2,`)+","+
			record(`"previous":3,`)+"]")
		f.publish(tokenSubject("did:a"), event("1", "1"))
		for f.sealSome(1, entriesOf(1)) {
		}
		f.expect("config 1/0", "config 2/0", "access 3/0", "access 3/1",
			"rejected 3/2 [previous] is not the newest access entry of the role", "access 3/3", "tool_invocation 4/0 1")
		f.audit()
		f.again(256)
	})
}
