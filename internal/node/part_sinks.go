package node

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sealstream/sealstream/internal/health"
	sinkrun "github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/pkg/sink"
)

// addSinks adds a part for each sink and, if reopen, one that reopens all of them on SIGHUP.
func (p *process) addSinks(specs []sink.Spec, reopen bool) error {
	for _, s := range specs {
		r, err := sinkrun.New(sinkrun.Config{
			Log: p.log, Keys: p.keys, Sink: s, Health: p.board, Logger: p.logger,
		})
		if err != nil {
			return err
		}
		p.sinks = append(p.sinks, r)
		p.add(part{name: "sink " + r.Name(), run: r.Run, followers: []health.Follower{sinkFollower(r)}})
	}
	if reopen {
		p.add(part{name: "reopen", run: p.reopenOnHangup, ready: p.sinksReady})
	}
	return nil
}

// sinksReady: sinks are ready while none of them is in trouble.
func (p *process) sinksReady(context.Context) (map[string]any, error) {
	size := p.size()
	all, _ := report(p.followers, size)
	body := map[string]any{"tree_size": size, "followers": all}
	for _, f := range p.followers {
		if s := f.Look(); s.Err != nil {
			return body, fmt.Errorf("%s: %w", f.Name, s.Err)
		}
	}
	return withNotes(body, p.followers), nil
}

// sinkFollower is the follower that writes into a sink.
func sinkFollower(r *sinkrun.Runner) health.Follower {
	return health.Follower{Name: "sink-" + r.Name(), Look: func() health.FollowerState {
		s := r.Status()
		return health.FollowerState{
			Size: s.Next,
			Err:  followErr(s.Err, s.CaughtUp),
			Bad:  s.Bad,
			Counts: map[string]uint64{
				"written":  s.Written,
				"batches":  s.Batches,
				"erased":   s.Erased,
				"failures": s.Failures,
				"mended":   s.Mended,
			},
			Note: s.Note,
		}
	}}
}

// reopenOnHangup reopens the sinks on SIGHUP.
func (p *process) reopenOnHangup(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			for _, r := range p.sinks {
				r.Reopen()
			}
		}
	}
}
