package node

import (
	"net/http"

	"github.com/sealstream/sealstream/internal/access/gate"
	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/disk"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
)

// Metrics shows what the parts of one process measure. Package metrics has an implementation with
// Prometheus, which the programs pass in, so that nothing here depends on it.
type Metrics interface {
	WatchAccess(*gate.Gate)
	ObserveIngest() ingest.Observer
	ObserveSealer() func(sealer.Commit)
	WatchAlerts(*alert.Alerter)
	WatchConditions(*health.Board)
	WatchFollowers(list func() []health.Follower, size func() uint64)
	WatchIntake(*ingest.Ingest)
	WatchQuery(*query.Query)
	WatchRoom(*disk.Watcher)
	WatchSealer(*store.Log, *sealer.Sealer)
	WatchVitals(newest func() *store.Vitals)
	// Instrument counts the requests to a handler, and serves /metrics beside it.
	Instrument(http.Handler) http.Handler
}

// noMetrics measures nothing.
type noMetrics struct{}

func (noMetrics) ObserveIngest() ingest.Observer                         { return ingest.Observer{} }
func (noMetrics) ObserveSealer() func(sealer.Commit)                     { return nil }
func (noMetrics) WatchAccess(*gate.Gate)                                 {}
func (noMetrics) WatchAlerts(*alert.Alerter)                             {}
func (noMetrics) WatchConditions(*health.Board)                          {}
func (noMetrics) WatchFollowers(func() []health.Follower, func() uint64) {}
func (noMetrics) WatchIntake(*ingest.Ingest)                             {}
func (noMetrics) WatchQuery(*query.Query)                                {}
func (noMetrics) WatchRoom(*disk.Watcher)                                {}
func (noMetrics) WatchSealer(*store.Log, *sealer.Sealer)                 {}
func (noMetrics) WatchVitals(func() *store.Vitals)                       {}
func (noMetrics) Instrument(h http.Handler) http.Handler                 { return h }
