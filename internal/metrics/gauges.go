package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealstream/sealstream/internal/alert"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// ownTypes are the log's own event types, which are counted from zero on.
var ownTypes = []string{
	entry.TypeConfig,
	entry.TypeRejected,
	entry.TypeDuplicate,
	entry.TypeEquivocation,
	entry.TypeGap,
	entry.TypeEpoch,
	entry.TypeControl,
	entry.TypeErasure,
}

// WatchSealer shows how far a sealer is, and how far behind.
func (r *Registry) WatchSealer(log *store.Log, s *sealer.Sealer) {
	r.gauge(
		"log_entries",
		"Entries in the log: the tree size that the sealer has committed.",
		func() float64 { return float64(s.Status().Size) },
	)
	r.gauge("sealer_active", "1 if this sealer seals, 0 if it is the standby of one that does.", func() float64 {
		if s.Status().Active {
			return 1
		}
		return 0
	})
	r.total(
		"sealer_recoveries_total",
		"Times that the sealer opened the log again.",
		func() float64 { return float64(s.Status().Recovered) },
	)
	r.gauge("sealer_void_messages", "Void messages seen on SEALED.", func() float64 { return float64(s.Status().Void) })
	r.register.MustRegister(&sealLag{log: log, sealer: s,
		messages: prometheus.NewDesc(
			"sealstream_seal_lag_messages",
			"EVENTS messages that are stored and not sealed.",
			nil,
			nil,
		),
		seconds: prometheus.NewDesc(
			"sealstream_seal_lag_seconds",
			"Age of the oldest EVENTS message that is stored and not sealed, by the clocks of broker and this machine; 0 if "+
				"there is none.",
			nil,
			nil,
		),
	})
}

// sealLag asks EVENTS at each scrape. When EVENTS does not answer, its metrics are absent, and no
// stale figure stands for them.
type sealLag struct {
	log               *store.Log
	sealer            *sealer.Sealer
	messages, seconds *prometheus.Desc
}

const scrapeTimeout = 2 * time.Second

func (l *sealLag) Describe(c chan<- *prometheus.Desc) { c <- l.messages; c <- l.seconds }

func (l *sealLag) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	info, err := l.log.Events.Info(ctx)
	if err != nil {
		return
	}
	at := l.sealer.Status().InputSeq // asked after, so that a lag is none that has passed
	lag, age := max(info.Last, at)-at, time.Duration(0)
	if lag > 0 {
		oldest, err := l.log.Events.Get(ctx, max(at+1, info.First))
		switch {
		case err == nil:
			age = max(0, time.Since(oldest.Time))
		case !errors.Is(err, store.ErrNotFound): // else it was sealed and purged since
			return
		}
	}
	c <- prometheus.MustNewConstMetric(l.messages, prometheus.GaugeValue, float64(lag))
	c <- prometheus.MustNewConstMetric(l.seconds, prometheus.GaugeValue, age.Seconds())
}

// WatchQuery shows how a query service fares.
func (r *Registry) WatchQuery(q *query.Query) {
	r.gauge(
		"index_lag_messages",
		"SEALED messages that are not indexed yet, when SEALED was last asked.",
		func() float64 { return float64(q.Status().Lag) },
	)
	r.gauge(
		"unreadable_entries",
		"Entries whose data could not be read when it was last wanted, though it was not erased.",
		func() float64 { return float64(q.Status().Unreadable) },
	)
	r.gauge(
		"index_rechecking_entries",
		"Entries in files of the index that were not compared with the log yet since the start.",
		func() float64 { return float64(q.Status().Rechecking) },
	)
	r.gauge(
		"query_memory_bytes",
		"Memory that reads in progress may take at most.",
		func() float64 { return float64(q.ReadBytes()) },
	)
	r.gauge("streams_open", "Live streams that are open.", func() float64 { return float64(q.StreamStats().Open) })
	r.total(
		"streams_dropped_total",
		"Live streams dropped because their readers took nothing.",
		func() float64 { return float64(q.StreamStats().Dropped) },
	)
	r.total(
		"streams_entries_total",
		"Entries sent on live streams.",
		func() float64 { return float64(q.StreamStats().Sent) },
	)
}

// WatchFollowers shows how the followers of the log fare. size is how many entries the log has, as
// far as this process knows.
func (r *Registry) WatchFollowers(list func() []health.Follower, size func() uint64) {
	by := []string{"follower"}
	r.register.MustRegister(&followersCollector{list, size,
		prometheus.NewDesc("sealstream_follower_entries", "Entries that a follower has followed.", by, nil),
		prometheus.NewDesc("sealstream_follower_lag_entries", "Entries that a follower is behind the log.", by, nil),
		prometheus.NewDesc(
			"sealstream_follower_ok",
			"1: the follower goes on as it should; 0: it says why not in the log file and under /readyz.",
			by,
			nil,
		),
		prometheus.NewDesc(
			"sealstream_follower_events_total",
			"What a follower did since it was started.",
			append(by, "event"),
			nil,
		),
	})
}

// WatchAlerts shows how an alerter's webhooks fare.
func (r *Registry) WatchAlerts(a *alert.Alerter) {
	count := func(does func(alert.WebhookStatus) int) func() float64 {
		return func() float64 {
			n := 0
			for _, w := range a.Status().Webhooks {
				n += does(w)
			}
			return float64(n)
		}
	}
	r.gauge(
		"webhooks_failing",
		"Webhooks whose newest attempt failed.",
		count(func(w alert.WebhookStatus) int { return min(w.Failures, 1) }),
	)
	r.gauge(
		"webhook_dead_letters",
		"Alerts that webhooks did not take, and that wait to be sent again by hand.",
		count(func(w alert.WebhookStatus) int { return w.Dead }),
	)
}

type followersCollector struct {
	list                     func() []health.Follower
	size                     func() uint64
	entries, lag, ok, events *prometheus.Desc
}

func (f *followersCollector) Describe(c chan<- *prometheus.Desc) {
	c <- f.entries
	c <- f.lag
	c <- f.ok
	c <- f.events
}

func (f *followersCollector) Collect(c chan<- prometheus.Metric) {
	size := f.size()
	for _, one := range f.list() {
		s := one.Look()
		ok := 1.0
		if s.Err != nil {
			ok = 0
		}
		c <- prometheus.MustNewConstMetric(f.entries, prometheus.GaugeValue, float64(s.Size), one.Name)
		c <- prometheus.MustNewConstMetric(f.lag, prometheus.GaugeValue, float64(s.Lag(size)), one.Name)
		c <- prometheus.MustNewConstMetric(f.ok, prometheus.GaugeValue, ok, one.Name)
		for event, n := range s.Counts {
			c <- prometheus.MustNewConstMetric(f.events, prometheus.CounterValue, float64(n), one.Name, event)
		}
	}
}

// WatchIntake shows how much memory requests take.
func (r *Registry) WatchIntake(in *ingest.Ingest) {
	r.gauge(
		"ingest_memory_bytes",
		"Memory charged to requests that are not answered yet.",
		func() float64 { return float64(in.InFlight()) },
	)
}
