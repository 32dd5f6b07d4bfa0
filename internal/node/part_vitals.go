package node

import (
	"context"

	"github.com/sealstream/sealstream/internal/vitals"
)

const (
	remedyUp      = "start again with a larger --%s-max-bytes"
	remedyService = "raise its limit with: sealstream admin apply --%s-max-bytes SIZE"
)

// newVitals makes what looks at the streams of a process. It runs once addVitals has added it.
func (p *process) newVitals(cfg vitals.Config) {
	cfg.Log, cfg.Board = p.streams, p.board
	p.vitals = vitals.New(cfg)
	p.metrics.WatchVitals(p.vitals.Newest)
}

// addVitals adds what looks at the streams, for the sealer and ingest that were added before.
func (p *process) addVitals() {
	if p.vitals != nil {
		p.vitals.Attach(p.sealer, p.ingest)
		p.add(part{name: "vitals", run: p.vitals.Run})
	}
}

// measure is what ingest calls before it refuses events; nil: nothing looks at the streams.
func (p *process) measure() func(context.Context) {
	if p.vitals == nil {
		return nil
	}
	return p.vitals.Again
}

// showBacklog adds to a page what waits to be sealed, if that is known.
func (p *process) showBacklog(body map[string]any) {
	if p.vitals == nil {
		return
	}
	if s := p.vitals.Newest(); s != nil {
		body["backlog"] = map[string]any{"messages": s.Waiting, "seconds": int(s.Waited().Seconds())}
	}
}
