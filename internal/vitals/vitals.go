// Package vitals looks at the streams of a log and at the sealer and ingest of a process, and puts
// on a health board what is wrong with them.
package vitals

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/streams"
)

const (
	interval      = time.Second
	againInterval = 50 * time.Millisecond
	lookTimeout   = 3 * time.Second
	// after three looks that were not answered in time: some questions may not be allowed here
	restInterval = 30 * time.Second
)

// Config configures a monitor. Log and Board are required.
type Config struct {
	Log   *store.Log
	Board *health.Board
	// MayRead says that the NATS user of this process may read messages of EVENTS.
	MayRead bool
	// Stated has the limits that the settings state. Zero limits are not compared.
	Stated streams.Config
	// Remedy says how an administrator raises a limit. %s stands for the stream's name in the flag.
	Remedy string
}

// Monitor looks at a log's streams each second, and puts on the board what is wrong with them:
// whether they are nearly full, and whether events wait to be sealed. Each process has one, so that
// each knows what a dead one cannot tell.
type Monitor struct {
	cfg    Config
	watch  store.Watch
	sealer *sealer.Sealer // of this process; nil: none
	ingest *ingest.Ingest // of this process; nil: none

	began  time.Time                    // when Run began
	mu     sync.Mutex                   // one look at a time
	looked time.Time                    // when the last one began
	newest atomic.Pointer[store.Vitals] // nil while the streams do not answer
}

// New makes a monitor. Run starts it.
func New(cfg Config) *Monitor {
	return &Monitor{cfg: cfg, watch: store.Watch{Log: cfg.Log, MayRead: cfg.MayRead}}
}

// Attach adds the sealer and the ingest of this process. Either may be nil. It must be called
// before Run.
func (v *Monitor) Attach(s *sealer.Sealer, in *ingest.Ingest) { v.sealer, v.ingest = s, in }

// Newest returns what the streams answered last, or nil while they do not answer.
func (v *Monitor) Newest() *store.Vitals { return v.newest.Load() }

// Run looks until ctx is done.
func (v *Monitor) Run(ctx context.Context) error {
	v.mu.Lock()
	v.began = time.Now()
	v.mu.Unlock()
	for silent := 0; ; {
		wait := interval
		v.mu.Lock()
		err := v.look(ctx)
		v.mu.Unlock()
		if !errors.Is(err, context.DeadlineExceeded) {
			silent = 0
		} else if silent++; silent >= 3 {
			wait = restInterval
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Again looks once more, unless somebody does so meanwhile. Ingest calls it before it refuses
// events.
func (v *Monitor) Again(ctx context.Context) {
	begin := time.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.looked.Before(begin) {
		return
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(againInterval - time.Since(v.looked)):
	}
	v.look(ctx) // an error leaves what is known as it is
}

func (v *Monitor) look(ctx context.Context) error {
	v.looked = time.Now()
	if v.sealer != nil {
		v.judgeSealer(v.sealer.Status())
	}
	within, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := v.watch.Look(within)
	if err != nil {
		if v.newest.Store(nil); ctx.Err() == nil {
			v.cfg.Board.Set("streams", health.Warning, fmt.Sprintf("how full the streams are cannot be told: %v", err))
		}
		return err
	}
	v.newest.Store(&s)
	v.cfg.Board.Set("streams", health.OK, "")
	if v.ingest != nil {
		v.ingest.Measure(s)
	}
	for _, name := range store.Parts {
		v.judgeSize(name, s.Sizes[name])
	}
	v.judgeDrift(s)
	v.judgeBacklog(s)
	return nil
}
