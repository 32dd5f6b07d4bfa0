package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/pkg/api"
)

// Registry holds what one process shows under /metrics. Every name begins with sealstream_, and
// every one has the log's name as a label. No label has a value that agents choose.
type Registry struct {
	registry *prometheus.Registry
	register prometheus.Registerer // with the label of the log

	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	outcomes sync.Map // outcome to requestMetrics
}

// Buckets of histograms: an fsync to a stall; one event to a full group.
var (
	quick = []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}
	sizes = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// New returns the registry of one process of a log. Two registries of one log may be in one
// process.
func New(log string) *Registry {
	r := &Registry{registry: prometheus.NewRegistry()}
	r.register = prometheus.WrapRegistererWith(prometheus.Labels{"log": log}, r.registry)
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.requests = r.counter(
		"http_requests_total",
		"HTTP requests answered; status aborted: broken off.",
		"route",
		"method",
		"status",
	)
	r.seconds = r.histogram(
		"http_request_seconds",
		"From a request's arrival to the end of its answer, without live streams.",
		quick,
		"route",
	)
	return r
}

func (r *Registry) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "sealstream", Name: name, Help: help}, labels)
	r.register.MustRegister(c)
	return c
}

func (r *Registry) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(
		prometheus.HistogramOpts{Namespace: "sealstream", Name: name, Help: help, Buckets: buckets},
		labels,
	)
	r.register.MustRegister(h)
	return h
}

func (r *Registry) gauge(name, help string, value func() float64) {
	r.register.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "sealstream", Name: name, Help: help}, value),
	)
}

func (r *Registry) total(name, help string, value func() float64) {
	r.register.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: "sealstream", Name: name, Help: help}, value),
	)
}

// ObserveIngest makes the metrics of an ingest.
func (r *Registry) ObserveIngest() ingest.Observer {
	events := r.counter(
		"ingest_events_total",
		"Events that were answered, by the receipt's status; failed: without a receipt.",
		"status",
	)
	byStatus := map[string]prometheus.Counter{} // with all, so that a rate is known before the first
	for _, status := range []string{api.Stored, api.Sealed, api.Witnessed, api.Duplicate, api.Rejected, ingest.Failed} {
		byStatus[status] = events.WithLabelValues(status)
	}
	group := r.histogram("ingest_group_events", "Events in one EVENTS message.", sizes).WithLabelValues()
	bytes := r.counter("ingest_bytes_total", "Bytes of EVENTS messages written.").WithLabelValues()
	ack := r.histogram("ingest_ack_seconds", "From a group's writing to its acknowledgement.", quick).WithLabelValues()
	failures := r.counter("ingest_group_failures_total", "Groups that were not acknowledged.").WithLabelValues()
	return ingest.Observer{
		Events: func(status string, n int) { byStatus[status].Add(float64(n)) },
		Group: func(n, size int, took time.Duration, err error) {
			if err != nil {
				failures.Inc()
				return
			}
			group.Observe(float64(n))
			bytes.Add(float64(size))
			ack.Observe(took.Seconds())
		},
	}
}

// ObserveSealer makes the metrics of what a sealer commits.
func (r *Registry) ObserveSealer() func(sealer.Commit) {
	entries := r.counter("sealed_entries_total", "Entries sealed by this process.").WithLabelValues()
	bytes := r.counter("sealed_bytes_total", "Bytes of leaves sealed by this process.").WithLabelValues()
	own := r.counter(
		"sealed_own_entries_total",
		"Entries of the log's own sealed by this process, by type: what was rejected, repeated, or is missing.",
		"type",
	)
	for _, t := range ownTypes {
		own.WithLabelValues(t)
	}
	batch := r.histogram("seal_batch_entries", "Entries in one batch.", sizes).WithLabelValues()
	commit := r.histogram("seal_commit_seconds", "From a batch's writing to its acknowledgement.", quick).WithLabelValues()
	age := r.histogram("seal_age_seconds",
		"From the broker's storing of the newest event of a batch to the batch's commit, by the clocks of both.", quick).
		WithLabelValues()
	return func(c sealer.Commit) {
		entries.Add(float64(c.Entries))
		bytes.Add(float64(c.Bytes))
		for t, n := range c.Own {
			own.WithLabelValues(t).Add(float64(n))
		}
		batch.Observe(float64(c.Entries))
		commit.Observe(c.Took.Seconds())
		age.Observe(c.Age.Seconds())
	}
}

// Gatherer gives what was measured.
func (r *Registry) Gatherer() prometheus.Gatherer { return r.registry }

// handler serves /metrics.
func (r *Registry) handler() http.Handler {
	return promhttp.HandlerFor(
		r.registry,
		promhttp.HandlerOpts{Registry: r.registry, MaxRequestsInFlight: 4, Timeout: 10 * time.Second},
	)
}
