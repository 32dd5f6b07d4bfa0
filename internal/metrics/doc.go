// Package metrics shows with Prometheus what the parts of a process measure. It serves /metrics.
package metrics
