package sinkrun_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/internal/sealedlog"
	sinkrun "github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/sink"
)

// fixture is a log with what sinks are checked against.
type fixture struct{ *logtest.Fixture }

func newFixture(t testing.TB) fixture {
	t.Helper()
	return fixture{logtest.Memory(t)}
}

// runner makes a runner over what open opens.
func (f fixture) runner(open sink.Open) *sinkrun.Runner {
	f.Helper()
	r, err := sinkrun.New(sinkrun.Config{
		Log: f.Store, Keys: []string{f.Key}, Sink: sink.Spec{Name: "test", Open: open}, Pause: 5 * time.Millisecond,
		Batch: 100,
	})
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// check compares what a sink holds with the log.
func (f fixture) check(kept []sink.Record, size uint64, erased ...uint64) {
	f.Helper()
	i := 0
	for e, err := range store.Follow(f.Context(), f.Store, 0, f.Key) {
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
		if r := kept[i]; e.DataHash != nil && (r.Payload == nil) != gone || r.Payload != nil && !r.Payload.Opens(e) {
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
	size := f.Grow(700)
	var kept []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the sink", func() bool { return r.Status().Next == size && r.Status().CaughtUp })
	size = f.Grow(50)
	logtest.Until(f, "what was sealed since", func() bool { return r.Status().Next == size })
	stop()
	f.check(kept, size)
	if s := r.Status(); s.Written != size || s.Err != "" || s.Bad || s.Erased != 0 || s.Failures != 0 {
		t.Fatalf("%+v", s)
	}
	r = f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop = logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the sink again", func() bool { return r.Status().CaughtUp })
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
	f.Grow(900)
	var kept []sink.Record
	opened, written := 0, 0
	r := f.runner(func(context.Context) (sink.Sink, error) {
		if opened++; opened%3 == 1 {
			return nil, errAway
		}
		return flaky{sink.NewMemory(&kept), &written}, nil
	})
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the first failure", func() bool { s := r.Status(); return s.Failures > 0 && s.Err != "" })
	size := f.Grow(100)
	logtest.Until(f, "the sink", func() bool { s := r.Status(); return s.Next == size && s.Err == "" })
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
	size := f.Grow(300)
	var kept []sink.Record
	for range 3 {
		r := f.runner(func(context.Context) (sink.Sink, error) { return deaf{sink.NewMemory(&kept)}, nil })
		stop := logtest.Run(f, "sink", r.Run)
		logtest.Until(f, "the sink", func() bool { return r.Status().CaughtUp && r.Status().Next == size })
		stop()
		f.check(kept, size)
		size = f.Grow(10)
	}
}

// TestRunnerOther: a sink that holds another log, or more than the log, gets nothing of it, and it is told.
func TestRunnerOther(t *testing.T) {
	a, b := newFixture(t), newFixture(t)
	size := a.Grow(100)
	b.Grow(10)
	var kept []sink.Record
	fill := a.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := logtest.Run(a, "sink", fill.Run)
	logtest.Until(a, "the sink", func() bool { return fill.Status().Next == size })
	stop()
	for _, n := range []int{0, 200} {
		b.Grow(n)
		r := b.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
		stop := logtest.Run(b, "sink", r.Run)
		logtest.Until(b, "the refusal", func() bool { return r.Status().Failures > 1 })
		stop()
		if s := r.Status(); s.Written != 0 || s.Bad {
			t.Fatalf("%+v", s)
		}
		a.check(kept, size)
	}
}

// erase erases the data of an index as an administrator would.
func (f fixture) erase(index uint64) {
	f.Helper()
	at, err := store.FindBatch(f.Context(), f.Store, index)
	if err != nil {
		f.Fatal(err)
	}
	m, err := f.Store.Payloads.Get(f.Context(), at.Batch.Payloads)
	if err != nil {
		f.Fatal(err)
	}
	list, err := sealedlog.ParsePayloads(m.Data)
	if err != nil {
		f.Fatal(err)
	}
	var rest []byte
	for _, p := range list {
		if p.Index != index {
			rest = append(p.AppendRecord(rest), '\n')
		}
	}
	if _, err := f.Store.Payloads.Append(f.Context(),
		entry.Message{Subject: fmt.Sprintf("audit.default.payloads.%d", m.Seq), Data: rest}, nil); err != nil {
		f.Fatal(err)
	}
	d := &entry.Erasure{Indexes: []uint64{index}, Reason: "asked for", Authority: "dpo"}
	f.Control(fmt.Sprint("erase-", index), entry.TypeErasure, d.AppendJSON(nil))
	f.Seal()
	if err := f.Store.Payloads.(store.Purger).SecureDelete(f.Context(), m.Seq); err != nil {
		f.Fatal(err)
	}
}

// TestRunnerErased: data that was erased before a sink came reaches it never; what it holds, an Eraser forgets.
func TestRunnerErased(t *testing.T) {
	f := newFixture(t)
	f.Grow(20)
	var early, late []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&early), nil })
	logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the early sink", func() bool { return r.Status().CaughtUp && r.Status().Next == 21 })
	f.erase(7)
	size := f.Grow(1)
	logtest.Until(f, "the early sink's end", func() bool { return r.Status().Next == size })
	f.check(early, size, 7)
	r = f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&late), nil })
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the late sink", func() bool { return r.Status().Next == size })
	stop()
	f.check(late, size, 7)
	if r.Status().Erased != 1 {
		t.Fatalf("%+v", r.Status())
	}
}

// TestRunnerLost: data that is gone without an entry that says so stops the sink, and nothing comes
// to it without its data.
func TestRunnerLost(t *testing.T) {
	f := newFixture(t)
	f.Grow(20)
	at, err := store.FindBatch(t.Context(), f.Store, 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Store.Payloads.(store.Purger).SecureDelete(t.Context(), at.Batch.Payloads); err != nil {
		t.Fatal(err)
	}
	var kept []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "two failures", func() bool { return r.Status().Failures > 1 })
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
	f.Grow(20)
	f.Key = logtest.Signer(t, logtest.Name).VerifierKey()
	var kept []sink.Record
	r := f.runner(func(context.Context) (sink.Sink, error) { return sink.NewMemory(&kept), nil })
	stop := logtest.Run(f, "sink", r.Run)
	logtest.Until(f, "the verdict", func() bool { return r.Status().Bad })
	stop()
	if len(kept) != 0 {
		t.Fatalf("%d entries were written", len(kept))
	}
}
