package node

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/alert"
	"github.com/sealstream/sealstream/pkg/archive"
	"github.com/sealstream/sealstream/pkg/ingest"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/query"
	"github.com/sealstream/sealstream/pkg/sealer"
	"github.com/sealstream/sealstream/pkg/sink"
	"github.com/sealstream/sealstream/pkg/store"
	"github.com/sealstream/sealstream/pkg/witness"
)

// pipeline is a whole log in one process: sealer, ingest and query over one store. Up and Embedded stand on it.
type pipeline struct {
	log     *store.Log
	keys    Keys
	sealer  *sealer.Sealer
	ingest  *ingest.Ingest
	query   *query.Query
	metrics *metrics
	durable bool               // the log outlives the process
	alerts  *alert.Alerter     // nil: off
	cosign  *witness.Collector // nil: the log has no witnesses
	parts   *group
	closing atomic.Bool

	sinks     []*sink.Runner
	archive   *archive.Archive
	archiver  *archive.Archiver // nil: none was asked for
	followers []follower        // all that follow the log, the index among them
}

// pipelineConfig says how a pipeline differs from the default.
type pipelineConfig struct {
	log        *store.Log
	keys       Keys
	mark       string // "": none
	index      string // folder of the index; "": in memory alone
	relaxed    bool
	keepEvents bool
	openEpoch  string        // reason; "": EVENTS that lost something is an error
	alerts     *alert.Config // nil: none are made; log, keys and logger are filled in
	sinks      []sink.Spec   // where the log is written to besides
	policy     *proof.Policy // of the witnesses; nil: none
	archive    bool          // write the archive
	trimSealed uint64        // newest entries that stay in SEALED; 0: all
	redaction  redaction
	logger     *slog.Logger

	memory        bool   // the log ends with the process
	segmentLeaves uint64 // 0: archive.SegmentLeaves; others are for tests
}

// startPipeline creates the log if there is none and starts its parts. It returns when the sealer has opened the log, so that what
// would stop it is an error here and not a line in a log file.
func startPipeline(ctx context.Context, cfg pipelineConfig) (*pipeline, error) {
	m, a := newMetrics(cfg.log.Name), archive.New(cfg.log)
	log := a.Through()
	sc := sealer.Config{
		Log: log, Signer: cfg.keys.Signer, Keys: cfg.keys.Former, Secret: cfg.keys.Secret, Mark: cfg.mark, KeepEvents: cfg.keepEvents, Observe: m.observeSealer(), Logger: cfg.logger,
		Redaction: cfg.redaction.created(),
	}
	if err := sealer.Create(ctx, sc, true); err != nil {
		return nil, err
	}
	if cfg.openEpoch != "" {
		if _, err := sealer.OpenEpoch(ctx, sc, cfg.openEpoch); err != nil {
			return nil, err
		}
	}
	if err := cfg.keys.announce(ctx, sc); err != nil {
		return nil, err
	}
	if err := cfg.redaction.announce(ctx, sc); err != nil {
		return nil, err
	}
	p := &pipeline{log: log, keys: cfg.keys, metrics: m, durable: !cfg.memory, archive: a, parts: newGroup(context.WithoutCancel(ctx))}
	vkeys := cfg.keys.All()
	durability := "fsync"
	if cfg.relaxed {
		durability = "relaxed"
	}
	var err error
	if p.sealer, err = sealer.New(sc); err != nil {
		return nil, err
	}
	if p.query, err = query.New(query.Config{Log: log, Keys: vkeys, Folder: cfg.index, Durability: durability, Accepting: p.accepting, Logger: cfg.logger}); err != nil {
		return nil, err
	}
	if p.ingest, err = ingest.New(ingest.Config{Log: log, Keys: vkeys, Relaxed: cfg.relaxed, Open: true, Policy: cfg.policy, Redaction: cfg.redaction.before(), Observe: m.observeIngest(), Logger: cfg.logger}); err != nil {
		return nil, err
	}
	if p.cosign, err = newCollector(log, vkeys, cfg.policy, cfg.logger); err != nil {
		return nil, err
	}
	p.followers = append(p.followers, indexFollower(p.query))
	if cfg.alerts != nil {
		ac := *cfg.alerts
		ac.Log, ac.Keys, ac.Logger = log, vkeys, cfg.logger
		if p.alerts, err = alert.New(ac); err != nil {
			return nil, err
		}
		p.followers = append(p.followers, alertFollower(p.alerts))
	}
	if cfg.archive {
		p.archiver, err = archive.NewArchiver(archive.Config{Archive: a, Keys: vkeys, TrimSealed: cfg.trimSealed, SegmentLeaves: cfg.segmentLeaves, Logger: cfg.logger})
		if err != nil {
			return nil, err
		}
		p.followers = append(p.followers, archiveFollower(p.archiver))
	}
	if p.sinks, err = sinkRunners(log, vkeys, cfg.sinks, cfg.logger); err != nil {
		return nil, err
	}
	for _, r := range p.sinks {
		p.followers = append(p.followers, sinkFollower(r))
	}
	p.watch()
	p.parts.run("sealer", p.sealer.Run)
	if err := p.opened(ctx); err != nil {
		p.parts.stop()
		return nil, err
	}
	p.parts.run("query", p.query.Run)
	p.parts.run("ingest", p.ingest.Run)
	if p.alerts != nil {
		p.parts.run("alerts", p.alerts.Run)
	}
	if p.archiver != nil {
		p.parts.run("archiver", p.archiver.Run)
	}
	for _, r := range p.sinks {
		p.parts.run("sink "+r.Name(), r.Run)
	}
	if p.cosign != nil {
		p.parts.run("witnesses", p.cosign.Run)
	}
	return p, nil
}

