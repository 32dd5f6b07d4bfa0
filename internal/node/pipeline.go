package node

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/ingest"
	sinkrun "github.com/sealstream/sealstream/internal/sinks/run"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sink"
)

// pipeline is a whole log in one process: all parts over one store. Up and Embedded stand on it.
type pipeline struct {
	*process
	opening *opening
	closing atomic.Bool
}

// pipelineConfig configures a pipeline and its parts.
type pipelineConfig struct {
	processConfig
	sealer   sealerConfig
	ingest   ingestConfig
	query    queryConfig
	alerts   *alert.Config   // nil: no alerts are sent; what the process has is filled in
	archiver *archiverConfig // nil: no archive is written
	sinks    []sink.Spec     // where the log is written to besides
	reopen   bool            // sinks are reopened on SIGHUP
	policy   *proof.Policy   // of the witnesses; nil: none
}

// startPipeline creates the log if it does not exist and starts its parts. It returns when the
// sealer has opened the log, so that what would stop it is an error here and not a line in a log
// file.
func startPipeline(ctx context.Context, cfg pipelineConfig) (*pipeline, error) {
	cfg.keys = cfg.sealer.keys.All()
	p := &pipeline{process: newProcess(ctx, cfg.processConfig)}
	err := p.assemble(ctx, cfg)
	if err == nil {
		err = p.start(ctx)
	}
	if err != nil {
		p.process.stop()
		return nil, err
	}
	return p, nil
}

// assemble adds the parts of a pipeline.
func (p *pipeline) assemble(ctx context.Context, cfg pipelineConfig) error {
	cfg.sealer.checkMark, cfg.sealer.eventsOpen = true, p.gate == nil
	cfg.sealer.handover = &inbox.Handover{Max: ingest.InFlight(cfg.ingest.limits.Limit()) / 16}
	cfg.ingest.handover = cfg.sealer.handover
	if err := p.addSealer(ctx, cfg.sealer); err != nil {
		return err
	}
	p.opening = &opening{sealer: p.sealer, began: time.Now(), parts: p.parts}
	p.add(part{name: "opening", begin: p.opening.begin})
	in := cfg.ingest
	in.open, in.policy, in.redaction = p.gate == nil, cfg.policy, cfg.sealer.redaction.before()
	in.shown, in.opening = p.shown, p.opening
	if err := p.addIngest(in); err != nil {
		return err
	}
	cfg.query.mark, cfg.query.accepting, cfg.query.await = cfg.sealer.mark, p.accepting, true
	if err := p.addQuery(cfg.query); err != nil {
		return err
	}
	if cfg.alerts != nil {
		if err := p.addAlerts(*cfg.alerts); err != nil {
			return err
		}
	}
	if err := p.addArchive(cfg.archiver); err != nil {
		return err
	}
	if err := p.addSinks(cfg.sinks, cfg.reopen); err != nil {
		return err
	}
	p.addVitals()
	return p.addWitnesses(cfg.policy)
}

// handler serves the whole API: events in, entries and proofs out.
func (p *pipeline) handler() http.Handler { return p.process.handler(p.healthPages()) }

// shown waits until the index has an entry, for as long as it may be behind.
func (p *pipeline) shown(ctx context.Context, index uint64) {
	timeout := time.After(time.Second)
	for p.query.Status().Size <= index {
		select {
		case <-ctx.Done():
			return
		case <-timeout:
			return
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// drain waits, for a while, until all that was acknowledged is sealed, and is in those sinks that
// have no trouble. What is not then is sealed, and written, after the next start.
func (p *pipeline) drain(ctx context.Context) {
	info, err := p.log.Events.Info(ctx)
	behind := func() bool {
		s := p.sealer.Status()
		waits := s.InputSeq < info.Last && !errors.Is(s.Err, store.ErrFull) // waiting makes no room
		return waits ||
			slices.ContainsFunc(p.sinks, func(r *sinkrun.Runner) bool { k := r.Status(); return k.Err == "" && k.Next < s.Size })
	}
	for err == nil && p.parts.ctx.Err() == nil && p.board.Worst().State < health.Dead && behind() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop takes no more events, waits at most grace until those that were taken are sealed, and ends
// the parts.
func (p *pipeline) stop(grace time.Duration) {
	p.closing.Store(true)
	p.edge.stop()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	p.drain(ctx)
	cancel()
	p.process.stop()
}
