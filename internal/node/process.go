package node

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/sealstream/sealstream/internal/access/gate"
	"github.com/sealstream/sealstream/internal/archive"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/httpapi"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
	sinkrun "github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/internal/vitals"
	"github.com/sealstream/sealstream/internal/witness"
)

// part is one role of a log, or something that looks after the roles. Up, Embedded and the services
// assemble a process from the same parts: each add method of process makes one.
type part struct {
	name string // for errors
	// begin does what the parts after this one rely on, before they run. Nil: nothing.
	begin func(context.Context) error
	// run works until ctx is done. An error ends the process. Nil: the part only answers requests.
	run func(context.Context) error
	// edge parts end before the others, so that requests under way are answered.
	edge bool

	routes    map[string]http.Handler // by the pattern of http.ServeMux
	followers []health.Follower
	watch     func(Metrics) // registers the part's metrics; nil: it has none
	// ready returns what /readyz of a service shows of the part, and why the part is not ready.
	// Nil: it shows nothing, and is ready.
	ready func(context.Context) (map[string]any, error)
	// endStreams ends answers that would never end by themselves, and keep the server from
	// stopping. Nil: there are none.
	endStreams func()
}

// process is the parts of one log that run in this process.
type process struct {
	streams *store.Log // the log in its streams alone
	log     *store.Log // the log in streams and archive
	archive *archive.Archive
	keys    []string      // verifier keys of the log, newest first
	board   *health.Board // what is wrong with this process
	gate    *gate.Gate    // who may do what over HTTP; nil: everybody everything
	seals   *ruleSeals    // of the gate; nil if that is nil
	metrics Metrics
	logger  *slog.Logger

	// The parts that others ask. Those that do not run in this process are nil.
	vitals   *vitals.Monitor
	sealer   *sealer.Sealer
	ingest   *ingest.Ingest
	query    *query.Query
	archiver *archive.Archiver
	sinks    []*sinkrun.Runner
	witness  *witness.Collector

	list      []part
	running   int // number of parts at the beginning of list that start has run
	followers []health.Follower
	parts     *group
	edge      *group // the edge parts
}

// processConfig is what all parts of a process share.
type processConfig struct {
	log     *store.Log
	keys    []string       // verifier keys of the log, newest first
	board   *health.Board  // nil: a new one
	gate    *gate.Gate     // nil: everybody may do everything
	seals   *ruleSeals     // of the gate; nil if that is nil
	vitals  *vitals.Config // nil: nothing looks at the streams
	plugins Plugins
	logger  *slog.Logger
}

// newProcess makes a process without parts. Canceling ctx does not stop it.
func newProcess(ctx context.Context, cfg processConfig) *process {
	if cfg.board == nil {
		cfg.board = newBoard(cfg.logger, cfg.log.Name)
	}
	ctx = context.WithoutCancel(ctx)
	a := archive.New(cfg.log)
	through := a.Through()
	through.Parses = &store.Parses{}
	p := &process{
		streams: cfg.log, log: through, archive: a, keys: cfg.keys, board: cfg.board, gate: cfg.gate, seals: cfg.seals,
		metrics: cfg.plugins.metrics(cfg.log.Name), logger: cfg.logger,
		parts: newGroup(ctx), edge: newGroup(ctx),
	}
	p.metrics.WatchConditions(p.board)
	if cfg.vitals != nil {
		p.newVitals(*cfg.vitals)
	}
	return p
}

// add adds a part, and registers its metrics. start runs it.
func (p *process) add(x part) {
	if len(p.followers) == 0 && len(x.followers) > 0 {
		p.metrics.WatchFollowers(func() []health.Follower { return p.followers }, p.size)
	}
	p.list = append(p.list, x)
	p.followers = append(p.followers, x.followers...)
	if x.watch != nil {
		x.watch(p.metrics)
	}
}

// start runs the parts that were added since the last start, in their order.
func (p *process) start(ctx context.Context) error {
	for ; p.running < len(p.list); p.running++ {
		x := p.list[p.running]
		if x.begin != nil {
			if err := x.begin(ctx); err != nil {
				return err
			}
		}
		if x.run == nil {
			continue
		}
		if x.edge {
			p.edge.run(x.name, x.run)
		} else {
			p.parts.run(x.name, x.run)
		}
	}
	return nil
}

// handler serves the routes of all parts, those of more, and /metrics. It does not ask who a caller
// is; see access.go.
func (p *process) handler(more map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range more {
		mux.Handle(pattern, h)
	}
	for _, x := range p.list {
		for pattern, h := range x.routes {
			mux.Handle(pattern, h)
		}
	}
	return p.metrics.Instrument(mux)
}

// serve answers requests on a listener until the edge parts end.
func (p *process) serve(l net.Listener, face httpapi.Face, h http.Handler) {
	s := face.Server(p.gate.Handler(h))
	if p.gate == nil {
		s.BaseContext = func(net.Listener) context.Context { return open }
	}
	s.RegisterOnShutdown(p.endStreams)
	if p.logger.Enabled(context.Background(), slog.LevelWarn) {
		s.ErrorLog = slog.NewLogLogger(p.logger.Handler(), slog.LevelWarn)
	}
	p.edge.run("http", func(ctx context.Context) error { return httpapi.Serve(ctx, s, l, stopGrace) })
}

func (p *process) endStreams() {
	for _, x := range p.list {
		if x.endStreams != nil {
			x.endStreams()
		}
	}
}

// size returns how many entries the log has, as far as this process knows.
func (p *process) size() uint64 {
	if p.sealer != nil {
		return max(p.sealer.Status().Size, p.followed())
	}
	return sealedSize(p.streams, p.followed())
}

// followed returns how many entries the most advanced follower has followed.
func (p *process) followed() (n uint64) {
	for _, f := range p.followers {
		n = max(n, f.Look().Size)
	}
	return n
}

// wait returns nil when ctx is done, or the error of a part that failed before.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-p.parts.ctx.Done():
		return context.Cause(p.parts.ctx)
	case <-p.edge.ctx.Done():
		return context.Cause(p.edge.ctx)
	}
}

// stop ends the edge parts, and then the others.
func (p *process) stop() {
	p.edge.stop()
	p.parts.stop()
}