// watch registers what the parts show of themselves.
func (p *pipeline) watch() {
	p.metrics.watchSealer(p.log, p.sealer)
	p.metrics.watchQuery(p.query)
	p.metrics.watchFollowers(func() []follower { return p.followers }, p.size)
	if p.alerts != nil {
		p.metrics.watchAlerts(p.alerts)
	}
}

// endStreams ends the answers that would never end by themselves: a server that is to stop would wait for them.
func (p *pipeline) endStreams() {
	p.query.EndStreams()
	if p.alerts != nil {
		p.alerts.EndStreams()
	}
}

// size is how many entries the log has, as far as is known here.
func (p *pipeline) size() uint64 { return max(p.sealer.Status().Size, p.query.Status().Size) }

// openPatience is how long the start waits for the sealer. Opening a long log takes longer, since its window is read first; events are taken
// meanwhile, and what stops the sealer then stops the pipeline.
const openPatience = 500 * time.Millisecond

// opened waits for a while until the sealer has opened the log: for a new log, until index 0 is sealed.
func (p *pipeline) opened(ctx context.Context) error {
	patience := time.After(openPatience)
	for p.sealer.Status().Size == 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.parts.ctx.Done():
			return context.Cause(p.parts.ctx)
		case <-patience:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// handler serves the whole API: events in, entries and proofs out.
func (p *pipeline) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p.patient(p.query.Handler()))
	for pattern, h := range p.routes() {
		mux.Handle(pattern, h)
	}
	return p.metrics.instrument(mux)
}

// routes are those beside query's own; openapi.json describes them all.
func (p *pipeline) routes() map[string]http.Handler {
	list := map[string]http.Handler{
		"/v1/events":   p.ingest.Handler(),
		"GET /readyz":  strict(p.log.Name, http.HandlerFunc(p.readyz)),
		"GET /healthz": strict(p.log.Name, http.HandlerFunc(p.healthz)),
	}
	maps.Copy(list, toolkitWriting(p.log.Name, p.ingest, p.shown))
	for pattern, h := range toolkitReading(p.log.Name, p.query, p.durable) {
		list[pattern] = p.patient(h)
	}
	if p.alerts != nil {
		maps.Copy(list, p.alerts.Routes())
	}
	maps.Copy(list, archiveRoutes(p.log.Name, p.archive, p.keys.All(), p.archiver))
	return list
}

// indexPatience is how long a question waits for an index that is being built, before it is told to come again.
const indexPatience = 2 * time.Second

// patient spares whoever asks right after the start an error that has passed in a moment.
func (p *pipeline) patient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.query.Status().CaughtUp && r.URL.Path != "/healthz" {
			ctx, cancel := context.WithTimeout(r.Context(), indexPatience)
			p.query.CaughtUp(ctx) // whatever it says, the handler says it better
			cancel()
		}
		h.ServeHTTP(w, r)
	})
}

// shown waits until the index has an entry, for as long as it may be behind.
func (p *pipeline) shown(ctx context.Context, index uint64) {
	patience := time.After(time.Second)
	for p.query.Status().Size <= index {
		select {
		case <-ctx.Done():
			return
		case <-patience:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// accepting says why events are not accepted and sealed: while the process ends, and after the sealer has stopped.
func (p *pipeline) accepting() error {
	if p.closing.Load() {
		return errors.New("the log is being stopped")
	}
	return context.Cause(p.parts.ctx)
}

// readyz is 200 when events are accepted and the log, as far as it was read, verifies. An index that is still being built makes queries
// wait and not agents; it says so. So does any other follower that is behind or in trouble: only one that finds the log bad is a reason
// to send nothing more here.
func (p *pipeline) readyz(w http.ResponseWriter, r *http.Request) {
	status := p.query.Status()
	err := p.accepting()
	if err == nil {
		err = p.ingest.Ready()
	}
	if err == nil && !errors.Is(status.Err, query.ErrBuilding) {
		err = status.Err
	}
	followers, bad := report(p.followers, p.size())
	if err == nil {
		err = bad
	}
	if err != nil {
		problem(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	index := "ready"
	if !status.CaughtUp {
		index = query.ErrBuilding.Error()
	}
	answer(w, http.StatusOK, "application/json", p.withWitnesses(map[string]any{
		"status": "ready", "tree_size": status.Size, "lag": status.Lag, "index": index, "durability": p.ingest.Durability(), "followers": followers,
	}))
}

// healthz says that the process lives, and what its acknowledgements mean.
func (p *pipeline) healthz(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, "application/json", p.withWitnesses(map[string]any{"status": "ok", "durability": p.ingest.Durability()}))
}

// withWitnesses adds how the witnesses fare. A log without enough of them goes on, and is ready.
func (p *pipeline) withWitnesses(body map[string]any) map[string]any {
	if p.cosign != nil {
		body["witnesses"] = p.cosign.Status()
	}
	return body
}

// answer writes JSON that nobody keeps.
func answer(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// drain waits, for a while, until all that was acknowledged is sealed, and is in those sinks that have no trouble. What is not then is sealed, and
// written, after the next start.
func (p *pipeline) drain(ctx context.Context) {
	info, err := p.log.Events.Info(ctx)
	behind := func() bool {
		s := p.sealer.Status()
		return s.InputSeq < info.Last || slices.ContainsFunc(p.sinks, func(r *sink.Runner) bool { k := r.Status(); return k.Err == "" && k.Next < s.Size })
	}
	for err == nil && p.parts.ctx.Err() == nil && behind() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop ends the parts; intake must have ended before.
func (p *pipeline) stop(grace time.Duration) {
	p.closing.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	p.drain(ctx)
	cancel()
	p.parts.stop()
}
