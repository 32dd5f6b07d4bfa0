package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/store"
)

const bound = 30 * time.Second

// fixture is a log with its sealer.
type fixture struct {
	testing.TB
	log *store.Log
	cfg sealer.Config
	key string
	n   int
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	log := store.NewMemory("default")
	skey, _, err := proof.GenerateKey("sink.example.com", log.Name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{TB: t, log: log, key: signer.VerifierKey()}
	f.cfg = sealer.Config{Log: log, Signer: signer, Secret: bytes.Repeat([]byte{7}, 32), KeepEvents: true}
	if err := sealer.Create(t.Context(), f.cfg, true); err != nil {
		t.Fatal(err)
	}
	return f
}

// run runs a part until the returned function, or the end of the test, stops it.
func (f *fixture) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := part(ctx); err != nil {
			f.Error(err)
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	f.Cleanup(stop)
	return stop
}

func (f *fixture) until(what string, holds func() bool) {
	f.Helper()
	for deadline := time.Now().Add(bound); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("waiting for %s", what)
		}
	}
}

// seal publishes events, each with data, and seals them; it returns the size of the log.
func (f *fixture) seal(n int) uint64 {
	f.Helper()
	for range n {
		m := entry.Message{Subject: "audit.default.events.open", Data: fmt.Appendf(nil,
			`{"specversion":"1.0","id":"e%d","source":"did:web:agent","type":"ai.agentmesh.tool.invoked","data":{"secret":"s-%d"}}`, f.n, f.n)}
		if _, err := f.log.Events.Append(f.Context(), m, nil); err != nil {
			f.Fatal(err)
		}
		f.n++
	}
	s, err := sealer.New(f.cfg)
	if err != nil {
		f.Fatal(err)
	}
	stop := f.run(s.Run)
	f.until("the sealer to come to the end", func() bool {
		info, err := f.log.Events.Info(f.Context())
		return err == nil && s.Status().InputSeq >= info.Last && s.Status().Size > 0
	})
	stop()
	return s.Status().Size
}

