package bench

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// probeEvery is how often a probe looks at the disk.
const probeEvery = 2 * time.Millisecond

// probe writes one event's bytes to a file of its own and syncs it, again and again, while the log
// is at work: what it waits for, the log has to wait for too. Machines of others stall, and a pause
// of the log that the probe saw as well is not the log's.
type probe struct {
	stop func()
	done chan struct{}
	list []time.Duration
	err  error
}

func (b *run) probe(ctx context.Context) (*probe, error) {
	f, err := os.Create(filepath.Join(b.dir, "probe"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &probe{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer f.Close()
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for payload := event(0, 0); p.err == nil; {
			select {
			case <-ctx.Done():
				return
			case due := <-tick.C: // a tick that came late counts from when it was due
				if _, p.err = f.Write(payload); p.err == nil {
					p.err = f.Sync()
				}
				p.list = append(p.list, time.Since(due))
			}
		}
	}()
	return p, nil
}

// end stops the probe and returns what it saw.
func (p *probe) end() (Latency, error) {
	p.stop()
	<-p.done
	return quantiles(p.list), p.err
}
