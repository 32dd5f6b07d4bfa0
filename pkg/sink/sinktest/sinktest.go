// Package sinktest is the conformance suite for sinks: what the contract of pkg/sink says, as tests that every sink must pass.
package sinktest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/sealstream/sealstream/pkg/sink"
)

// Place is somewhere a sink keeps entries. Place outlives the sinks that are opened on it.
type Place struct {
	// Open opens the sink, the first time and after a Close.
	Open func(ctx context.Context) (sink.Sink, error)

	// Tamper changes, in the place and while no sink is open, something that the entry of an index says. nil: not tested.
	Tamper func(t *testing.T, index uint64)

	// Deaf: nothing can be read back, and the tests that would are left out.
	Deaf bool

	// Shared: two sinks may be open at once. Otherwise the second one must be ErrLocked.
	Shared bool

	// Alone: the sink has no locks, and one goroutine at a time may use it. Only a sink that is nobody's but the Runner's may be so.
	Alone bool
}

// Run runs the suite; make makes an empty place for each test.
func Run(t *testing.T, make func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(*place)
	}{
		{"empty", testEmpty}, {"one by one", testSingly}, {"batches", testBatches}, {"repeats", testRepeats}, {"gap", testGap}, {"other log", testOther},
		{"reopen", testReopen}, {"read from", testReadFrom}, {"erased before", testErasedBefore}, {"erase", testErase}, {"cancel", testCancel},
		{"closed", testClosed}, {"second writer", testSecond}, {"tampered", testTampered}, {"read beside write", testBeside},
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

const bound = 30 * time.Second

func (p *place) ctx() context.Context {
	ctx, cancel := context.WithTimeout(p.Context(), bound)
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

// cursorIs waits for the cursor: what was written may be durable a little later, and only then counts.
func (p *place) cursorIs(s sink.Sink, want sink.Cursor) {
	p.Helper()
	var got sink.Cursor
	var err error
	for deadline := time.Now().Add(bound); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
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

// holds says that the sink holds exactly these, and finds them right.
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
	case got.Payload != nil && (got.Payload.Index != want.Payload.Index || got.Payload.Salt != want.Payload.Salt || string(got.Payload.Data) != string(want.Payload.Data)):
		p.Fatalf("index %d: payload %q, want %q", want.Entry.Index, got.Payload.Data, want.Payload.Data)
	}
}