// runner makes a runner over what open opens.
func (f *fixture) runner(open sink.Open) *sink.Runner {
	f.Helper()
	r, err := sink.New(sink.Config{Log: f.log, Keys: []string{f.key}, Sink: sink.Spec{Name: "test", Open: open}, Pause: 5 * time.Millisecond, Batch: 100})
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// check compares what a sink holds with the log.
func (f *fixture) check(kept []sink.Record, size uint64, erased ...uint64) {
	f.Helper()
	i := 0
	for e, err := range store.Follow(f.Context(), f.log, 0, f.key) {
		if err != nil {
			f.Fatal(err)
		}
		if i >= len(kept) || !reflect.DeepEqual(kept[i].Entry, e) {
			f.Fatalf("index %d of %d is not the log's", i, len(kept))
		}
		gone := false
		for _, n := range erased {
			gone = gone || n == e.Index
		}
		if r := kept[i]; e.DataHash != "" && (r.Payload == nil) != gone || r.Payload != nil && !r.Payload.Opens(e) {
			f.Fatalf("index %d: data %v", i, r.Payload)
		}
		if i++; uint64(i) == size {
			break
		}
	}
	if len(kept) != i {
		f.Fatalf("%d entries, want %d", len(kept), i)
	}
}

func TestRunner(t *testing.T) {
	f := newFixture(t)
	size := f.seal(700)
	var kept []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := f.run(r.Run)
	f.until("the sink", func() bool { return r.Status().Next == size && r.Status().CaughtUp })
	size = f.seal(50)
	f.until("what was sealed since", func() bool { return r.Status().Next == size })
	stop()
	f.check(kept, size)
	if s := r.Status(); s.Written != size || s.Err != "" || s.Bad || s.Erased != 0 || s.Failures != 0 {
		t.Fatalf("%+v", s)
	}
	r = f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop = f.run(r.Run)
	f.until("the sink again", func() bool { return r.Status().CaughtUp })
	stop()
	if s := r.Status(); s.Written != 0 || s.Next != size {
		t.Fatalf("it writes again: %+v", s)
	}
}

// flaky is a sink that fails in each way that it can, most of the time.
type flaky struct {
	*sink.Memory
	n *int
}

var errAway = errors.New("away")

func (s flaky) Write(ctx context.Context, records []sink.Record) error {
	*s.n++
	switch *s.n % 4 {
	case 0:
		return errAway
	case 1: // some are written
		return errors.Join(s.Memory.Write(ctx, records[:len(records)/2]), errAway)
	case 2: // all are written, and the answer is lost
		return errors.Join(s.Memory.Write(ctx, records), errAway)
	}
	return s.Memory.Write(ctx, records)
}

// TestRunnerRetries: whatever a sink fails with, it gets each entry once, and the log goes on meanwhile.
func TestRunnerRetries(t *testing.T) {
	f := newFixture(t)
	f.seal(900)
	var kept []sink.Record
	opened, written := 0, 0
	r := f.runner(func(context.Context) (sink.Sink, error) {
		if opened++; opened%3 == 1 {
			return nil, errAway
		}
		return flaky{sink.NewMemory(&kept), &written}, nil
	})
	stop := f.run(r.Run)
	f.until("the first failure", func() bool { s := r.Status(); return s.Failures > 0 && s.Err != "" })
	size := f.seal(100)
	f.until("the sink", func() bool { s := r.Status(); return s.Next == size && s.Err == "" })
	stop()
	f.check(kept, size)
	if r.Status().Failures < 4 {
		t.Fatalf("%+v", r.Status())
	}
}

// deaf is a sink without a cursor.
type deaf struct{ *sink.Memory }

func (deaf) Cursor(context.Context) (sink.Cursor, error) { return sink.Cursor{}, sink.ErrNoCursor }

// TestRunnerKeepsCursor: the cursor of a sink that has none lies in CURSORS, and a runner goes on there.
func TestRunnerKeepsCursor(t *testing.T) {
	f := newFixture(t)
	size := f.seal(300)
	var kept []sink.Record
	for range 3 {
		r := f.runner(func(context.Context) (sink.Sink, error) { return deaf{sink.NewMemory(&kept)}, nil })
		stop := f.run(r.Run)
		f.until("the sink", func() bool { return r.Status().CaughtUp && r.Status().Next == size })
		stop()
		f.check(kept, size)
		size = f.seal(10)
	}
}

// TestRunnerOther: a sink that holds another log, or more than the log, gets nothing of it, and it is told.
func TestRunnerOther(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	size := a.seal(100)
	b.seal(10)
	var kept []sink.Record
	fill := a.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := a.run(fill.Run)
	a.until("the sink", func() bool { return fill.Status().Next == size })
	stop()
	for _, n := range []int{0, 200} {
		b.seal(n)
		r := b.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
		stop := b.run(r.Run)
		b.until("the refusal", func() bool { return r.Status().Failures > 1 })
		stop()
		if s := r.Status(); s.Written != 0 || s.Bad {
			t.Fatalf("%+v", s)
		}
		a.check(kept, size)
	}
}

// erase erases the data of an index as an administrator would.
func (f *fixture) erase(index uint64) {
	f.Helper()
	at, err := store.FindBatch(f.Context(), f.log, index)
	if err != nil {
		f.Fatal(err)
	}
	m, err := f.log.Payloads.Get(f.Context(), at.Batch.Payloads)
	if err != nil {
		f.Fatal(err)
	}
	list, err := proof.ParsePayloads(m.Data)
	if err != nil {
		f.Fatal(err)
	}
	var rest []byte
	for _, p := range list {
		if p.Index != index {
			rest = append(p.AppendRecord(rest), '\n')
		}
	}
	if _, err := f.log.Payloads.Append(f.Context(), entry.Message{Subject: fmt.Sprintf("audit.default.payloads.%d", m.Seq), Data: rest}, nil); err != nil {
		f.Fatal(err)
	}
	d := &entry.Erasure{Indexes: []uint64{index}, Reason: "asked for", Authority: "dpo"}
	control := entry.FormatControl("urn:admin", fmt.Sprint("erase-", index), entry.TypeErasure, d.AppendJSON(nil))
	if _, err := f.log.Events.Append(f.Context(), entry.Message{Subject: "audit.default.control", Data: control}, nil); err != nil {
		f.Fatal(err)
	}
	f.seal(0)
	if err := f.log.Payloads.(store.Purger).SecureDelete(f.Context(), m.Seq); err != nil {
		f.Fatal(err)
	}
}

// TestRunnerErased: data that was erased before a sink came reaches it never; what it holds, an Eraser forgets.
func TestRunnerErased(t *testing.T) {
	f := newFixture(t)
	f.seal(20)
	var early, late []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&early), nil })
	f.run(r.Run)
	f.until("the early sink", func() bool { return r.Status().CaughtUp && r.Status().Next == 21 })
	f.erase(7)
	size := f.seal(1)
	f.until("the early sink's end", func() bool { return r.Status().Next == size })
	f.check(early, size, 7)
	r = f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&late), nil })
	stop := f.run(r.Run)
	f.until("the late sink", func() bool { return r.Status().Next == size })
	stop()
	f.check(late, size, 7)
	if r.Status().Erased != 1 {
		t.Fatalf("%+v", r.Status())
	}
}

// TestRunnerLost: data that is gone without an entry that says so stops the sink, and nothing comes to it without its data.
func TestRunnerLost(t *testing.T) {
	f := newFixture(t)
	f.seal(20)
	at, err := store.FindBatch(t.Context(), f.log, 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.log.Payloads.(store.Purger).SecureDelete(t.Context(), at.Batch.Payloads); err != nil {
		t.Fatal(err)
	}
	var kept []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := f.run(r.Run)
	f.until("two failures", func() bool { return r.Status().Failures > 1 })
	stop()
	for _, one := range kept {
		if one.Erased() {
			t.Fatalf("index %d came without its data", one.Entry.Index)
		}
	}
}

// TestRunnerBad: of a log that does not verify, nothing is written from the bad entry on, and health says so.
func TestRunnerBad(t *testing.T) {
	f := newFixture(t)
	f.seal(20)
	strange, _, err := proof.GenerateKey("sink.example.com", "default")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := proof.NewSigner(strange)
	if err != nil {
		t.Fatal(err)
	}
	f.key = signer.VerifierKey()
	var kept []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := f.run(r.Run)
	f.until("the verdict", func() bool { return r.Status().Bad })
	stop()
	if len(kept) != 0 {
		t.Fatalf("%d entries were written", len(kept))
	}
}
