package sealer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
)

// The simulation: a log in memory, sealers, publishers and an administrator, and between them and
// the log a layer in which things go wrong.
//
// A world lives in a bubble of fake time. Whatever an actor asks of the store becomes an operation
// that waits; when everyone waits, the scheduler picks one of them with the seed's random numbers,
// decides what becomes of it, and lets its actor go on. So one seed is one schedule.

// world is one simulated log.
type world struct {
	raised bool // a config that raises the rules was said
	plan   plan
	rng    *rand.Rand // the scheduler's own
	// what ingest has parsed; nil: it does not hand over
	handover *inbox.Handover
	log      *store.Log // the truth
	ctx      context.Context
	stop     context.CancelFunc // ends all actors

	state sync.Mutex // held while the world changes, and by actors who look at it

	mu      sync.Mutex // of the following
	pending []*operation
	arrived chan struct{}
	actors  sync.WaitGroup
	alive   int // actors that have not ended

	clients []*client
	wire    []delayed // writes on their way
	steps   int
	asked   int  // operations of sealers
	calm    bool // no more faults
	trace   *strings.Builder
	failure error

	*history
}

// operation is something that an actor asks of the store, and waits for.
type operation struct {
	c     *client
	name  string
	ready func() bool // nil: always
	run   func()      // what becomes of it; by the scheduler
	done  chan struct{}
	gone  bool // its actor does not wait any more
}

// delayed is a write that nobody waits for any more, but which may still land.
type delayed struct {
	name string
	land func()
}

// client is one process as the store sees it. A crash ends it: nothing of it reaches the store after that.
type client struct {
	w      *world
	name   string
	sealer bool
	honest bool // of the log's own key, secret and rules
	ctx    context.Context
	kill   context.CancelFunc
	run    context.Context    // of a sealer that is to be ended now and then
	leave  context.CancelFunc // ends it in good order; nil: only with the world
	stale  int                // outdated answers it was given
	age    int                // how often EVENTS had lost something when it last asked
}

func newWorld(p plan, trace bool) *world {
	w := &world{
		plan: p, rng: rand.New(rand.NewPCG(p.seed, 1)), log: store.NewMemory(testLog), arrived: make(chan struct{}, 1),
		history: newHistory(),
	}
	if p.parsed > 0 {
		w.handover = &inbox.Handover{}
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	if trace {
		w.trace = &strings.Builder{}
	}
	return w
}

// join is client for actors.
func (w *world) join(name string, sealer bool) (c *client) {
	w.locked(func() {
		c = w.client(name, sealer)
		if sealer {
			c.run, c.leave = context.WithCancel(c.ctx)
		}
	})
	return c
}

func (w *world) client(name string, sealer bool) *client {
	c := &client{w: w, name: name, sealer: sealer, honest: true, age: w.losses}
	c.ctx, c.kill = context.WithCancel(w.ctx)
	w.clients = append(w.clients, c)
	return c
}

// act starts an actor.
func (w *world) act(run func()) {
	w.mu.Lock()
	w.alive++
	w.mu.Unlock()
	w.actors.Go(func() {
		run()
		w.mu.Lock()
		w.alive--
		w.mu.Unlock()
	})
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
	}
}

func (w *world) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

func (w *world) note(format string, args ...any) {
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%5d %s\n", w.steps, fmt.Sprintf(format, args...))
	}
}

var errCrashed = errors.New("this process has crashed")

// do waits until the scheduler has run an operation.
func (c *client) do(ctx context.Context, name string, ready func() bool, run func()) error {
	o := &operation{c: c, name: name, ready: ready, run: run, done: make(chan struct{})}
	if err := c.over(ctx); err != nil {
		return err
	}
	c.w.mu.Lock()
	c.w.pending = append(c.w.pending, o)
	c.w.mu.Unlock()
	select {
	case c.w.arrived <- struct{}{}:
	default:
	}
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	c.w.mu.Lock()
	o.gone = true
	c.w.mu.Unlock()
	if err := c.over(ctx); err != nil {
		return err
	}
	return errCrashed
}

func (c *client) over(ctx context.Context) error {
	if c.ctx.Err() != nil {
		return errCrashed
	}
	return ctx.Err()
}

// run lets the world go until all is done, and says what is wrong with it.
func (w *world) run() error {
	defer w.stop()
	start := time.Now()
	for quiet := 0; ; {
		synctest.Wait()
		w.state.Lock()
		over, acted := w.turn(start)
		w.state.Unlock()
		if err := w.failed(); err != nil || over {
			return err
		}
		if quiet++; acted {
			quiet = 0
		} else {
			w.idle(time.Second)
		}
		if quiet > 600 || w.steps > 100_000 {
			return fmt.Errorf("no end: %s", w.where())
		}
	}
}

// turn lets one thing happen, if there is one.
func (w *world) turn(start time.Time) (over, acted bool) {
	w.steps++
	if w.over(start) {
		return true, false
	}
	ready := w.ready()
	if len(ready)+len(w.wire) == 0 {
		return false, false
	}
	w.step(ready)
	return false, true
}

