// Package prometheus measures an embedded log with Prometheus:
//
//	embed.Open(ctx, embed.Options{Metrics: prometheus.Metrics})
//
// The handler of the log then serves GET /metrics.
package prometheus

import (
	"github.com/sealstream/sealstream/internal/metrics"
	"github.com/sealstream/sealstream/pkg/embed"
)

// Metrics returns metrics of a log, in a registry of their own.
func Metrics(log string) embed.Metrics { return metrics.New(log) }
