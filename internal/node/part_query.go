package node

import (
	"context"
	"net/http"
	"time"

	"github.com/sealstream/sealstream/internal/agtapi"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/settings"
)

// queryConfig configures query in a process.
type queryConfig struct {
	folder    string        // of the index of this log; "": in memory alone
	room      *disk.Watcher // watches the disk of the folder; nil: nobody does
	mark      string        // file of the newest checkpoint that the sealer of this host has seen; "": none
	accepting func() error  // why no events are accepted; nil: another process accepts them
	memory    bool          // the log ends with the process
	await     bool          // requests wait for an index that is being built, instead of failing at once
	limits    settings.MemoryFlags
}

// addQuery adds query, which answers filters and makes proofs.
func (p *process) addQuery(cfg queryConfig) error {
	durability := "" // what an acknowledgement means is for ingest to say
	if p.ingest != nil {
		durability = p.ingest.Durability()
	}
	var spare func() uint64
	if cfg.room != nil {
		spare = cfg.room.Spare
	}
	q, err := query.New(query.Config{
		Log: p.log, Keys: p.keys, Folder: cfg.folder, Parts: p.archive, Spare: spare, Mark: cfg.mark, Health: p.board,
		Durability: durability, Memory: query.Memory(cfg.limits.Limit()), Accepting: cfg.accepting, Logger: p.logger,
		Scoped: true, // the gate names the caller of each request, also where everybody may do everything
	})
	if err != nil {
		return err
	}
	p.query = q
	p.seals.add(p.log, cluster.RoleQuery)
	routes := agtapi.Reading(p.log.Name, q, !cfg.memory)
	for pattern, h := range routes {
		routes[pattern] = q.Budgeted(h)
	}
	routes["/"] = q.Handler()
	if cfg.await {
		for pattern, h := range routes {
			routes[pattern] = awaitIndex(q, h)
		}
	}
	p.add(part{
		name: "query", run: q.Run, routes: routes, endStreams: q.EndStreams,
		followers: []health.Follower{indexFollower(q)},
		watch:     func(m Metrics) { m.WatchQuery(q) },
		ready: func(context.Context) (map[string]any, error) {
			status := q.Status()
			body := map[string]any{"tree_size": status.Size, "lag": status.Lag}
			if status.Rechecking > 0 {
				body["rechecking"] = status.Rechecking
			}
			return body, q.Ready()
		},
	})
	return nil
}

// indexFollower is the index of query.
func indexFollower(q *query.Query) health.Follower {
	return health.Follower{Name: "index", Look: func() health.FollowerState {
		s := q.Status()
		return health.FollowerState{
			Size: s.Size, Err: s.Err, Bad: s.Corrupt, Counts: map[string]uint64{"void": uint64(len(s.Void))},
		}
	}}
}

// indexTimeout is how long a request waits for an index that is being built. Then it fails, and the
// answer says when to retry.
const indexTimeout = 2 * time.Second

// awaitIndex spares clients an error right after the start that has passed in a moment.
func awaitIndex(q *query.Query, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !q.Status().CaughtUp && r.URL.Path != "/healthz" {
			ctx, cancel := context.WithTimeout(r.Context(), indexTimeout)
			q.CaughtUp(ctx) // the handler reports the error better
			cancel()
		}
		h.ServeHTTP(w, r)
	})
}
