package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/store"
)

// WatchVitals shows how full the streams are, as they were when they were last asked.
func (r *Registry) WatchVitals(newest func() *store.Vitals) {
	r.register.MustRegister(&vitalsCollector{newest,
		prometheus.NewDesc("sealstream_stream_bytes", "Bytes that a stream or bucket holds.", []string{"stream"}, nil),
		prometheus.NewDesc(
			"sealstream_stream_limit_bytes",
			"Bytes at which it refuses more; absent without a limit.",
			[]string{"stream"},
			nil,
		),
		prometheus.NewDesc(
			"sealstream_backlog_messages",
			"EVENTS messages that are not sealed, whether a sealer runs or not.",
			nil,
			nil,
		),
		prometheus.NewDesc("sealstream_backlog_seconds", "Age of the oldest of them; 0 if there is none.", nil, nil),
	})
}

type vitalsCollector struct {
	newest                         func() *store.Vitals
	bytes, limit, waiting, seconds *prometheus.Desc
}

func (c *vitalsCollector) Describe(d chan<- *prometheus.Desc) {
	for _, x := range []*prometheus.Desc{c.bytes, c.limit, c.waiting, c.seconds} {
		d <- x
	}
}

// Collect gives nothing while the streams do not answer, so that no stale figure stands for them.
func (c *vitalsCollector) Collect(m chan<- prometheus.Metric) {
	v := c.newest()
	if v == nil {
		return
	}
	for name, s := range v.Sizes {
		m <- prometheus.MustNewConstMetric(c.bytes, prometheus.GaugeValue, float64(s.Bytes), name)
		if s.Limit > 0 {
			m <- prometheus.MustNewConstMetric(c.limit, prometheus.GaugeValue, float64(s.Limit), name)
		}
	}
	m <- prometheus.MustNewConstMetric(c.waiting, prometheus.GaugeValue, float64(v.Waiting))
	m <- prometheus.MustNewConstMetric(c.seconds, prometheus.GaugeValue, v.Waited().Seconds())
}

// WatchConditions shows the conditions of a board.
func (r *Registry) WatchConditions(board *health.Board) {
	r.register.MustRegister(&conditionsCollector{board, prometheus.NewDesc(
		"sealstream_condition",
		"State of a condition of this process: 0 ok, 1 warning, 2 urgent, 3 failing, 4 dead; /readyz shows its text.",
		[]string{"name"},
		nil,
	)})
}

type conditionsCollector struct {
	board *health.Board
	state *prometheus.Desc
}

func (c *conditionsCollector) Describe(d chan<- *prometheus.Desc) { d <- c.state }

func (c *conditionsCollector) Collect(m chan<- prometheus.Metric) {
	for _, x := range c.board.List() {
		m <- prometheus.MustNewConstMetric(c.state, prometheus.GaugeValue, float64(x.State), x.Name)
	}
}
