package node

import (
	"context"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/agtapi"
	"github.com/sealstream/sealstream/internal/cluster"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
)

// ingestConfig configures ingest in a process. The zero value of a field is ingest.Config's.
type ingestConfig struct {
	limits    settings.MemoryFlags
	relaxed   bool
	open      bool
	policy    *proof.Policy
	redaction *redact.Rules
	room      func(bytes int) error
	handover  *inbox.Handover // to the sealer of this process; nil: it is elsewhere
	// shown waits for a while until the query part of this process has an entry. Nil: another
	// process answers queries.
	shown func(ctx context.Context, index uint64)
	// opening holds back what writes while the sealer of this process opens the log. Nil: the sealer
	// is elsewhere.
	opening *opening
}

// addIngest adds ingest over HTTP.
func (p *process) addIngest(cfg ingestConfig) error {
	inFlight := ingest.InFlight(cfg.limits.Limit())
	in, err := ingest.New(ingest.Config{
		Log: p.log, Keys: p.keys, Relaxed: cfg.relaxed, Open: cfg.open, Policy: cfg.policy,
		Vouched: p.gate != nil, Redaction: cfg.redaction, Handover: cfg.handover, Room: cfg.room, Measure: p.measure(),
		MaxInFlight: inFlight,
		MaxBody:     min(16<<20, inFlight/2), // one request must fit, with the copy that it grows from
		Observe:     p.metrics.ObserveIngest(), Logger: p.logger,
	})
	if err != nil {
		return err
	}
	p.ingest = in
	p.seals.add(p.log, cluster.RoleIngest)
	routes := map[string]http.Handler{"/v1/events": cfg.opening.handler(in.Handler())}
	for pattern, h := range agtapi.Writing(p.log.Name, in, cfg.shown) {
		routes[pattern] = cfg.opening.handler(h)
	}
	p.add(part{
		name: "ingest", routes: routes,
		run: func(ctx context.Context) error {
			if cfg.opening.await(ctx) != nil {
				return nil
			}
			return in.Run(ctx)
		},
		watch: func(m Metrics) { m.WatchIntake(in) },
		ready: func(ctx context.Context) (map[string]any, error) {
			return map[string]any{"durability": in.Durability()}, in.Reachable(ctx)
		},
	})
	return nil
}

// addRequests adds ingest over NATS requests. When it has begun, the server sends requests here.
func (p *process) addRequests(nc *nats.Conn) {
	var r *requests
	p.add(part{
		name: "requests", edge: true,
		begin: func(ctx context.Context) (err error) {
			r, err = listenRequests(ctx, nc, p.log.Name, p.ingest)
			return err
		},
		run: func(ctx context.Context) error { return r.run(ctx) },
	})
}
