// Package sinktest is the conformance suite for sinks: the contract of package sink as tests that
// every sink must pass.
package sinktest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/sink"
)

// Place is where a sink keeps entries. It outlives the sinks that are opened on it.
type Place struct {
	// Open opens the sink, the first time and after a Close.
	Open func(ctx context.Context) (sink.Sink, error)

	// Tamper changes a field of the stored entry with an index. It is called while no sink is open.
	// If it is nil, the test of tampering is skipped.
	Tamper func(t *testing.T, index uint64)

	// Deaf means that nothing can be read back. The tests that read are skipped.
	Deaf bool

	// Shared means that two sinks may be open at the same time. Otherwise opening the second one must
	// return ErrLocked.
	Shared bool

	// Alone means that only one goroutine at a time may use the sink, because it has no locks. Set it
	// only for a sink that is never used outside a runner.
	Alone bool
}

// Run runs the suite. make returns an empty place for each test.
func Run(t *testing.T, make func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(*place)
	}{
		{"empty", testEmpty},
		{"one by one", testSingly},
		{"batches", testBatches},
		{"repeats", testRepeats},
		{"gap", testGap},
		{"other log", testOther},
		{"reopen", testReopen},
		{"read from", testReadFrom},
		{"erased before", testErasedBefore},
		{"erase", testErase},
		{"cancel", testCancel},
		{"closed", testClosed},
		{"second writer", testSecond},
		{"tampered", testTampered},
		{"read beside write", testBeside},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &place{T: t, Place: make(t)}
			c.test(p)
		})
	}
}

// place is a Place under test.
type place struct {
	*testing.T
	Place
}

// timeout is the longest time that one step of a test may take.
const timeout = 30 * time.Second

func (p *place) ctx() context.Context {
	ctx, cancel := context.WithTimeout(p.Context(), timeout)
	p.Cleanup(cancel)
	return ctx
}

func (p *place) open() sink.Sink {
	p.Helper()
	s, err := p.Open(p.ctx())
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { s.Close() })
	return s
}

func (p *place) close(s sink.Sink) {
	p.Helper()
	if err := s.Close(); err != nil {
		p.Fatal("Close:", err)
	}
}

func (p *place) write(s sink.Sink, records []sink.Record) {
	p.Helper()
	if err := s.Write(p.ctx(), records); err != nil {
		p.Fatalf("Write of %d: %v", len(records), err)
	}
}

// cursorIs waits until the sink has a cursor, which may become durable a little after a write.
func (p *place) cursorIs(s sink.Sink, want sink.Cursor) {
	p.Helper()
	var got sink.Cursor
	var err error
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if got, err = s.Cursor(p.ctx()); errors.Is(err, sink.ErrNoCursor) && p.Deaf || err == nil && got == want {
			return
		}
	}
	p.Fatalf("the cursor is %+v, %v; want %+v", got, err, want)
}

func after(records []sink.Record) sink.Cursor {
	if len(records) == 0 {
		return sink.Cursor{}
	}
	return sink.Of(&records[len(records)-1].Entry)
}

// holds checks that the sink holds exactly some records, and that its Verify accepts them.
func (p *place) holds(s sink.Sink, want []sink.Record) {
	p.Helper()
	p.cursorIs(s, after(want))
	if p.Deaf {
		return
	}
	p.reads(s, 0, want)
	if err := s.Verify(p.ctx()); err != nil {
		p.Fatal("Verify:", err)
	}
}

func (p *place) reads(s sink.Sink, from uint64, want []sink.Record) {
	p.Helper()
	n := 0
	for r, err := range s.Read(p.ctx(), from) {
		if err != nil {
			p.Fatalf("Read from %d: %v", from, err)
		}
		if n == len(want) {
			p.Fatalf("Read from %d: index %d behind the end", from, r.Entry.Index)
		}
		p.same(r, want[n])
		n++
	}
	if n != len(want) {
		p.Fatalf("Read from %d: %d records, want %d", from, n, len(want))
	}
}

func (p *place) same(got, want sink.Record) {
	p.Helper()
	if !reflect.DeepEqual(got.Entry, want.Entry) {
		p.Fatalf("index %d: read\n%+v\nwrote\n%+v", want.Entry.Index, got.Entry, want.Entry)
	}
	switch {
	case (got.Payload == nil) != (want.Payload == nil):
		p.Fatalf("index %d: payload %v, want %v", want.Entry.Index, got.Payload, want.Payload)
	case got.Payload != nil && (got.Payload.Index != want.Payload.Index || got.Payload.Salt != want.Payload.Salt ||
		string(got.Payload.Data) != string(want.Payload.Data)):
		p.Fatalf("index %d: payload %q, want %q", want.Entry.Index, got.Payload.Data, want.Payload.Data)
	}
}
