package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealstream/sealstream/internal/access"
	"github.com/sealstream/sealstream/internal/access/gate"
)

// WatchAccess shows how requests were judged, and how the file of rules fares.
func (r *Registry) WatchAccess(g *gate.Gate) {
	r.total("access_versions_total", "Versions of the rules of access that came into force.",
		func() float64 { return float64(g.Stats().Versions) })
	r.total("access_broken_total", "Times that the file of rules of access was wrong or could not be read.",
		func() float64 { return float64(g.Stats().Broken) })
	r.register.MustRegister(&accessCollector{g, prometheus.NewDesc(
		"sealstream_access_requests_total",
		"Requests by how they were judged: token, oidc, mtls or public if they were let in, else unknown, guessed or "+
			"forbidden.",
		[]string{"result"}, nil,
	)})
}

type accessCollector struct {
	gate     *gate.Gate
	requests *prometheus.Desc
}

func (a *accessCollector) Describe(c chan<- *prometheus.Desc) { c <- a.requests }

func (a *accessCollector) Collect(c chan<- prometheus.Metric) {
	s := a.gate.Stats()
	for result, n := range map[string]uint64{
		"public": s.Accepted[""], "token": s.Accepted[access.Token], "oidc": s.Accepted[access.OIDC],
		"mtls": s.Accepted[access.MTLS], "unknown": s.Unknown, "guessed": s.Guessed, "forbidden": s.Forbidden,
	} {
		c <- prometheus.MustNewConstMetric(a.requests, prometheus.CounterValue, float64(n), result)
	}
}