// sleep lets fake time go on in the middle of a turn.
func (w *world) sleep(d time.Duration) {
	w.state.Unlock()
	time.Sleep(d)
	w.state.Lock()
}

// idle lets fake time go on until somebody asks for something.
func (w *world) idle(most time.Duration) {
	select {
	case <-w.arrived: // an old one
	default:
	}
	w.mu.Lock()
	n := len(w.pending)
	w.mu.Unlock()
	if n > 0 && len(w.ready()) > 0 {
		return
	}
	select {
	case <-w.arrived:
	case <-time.After(most):
	}
}

// ready are the operations that can be run, in an order that depends on nothing but the seed.
func (w *world) ready() []*operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = slices.DeleteFunc(w.pending, func(o *operation) bool { return o.gone })
	var list []*operation
	for _, o := range w.pending {
		if o.ready == nil || o.ready() {
			list = append(list, o)
		}
	}
	slices.SortStableFunc(list, func(a, b *operation) int {
		if n := strings.Compare(a.c.name, b.c.name); n != 0 {
			return n
		}
		return strings.Compare(a.name, b.name)
	})
	return list
}

// step lets one thing happen.
func (w *world) step(ready []*operation) {
	if !w.calm && w.happening() {
		return
	}
	n := w.rng.IntN(len(ready) + len(w.wire))
	if n >= len(ready) {
		d := w.wire[n-len(ready)]
		w.wire = slices.Delete(w.wire, n-len(ready), n-len(ready)+1)
		w.note("lands late: %s", d.name)
		d.land()
		return
	}
	o := ready[n]
	if o.c.sealer {
		if w.asked++; strings.HasPrefix(o.name, "snapshot.") {
			w.snapshotSteps = append(w.snapshotSteps, w.asked)
		}
	}
	crash := !w.calm && o.c.sealer && w.hits(w.plan.crash)
	before := crash && w.rng.IntN(2) == 0
	if o.c.sealer && w.asked == max(w.plan.crashAt, -w.plan.crashAt) {
		crash, before = true, w.plan.crashAt > 0
	}
	if before {
		w.crash(o.c, "before "+o.name)
		return
	}
	w.mu.Lock()
	w.pending = slices.DeleteFunc(w.pending, func(p *operation) bool { return p == o })
	w.mu.Unlock()
	w.note("%s: %s", o.c.name, o.name)
	o.run()
	if crash {
		w.crash(o.c, "after "+o.name)
		return
	}
	close(o.done)
}

func (w *world) crash(c *client, when string) {
	w.note("%s: CRASH %s", c.name, when)
	c.kill()
}

func (w *world) hits(p float64) bool { return w.rng.Float64() < p }

func (w *world) where() string {
	b, gone := w.tail()
	return fmt.Sprintf("the log has %d entries, its input position is %d, EVENTS ends at %d, %d actors, %d "+
		"operations, %d void", b.Size, b.Input.Seq, w.eventsEnd(), w.living(), len(w.pending), gone)
}

func (w *world) eventsEnd() uint64 {
	last, _, err := store.End(context.Background(), w.log.Events)
	if err != nil {
		panic(err)
	}
	return last
}

// tail is the newest valid batch, and how many messages on SEALED are void.
func (w *world) tail() (sealedlog.Batch, int) { return w.newest, len(w.void) }

// drained says whether all of EVENTS is sealed.
func (w *world) drained() bool {
	b, _ := w.tail()
	m, err := w.log.Events.Get(context.Background(), w.eventsEnd())
	return b.Size > 0 && err == nil && b.Input.Seq == m.Seq && (identity{secret: testSecret}).holds(m, b.Input) &&
		b.Input.Place == sealedlog.PlaceEnd
}

// over drives the end of a world: when publishers are done there are no more faults; when all is
// sealed and the duties had time, all ends.
func (w *world) over(start time.Time) bool {
	switch {
	case w.publishing > 0:
		return false
	case !w.calm:
		w.calm = true
		w.note("CALM")
	case w.ending.IsZero() && w.drained() && len(w.wire) == 0 && w.impostors == 0:
		w.ending = time.Now().Add(40 * time.Second)
		w.note("DRAINED")
	case !w.ending.IsZero() && time.Now().After(w.ending):
		if !w.drained() {
			w.ending = time.Time{}
			return false
		}
		w.note("END")
		w.finish()
		return true
	}
	return false
}

// finish stops the sealers in good order: they may still write their marks.
func (w *world) finish() {
	w.stopping = true
	for _, c := range w.clients {
		if c.leave != nil {
			c.leave()
		}
	}
	for w.living() > 0 {
		w.state.Unlock()
		synctest.Wait()
		w.state.Lock()
		if ready := w.ready(); len(ready) > 0 {
			w.step(ready)
			w.steps++
		} else if w.living() > 0 {
			w.state.Unlock()
			w.idle(time.Second)
			w.state.Lock()
		}
	}
}

func (w *world) living() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alive
}
