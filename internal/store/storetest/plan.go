package storetest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"

	"github.com/sealstream/sealstream/internal/store"
)

// What a faulty log answers with, besides the contract's own errors.
var (
	// ErrInjected: the operation was not done, and it is certain.
	ErrInjected = errors.New("injected failure")
	// ErrCrashed: the process that uses this log counts as dead; nothing that it asks for is done
	// any more.
	ErrCrashed = errors.New("injected crash")
)

// Op is one operation as it is asked for. Methods are those of the interfaces of package store;
// AppendAsync counts as Append, at the moment of sending, and Next is the reader's.
type Op struct {
	Resource string // EVENTS, SEALED, PAYLOADS, ALERTS, HEAD, CURSORS
	Method   string
	Count    uint64  // how many of this resource and method there were before
	Seq      uint64  // of Get, Read, PurgeBelow, SecureDelete; the revision of Update
	Key      string  // of a bucket; the subject of Last and Append
	Expect   *uint64 // of Append
}

// Writes tells whether the operation would change anything.
func (o Op) Writes() bool {
	switch o.Method {
	case "Append", "PurgeBelow", "SecureDelete", "Put", "Create", "Update":
		return true
	}
	return false
}

// Fault is what becomes of an operation.
type Fault int

const (
	None           Fault = iota
	Fail                 // not done: ErrInjected; of Next, the reader is cut off for good
	Lose                 // not done, but nobody can know: ErrAmbiguous
	WriteThenFail        // done, but the answer is lost: ErrAmbiguous
	Delay                // ErrAmbiguous now, done after some more operations: what was on the wire when its sender gave up
	Crash                // not done, and the process is dead: ErrCrashed from here on
	WriteThenCrash       // done, and the process is dead
	// an old answer, which only a broken store gives: Info tells the state it told last, Get and
	// Last find nothing
	Stale
)

// Hook decides about each operation. It may be called by many goroutines.
type Hook func(Op) Fault

// Plan is the faults of one log as one process sees it. Several plans over the same log are several
// processes.
type Plan struct {
	Hook       Hook // nil: no faults
	DelayedFor int  // operations after which a delayed write is done; 0: 8

	mu      sync.Mutex
	counts  map[[2]string]uint64
	delayed []delayed
	dead    context.Context // done when a fault has crashed the process
	kill    context.CancelFunc
}

type delayed struct {
	left  int
	write func()
}

// Random makes a hook that gives each operation one of the faults with its probability, per
// thousand. The decision depends on the seed, the resource, the method and their count alone, so
// that it is the same however goroutines take turns. Faults that make no sense for an operation are
// not given to it.
func Random(seed uint64, perMille map[Fault]int) Hook {
	return func(op Op) Fault {
		h := fnv.New64a()
		fmt.Fprintf(h, "%s %s %d", op.Resource, op.Method, op.Count)
		n := rand.New(rand.NewPCG(seed, h.Sum64())).IntN(1000)
		for f := Fail; f <= Stale; f++ {
			if n -= perMille[f]; n >= 0 {
				continue
			}
			if fits := f == Fail || f == Crash || op.Writes() == (f != Stale); fits {
				return f
			}
			return None
		}
		return None
	}
}

// Dead is closed when a fault has crashed the process.
func (p *Plan) Dead() <-chan struct{} { return p.life().Done() }

func (p *Plan) life() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead == nil {
		p.dead, p.kill = context.WithCancel(context.Background())
	}
	return p.dead
}

func (p *Plan) crash() error {
	p.life()
	p.kill()
	return ErrCrashed
}

// Settle does all delayed writes now. Without it, those that are left when a test ends were lost on
// the wire.
func (p *Plan) Settle() {
	p.mu.Lock()
	list := p.delayed
	p.delayed = nil
	p.mu.Unlock()
	for _, d := range list {
		d.write()
	}
}

// decide counts an operation, lets delayed writes go whose time has come, and asks the hook.
func (p *Plan) decide(op Op) Fault {
	if p.life().Err() != nil {
		return Crash
	}
	p.mu.Lock()
	if p.counts == nil {
		p.counts = map[[2]string]uint64{}
	}
	kind := [2]string{op.Resource, op.Method}
	op.Count = p.counts[kind]
	p.counts[kind]++
	var due []delayed
	for i := range p.delayed {
		p.delayed[i].left--
	}
	for len(p.delayed) > 0 && p.delayed[0].left <= 0 {
		due, p.delayed = append(due, p.delayed[0]), p.delayed[1:]
	}
	p.mu.Unlock()
	for _, d := range due {
		d.write()
	}
	if p.Hook == nil {
		return None
	}
	return p.Hook(op)
}

// read does a reading operation, or what its fault makes of it.
func (p *Plan) read(op Op, stale func() error, do func() error) error {
	switch p.decide(op) {
	case Fail, Lose, WriteThenFail, Delay:
		return fmt.Errorf("%s of %s: %w", op.Method, op.Resource, ErrInjected)
	case Crash, WriteThenCrash:
		return fmt.Errorf("%s of %s: %w", op.Method, op.Resource, p.crash())
	case Stale:
		if stale != nil {
			return stale()
		}
	}
	return do()
}

// write does a writing operation, or what its fault makes of it. A delayed one is not bound to the
// caller's context.
func (p *Plan) write(ctx context.Context, op Op, do func(context.Context) error) error {
	if err := p.meddle(ctx, op, do); err != nil {
		return err
	}
	return do(ctx)
}

// meddle does what a fault makes of a write, and returns nil if there is none.
func (p *Plan) meddle(ctx context.Context, op Op, do func(context.Context) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s of %s: %w", op.Method, op.Resource, err)
		}
	}()
	switch p.decide(op) {
	case Fail:
		return ErrInjected
	case Lose:
		return store.ErrAmbiguous
	case WriteThenFail:
		_ = do(ctx) // whatever came of it: nobody hears the answer
		return store.ErrAmbiguous
	case Delay:
		p.mu.Lock()
		defer p.mu.Unlock()
		left := p.DelayedFor
		if left == 0 {
			left = 8
		}
		p.delayed = append(p.delayed, delayed{left, func() { _ = do(context.WithoutCancel(ctx)) }})
		return store.ErrAmbiguous
	case Crash:
		return p.crash()
	case WriteThenCrash:
		_ = do(ctx)
		return p.crash()
	}
	return nil
}
