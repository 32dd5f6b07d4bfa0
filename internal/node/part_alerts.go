package node

import (
	"context"
	"errors"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/health"
)

// addAlerts adds the alerter. Of cfg, what the process has is filled in.
func (p *process) addAlerts(cfg alert.Config) error {
	cfg.Log, cfg.Keys, cfg.Health, cfg.Logger = p.log, p.keys, p.board, p.logger
	cfg.Scoped = true // the gate names the caller of each request
	a, err := alert.New(cfg)
	if err != nil {
		return err
	}
	p.seals.add(p.log, cluster.RoleAlert)
	p.add(part{
		name: "alerts", run: a.Run, routes: a.Routes(), endStreams: a.EndStreams,
		followers: []health.Follower{alertFollower(a)},
		watch:     func(m Metrics) { m.WatchAlerts(a) },
		ready: func(context.Context) (map[string]any, error) {
			st := a.Status()
			return map[string]any{"tree_size": st.Next}, followErr(st.Err, st.CaughtUp)
		},
	})
	return nil
}

// alertFollower is the follower that sends alerts of what the log holds.
func alertFollower(a *alert.Alerter) health.Follower {
	return health.Follower{Name: "alerts", Look: func() health.FollowerState {
		s := a.Status()
		state := health.FollowerState{
			Size: s.Next, Err: followErr(s.Err, s.CaughtUp), Bad: s.Bad,
			Counts: map[string]uint64{"published": s.Published},
		}
		for _, w := range s.Webhooks {
			state.Counts["delivered"] += w.Delivered
			state.Counts["given_up"] += w.GivenUp
		}
		return state
	}}
}

// errReading: a follower has not come to the end of the log yet.
var errReading = errors.New("the log is being read")

// followErr returns why a follower does not proceed, or that it has not caught up.
func followErr(text string, caughtUp bool) error {
	switch {
	case text != "":
		return errors.New(text)
	case !caughtUp:
		return errReading
	}
	return nil
}
